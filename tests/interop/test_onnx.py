"""Why: a node that is read with one gate in the wrong place still runs. ONNX's own node cases use
constant weights, which cannot tell gates apart, so random models are run by ONNX Runtime beside us.

Skipped where the package onnx, or for the random models ONNX Runtime, is not installed.
"""

import importlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.tolerances import ONNX

import fastrnn
from fastrnn.io import OnnxNode, load_onnx

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def node_cases() -> dict[str, Any]:
    """Those of the onnx package, by name; importing a module of cases makes them."""
    node = pytest.importorskip("onnx.backend.test.case.node", reason="onnx without its node cases")
    for module in ("gru", "lstm", "rnn"):
        importlib.import_module(f"onnx.backend.test.case.node.{module}")
    found = {case.name.removeprefix("test_"): case for case in node._NodeTestCases}
    return {name: case for name, case in found.items() if re.match("gru|lstm|rnn|simple_rnn", name)}


@pytest.mark.check(35)
def test_the_node_cases_of_onnx() -> None:
    cases = node_cases()
    assert len(cases) >= 12  # 18 today, and fewer in older versions
    for name, case in cases.items():
        ((given, expected),) = case.data_sets
        graph = case.model.graph
        feeds = dict(zip([value.name for value in graph.input], given, strict=True))
        (node,) = load_onnx(case.model, feeds).values()
        slots = dict(zip(SLOTS[:5], graph.node[0].input, strict=False))
        outputs = node(feeds[slots["X"]], feeds.get(slots.get("sequence_lens")))
        wanted = dict(zip([value.name for value in graph.output], expected, strict=True))
        for output, found in zip(graph.node[0].output, outputs, strict=False):
            if output:
                np.testing.assert_allclose(found, wanted.pop(output), **ONNX, err_msg=name)
        assert not wanted


BETAS = ("HardSigmoid", "Affine", "ScaledTanh")
ALPHAS = (*BETAS, "LeakyRelu", "ThresholdedRelu", "Elu")
BOUNDED = ("Sigmoid", "Tanh", "HardSigmoid", "Softsign")
ACTIVATIONS = ("Sigmoid", "Tanh", "Relu", "Softsign", "Softplus", *ALPHAS)


def random_node(seed: int) -> tuple[str, dict[str, np.ndarray], dict[str, Any]]:
    """The operator, all its inputs and its attributes, from the seed alone."""
    rng = np.random.default_rng(seed)
    op = ("RNN", "GRU", "LSTM")[seed % 3]
    T, N, I, H = (int(rng.integers(1, most)) for most in (9, 6, 9, 12))
    direction = str(rng.choice(["forward", "reverse", "bidirectional"]))
    D, G = 1 + (direction == "bidirectional"), GATES[op]
    draw = lambda *shape: rng.uniform(-0.5, 0.5, shape).astype(np.float32)  # noqa: E731
    inputs = {"X": draw(T, N, I), "W": draw(D, G * H, I), "R": draw(D, G * H, H)}
    if rng.random() < 0.7:
        inputs["B"] = draw(D, 2 * G * H)
    if rng.random() < 0.5:
        inputs["sequence_lens"] = rng.integers(1, T + 1, N).astype(np.int32)
    if rng.random() < 0.5:
        inputs["initial_h"] = draw(D, N, H)
    if op == "LSTM":
        if rng.random() < 0.5:
            inputs["initial_c"] = draw(D, N, H)
        if rng.random() < 0.5:
            inputs["P"] = draw(D, 3 * H)
    attributes: dict[str, Any] = {"direction": direction, "hidden_size": H}
    if op == "GRU":
        attributes["linear_before_reset"] = int(rng.integers(2))
    if op == "LSTM" and rng.random() < 0.3:
        attributes["input_forget"] = 1
    if rng.random() < 0.5:
        count = D * {"RNN": 1, "GRU": 2, "LSTM": 3}[op]
        names = [str(n) for n in rng.choice(ACTIVATIONS, count)]
        if op != "RNN":  # with unbounded gates a few steps reach 10^7, and rounding grows along
            step = count // D
            names[::step] = [str(n) for n in rng.choice(BOUNDED, D)]
        attributes["activations"] = names
        for key, takers in (("activation_alpha", ALPHAS), ("activation_beta", BETAS)):
            numbers = [round(float(rng.uniform(0.1, 1.0)), 2) for name in names if name in takers]
            if numbers:
                attributes[key] = numbers
    if rng.random() < 0.3:
        attributes["clip"] = round(float(rng.uniform(0.1, 1.0)), 2)
    return op, inputs, attributes


SLOTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")


