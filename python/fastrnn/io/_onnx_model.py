"""A model as an ONNX graph: symbols are embedded, layers run, and a readout gives the outputs."""

import os
from typing import Any, NamedTuple

import numpy as np

from fastrnn._checks import Array
from fastrnn.io._files import atomic_write
from fastrnn.io._onnx_write import LayerWriter


class Top(NamedTuple):
    """What a model does with a layer.

    Attributes
    ----------
    layer : RNN, LSTM or GRU
        With the model's weights.
    embedding : ndarray or None, (V, E)
        None: x is vectors.
    weight, bias : ndarray, (K, W) and (K,)
        Of the linear layer.
    name : str
        Of the graph's output.
    pooling : {"last", "mean", "max"} or None
        None: an output at each step.
    batch_first : bool
    input_map, output_map : pair of ndarray, or None
        Centre and scale of x, which is subtracted and divides; of the output, which multiplies
        and is added.
    """

    layer: Any
    embedding: Array | None
    weight: Array
    bias: Array
    name: str = "scores"
    pooling: str | None = None
    batch_first: bool = False
    input_map: tuple[Array, Array] | None = None
    output_map: tuple[Array, Array] | None = None


def write_model(top: Top, path: str | os.PathLike[str], state: bool, lengths: bool) -> None:
    """Write a model with one layer, whole or not at all."""
    data = ModelWriter(top, state, lengths).finish().SerializeToString()
    with atomic_write(path) as file:
        file.write(data)


class ModelWriter(LayerWriter):
    """Puts an embedding before the layers, and pooling and a linear layer after them."""

    def __init__(self, top: Top, state: bool, lengths: bool) -> None:
        super().__init__(top.layer, state, lengths)
        self.top = top

    def enter(self) -> str:
        """Return the name of the embedded symbols, or of the vectors, (T, N, ·)."""
        top, x = self.top, "x"
        if top.batch_first:
            perm = [1, 0] if top.embedding is not None else [1, 0, 2]
            x = self.node("Transpose", [x], "x_by_time", perm=perm)
        if top.embedding is not None:
            return self.node("Gather", [self.constant("embedding", top.embedding), x], "embedded")
        if top.input_map is not None:
            center, scale = (a.astype(self.layer.dtype) for a in top.input_map)
            x = self.node("Sub", [x, self.constant("input_center", center)], "centred")
            x = self.node("Div", [x, self.constant("input_scale", scale)], "scaled")
        return x

    def leave(self, x: str) -> Any:
        """Add the outputs, and return their description."""
        top, rows = self.top, ["N"]
        if top.pooling is None:
            rows = ["N", "T"] if top.batch_first else ["T", "N"]
            if top.batch_first:
                x = self.node("Transpose", [x], "by_row", perm=[1, 0, 2])
        else:
            x = self.last() if top.pooling == "last" else self.pooled(x)
        last = top.name if top.output_map is None else "outputs"
        w = self.constant("out_weight", np.ascontiguousarray(top.weight.T))
        x = self.node("MatMul", [x, w], "product")
        x = self.node("Add", [x, self.constant("out_bias", top.bias)], last)
        if top.output_map is not None:
            center, scale = (a.astype(self.layer.dtype) for a in top.output_map)
            x = self.node("Mul", [x, self.constant("target_scale", scale)], "in_units")
            self.node("Add", [x, self.constant("target_center", center)], top.name)
        return self.value(top.name, [*rows, len(top.weight)])

    def pooled(self, y: str) -> str:
        """Return the name of the mean or the largest of the steps that exist, (N, W)."""
        mean = self.top.pooling == "mean"
        if not self.lengths:
            op = "ReduceMean" if mean else "ReduceMax"
            return self.node(op, [y], "features", axes=[0], keepdims=0)
        if mean:
            axis = self.constant("time_axis", np.array([0], np.int64))
            total = self.node("ReduceSum", [y, axis], "total", keepdims=0)
            return self.node("Div", [total, self.column("lengths")], "features")
        least = self.constant("least", np.array(-np.inf, self.layer.dtype))
        there = self.node(
            "Unsqueeze",
            [existing(self, y, "lengths"), self.constant("last_axis", np.array([2], np.int64))],
            "there",
        )
        shown = self.node("Where", [there, y, least], "shown")
        return self.node("ReduceMax", [shown], "features", axes=[0], keepdims=0)

    def column(self, lengths: str) -> str:
        """Return the name of lengths as floating numbers (N, 1)."""
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(self.layer.dtype)
        floats = self.node("Cast", [lengths], "lengths_as_floats", to=kind)
        axis = self.constant("column_axis", np.array([1], np.int64))
        return self.node("Unsqueeze", [floats, axis], "lengths_as_column")

    def last(self) -> str:
        """Return the name of what the top layer's directions ended with, (N, ·), as one."""
        h = self.finals[-1][0]
        ends = []
        for d in range(self.D):
            which = self.constant(f"end_{d}", np.array(d, np.int64))
            ends.append(self.node("Gather", [h, which], f"ended_{d}", axis=0))
        mode = self.layer.merge_mode
        if len(ends) == 1:
            return ends[0]
        if mode == "concat":
            return self.node("Concat", ends, "features", axis=1)
        whole = self.node("Mul" if mode == "mul" else "Add", ends, "features")
        if mode == "ave":
            half = self.constant("half", np.array(0.5, self.layer.dtype))
            whole = self.node("Mul", [whole, half], "mean_features")
        return whole

    def first_input(self) -> Any:
        """Return what the graph's first input is: symbols (T, N), or vectors (T, N, I)."""
        if self.top.embedding is None:
            return super().first_input()
        kind = self.onnx.TensorProto.INT64
        return self.onnx.helper.make_tensor_value_info("x", kind, self.sequence(0)[:2])

    def sequence(self, columns: int) -> list[Any]:
        return ["N", "T", columns] if self.top.batch_first else ["T", "N", columns]


def existing(writer: LayerWriter, y: str, lengths: str) -> str:
    """Return the name of which steps (T, N) exist, of an array whose first axis is T."""
    zero = writer.constant("zero", np.array(0, np.int64))
    one = writer.constant("one", np.array(1, np.int64))
    first = writer.constant("first_axis", np.array([1], np.int64))
    shape = writer.node("Shape", [y], "shape")
    T = writer.node("Gather", [shape, zero], "T", axis=0)
    steps = writer.node("Unsqueeze", [writer.node("Range", [zero, T, one], "range"), first], "t")
    whole = writer.node("Cast", [lengths], "lengths_64", to=writer.onnx.TensorProto.INT64)
    return writer.node("Less", [steps, whole], "exists")
