"""OpenVINO: a compiled model of an ONNX node on the CPU, forward only, float32 or bfloat16."""

import importlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.baselines import Peer, Prepared, Problem
from bench.cases import Array, Case
from bench.few_bits import forward_alone
from bench.peer_onnxruntime import model_of


class OpenVino(Peer):
    """One request of one stream, with ``INFERENCE_NUM_THREADS`` set."""

    title = "OpenVINO"
    packages = ("openvino", "onnx")
    hint = "f32"

    @classmethod
    def refusal(cls, case: Case) -> str | None:
        if case.kind.choices:
            return "what is compared are the usual gates and activations"
        return forward_alone(case)

    def prepare(self, problem: Problem) -> Prepared:
        openvino: Any = importlib.import_module("openvino")
        core = openvino.Core()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "layer.onnx"
            path.write_bytes(model_of(problem).SerializeToString())
            compiled = core.compile_model(
                core.read_model(path),
                "CPU",
                {
                    "INFERENCE_NUM_THREADS": problem.case.threads,
                    "NUM_STREAMS": 1,
                    "INFERENCE_PRECISION_HINT": self.hint,
                },
            )
        request = compiled.create_infer_request()
        x = openvino.Tensor(np.ascontiguousarray(problem.x))
        request.set_input_tensor(x)

        def answer() -> dict[str, Array]:
            request.infer()
            return {"y": request.get_output_tensor(0).data[:, 0].astype(np.float32)}

        return Prepared(request.infer, answer)


class OpenVinoBfloat16(OpenVino):
    """With the hint ``bf16``: OpenVINO chooses what it computes so."""

    title = "OpenVINO bfloat16"
    hint = "bf16"