def as_model(op: str, inputs: dict[str, np.ndarray], attributes: dict[str, Any]) -> Any:
    """A model of one node; weights are constants of the file."""
    slots = [name if name in inputs else "" for name in SLOTS[: 8 if op == "LSTM" else 6]]
    outputs = ["Y", "Y_h", "Y_c"][: 3 if op == "LSTM" else 2]
    node = onnx.helper.make_node(op, slots, outputs, **attributes)
    fed = ("X", "sequence_lens", "initial_h", "initial_c")
    kinds = {"sequence_lens": onnx.TensorProto.INT32}
    value = lambda n, k=onnx.TensorProto.FLOAT: onnx.helper.make_tensor_value_info(n, k, None)  # noqa: E731
    graph = onnx.helper.make_graph(
        [node], "one",
        [value(n, kinds.get(n, onnx.TensorProto.FLOAT)) for n in fed if n in inputs],
        [value(n) for n in outputs],
        [onnx.numpy_helper.from_array(a, n) for n, a in inputs.items() if n not in fed],
    )  # fmt: skip
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)])
    model.ir_version = 8
    return model


def session(model: Any) -> Any:
    """ONNX Runtime's session of a model."""
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    data = model if isinstance(model, bytes) else model.SerializeToString()
    return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def worst_node(seed: int) -> float:
    op, inputs, attributes = random_node(seed)
    model = as_model(op, inputs, attributes)
    fed = ("X", "sequence_lens", "initial_h", "initial_c")
    expected = session(model).run(None, {n: a for n, a in inputs.items() if n in fed})
    (node,) = load_onnx(model).values()
    found = node(*(inputs.get(name) for name in fed))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, **ONNX, err_msg=f"{seed} {op} {attributes}")
    return largest(found, expected)


def largest(found: Any, expected: Any) -> float:
    """The largest difference, relative to what is above 1."""
    return max(
        float((abs(a - b) / np.maximum(abs(b), 1)).max(initial=0))
        for a, b in zip(found, expected, strict=True)
    )


@pytest.mark.check(35, quick=100, full=500)
def test_random_nodes_equal_onnx_runtime(seeds: list[int]) -> None:
    for seed in seeds:
        worst_node(seed)


def random_layer(seed: int) -> Any:
    """A layer with random options that ONNX knows."""
    rng = np.random.default_rng(seed)
    kind = ("RNN", "GRU", "LSTM")[seed % 3]
    bidirectional = bool(rng.integers(2))
    sizes: Any = int(rng.integers(1, 10))
    if rng.random() < 0.3:
        sizes = [int(H) for H in rng.integers(1, 10, rng.integers(1, 4))]
    layers = 1 if isinstance(sizes, list) else int(rng.integers(1, 4))
    options: dict[str, Any] = {"num_layers": layers}
    options |= {"bias": bool(rng.random() < 0.8), "batch_first": bool(rng.integers(2))}
    options["bidirectional"] = bidirectional
    if bidirectional:
        options["merge_mode"] = str(rng.choice(["concat", "sum", "mul", "ave"]))
    names = ["sigmoid", "tanh", "relu", "hard_sigmoid"]
    if rng.random() < 0.3:
        options["clip"] = 0.7
    if kind == "RNN":
        options["nonlinearity"] = str(rng.choice(["tanh", "relu", "sigmoid", "softsign"]))
    else:
        count = 2 if kind == "GRU" else 3
        if rng.random() < 0.4:
            # Gates stay within 0 and 1: with relu there a few steps reach infinity.
            gate = str(rng.choice(["sigmoid", "hard_sigmoid"]))
            options["activations"] = gate, *(str(n) for n in rng.choice(names, count - 1))
        if rng.random() < 0.2:
            options["activations"] = ("sigmoid", ("elu", 0.5), ("leaky_relu", 0.2))[:count]
        if kind == "GRU":
            options["reset_after"] = bool(rng.integers(2))
        else:
            options |= {"peephole": bool(rng.integers(2)), "input_forget": bool(rng.random() < 0.3)}
    return getattr(fastrnn, kind)(int(rng.integers(1, 9)), sizes, rng=rng, **options)


