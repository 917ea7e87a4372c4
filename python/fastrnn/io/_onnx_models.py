"""Models as ONNX graphs: embedding, layers and readout; or an encoder and a step of its decoder."""

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


class EncoderSide(NamedTuple):
    """What reads a source.

    Attributes
    ----------
    layer : RNN, LSTM or GRU
    embedding : ndarray, (V, E)
    bridge : dict of ndarray, or None
        The affine maps of what the directions ended with.
    starts : list of int
        The layer that each layer of the decoder starts from.
    reverses, attended, peeked : bool
        Whether sources are read from their ends, and what the decoder looks at.
    """

    layer: Any
    embedding: Array
    bridge: dict[str, Array] | None
    starts: list[int]
    reverses: bool
    attended: bool
    peeked: bool


class DecoderSide(NamedTuple):
    """What writes a target.

    Attributes
    ----------
    bottom : RNN, LSTM or GRU
        All layers, or with attention the one that attends.
    above : RNN, LSTM, GRU or None
        The others.
    embedding : ndarray, (V, E)
    attention : dict of ndarray, or None
    score, query, input_feed
        As `fastrnn.models.Seq2Seq`.
    memory_width, vector_width : int
        C and K; K is 0 where nothing is peeked at.
    weight, bias : ndarray, (V, W) and (V,)
    """

    bottom: Any
    above: Any
    embedding: Array
    attention: dict[str, Array] | None
    score: str | None
    query: str
    input_feed: bool
    memory_width: int
    vector_width: int
    weight: Array
    bias: Array


def encoder_graph(side: EncoderSide) -> Any:
    """Return the encoder: sources (S, N) and lengths (N,) become states, memory and vector."""
    w = LayerWriter(side.layer, False, True)
    onnx, x = w.onnx, "sources"
    if side.reverses:
        whole = w.node("Cast", ["lengths"], "lengths_64", to=onnx.TensorProto.INT64)
        x = w.node("ReverseSequence", [x, whole], "reversed", batch_axis=1, time_axis=0)
    x = w.node("Gather", [w.constant("embedding", side.embedding), x], "embedded", axis=0)
    memory = w.layers(x)
    names = ["h", "c"] if w.op == "LSTM" else ["h"]
    rows = w.constant("rows", np.array([0, -1], np.int64))
    first = w.constant("first", np.array([0], np.int64))
    L, vector = len(side.starts), ""
    for k, name in enumerate(names):
        parts, joined = [], []
        for l, final in enumerate(w.finals):
            by_row = w.node("Transpose", [final[k]], f"{name}_by_row_l{l}", perm=[1, 0, 2])
            joined.append(w.node("Reshape", [by_row, rows], f"{name}_joined_l{l}"))
        if name == "h":
            vector = joined[-1]
        for l, start in enumerate(side.starts):
            part = joined[start]
            if side.bridge is not None:
                weight, bias = (
                    w.constant(f"{kind}_{name}_l{l}", side.bridge[f"{kind}_{name}_l{l}"])
                    for kind in ("weight", "bias")
                )
                part = w.node("Gemm", [part, weight, bias], f"{name}_mapped_l{l}", transB=1)
                if name == "h":
                    part = w.node("Tanh", [part], f"h_bounded_l{l}")
            parts.append(w.node("Unsqueeze", [part, first], f"{name}_of_layer_{l}"))
        w.node("Concat", parts, name, axis=0)
    H = side.layer._stack.layout.sizes[0]
    width = H if side.bridge is None else len(side.bridge["bias_h_l0"])
    outputs = [w.value(name, [L, "N", width]) for name in names]
    if side.attended:
        w.node("Identity", [memory], "memory")
        outputs.append(w.value("memory", ["S", "N", side.layer._stack.width]))
    if side.peeked:
        w.node("Identity", [vector], "vector")
        outputs.append(w.value("vector", ["N", w.D * H]))
    given = [
        onnx.helper.make_tensor_value_info(name, kind, shape)
        for name, kind, shape in (
            ("sources", onnx.TensorProto.INT64, ["S", "N"]),
            ("lengths", onnx.TensorProto.INT32, ["N"]),
        )
    ]
    return w.graph(given, outputs)


def decoder_graph(side: DecoderSide) -> Any:
    """Return one step of the decoder: tokens (N,) and states become scores and states."""
    return _Step(side).finish()


