"""Other libraries as systems of the speed table: the same layer, built from fastrnn's weights."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import fastrnn

Floats = NDArray[np.float32]
Layer = fastrnn.RNN | fastrnn.GRU | fastrnn.LSTM
Call = Callable[[], Floats]

# Where ONNX's gates stand among ours: LSTM i o f c from i f g o, GRU z r h from r z n.
_ONNX_GATES = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}


class System(Protocol):
    """Something that can compute a recurrent layer."""

    @property
    def name(self) -> str:
        """Name and version, for the head of its column."""

    def prepare(self, layer: Layer, x: Floats, dy: Floats | None) -> Call | None:
        """Return what is to be timed: a call that gives y of `layer` on `x`.

        Parameters
        ----------
        layer : RNN, GRU or LSTM
            One layer, one direction, float32; its weights are used.
        x : ndarray, (T, N, I)
        dy : ndarray, (T, N, H), or None
            If given, the call also computes the gradients by x and all weights.

        Returns
        -------
        callable or None
            None: this system cannot do it.
        """


class Fastrnn:
    """The layer as it is."""

    name = "fastrnn"

    def prepare(self, layer: Layer, x: Floats, dy: Floats | None) -> Call:
        """Return the call; see `System`."""
        if dy is None:
            return lambda: layer(x)[0]

        def train() -> Floats:
            y, _, tape = layer.forward(x)
            layer.backward(tape, dy)
            return y

        return train


class Twin(Fastrnn):
    """The same calls on the backend written in plain NumPy."""

    name = "NumPy twin"

    def prepare(self, layer: Layer, x: Floats, dy: Floats | None) -> Call:
        """Return the call; see `System`."""
        call = super().prepare(layer, x, dy)

        def on_reference() -> Floats:
            with fastrnn.use_backend("reference"):
                return call()

        return on_reference


class Torch:
    """``torch.nn.RNN``, ``GRU`` and ``LSTM``; ImportError where torch is missing."""

    def __init__(self) -> None:
        import torch

        self._torch: Any = torch
        self.name = f"PyTorch {torch.__version__.partition('+')[0]}"

    def prepare(self, layer: Layer, x: Floats, dy: Floats | None) -> Call:
        """Return the call; see `System`."""
        torch = self._torch
        torch.set_num_threads(fastrnn.get_num_threads())
        module = getattr(torch.nn, type(layer).__name__)(layer.input_size, layer.hidden_size)
        module.load_state_dict({name: torch.tensor(w) for name, w in layer.params.items()})
        tensor = torch.tensor(x, requires_grad=dy is not None)
        if dy is None:

            def infer() -> Floats:
                with torch.inference_mode():
                    return np.asarray(module(tensor)[0])

            return infer
        gradient = torch.tensor(dy)
        inputs = [tensor, *module.parameters()]

        def train() -> Floats:
            y = module(tensor)[0]
            torch.autograd.grad(y, inputs, gradient)
            return np.asarray(y.detach())

        return train


class OnnxRuntime:
    """ONNX Runtime on a model of one node; ImportError where it or onnx is missing."""

    def __init__(self) -> None:
        import onnx
        import onnxruntime

        self._onnx: Any = onnx
        self._runtime: Any = onnxruntime
        self.name = f"ONNX Runtime {onnxruntime.__version__}"

    def prepare(self, layer: Layer, x: Floats, dy: Floats | None) -> Call | None:
        """Return the call, None for gradients; see `System`."""
        if dy is not None:
            return None
        options = self._runtime.SessionOptions()
        options.intra_op_num_threads = fastrnn.get_num_threads()
        session = self._runtime.InferenceSession(
            self._model(layer).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

        def infer() -> Floats:
            y: Floats = session.run(["y"], {"x": x})[0]
            return y[:, 0]

        return infer

    def _model(self, layer: Layer) -> Any:
        helper, numpy_helper = self._onnx.helper, self._onnx.numpy_helper
        cell, H = type(layer).__name__, layer.hidden_size
        gates = [slice(g * H, (g + 1) * H) for g in _ONNX_GATES[cell]]
        w_ih, w_hh, b_ih, b_hh = (
            np.concatenate([layer.params[f"{name}_l0"][gate] for gate in gates])
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        arrays = {"W": w_ih, "R": w_hh, "B": np.concatenate([b_ih, b_hh])}
        # Keras' and ONNX's own default resets before the product, ours and PyTorch's after it.
        more = {"linear_before_reset": 1} if cell == "GRU" else {}
        node = helper.make_node(cell, ["x", *arrays], ["y"], hidden_size=H, **more)
        number = self._onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            [node],
            "layer",
            [helper.make_tensor_value_info("x", number, ["T", "N", layer.input_size])],
            [helper.make_tensor_value_info("y", number, ["T", 1, "N", H])],
            [numpy_helper.from_array(array[None], name) for name, array in arrays.items()],
        )
        # Versions that every ONNX Runtime of the last years reads.
        opset = [helper.make_opsetid("", 14)]
        return helper.make_model(graph, opset_imports=opset, ir_version=8)


def installed_systems() -> tuple[list[System], list[str]]:
    """Return the systems of this machine, fastrnn first, and the names of the missing ones."""
    present: list[System] = [Fastrnn(), Twin()]
    missing: list[str] = []
    peers: dict[str, Callable[[], System]] = {"PyTorch": Torch, "ONNX Runtime": OnnxRuntime}
    for name, make in peers.items():
        try:
            present.append(make())
        except (ImportError, OSError):  # OSError: installed, but a shared library does not load
            missing.append(name)
    return present, missing
