"""Options of the layers that act in the recurrence: projection, dropout, zoneout, weight drop."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import fastrnn
from fastrnn import Masks
from fastrnn.reference.dropout import C_KEEP, H_KEEP, keeps, masked

X = np.random.default_rng(0).standard_normal((6, 3, 4))
OPTIONS: list[dict[str, Any]] = [
    {"recurrent_dropout": 0.4},
    {"zoneout": 0.3},
    {"weight_drop": 0.4},
    {"recurrent_dropout": 0.2, "zoneout": 0.3, "weight_drop": 0.3},
]
LAYERS = [fastrnn.RNN, fastrnn.GRU, fastrnn.LSTM]
OF_THE_LSTM: list[dict[str, Any]] = [
    {"proj_size": 3},
    {"proj_size": 2, "zoneout": 0.2},
    {"peephole": "full"},
    {"peephole": "full", "proj_size": 3, "clip": 0.9, "zoneout": (0.2, 0.0), "weight_drop": 0.2},
]
CHOSEN = [(layer, options) for layer in LAYERS for options in OPTIONS]
CHOSEN += [(fastrnn.LSTM, options) for options in OF_THE_LSTM]
DEEP = {"num_layers": 2, "bidirectional": True}


def make(layer: Any, **options: Any) -> Any:
    options = {"dtype": np.float64, "rng": np.random.default_rng(1)} | options
    return layer(4, 7, **options)


def slopes_agree(layer: Any, run: Any, backward: Any) -> None:
    """Directional finite differences of sum(y·dy) against backward, for every weight and x."""
    grads = backward()
    rng = np.random.default_rng(2)
    for name, array in layer.params.items():
        direction = rng.standard_normal(array.shape)
        values = []
        for sign in (1, -1):
            layer.params[name] = array + sign * 1e-6 * direction
            values.append(run())
        layer.params[name] = array
        slope, exact = (values[0] - values[1]) / 2e-6, float((grads[name] * direction).sum())
        assert abs(slope - exact) < 1e-6 * max(1, abs(exact)), name


@pytest.mark.parametrize(("layer", "options"), CHOSEN)
@pytest.mark.parametrize("shape", [{}, DEEP])
def test_gradients_of_training(layer: Any, options: dict[str, Any], shape: dict[str, Any]) -> None:
    model = make(layer, **options, **shape)
    lengths = [6, 2, 4]
    dy = np.random.default_rng(3).standard_normal(model(X)[0].shape)

    def forward() -> Any:
        return model.forward(X, lengths=lengths, rng=np.random.default_rng(4))

    def backward() -> dict[str, np.ndarray]:
        grads: dict[str, np.ndarray] = model.backward(forward()[2], dy=dy).params
        return grads

    slopes_agree(model, lambda: float((forward()[0] * dy).sum()), backward)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("options", OPTIONS)
def test_masks_may_be_passed_in(layer: Any, options: dict[str, Any]) -> None:
    """What is drawn from a generator is what the same masks, passed in, give."""
    model = make(layer, **options)
    rng = np.random.default_rng(5)
    p, h, c, w = model._probabilities

    def dropped(p: float, shape: tuple[int, ...]) -> np.ndarray | None:
        return np.where(rng.random(shape, np.float32) >= p, 1 / (1 - p), 0.0) if p else None

    mask = dropped(p, (3, 7))
    key = int.from_bytes(rng.bytes(8), "little") if h or c or w else 0

    def kept(p: float, which: int) -> np.ndarray | None:
        return keeps(p, key, (6, 3, 7), which).astype(np.float64) if p else None

    ones = np.ones((len(model.params["weight_hh_l0"]), 7))
    w_mask = masked(ones, w, key) if w else None
    masks = [Masks(mask, kept(h, H_KEEP), kept(c, C_KEEP), w_mask)]
    y, _, _ = model.forward(X, masks=masks)
    assert np.array_equal(y, model.forward(X, rng=np.random.default_rng(5))[0])
    assert np.array_equal(y, model(X, masks=masks)[0])
    assert not np.array_equal(y, model(X)[0])
    with pytest.raises(ValueError, match="masks must be a list of 1 Masks"):
        model.forward(X, masks=[])


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("options", [{}, {"peephole": "full", "proj_size": 3}])
def test_gradients_with_masks_that_are_passed_in(layer: Any, options: dict[str, Any]) -> None:
    """Ragged, in both directions, of two layers: backward is the slope of the plain call."""
    if options and layer is not fastrnn.LSTM:
        options = {"clip": 0.9}
    model = make(layer, **options, **DEEP)
    rng, masks = np.random.default_rng(7), []
    for k in range(4):
        suffix = f"_l{k // 2}" + "_reverse" * (k % 2)
        weight = model.params[f"weight_hh{suffix}"]
        P = weight.shape[1]
        kept = rng.random((6, 3, 7)) if layer is fastrnn.LSTM and not options else None
        masks.append(
            Masks(rng.random((3, P)), rng.random((6, 3, P)), kept, rng.random(weight.shape))
        )
    dy = rng.standard_normal(model(X)[0].shape)
    given = {"lengths": [6, 2, 0], "masks": masks}

    def backward() -> dict[str, np.ndarray]:
        grads: dict[str, np.ndarray] = model.backward(model.forward(X, **given)[2], dy=dy).params
        return grads

    slopes_agree(model, lambda: float((model(X, **given)[0] * dy).sum()), backward)
    assert np.array_equal(model(X, **given)[0], model.forward(X, **given)[0])
    assert not np.array_equal(model(X, **given)[0], model(X, lengths=[6, 2, 0])[0])


def test_the_words_of_a_projected_state() -> None:
    layer = fastrnn.LSTM(3, 4, proj_size=2)
    x, wide = np.zeros((5, 3, 3), np.float32), np.zeros((1, 3, 4), np.float32)
    rule = r"state\[0\] must have shape \(L·D, N, P\) = \(1, 3, 2\) for an LSTM with H = 4"
    with pytest.raises(ValueError, match=rule):
        layer(x, (wide, wide))
    with pytest.raises(ValueError, match=r"dy must have shape \(T, N, D·P\) = \(5, 3, 2\)"):
        layer.backward(layer.forward(x)[2], np.zeros((5, 3, 4), np.float32))
    both = fastrnn.GRU(3, 4, bidirectional=True, merge_mode="sum")
    with pytest.raises(ValueError, match=r"dy must have shape \(T, N, H\) = \(5, 3, 4\)"):
        both.backward(both.forward(x)[2], np.zeros((5, 3, 8), np.float32))


def test_whole_peephole_matrices() -> None:
    """A diagonal one is the vector; weights go both ways; who lacks them says so."""
    thin, full = (make(fastrnn.LSTM, peephole=p, **DEEP) for p in (True, "full"))
    state = thin.state_dict()
    for name, rows in state.items():
        if "peephole" in name:
            state[name] = np.concatenate([np.diag(row) for row in rows])
    full.load_state_dict(state)
    assert full.params["weight_peephole_l1_reverse"].shape == (21, 7)
    assert np.abs(full(X)[0] - thin(X)[0]).max() < 1e-14
    again = fastrnn.LSTM.from_torch(full.state_dict())
    assert again.peephole == "full"
    assert np.array_equal(again(X)[0], full(X)[0])
    with fastrnn.use_backend("reference"):
        assert np.abs(again(X)[0] - full(X)[0]).max() < 1e-14
    assert "peephole='full'" in repr(full)
    for write in (full.to_torch, full.to_keras, lambda: full.to_onnx("x.onnx")):
        with pytest.raises((ValueError, ImportError), match=r"peephole|needs"):
            write()


@pytest.mark.parametrize("layer", LAYERS)
def test_evaluation_takes_what_is_to_be_expected(layer: Any) -> None:
    plain = make(layer)
    for options in ({"recurrent_dropout": 0.5}, {"weight_drop": 0.5}):
        assert np.array_equal(make(layer, **options)(X)[0], plain(X)[0])
        assert np.array_equal(make(layer, **options).forward(X, training=False)[0], plain(X)[0])
    zoned = make(layer, zoneout=0.25)
    cells = {"c_keep": np.full((6, 3, 7), 0.25)} if layer is fastrnn.LSTM else {}
    expected = plain.forward(X, masks=[Masks(h_keep=np.full((6, 3, 7), 0.25), **cells)])[0]
    assert np.array_equal(zoned(X)[0], expected)
    assert np.array_equal(make(layer, zoneout=1.0)(X)[0], np.zeros((6, 3, 7)))


def test_autograd_takes_the_same_masks() -> None:
    pytest.importorskip("autograd", reason="autograd is not installed")
    from autograd import value_and_grad

    model = make(fastrnn.LSTM, proj_size=3, zoneout=0.2, recurrent_dropout=0.3, weight_drop=0.1)

    def loss(params: Any) -> Any:
        return (model.apply(params, X, rng=np.random.default_rng(6))[0] ** 2).sum()

    value, found = value_and_grad(loss)(model.params)
    y, _, tape = model.forward(X, rng=np.random.default_rng(6))
    wanted = model.backward(tape, dy=2 * y).params
    assert value == (y**2).sum()
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.check(7)
@pytest.mark.parametrize(("layer", "options"), [
    *CHOSEN,
    *((layer, {"clip": 0.4}) for layer in LAYERS),
    (fastrnn.LSTM, {"layer_norm": True}), (fastrnn.GRU, {"layer_norm": True}),
    (fastrnn.GRU, {"layer_norm": True, "reset_after": False}),
])  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_stream_equals_the_whole_sequence(layer: Any, options: dict[str, Any], dtype: Any) -> None:
    model = make(layer, **options, num_layers=3, dtype=dtype)
    x = X.astype(dtype)
    y, state = model(x)
    stream = model.stream(3)
    found = [stream.step(x_t) for x_t in x[:3]]
    found = np.concatenate([np.stack(found), stream.run(x[3:])])
    assert np.array_equal(found, y)
    last = stream.state if layer is fastrnn.LSTM else (stream.state,)
    for mine, whole in zip(last, state if layer is fastrnn.LSTM else (state,), strict=True):
        assert np.array_equal(mine, whole)
    stream.reset(rows=[1])
    fresh = model.stream(3)
    assert np.array_equal(stream.step(x[0])[1], fresh.step(x[0])[1])


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_projected_layers_equal_torch(bidirectional: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    module = torch.nn.LSTM(4, 7, 2, proj_size=3, bidirectional=bidirectional).double()
    layer = make(fastrnn.LSTM, num_layers=2, proj_size=3, bidirectional=bidirectional)
    assert list(layer.params) == list(module.state_dict())
    layer.load_state_dict(module.state_dict())
    y_t, (h_t, c_t) = module(torch.tensor(X))
    y, (h, c) = layer(X)
    for found, wanted in ((y, y_t), (h, h_t), (c, c_t)):
        assert np.abs(found - wanted.detach().numpy()).max() < 1e-12


@pytest.mark.parametrize(
    "layer",
    [
        fastrnn.LSTM(4, 7, proj_size=3, zoneout=0.2, activations=("elu", "tanh", "Softsign")),
        fastrnn.LSTM(4, 7, layer_norm=True),
        fastrnn.GRU(4, 7, clip=0.5, reset_after=False, recurrent_dropout=0.1, layer_norm=True),
        fastrnn.RNN(4, 7, nonlinearity=("leaky_relu", 0.3)),
        fastrnn.LSTM(4, 7, peephole=True),
        fastrnn.LSTM(4, 7, peephole="full"),
    ],
    ids=["projected", "normed", "gru", "rnn", "peephole", "full peephole"],
)
def test_layers_are_copied_and_pickled(layer: Any) -> None:
    x = X.astype(np.float32)
    y, _ = layer(x)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert np.array_equal(twin(x)[0], y)


def test_wrong_options() -> None:
    for options, message in (
        ({"proj_size": 7}, "proj_size must be less than hidden_size = 7, got 7"),
        ({"zoneout": 1.5}, r"zoneout must lie in 0\.\.1"),
        ({"zoneout": (0.1,)}, "zoneout must be a number, or two"),
        ({"recurrent_dropout": -0.1}, r"recurrent_dropout must lie in 0\.\.1"),
        ({"weight_drop": 2}, r"weight_drop must lie in 0\.\.1"),
        ({"zoneout": 0.1, "peephole": True}, "zoneout of c is not supported together"),
        ({"peephole": "diagonal"}, 'peephole must be True, False or "full", got'),
    ):
        with pytest.raises(ValueError, match=message):
            make(fastrnn.LSTM, **options)
    with pytest.raises(ValueError, match="zoneout must be a number, or two"):
        make(fastrnn.GRU, zoneout=(0.1, 0.2))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"proj_size": 32},
        {"zoneout": 0.2},
        {"clip": 1.0},
        {"peephole": "full", "proj_size": 32},
        {"layer_norm": True},
    ],
)
def test_a_step_of_a_stream_allocates_no_array(options: dict[str, Any]) -> None:
    import tracemalloc

    model = fastrnn.LSTM(8, 64, num_layers=3, **options)
    x = np.random.default_rng(0).standard_normal((50, 16, 8), dtype=np.float32)
    stream = model.stream(16)
    out = stream.step(x[0])
    tracemalloc.start()
    try:
        stream.step(x[0], out=out)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        for x_t in x:
            stream.step(x_t, out=out)
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 1024  # views and numbers; one state has 4 kB and more
    assert now - before < 512
