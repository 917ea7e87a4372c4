"""Layers with fewer bits: int8 and bfloat16 of fastrnn, PyTorch and ONNX Runtime."""

import importlib
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from bench.baselines import Fastrnn, Prepared, Problem, make_layer, prepared
from bench.cases import Array, Case
from bench.peer_onnxruntime import OnnxRuntime, model_of
from bench.peer_torch import Torch, layer_of, trained_or_called


class FastrnnInt8(Fastrnn):
    """A layer's `quantize`."""

    title = "fastrnn int8"
    precision = "int8"

    @classmethod
    def refusal(cls, case: Case) -> str | None:
        return forward_alone(case)

    def prepare(self, problem: Problem) -> Prepared:
        import fastrnn

        case = problem.case
        fastrnn.set_num_threads(case.threads)
        layer = make_layer(case)
        layer.load_state_dict(problem.weights)
        quantised = layer.quantize(self.precision)

        def forward() -> Array:
            y: Array = quantised(problem.x)[0]
            return y

        return Prepared(forward, lambda: {"y": forward()})


class FastrnnBfloat16(FastrnnInt8):
    """The same in the other precision; in training a layer's `compute_dtype`."""

    title = "fastrnn bfloat16"
    precision = "bfloat16"

    @classmethod
    def refusal(cls, case: Case) -> str | None:
        return one_layer(case)

    def prepare(self, problem: Problem) -> Prepared:
        if not problem.case.training:
            return super().prepare(problem)
        return prepared(problem, make_layer(problem.case, compute_dtype="bfloat16"))


class TorchInt8(Torch):
    """``torch.ao.quantization.quantize_dynamic``."""

    title = "PyTorch int8"

    @classmethod
    def refusal(cls, case: Case) -> str | None:
        if case.kind.layer == "RNN":
            return "torch quantises no torch.nn.RNN of itself"
        return super().refusal(case) or forward_alone(case)

    def prepare(self, problem: Problem) -> Prepared:
        torch, layer = layer_of(problem)
        torch.backends.quantized.engine = "x86"
        kinds, quantise = {torch.nn.LSTM, torch.nn.GRU}, torch.ao.quantization.quantize_dynamic
        with warnings.catch_warnings():  # it is deprecated, and the only way that PyTorch has
            warnings.simplefilter("ignore")
            (quantised,) = quantise(torch.nn.Sequential(layer), kinds, dtype=torch.qint8)
        x = torch.from_numpy(problem.x)

        def forward() -> Any:
            with torch.inference_mode():
                return quantised(x)[0]

        return Prepared(forward, lambda: {"y": forward().numpy()})


class TorchBfloat16(Torch):
    """Weights, inputs, outputs and gradients in bfloat16."""

    title = "PyTorch bfloat16"

    @classmethod
    def refusal(cls, case: Case) -> str | None:
        return super().refusal(case) or one_layer(case)

    def prepare(self, problem: Problem) -> Prepared:
        torch, layer = layer_of(problem)
        return trained_or_called(torch, layer.bfloat16(), problem, torch.bfloat16)


class OnnxRuntimeInt8(OnnxRuntime):
    """``DynamicQuantizeLSTM``, as ONNX Runtime's own quantiser makes it."""

    title = "ONNX Runtime int8"

    @classmethod
    def refusal(cls, case: Case) -> str | None:
        if case.kind.layer != "LSTM":
            return "onnxruntime quantises LSTMs only"
        return super().refusal(case) or forward_alone(case)

    def prepare(self, problem: Problem) -> Prepared:
        ort: Any = importlib.import_module("onnxruntime")
        tools: Any = importlib.import_module("onnxruntime.quantization")
        options = ort.SessionOptions()
        options.intra_op_num_threads = problem.case.threads
        with tempfile.TemporaryDirectory() as folder:
            plain, quantised = Path(folder) / "plain.onnx", Path(folder) / "int8.onnx"
            plain.write_bytes(model_of(problem).SerializeToString())
            tools.quantize_dynamic(
                plain, quantised, op_types_to_quantize=["LSTM"], per_channel=True,
                weight_type=tools.QuantType.QInt8,
            )  # fmt: skip
            session = ort.InferenceSession(
                str(quantised), options, providers=["CPUExecutionProvider"]
            )

        def forward() -> Array:
            y: Array = session.run(["y"], {"x": problem.x})[0]
            return y

        return Prepared(forward, lambda: {"y": np.ascontiguousarray(forward()[:, 0])})


def forward_alone(case: Case) -> str | None:
    """Refuse what is not one layer, one direction, forward in float32."""
    return "what is compared is forward" if case.training else one_layer(case)


def one_layer(case: Case) -> str | None:
    """Refuse what is not one layer and direction in float32."""
    if case.stream or case.ragged or case.bidirectional or case.layers > 1:
        return "what is compared is one layer and direction, rows of one length"
    return None if case.dtype == "float32" else "fewer bits than float32 are compared with that"
