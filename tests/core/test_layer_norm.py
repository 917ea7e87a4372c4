"""Layer normalisation in the core: against the twin, alone and in company, and against PyTorch."""

from typing import Any

import numpy as np
import pytest
from helpers.runners import forced_plan

import fastrnn

WORST = {np.float64: 1e-11, np.float32: 1e-4}  # of the largest element; 1/sigma magnifies
OPTIONS: list[tuple[Any, dict[str, Any]]] = [
    (fastrnn.LSTM, {}),
    (fastrnn.LSTM, {"num_layers": 2, "bidirectional": True, "bias": False}),
    (fastrnn.LSTM, {"zoneout": 0.3, "recurrent_dropout": 0.3, "weight_drop": 0.2}),
    (fastrnn.LSTM, {"zoneout": 0.3, "proj_size": 5, "clip": 0.4}),
    (fastrnn.LSTM, {"peephole": True, "activations": ("hard_sigmoid", "softplus", "elu")}),
    (fastrnn.LSTM, {"peephole": "full", "gates": "io", "proj_size": 3}),
    (fastrnn.GRU, {}),
    (fastrnn.GRU, {"num_layers": 2, "bidirectional": True, "bias": False}),
    (fastrnn.GRU, {"zoneout": 0.3, "recurrent_dropout": 0.3, "clip": 0.4}),
    (fastrnn.GRU, {"reset_after": False, "num_layers": 2, "bidirectional": True}),
    (fastrnn.GRU, {"reset_after": False, "zoneout": 0.3, "recurrent_dropout": 0.3, "clip": 0.4}),
    (fastrnn.RNN, {"num_layers": 2, "bidirectional": True}),
    (fastrnn.RNN, {"zoneout": 0.3, "recurrent_dropout": 0.3, "nonlinearity": "elu", "bias": False}),
]  # fmt: skip


def make(layer: Any, H: int, dtype: Any, **options: Any) -> Any:
    """A layer whose gains are not 1."""
    rng = np.random.default_rng(0)
    cell = layer(4, H, layer_norm=True, rng=rng, dtype=dtype, **options)
    for name, array in cell.params.items():
        if "norm" in name:
            array[...] = rng.uniform(0.5, 1.5, array.shape)
    return cell


def state_of(cell: Any, N: int, rng: np.random.Generator) -> Any:
    """Initial states of all layers and directions."""
    count = cell.num_layers * (1 + cell.bidirectional)
    sizes = [getattr(cell, "proj_size", 0) or cell.hidden_size, cell.hidden_size]
    drawn = [rng.uniform(-1, 1, (count, N, size)).astype(cell.dtype) for size in sizes]
    return tuple(drawn) if isinstance(cell, fastrnn.LSTM) else drawn[0]