def worst_export(seed: int, folder: Path) -> float:
    layer, rng = random_layer(seed), np.random.default_rng([seed, 1])
    state, ragged = bool(rng.integers(2)), bool(rng.integers(2))
    layer.to_onnx(folder / "layer.onnx", state=state, lengths=ragged)
    T, N = int(rng.integers(1, 8)), int(rng.integers(1, 6))
    shape = (N, T) if layer.batch_first else (T, N)
    x = rng.standard_normal((*shape, layer.input_size)).astype(np.float32)
    feeds, lengths, given = {"x": x}, None, None
    if ragged:
        lengths = rng.integers(1, T + 1, N)
        feeds["lengths"] = lengths.astype(np.int32)
    if state:
        given = layer(x)[1]
        for name, part in zip("hc", given if isinstance(given, tuple) else (given,), strict=False):
            parts = {f"{name}0": part}
            if isinstance(part, list):
                parts = {f"{name}0_l{l}": a for l, a in enumerate(part)}
            feeds |= parts
    y, final = layer(x, given, lengths=lengths)
    expected = [y]
    for part in final if isinstance(final, tuple) else (final,):
        expected += part if isinstance(part, list) else [part]
    found = session((folder / "layer.onnx").read_bytes()).run(None, feeds)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, **ONNX, err_msg=f"{seed} {layer}")
    return largest(found, expected)


@pytest.mark.check(35, quick=100, full=500)
def test_random_exports_run_in_onnx_runtime(tmp_path: Path, seeds: list[int]) -> None:
    for seed in seeds:
        worst_export(seed, tmp_path)


@pytest.mark.parametrize("seed", range(24))
def test_what_is_written_is_read_again(seed: int, tmp_path: Path) -> None:
    """Without a runtime: nodes of the written file are the layer's, and hold its very weights."""
    layer = random_layer(seed)
    layer.to_onnx(tmp_path / "layer.onnx")
    nodes = list(load_onnx(tmp_path / "layer.onnx").values())
    assert len(nodes) == layer.num_layers
    x = np.random.default_rng(seed).standard_normal((5, 2, layer.input_size)).astype(np.float32)
    bottom = nodes[0].layer()
    for name, array in bottom.state_dict().items():
        np.testing.assert_array_equal(array, layer.params[name])
    one, *_ = nodes[0](x)
    y, _ = bottom(x)
    np.testing.assert_array_equal(np.concatenate(list(one.swapaxes(0, 1)), axis=-1), y)


W, R = np.ones((1, 16, 3)), np.ones((1, 16, 4))
REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"clip": -3.0}, ValueError, "clip must be above 0"),
    ({"direction": "both"}, ValueError, "direction must be one of"),
    ({"layout": 2}, ValueError, r"layout must be in 0\.\.1"),
    ({"hidden_size": 5}, ValueError, "hidden_size must be H = 4"),
    ({"activations": ["Sigmoid"]}, ValueError, "activations must be 3 names"),
    ({"activations": ["Sigmoid", "Tanh", "Swish"]}, ValueError, r"activations\[2\] must be one of"),
    ({"activation_alpha": [0.5]}, ValueError, "that nothing takes"),
    ({"linear_before_reset": 1}, ValueError, "linear_before_reset exists for GRU only"),
    ({"input_forget": 2}, ValueError, "input_forget must be"),
    ({"B": np.ones((1, 16))}, ValueError, r"B must have shape \(D, 8·H\) = \(1, 32\)"),
    ({"P": np.ones((1, 16))}, ValueError, r"P must have shape \(D, 3·H\) = \(1, 12\)"),
    ({"B": np.ones((1, 32), np.float16)}, TypeError, "B must be float32 or float64"),
    ({"hidden": 4}, TypeError, "hidden"),
]


@pytest.mark.parametrize(("options", "error", "words"), REFUSED, ids=lambda v: str(v)[:30])
def test_what_is_not_honoured_is_refused(options: dict, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        fastrnn.LSTM.from_onnx(W, R, **options)


def test_directions_that_no_layer_has() -> None:
    with pytest.raises(ValueError, match="direction='reverse' is no layer"):
        fastrnn.LSTM.from_onnx(W, R, direction="reverse")
    two = OnnxNode.make(
        "RNN", np.ones((2, 4, 3)), np.ones((2, 4, 4)), direction="bidirectional",
        activations=["Tanh", "Relu"],
    )  # fmt: skip
    assert two(np.ones((5, 2, 3)))[0].shape == (5, 2, 2, 4)
    with pytest.raises(ValueError, match="activations must be equal in both directions"):
        two.layer()


@pytest.mark.check(30)
def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    op, inputs, attributes = random_node(2)
    model = as_model(op, inputs, attributes)
    with pytest.raises(ValueError, match="is no ONNX model"):
        load_onnx(b"nonsense")
    weight = next(t for t in model.graph.initializer if t.name == "R")
    model.graph.initializer.remove(weight)
    with pytest.raises(ValueError, match=r"R of node .* neither a constant"):
        load_onnx(model)
    assert load_onnx(model, {"R": inputs["R"]})
    weight.data_location = onnx.TensorProto.EXTERNAL
    model.graph.initializer.append(weight)
    with pytest.raises(ValueError, match="'R' lies in another file"):
        load_onnx(model)
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("colour", 3))
    with pytest.raises(ValueError, match="lies in another file"):
        load_onnx(model)


