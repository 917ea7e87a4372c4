"""Why: a gradient that leaves out its zeros must train as one that has them, bit for bit, or if it
is lazy change nothing but its rows; through clipping, optimisers, several batches and ranks.
"""

import copy
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
from helpers.tolerances import RANKS, assert_same_bits
from helpers.updates import OPTIMISERS

import fastrnn
from fastrnn import ops
from fastrnn.data import contiguous_streams
from fastrnn.distributed import Comm, ThreadComm
from fastrnn.models import LanguageModel
from fastrnn.train import (
    SGD,
    Adam,
    RowGradient,
    Trainer,
    clip_grad_norm,
    clip_grad_value,
    global_norm,
)
from fastrnn.train._ranks import _half, _whole


def draw(
    rng: np.random.Generator, V: int, E: int, dtype: Any, lazy: bool = False, share: int = 3
) -> RowGradient:
    rows = np.unique(rng.integers(0, V, V // share))
    return RowGradient(rows, rng.normal(size=(len(rows), E)).astype(dtype), (V, E), lazy)


@pytest.mark.parametrize("shape", [(3000, 7), (5, 3), (40, 600), (9, 0)])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_an_update_by_rows_is_that_of_the_whole_array(
    name: str, shape: tuple[int, int], dtype: np.dtype, backend: str, rng: np.random.Generator
) -> None:
    params = {"w": rng.normal(size=shape).astype(dtype), "b": rng.normal(size=shape[0])}
    whole, by_rows, other = OPTIMISERS[name](), OPTIMISERS[name](), copy.deepcopy(params)
    for threads in (1, 2, 3):
        g, b = draw(rng, *shape, dtype), rng.normal(size=shape[0])
        whole.update(params, {"w": g.dense(), "b": b})
        with fastrnn.threads(threads):
            by_rows.update(other, {"w": g, "b": b})
    for key, array in params.items():
        assert_same_bits(f"{name} {key}", other[key], array)
    for key, array in whole.state_dict().items():
        assert_same_bits(f"{name} {key}", by_rows.state_dict()[key], array)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_lazy_update_leaves_the_other_rows_alone(
    name: str, backend: str, rng: np.random.Generator
) -> None:
    params = {"w": rng.normal(size=(2000, 7))}
    whole, lazy, other = OPTIMISERS[name](), OPTIMISERS[name](), copy.deepcopy(params)
    full = RowGradient(np.arange(2000), rng.normal(size=(2000, 7)), (2000, 7))
    whole.update(params, {"w": full})
    lazy.update(other, {"w": full})
    before, kept = other["w"].copy(), lazy.state_dict()
    g = draw(rng, 2000, 7, np.float64, lazy=True)
    whole.update(params, {"w": g.dense()})
    with fastrnn.threads(3):
        lazy.update(other, {"w": g})
    rest = np.setdiff1d(np.arange(2000), g.rows)
    assert_same_bits("rows", other["w"][g.rows], params["w"][g.rows])
    assert_same_bits("the others", other["w"][rest], before[rest])
    for key, array in lazy.state_dict().items():
        if key.endswith(".w"):
            assert_same_bits(key, array[g.rows], whole.state_dict()[key][g.rows])
            assert_same_bits(key, array[rest], kept[key][rest])


def test_clipping_knows_nothing_but_the_rows(rng: np.random.Generator) -> None:
    g = draw(rng, 100, 5, np.float64)
    whole, tree = {"w": g.dense()}, {"w": g}
    assert np.isclose(global_norm(tree), global_norm(whole), rtol=1e-14)
    clip_grad_value(tree, 1.5)
    clip_grad_value(whole, 1.5)
    assert_same_bits("value", g.dense(), whole["w"])
    assert np.isclose(clip_grad_norm(tree, 1.0), clip_grad_norm(whole, 1.0), rtol=1e-14)
    np.testing.assert_allclose(g.dense(), whole["w"], rtol=1e-14)
    g.values[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"grads\['w'\] holds NaN"):
        clip_grad_norm(tree, 1.0)


def test_what_does_not_fit_is_refused() -> None:
    params, g = {"w": np.ones((4, 2))}, np.ones((2, 2))
    for rows in ([1, 0], [1, 1], [-1, 0], [0, 4]):
        with pytest.raises(ValueError, match="rows must ascend from 0 to 3"):
            RowGradient(np.array(rows), g, (4, 2))
        changed = RowGradient(np.array([0, 1]), g, (4, 2))
        changed.rows = np.array(rows)
        with pytest.raises(ValueError, match="rows must ascend within the parameter array"):
            SGD().update(params, {"w": changed})
    with pytest.raises(ValueError, match="must have the shape"):
        SGD().update(params, {"w": RowGradient(np.array([0, 1]), g, (5, 2))})
    with pytest.raises(TypeError, match="must have the dtype"):
        SGD().update(params, {"w": RowGradient(np.array([0, 1]), g.astype("f4"), (4, 2))})
    for rows, shape in (([0], (4, 2)), ([0, 1], (4, 3))):
        with pytest.raises(ValueError, match="values must have shape"):
            RowGradient(np.array(rows), g, shape)
    with pytest.raises(ValueError, match="rows must be 'exact', 'lazy' or None"):
        ops.value_and_grad(np.sum, rows="all")
    assert (params["w"] == 1).all()


def test_what_comes_by_rows(rng: np.random.Generator) -> None:
    """Tables that are looked up alone; what else is done with one makes its gradient whole."""
    params = {name: rng.normal(size=(2000, 3)) for name in ("once", "twice", "tied", "computed")}
    ids, more = rng.integers(0, 2000, (4, 5)), rng.integers(0, 2000, 7)
    x = rng.normal(size=(2, 3))

    def loss(p: Any) -> Any:
        parts = [
            ops.embedding(p["once"], ids),
            ops.embedding(p["twice"], ids), ops.embedding(p["twice"], more),
            ops.embedding(p["tied"], ids), ops.linear(x, p["tied"]),
            ops.embedding(anp.tanh(p["computed"]), ids),
        ]  # fmt: skip
        return sum(anp.sum(part**2) for part in parts)

    value, expected = ops.value_and_grad(loss)(params)
    assert all(type(g) is np.ndarray for g in expected.values())
    for mode in ("exact", "lazy"):
        other, found = ops.value_and_grad(loss, rows=mode)(params)
        assert other == value
        kinds = {name: type(g) is RowGradient for name, g in found.items()}
        assert kinds == {"once": True, "twice": True, "tied": False, "computed": False}
        assert found["once"].lazy == (mode == "lazy")
        for name, g in found.items():
            whole = g.dense() if kinds[name] else g
            np.testing.assert_allclose(whole, expected[name], rtol=1e-14, atol=1e-14)
    few = {"w": params["once"][:1000]}
    table = ops.value_and_grad(lambda p: anp.sum(ops.embedding(p["w"], more % 1000)), rows="exact")
    assert type(table(few)[1]["w"]) is np.ndarray


def corpus() -> Any:
    return contiguous_streams(np.random.default_rng(1).zipf(1.3, 900) % 3000, N=6, T=5)


def trained(comm: Comm | None, optimiser: Any, whole: bool = False, **options: Any) -> Any:
    """A model of 3,000 words after some updates; `whole` hides from the trainer what it is."""
    model: Any = LanguageModel(
        "gru", 3000, 8, dtype=np.float64, tied=False, rng=np.random.default_rng(0)
    )
    if whole:
        model._table_rows = None
    trainer = Trainer(
        model, optimiser, rng=np.random.default_rng(2), progress=False, dist=comm, **options
    )
    trainer.fit(corpus(), updates=9)
    return model.params["embedding"]["weight"], model.params["out"]["weight"]


@pytest.mark.parametrize("options", [{}, {"accumulate": 3}, {"max_norm": 0.5}])
def test_a_training_is_the_same(options: dict) -> None:
    for a, b in zip(trained(None, Adam(), **options), trained(None, Adam(), True, **options),
                    strict=True):  # fmt: skip
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("size", [2, 3])
def test_ranks_exchange_rows(size: int, accumulate: int) -> None:
    alone = trained(None, Adam(), True, accumulate=accumulate)
    found = ThreadComm.run(size, lambda comm: trained(comm, Adam(), accumulate=accumulate))
    for params in found:
        for a, b, first in zip(params, alone, found[0], strict=True):
            assert np.abs(a - b).max() < RANKS[np.dtype(np.float64)]
            assert_same_bits("rank", a, first)


class Counting(ThreadComm):
    """Ranks that know how many bytes they have handed over."""

    sent = 0

    def allreduce_(self, array: np.ndarray) -> None:
        self.sent += array.nbytes
        super().allreduce_(array)

    def allgatherv(self, array: np.ndarray) -> list[np.ndarray]:
        self.sent += array.nbytes
        return super().allgatherv(array)

    def alltoall(self, array: np.ndarray) -> np.ndarray:
        self.sent += array.nbytes
        return super().alltoall(array)


def sent_by(whole: bool, **options: Any) -> int:
    """Bytes that one of three ranks hands over in a training."""

    def job(comm: ThreadComm) -> int:
        comm.__class__ = Counting
        trained(comm, Adam(), whole, **options)
        return comm.sent  # type: ignore[attr-defined]

    return ThreadComm.run(3, job)[0]


def test_rows_and_short_numbers_are_fewer_bytes() -> None:
    """Of 3,000 words 30 stand in a batch; the output layer's gradient, half of all, is whole."""
    everything = sent_by(True)
    assert sent_by(False) < 0.6 * everything
    # In float64 here: a sixth of it for the parts, and a third of that again for their sums.
    assert sent_by(True, exchange="bfloat16") < 0.4 * everything


@pytest.mark.parametrize("whole", [True, False])
def test_gradients_of_8_bits_train_nearly_the_same(whole: bool) -> None:
    options = {"max_norm": 1.0, "exchange": "bfloat16"}
    alone = trained(None, SGD(0.5), True, max_norm=1.0)
    found = ThreadComm.run(3, lambda comm: trained(comm, SGD(0.5), whole, **options))
    start = LanguageModel("gru", 3000, 8, dtype=np.float64, rng=np.random.default_rng(0)).params
    for params in found:
        for name, a, b, first in zip(("embedding", "out"), params, alone, found[0], strict=True):
            assert_same_bits("rank", a, first)
            moved = np.linalg.norm(b - start[name]["weight"])
            assert 0 < np.linalg.norm(a - b) < 0.02 * moved


def test_8_bits_are_rounded_to_the_nearest_and_keep_what_is_no_number() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2**32, 200_000, np.uint32).view(np.float32)  # all kinds of numbers
    x[:4] = np.nan, np.inf, -np.inf, -0.0
    found = _whole(_half(x))
    expected = torch.from_numpy(x).bfloat16().float().numpy()
    assert_same_bits("numbers", found[~np.isnan(x)], expected[~np.isnan(x)])
    assert np.isnan(found[np.isnan(x)]).all()
    nan = np.array([0x7FFFFFFF, 0xFFFFFFFF], np.uint32).view(np.float32)
    assert np.isnan(_whole(_half(nan))).all()


def test_another_exchange_is_refused() -> None:
    with pytest.raises(ValueError, match="exchange must be 'bfloat16' or None, got 'int8'"):
        trained(None, Adam(), exchange="int8")