def results(cell: Any, T: int, N: int, ragged: bool, rows: Any = slice(None)) -> dict[str, Any]:
    """Outputs, states and all gradients of one training step; `rows` are those of N to run."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((T, N, 4)).astype(cell.dtype)[:, rows]
    lengths = rng.integers(0, T + 1, N)[rows] if ragged else None
    state = state_of(cell, N, rng)
    pair = isinstance(state, tuple)
    state = tuple(part[:, rows] for part in state) if pair else state[:, rows]
    y, final, tape = cell.forward(x, state, lengths=lengths, rng=np.random.default_rng(2))
    dy = np.random.default_rng(3).standard_normal((T, N, y.shape[-1])).astype(cell.dtype)[:, rows]
    grads = cell.backward(tape, dy, final)  # any gradient by the final states does
    found = {"y": y, "x": grads.x} | grads.params
    finals = final if pair else (final,)
    return found | {f"state{k}": part for k, part in enumerate(finals)}


def assert_close(found: dict[str, Any], wanted: dict[str, Any], worst: float) -> None:
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        scale = max(1.0, float(np.abs(array).max(initial=0)))
        assert np.abs(found[name] - array).max(initial=0) / scale < worst, name


@pytest.mark.check(2)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("layer", "options"), OPTIONS)
def test_core_equals_twin(layer: Any, options: dict[str, Any], isa: str, dtype: Any) -> None:
    for H, T, N, ragged in ((7, 5, 3, False), (33, 4, 5, True), (16, 1, 1, False)):
        cell = make(layer, H, dtype, **options)
        found = results(cell, T, N, ragged)
        with fastrnn.use_backend("reference"):
            wanted = results(cell, T, N, ragged)
        assert_close(found, wanted, WORST[dtype])


@pytest.mark.check(7)
@pytest.mark.parametrize(("layer", "options"), [OPTIONS[0], OPTIONS[5], OPTIONS[6]])
def test_rows_depend_neither_on_batch_nor_threads(layer: Any, options: dict[str, Any]) -> None:
    cell = make(layer, 19, np.float32, **options)
    one = results(cell, 90, 7, True)  # more rows than a chunk has
    for count in (2, 3):
        with fastrnn.threads(count):
            many = results(cell, 90, 7, True)
        assert all(np.array_equal(one[name], many[name]) for name in one)
    alone = results(cell, 90, 7, True, rows=slice(4, 5))
    assert np.array_equal(one["y"][:, 4:5], alone["y"])
    assert np.array_equal(one["x"][:, 4:5], alone["x"])


@pytest.mark.check(6)
@pytest.mark.parametrize(("layer", "options"), OPTIONS)
def test_threads_that_share_units_change_no_bit(layer: Any, options: dict[str, Any]) -> None:
    cell = make(layer, 150, np.float32, **options)
    for N in (1, 3):
        one = results(cell, 5, N, N > 1)
        for count, chunk in ((2, 0), (3, 2), (4, 1)):
            with fastrnn.threads(count), forced_plan("units", chunk):
                many = results(cell, 5, N, N > 1)
            for name in one:
                assert np.array_equal(one[name], many[name]), (N, count, name)


@pytest.mark.check(7)
@pytest.mark.parametrize("layer", [fastrnn.LSTM, fastrnn.GRU])
def test_a_stream_equals_the_sequence(layer: Any, isa: str) -> None:
    cell = make(layer, 21, np.float32, num_layers=2)
    x = np.random.default_rng(4).standard_normal((9, 2, 4)).astype(np.float32)
    stream = cell.stream(batch_size=2)
    assert np.array_equal(np.stack([stream.step(x_t) for x_t in x]), cell(x)[0])


@pytest.mark.parametrize("layer", [fastrnn.LSTM, fastrnn.GRU])
def test_equals_cells_written_in_torch(layer: Any) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    cell, T, N, H = make(layer, 6, np.float64), 5, 3, 6
    p = {
        name[: -len("_l0")]: torch.tensor(a, requires_grad=True) for name, a in cell.params.items()
    }
    x = np.random.default_rng(5).standard_normal((T, N, 4))
    gain, G, lstm = p["weight_norm"], len(p["bias_ih"]) // H, layer is fastrnn.LSTM

    def normal(a: Any, of: Any) -> Any:
        groups = [a] if lstm else [a[:, : 2 * H], a[:, 2 * H :]]
        return of.ravel() * torch.cat([torch.layer_norm(g, g.shape[1:]) for g in groups], 1)

    h = c = torch.zeros(N, H, dtype=torch.float64)
    loss = torch.zeros((), dtype=torch.float64)
    for x_t in torch.tensor(x):
        ax = normal(x_t @ p["weight_ih"].T, gain[:G]) + p["bias_ih"]
        ah = normal(h @ p["weight_hh"].T, gain[G : 2 * G]) + p["bias_hh"]
        if lstm:
            i, f, g, o = (ax + ah).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * (gain[8] * torch.layer_norm(c, (H,)) + gain[9]).tanh()
        else:
            (x_r, x_z, x_n), (h_r, h_z, h_n) = ax.chunk(3, 1), ah.chunk(3, 1)
            z, n = (x_z + h_z).sigmoid(), (x_n + (x_r + h_r).sigmoid() * h_n).tanh()
            h = (1 - z) * n + z * h
        loss = loss + (h**2).sum()
    loss.backward()
    y, _, tape = cell.forward(x)
    grads = cell.backward(tape, 2 * y).params
    assert abs(float((y**2).sum()) - loss.item()) < 1e-11
    wanted = {f"{name}_l0": value.grad.numpy() for name, value in p.items()}
    assert_close(grads, wanted, 1e-11)