def test_what_onnx_cannot_say(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no gates='io'"):
        fastrnn.LSTM(3, 4, gates="io").to_onnx(tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_projection_is_written_into_the_weights(
    bidirectional: bool, tmp_path: Path, rng: Any
) -> None:
    """ONNX has none: the recurrent product takes it in, and outputs are multiplied by it."""
    layer = fastrnn.LSTM(
        3, 6, 2, proj_size=2, bidirectional=bidirectional, batch_first=True, rng=rng
    )
    layer.to_onnx(tmp_path / "a.onnx", lengths=True)
    x, lengths = rng.standard_normal((4, 5, 3)).astype(np.float32), np.array([5, 1, 3, 2])
    y, (h_n, c_n) = layer(x, lengths=lengths)
    given = {"x": x, "lengths": lengths.astype(np.int32)}
    found = session((tmp_path / "a.onnx").read_bytes()).run(None, given)
    for one, other in zip(found, (y, h_n, c_n), strict=True):
        np.testing.assert_allclose(one, other, **ONNX)
    with pytest.raises(ValueError, match="proj_size cannot take initial states"):
        layer.to_onnx(tmp_path / "a.onnx", state=True)


def lstm_model(**changes: Any) -> Any:
    """A model of one LSTM, with a different list of inputs, tensors or attributes."""
    tensors = {"W": np.ones((1, 16, 3), np.float32), "R": np.ones((1, 16, 4), np.float32)}
    tensors |= changes.pop("tensors", {})
    inputs = changes.pop("inputs", ["X", "W", "R"])
    node = onnx.helper.make_node("LSTM", inputs, ["Y"], name="a", **changes)
    made = [onnx.numpy_helper.from_array(array, name) for name, array in tensors.items()]
    return onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [], made))


def with_dtype(number: int) -> Any:
    model = lstm_model()
    model.graph.initializer[1].data_type = number
    return model


def twice() -> Any:
    model = lstm_model(clip=1.0)
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("clip", 2.0))
    return model


FOUR = np.ones((1, 2, 4), np.float32)
REFUSED: dict[str, tuple[Any, str]] = {
    "no R": (lambda: lstm_model(inputs=["X", "W"]), "has no R"),
    "no inputs": (lambda: lstm_model(inputs=[]), "has no W"),
    "an unknown dtype": (lambda: with_dtype(99), "'R' must hold floats or doubles, its type is 99"),
    "integers": (lambda: with_dtype(6), "'R' must hold floats or doubles"),
    "text for a number": (lambda: lstm_model(clip="abc"), "'clip' of node 'a' must be of the type"),
    "a number for text": (lambda: lstm_model(direction=1), "'direction' of node 'a' must be"),
    "a clip below 0": (lambda: lstm_model(clip=-1.0), "clip must be above 0"),
    "a clip that is none": (lambda: lstm_model(clip=float("nan")), "clip must be finite"),
    "the same twice": (twice, "has the attribute 'clip' twice"),
    "a state of another size": (
        lambda: lstm_model(inputs=["X", "W", "R", "", "", "h0"], tensors={"h0": FOUR[..., :3]}),
        "h0 must have shape",
    ),
    "an empty file": (lambda: b"", "it has no graph"),
}


@pytest.mark.parametrize("trick", REFUSED)
def test_a_malformed_node_is_a_value_error(trick: str) -> None:
    make, words = REFUSED[trick]
    with pytest.raises(ValueError, match=words):
        load_onnx(make())


def test_arrays_of_two_dtypes_are_refused_at_once() -> None:
    double = {"tensors": {"W": np.ones((1, 16, 3))}}
    with pytest.raises(TypeError, match="W must be float32 as R is"):
        load_onnx(lstm_model(**double))
    with pytest.raises(TypeError, match="c0 must be float32 as R is"):
        load_onnx(lstm_model(inputs=["X", "W", "R", "", "", "", "c0"]), {"c0": np.ones((1, 2, 4))})


def test_a_node_deep_inside_is_not_overlooked() -> None:
    inner = lstm_model().graph
    for _ in range(3):
        branch = onnx.helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
        inner = onnx.helper.make_graph([branch], "g", [], [])
    with pytest.raises(ValueError, match="body of a node"):
        load_onnx(onnx.helper.make_model(inner))
