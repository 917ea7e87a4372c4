"""ONNX Runtime: a session on a model of RNN, GRU or LSTM nodes, forward only."""

import importlib
from typing import Any

import numpy as np

from bench.baselines import Peer, Prepared, Problem
from bench.cases import Array, Case

# ONNX's gates as places in fastrnn's order: i o f c from i f g o, z r h from r z n.
_GATE_ORDER = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}
_PEEPHOLE_ORDER = (0, 2, 1)  # i o f from i f o
_NONLINEARITIES = {"tanh": "Tanh", "relu": "Relu", "sigmoid": "Sigmoid", "linear": "Affine"}


class OnnxRuntime(Peer):
    """One ``InferenceSession`` on the CPU with ``intra_op_num_threads`` set."""

    title = "ONNX Runtime"
    packages = ("onnxruntime", "onnx")

    @classmethod
    def refusal(cls, case: Case) -> str | None:
        if case.training:
            return "onnxruntime runs forward only"
        if case.kind.choices:
            return "what is compared are the usual gates and activations"
        if case.dtype != "float32":
            return "onnxruntime's recurrent operators compute in float32 only"
        return None

    def prepare(self, problem: Problem) -> Prepared:
        ort: Any = importlib.import_module("onnxruntime")
        case = problem.case
        options = ort.SessionOptions()
        options.intra_op_num_threads = case.threads
        session = ort.InferenceSession(
            model_of(problem).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        feed: dict[str, Array] = {"x": problem.x}
        if problem.lengths is not None:
            feed["lengths"] = problem.lengths.astype(np.int32)
        if case.stream:
            return _stream(session, feed, case)

        def forward() -> Array:
            y: Array = session.run(["y"], feed)[0]
            return y

        return Prepared(forward, lambda: {"y": _with_batch_last(forward(), case)})


def _stream(session: Any, feed: dict[str, Array], case: Case) -> Prepared:
    """One step a call; the state goes out of one call into the next."""
    states = ["h", "c"] if case.kind.layer == "LSTM" else ["h"]
    outputs = ["y", *(s + "_n" for s in states)]
    zeros = {s + "0": np.zeros((1, case.N, case.H), case.dtype) for s in states}
    feed |= zeros

    def step() -> Array:
        y, *state = session.run(outputs, feed)
        feed.update(zip(zeros, state, strict=True))
        found: Array = y
        return found

    def first_step() -> dict[str, Array]:
        feed.update(zeros)
        return {"y": _with_batch_last(step(), case)}

    return Prepared(step, first_step)


def _with_batch_last(y: Array, case: Case) -> Array:
    """(T, D, N, H), as one ONNX node has it, to (T, N, D·H); a stack's model does it itself."""
    if y.ndim == 3:
        return y
    return y.transpose(0, 2, 1, 3).reshape(case.T, case.N, case.directions * case.H)


def model_of(problem: Problem) -> Any:
    """The layer as an ONNX model: one node a layer, with the transposition between two of them."""
    onnx: Any = importlib.import_module("onnx")
    helper, case = onnx.helper, problem.case
    float_type, dims = onnx.TensorProto.FLOAT, [case.T, case.N, case.I]
    inputs = [helper.make_tensor_value_info("x", float_type, dims)]
    if problem.lengths is not None:
        int_type = onnx.TensorProto.INT32
        inputs.append(helper.make_tensor_value_info("lengths", int_type, [case.N]))
    if case.stream:
        states = ["h0", "c0"] if case.kind.layer == "LSTM" else ["h0"]
        state_dims = [1, case.N, case.H]
        inputs += [helper.make_tensor_value_info(s, float_type, state_dims) for s in states]
    nodes: list[Any] = []
    constants = {"merged": np.array([0, 0, -1])} if case.layers > 1 else {}
    source = "x"
    for layer in range(case.layers):
        target = "y" if case.layers == 1 else f"out{layer}"
        constants |= _weights(problem, layer)
        nodes.append(_node(helper, case, layer, source, target))
        if case.layers > 1:
            last = layer == case.layers - 1
            source = "y" if last else f"x{layer + 1}"
            nodes.append(helper.make_node("Transpose", [target], [target + "t"], perm=[0, 2, 1, 3]))
            nodes.append(helper.make_node("Reshape", [target + "t", "merged"], [source]))
    outputs = ["y", "h_n", "c_n"] if case.kind.layer == "LSTM" else ["y", "h_n"]
    graph = helper.make_graph(
        nodes,
        case.cell,
        inputs,
        [helper.make_tensor_value_info(o, float_type, None) for o in outputs],
        [onnx.numpy_helper.from_array(v, k) for k, v in constants.items()],
    )
    opset = helper.make_opsetid("", 14)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8)


def _node(helper: Any, case: Case, layer: int, source: str, target: str) -> Any:
    """The recurrent node of one layer."""
    kind, d = case.kind, case.directions
    attributes: dict[str, Any] = {"hidden_size": case.H}
    attributes["direction"] = "bidirectional" if d == 2 else "forward"
    if kind.layer == "GRU":
        attributes["linear_before_reset"] = int(kind.options["reset_after"])
    if kind.layer == "RNN":
        attributes["activations"] = [_NONLINEARITIES[kind.options["nonlinearity"]]] * d
        if kind.options["nonlinearity"] == "linear":
            attributes |= {"activation_alpha": [1.0] * d, "activation_beta": [0.0] * d}
    inputs = [source, f"w{layer}", f"r{layer}", f"b{layer}"]
    inputs.append("lengths" if case.ragged else "")
    inputs.append("h0" if case.stream else "")
    if kind.layer == "LSTM":
        inputs.append("c0" if case.stream else "")
        inputs.append(f"p{layer}" if kind.options.get("peephole") else "")
    # Only the last layer's final states are wanted; an empty name says so to ONNX.
    last = layer == case.layers - 1
    outputs = [target, "h_n" if last else ""]
    if kind.layer == "LSTM":
        outputs.append("c_n" if last else "")
    return helper.make_node(kind.layer, inputs, outputs, **attributes)


def _weights(problem: Problem, layer: int) -> dict[str, Array]:
    """W, R, B and P of one layer: gates in ONNX's order, directions as the first axis."""
    case = problem.case
    order = _GATE_ORDER[case.kind.layer]

    def stacked(name: str, by: tuple[int, ...] = order) -> Array:
        suffixes = [f"_l{layer}", f"_l{layer}_reverse"][: case.directions]
        blocks = [problem.weights[name + s].reshape(len(by), -1) for s in suffixes]
        return np.stack([block[list(by)] for block in blocks])

    d, rows = case.directions, len(order) * case.H
    biases = [stacked("bias_ih").reshape(d, rows), stacked("bias_hh").reshape(d, rows)]
    found = {
        f"w{layer}": stacked("weight_ih").reshape(d, rows, -1),
        f"r{layer}": stacked("weight_hh").reshape(d, rows, -1),
        f"b{layer}": np.concatenate(biases, axis=1),
    }
    if case.kind.options.get("peephole"):
        found[f"p{layer}"] = stacked("weight_peephole", _PEEPHOLE_ORDER).reshape(d, 3 * case.H)
    return found
