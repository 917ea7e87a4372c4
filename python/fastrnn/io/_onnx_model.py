"""A model as an ONNX graph: symbols are embedded, layers run, and scores come out."""

import os
from typing import Any

import numpy as np

from fastrnn.io._files import atomic_write
from fastrnn.io._onnx_write import LayerWriter
from fastrnn.models import LanguageModel, SequenceClassifier, SequenceTagger


def write_model(model: Any, path: str | os.PathLike[str], state: bool, lengths: bool) -> None:
    """Write a language model, a tagger or a classifier; the graph's output is ``scores``."""
    data = ModelWriter(model, state, lengths).finish().SerializeToString()
    with atomic_write(path) as file:
        file.write(data)


class ModelWriter(LayerWriter):
    """Puts an embedding before the layers, and the output's linear layer after them."""

    def __init__(self, model: Any, state: bool, lengths: bool) -> None:
        if not isinstance(model, (LanguageModel, SequenceTagger, SequenceClassifier)):
            raise ValueError(
                "LanguageModel, SequenceTagger and SequenceClassifier can be exported, "
                f"got {type(model).__name__}"
            )
        pooling = getattr(model, "_pooling", "last")
        if pooling not in ("last", None):  # None: a tagger, which pools nothing
            raise ValueError(f"a classifier is exported with pooling='last', got {pooling!r}")
        self.model = model
        layer = model._reader.layer
        layer.set_params(model.params["rnn"])
        super().__init__(layer, state, lengths)

    def enter(self) -> str:
        """Return the name of the embedded symbols, or of the vectors."""
        if self.model._reader.vocab is None:
            return "x"
        table = self.constant("embedding", self.model.params["embedding"]["weight"])
        return self.node("Gather", [table, "x"], "embedded", axis=0)

    def leave(self, x: str) -> Any:
        """Make the scores and return what they are."""
        out, params = self.model.params["out"], self.model.params
        weight = out["weight"] if "weight" in out else params["embedding"]["weight"]
        rows: list[Any] = ["T", "N"]
        if isinstance(self.model, SequenceClassifier):
            x, rows = self.last(), ["N"]
        w = self.constant("out_weight", np.ascontiguousarray(weight.T))
        product = self.node("MatMul", [x, w], "product")
        self.node("Add", [product, self.constant("out_bias", out["bias"])], "scores")
        return self.value("scores", [*rows, weight.shape[0]])

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
        if self.model._reader.vocab is None:
            return super().first_input()
        kind = self.onnx.TensorProto.INT64
        return self.onnx.helper.make_tensor_value_info("x", kind, ["T", "N"])