class _Step:
    """One step of a decoder, put together."""

    def __init__(self, side: DecoderSide) -> None:
        self.side, attends = side, side.attention is not None
        self.w = LayerWriter(side.bottom, True, False, prefix="bottom." if attends else "")
        self.names = ["h", "c"] if self.w.op == "LSTM" else ["h"]
        self.first = self.constant("first", np.array([0], np.int64))

    def constant(self, name: str, value: Array) -> str:
        return self.w.constant(name, value)

    def node(self, op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        return self.w.node(op, inputs, output, **attributes)

    def named(self, name: str, result: str) -> None:
        """Let an output of the graph be what a node has made."""
        self.w.nodes.append(self.w.onnx.helper.make_node("Identity", [result], [name]))

    def finish(self) -> Any:
        """Return the model."""
        side, w = self.side, self.w
        x = self.node("Gather", [self.constant("embedding", side.embedding), "tokens"], "embedded")
        if side.vector_width:
            x = self.node("Concat", [x, "vector"], "beside", axis=1)
        y = self.plain(x) if side.attention is None else self.attentive(x)
        if side.vector_width:
            y = self.node("Concat", [y, "vector"], "features", axis=1)
        weight = self.constant("out_weight", np.ascontiguousarray(side.weight.T))
        scores = self.node("MatMul", [y, weight], "product")
        self.named("scores", self.node("Add", [scores, self.constant("b", side.bias)], "sums"))
        make, kinds = w.onnx.helper.make_tensor_value_info, w.onnx.TensorProto
        H = side.bottom._stack.layout.sizes[0]
        L = len(side.bottom._stack.layout.sizes)
        L += 0 if side.above is None else len(side.above._stack.layout.sizes)
        inputs = [make("tokens", kinds.INT64, ["N"])]
        inputs += [w.value(f"{name}0", [L, "N", H]) for name in self.names]
        outputs = [w.value("scores", ["N", len(side.weight)])]
        outputs += [w.value(f"{name}_n", [L, "N", H]) for name in self.names]
        if side.attention is not None:
            inputs.append(w.value("memory", ["S", "N", side.memory_width]))
            inputs.append(make("lengths", kinds.INT32, ["N"]))
            outputs.append(w.value("weights", ["N", "S"]))
            if self.carries_fed:
                inputs.append(w.value("fed0", ["N", H]))
                outputs.append(w.value("fed_n", ["N", H]))
        if side.vector_width:
            inputs.append(w.value("vector", ["N", side.vector_width]))
        return w.graph(inputs, outputs)

    @property
    def carries_fed(self) -> bool:
        """Whether features of the step before join the input."""
        return self.side.input_feed and self.side.query == "current"

    def one_step(self, writer: LayerWriter, x: str, name: str) -> str:
        """Run layers over x (N, ·) as one step, and return the name of their output (N, H)."""
        y = writer.layers(self.node("Unsqueeze", [x, self.first], f"{name}_steps"))
        return self.node("Squeeze", [y, self.first], f"{name}_features")

    def plain(self, x: str) -> str:
        """Return the features of a decoder without attention."""
        y = self.one_step(self.w, x, "all")
        for k, name in enumerate(self.names):
            parts = [final[k] for final in self.w.finals]
            self.named(f"{name}_n", self.node("Concat", parts, f"{name}_all", axis=0))
        return y

    def attentive(self, x: str) -> str:
        """Return the features of a decoder whose bottom layer attends."""
        side, w = self.side, self.w
        one = self.constant("one_layer", np.array([1], np.int64))
        end = self.constant("end", np.array([np.iinfo(np.int64).max], np.int64))
        for name in self.names:
            self.node("Slice", [f"{name}0", self.first, one, self.first], f"{name}0")
        context = self.context(self.squeezed("bottom.h0", "h_before"), "before")
        if side.query == "current":
            context = ""
        if side.input_feed:
            fed = context or "fed0"
            x = self.node("Concat", [x, fed], "fed_input", axis=1)
        h = self.one_step(w, x, "bottom")
        context = context or self.context(h, "after")
        both = self.node("Concat", [h, context], "both", axis=1)
        assert side.attention is not None  # this is a decoder that attends
        y = self.affine(both, "weight_output", "bias_output")
        y = self.node("Tanh", [y], "output")
        if self.carries_fed:
            self.named("fed_n", y)
        finals = [w.finals[0]]
        if side.above is not None:
            above = LayerWriter(side.above, True, False, prefix="above.", into=w)
            for name in self.names:
                above.node("Slice", [f"{name}0", one, end, self.first], f"{name}0")
            y = self.one_step(above, y, "above")
            finals += above.finals
        for k, name in enumerate(self.names):
            parts = [final[k] for final in finals]
            self.named(f"{name}_n", self.node("Concat", parts, f"{name}_all", axis=0))
        return y

    def context(self, h: str, when: str) -> str:
        """Return the name of what a state (N, H) attends to, (N, C)."""
        if (when == "before") != (self.side.query == "previous"):
            return ""
        given = self.side.attention or {}
        queries = {"additive": "weight_query", "general": "weight_general"}
        q = h
        if self.side.score in queries:
            q = self.affine(h, queries[self.side.score], None)
        last = self.constant("score_axis", np.array([2], np.int64))
        if self.side.score == "additive":
            keys = self.affine("memory", "weight_key", "bias_key")
            bounded = self.node("Tanh", [self.node("Add", [keys, q], "asked")], "asked_bounded")
            vector = self.constant("vector", given["vector"])
            products = self.node("Mul", [bounded, vector], "weighed")
        else:
            products = self.node("Mul", ["memory", q], "weighed")
        scores = self.node("ReduceSum", [products, last], "attention_scores", keepdims=0)
        least = self.constant("least", np.array(-np.inf, self.w.layer.dtype))
        there = existing(self.w, "memory", "lengths")
        shown = self.node("Where", [there, scores, least], "attention_shown")
        weights = self.node("Softmax", [shown], "attention_by_step", axis=0)
        self.named("weights", self.node("Transpose", [weights], "attention_by_row", perm=[1, 0]))
        wide = self.node("Unsqueeze", [weights, last], "attention_wide")
        parts = self.node("Mul", [wide, "memory"], "attended")
        return self.node("ReduceSum", [parts, self.first], "context", keepdims=0)

    def affine(self, x: str, weight: str, bias: str | None) -> str:
        """Return the name of x times a weight of the attention, transposed, plus a bias."""
        given = self.side.attention or {}
        w = self.constant(weight, np.ascontiguousarray(given[weight].T))
        y = self.node("MatMul", [x, w], f"{weight}_product")
        if bias is None:
            return y
        return self.node("Add", [y, self.constant(bias, given[bias])], f"{weight}_sum")

    def squeezed(self, x: str, name: str) -> str:
        return self.node("Squeeze", [x, self.first], name)
