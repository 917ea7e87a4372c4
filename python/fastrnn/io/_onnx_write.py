"""A layer as an ONNX model: one node a layer, and what lies between two of them."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrnn._checks import Array
from fastrnn._frozen import MATRICES
from fastrnn.io import _onnx_cell as cell
from fastrnn.io._assemble import blocks, family, refuse
from fastrnn.io._files import atomic_write
from fastrnn.io._onnx_int8 import DOMAIN, OP, written
from fastrnn.io._onnx_read import SLOTS, require_onnx

if TYPE_CHECKING:
    from fastrnn.recurrent import Layer

OPSET, IR = 14, 8  # the first with today's RNN, GRU and LSTM, and what old runtimes still read


def write(layer: "Layer", path: str | os.PathLike[str], state: bool, lengths: bool) -> None:
    """Write the model, whole or not at all."""
    data = model(layer, state, lengths).SerializeToString()
    with atomic_write(path) as file:
        file.write(data)


def model(layer: "Layer", state: bool, lengths: bool) -> Any:
    """Return the layer as an onnx.ModelProto."""
    return LayerWriter(layer, state, lengths).finish()


class LayerWriter:
    """Collects nodes, constants and the graph's inputs and outputs.

    Parameters
    ----------
    layer, state, lengths
        As `write`.
    prefix : str
        What all names begin with, where several layers stand in one graph; so do initial states.
    into : LayerWriter or None
        Whose nodes and constants are added to.
    """

    def __init__(
        self,
        layer: "Layer",
        state: bool,
        lengths: bool,
        *,
        prefix: str = "",
        into: "LayerWriter | None" = None,
    ) -> None:
        self.onnx = require_onnx()
        self.layer, self.prefix = layer, prefix
        self.params: Any = layer._weights.params
        self.int8 = layer.quantized == "int8"
        self.state, self.lengths = state, lengths
        self.op = family(type(layer))
        if layer.quantized is not None and (self.op, layer.quantized) != ("LSTM", "int8"):
            raise ValueError(
                f"ONNX has quantised weights for an LSTM of int8 alone, got {layer!r}; "
                "write the layer that it was made of"
            )
        refuse(
            layer, f"ONNX's {self.op}", "bias", "batch_first", "bidirectional", "merge_mode",
            "activations", "nonlinearity", "clip", "reset_after", "input_forget", "peephole",
            "proj_size", "compute_dtype",
        )  # fmt: skip
        if getattr(layer, "peephole", False) == "full":
            raise ValueError("ONNX's LSTM has diagonal peepholes only, got peephole='full'")
        self.P = getattr(layer, "proj_size", 0)
        if self.P and self.int8:
            raise ValueError(
                f"DynamicQuantizeLSTM has no projection, got {layer!r}; write the layer that it "
                "was made of"
            )
        if self.P and state:
            raise ValueError(
                "ONNX's LSTM carries its h before the projection, so a layer with proj_size cannot "
                "take initial states: state must be False"
            )
        self.D = 2 if layer.bidirectional else 1
        self.nodes: list[Any] = [] if into is None else into.nodes
        self.constants: list[Any] = [] if into is None else into.constants
        self.finals: list[list[str]] = []

    def finish(self) -> Any:
        """Return the model."""
        layer = self.layer
        x = self.layers(self.enter())
        states = ["h", "c"] if self.op == "LSTM" else ["h"]
        for k, name in enumerate(states):
            parts = [final[k] for final in self.finals]
            if layer._stack.layout.listed:
                for l, part in enumerate(parts):
                    self.node("Identity", [part], f"{name}_n_l{l}")
            else:
                self.node("Concat", parts, f"{name}_n", axis=0)
        first = self.leave(x)
        return self.graph(self.inputs(states), [first, *self.outputs(states)])

    def layers(self, x: str) -> str:
        """Add all layers over x, and return the name of the top one's output."""
        for l, directions in enumerate(self.layer._weights.directions):
            x = self.cell(l, directions, x)
        return x

    def graph(self, inputs: list[Any], outputs: list[Any]) -> Any:
        """Return the model of what has been collected."""
        onnx = self.onnx
        graph = onnx.helper.make_graph(self.nodes, "fastrnn", inputs, outputs, self.constants)
        opset = [onnx.helper.make_opsetid("", OPSET)]
        if any(node.domain == DOMAIN for node in self.nodes):
            opset.append(onnx.helper.make_opsetid(DOMAIN, 1))
        made = onnx.helper.make_model(graph, opset_imports=opset, producer_name="fastrnn")
        made.ir_version = IR
        onnx.checker.check_model(made)
        return made

    def enter(self) -> str:
        """Return the name of the bottom layer's input (T, N, I)."""
        if self.layer.batch_first:
            return self.node("Transpose", ["x"], "x_by_time", perm=[1, 0, 2])
        return "x"

    def leave(self, x: str) -> Any:
        """Make the graph's first output of the top layer's (T, N, ·), and return what it is."""
        if self.layer.batch_first:
            self.node("Transpose", [x], "y", perm=[1, 0, 2])
        else:
            self.node("Identity", [x], "y")
        return self.value("y", self.sequence(self.layer._stack.width))

    def first_input(self) -> Any:
        """Return what the graph's first input is."""
        return self.value("x", self.sequence(self.layer.input_size))

    def cell(self, l: int, directions: Any, x: str) -> str:
        """Add one layer, and return the name of its output (T, N, ·)."""
        layer, op = self.layer, self.op
        inputs = _inputs(layer, self.params, l, op, self.int8)
        slots = [x, *(self.constant(f"{name}_l{l}", a) for name, a in inputs)]
        slots += [""] * (4 - len(slots))
        slots.append("lengths" if self.lengths else "")
        names = ["h", "c"] if op == "LSTM" else ["h"]
        slots += [self.initial(name, l) for name in names]
        if getattr(layer, "peephole", False):
            rows = [
                blocks(self.params[d.names["w_peephole"]], cell.PEEPHOLES).ravel()
                for d in directions
            ]
            slots.append(self.constant(f"P_l{l}", np.stack(rows)))
        if self.int8:
            slots += [""] * (len(SLOTS) - len(slots))
            scales = _scales(self.params, directions)
            slots += [self.constant(f"{name}_l{l}", a) for name, a in scales]
        while not slots[-1]:
            slots.pop()
        before = self.prefix
        results = [f"{before}Y_l{l}", *(f"{before}{name}_n_of_l{l}" for name in names)]
        theirs, domain = (OP, DOMAIN) if self.int8 else (op, None)
        self.nodes.append(
            self.onnx.helper.make_node(
                theirs, slots, results, f"{before}{op}_l{l}", domain=domain, **self.attributes(l)
            )
        )
        if self.P:
            turned = np.stack([layer.params[d.names["w_hr"]].T for d in directions])
            projection = self.constant(f"projection_l{l}", turned)
            for k in (0, 1):  # Y (T, D, N, H) and h (D, N, H)
                results[k] = self.node("MatMul", [results[k], projection], f"projected_{k}_l{l}")
        self.finals.append(results[1:])
        return self.merged(l, results[0], layer._stack.layout.widths[l])

    def attributes(self, l: int) -> dict[str, Any]:
        """Return what the node is told."""
        layer = self.layer
        result: dict[str, Any] = {"hidden_size": layer._stack.layout.sizes[l]}
        if self.D == 2:
            result["direction"] = "bidirectional"
        names, alphas, betas = cell.spelt(layer._spec.activations)
        if tuple(names) != cell.DEFAULTS[self.op]:
            result["activations"] = names * self.D
            # Said in full: not every runtime has the same default.
            numbers = {"activation_alpha": alphas, "activation_beta": betas}
            result |= {key: given * self.D for key, given in numbers.items() if given}
        clip = getattr(layer, "clip", None)
        if clip is not None:
            result["clip"] = float(clip)
        if getattr(layer, "input_forget", False):
            result["input_forget"] = 1
        if getattr(layer, "reset_after", False):
            result["linear_before_reset"] = 1
        return result

    def merged(self, l: int, y: str, H: int) -> str:
        """Return the name of (T, N, ·) made of Y (T, D, N, H)."""
        mode = self.layer.merge_mode
        if mode == "concat":
            swapped = self.node("Transpose", [y], f"swapped_l{l}", perm=[0, 2, 1, 3])
            shape = self.constant(f"shape_l{l}", np.array([0, 0, self.D * H], np.int64))
            return self.node("Reshape", [swapped, shape], f"y_l{l}")
        parts = []
        for d in range(2):
            which = self.constant(f"direction_{d}_l{l}", np.array(d, np.int64))
            parts.append(self.node("Gather", [y, which], f"y_{d}_l{l}", axis=1))
        whole = self.node("Mul" if mode == "mul" else "Add", parts, f"y_l{l}")
        if mode == "ave":
            half = self.constant(f"half_l{l}", np.array(0.5, self.layer.dtype))
            whole = self.node("Mul", [whole, half], f"mean_l{l}")
        return whole

    def initial(self, name: str, l: int) -> str:
        """Return the name of a layer's initial state, cut out of the graph's input."""
        if not self.state:
            return ""
        whole = f"{self.prefix}{name}0"
        if self.layer._stack.layout.listed:
            return f"{whole}_l{l}"
        ends = [
            self.constant(f"{name}0_{k}_l{l}", np.array([self.D * (l + k)], np.int64))
            for k in (0, 1)
        ]
        axis = self.constant(f"{name}0_axis_l{l}", np.array([0], np.int64))
        return self.node("Slice", [whole, *ends, axis], f"{name}0_of_l{l}")

    def node(self, op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        output = self.prefix + output
        self.nodes.append(self.onnx.helper.make_node(op, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: Array) -> str:
        plain, name = np.asarray(value, order="C"), self.prefix + name
        self.constants.append(self.onnx.numpy_helper.from_array(plain, name))
        return name

    def inputs(self, states: list[str]) -> list[Any]:
        """Return the graph's inputs."""
        result = [self.first_input()]
        if self.lengths:
            kind = self.onnx.TensorProto.INT32
            result.append(self.onnx.helper.make_tensor_value_info("lengths", kind, ["N"]))
        return result + (self.states([f"{name}0" for name in states]) if self.state else [])

    def outputs(self, states: list[str]) -> list[Any]:
        """Return the graph's outputs beside the first one."""
        return self.states([f"{name}_n" for name in states])

    def sequence(self, columns: int) -> list[Any]:
        return ["N", "T", columns] if self.layer.batch_first else ["T", "N", columns]

    def states(self, names: list[str]) -> list[Any]:
        layout = self.layer._stack.layout
        sizes = [layout.sizes if name.startswith("c") else layout.widths for name in names]
        if layout.listed:
            return [
                self.value(f"{name}_l{l}", [self.D, "N", H])
                for name, each in zip(names, sizes, strict=True)
                for l, H in enumerate(each)
            ]
        return [
            self.value(name, [len(each) * self.D, "N", each[0]])
            for name, each in zip(names, sizes, strict=True)
        ]

    def value(self, name: str, shape: list[Any]) -> Any:
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(self.layer.dtype)
        return self.onnx.helper.make_tensor_value_info(name, kind, shape)


def _inputs(
    layer: "Layer", params: Any, l: int, op: str, int8: bool
) -> list[tuple[str, Array]]:
    """Return W, R and, if there are biases, B of a layer."""
    inverse = np.argsort(cell.ROWS[op]).tolist()
    directions = layer._weights.directions[l]

    def stacked(argument: str) -> Array:
        return np.stack([blocks(params[d.names[argument]], inverse) for d in directions])

    if int8:
        W, R = (
            written([params[d.names[name]] for d in directions])[0] for name in MATRICES
        )
    else:
        W, R = stacked("w_ih"), stacked("w_hh")
    if getattr(layer, "proj_size", 0):
        # What a step hands on is projected and multiplied: one product of both, of all of h.
        rows = np.stack([params[d.names["w_hr"]] for d in directions])
        R = np.matmul(R, rows, dtype=np.float64).astype(R.dtype)
    result = [("W", W), ("R", R)]
    if layer.bias:
        result.append(("B", np.concatenate([stacked("b_ih"), stacked("b_hh")], axis=1)))
    return result


def _scales(params: Any, directions: Any) -> list[tuple[str, Array]]:
    """Return the scales and zero points of W and R of a layer of int8."""
    tensors: list[tuple[str, Array]] = []
    for name, argument in zip("WR", MATRICES, strict=True):
        _, scale, zeros = written([params[d.names[argument]] for d in directions])
        tensors += [(f"{name}_scale", scale), (f"{name}_zero_point", zeros)]
    return tensors
