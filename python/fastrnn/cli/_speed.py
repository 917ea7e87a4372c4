"""The speed table: fastrnn, its NumPy twin and other libraries side by side on this machine.

Every system computes the same layer with the same weights on the same input, with as many threads
as fastrnn uses, and has to give the same y before it is timed; with fewer bits nearly the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter, sleep
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

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

    @property
    def tolerance(self) -> float:
        """How far its y may be from the first system's, absolute."""

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


# Of y in float32, |y| ≤ 1. Rounding is some 1e-6; gates in a wrong order are off by 0.1.
TOLERANCE = 1e-4


class Fastrnn:
    """The layer as it is."""

    name = "fastrnn"
    tolerance = TOLERANCE

    def prepare(self, layer: Layer, x: Floats, dy: Floats | None) -> Call:
        """Return the call; see `System`."""
        if dy is None:
            return lambda: layer(x)[0]

        def train() -> Floats:
            y, _, tape = layer.forward(x)
            layer.backward(tape, dy)
            return y

        return train


class FewerBits:
    """The layer in int8, which is for inference only, or in bfloat16.

    Parameters
    ----------
    precision : {"int8", "bfloat16"}
    """

    tolerance = 0.05  # weights, x and h have 7 or 8 significant bits

    def __init__(self, precision: str) -> None:
        self._precision = precision
        self.name = f"fastrnn {precision}"

    def prepare(self, layer: Layer, x: Floats, dy: Floats | None) -> Call | None:
        """Return the call, None for gradients in int8; see `System`."""
        if self._precision == "int8":
            return None if dy is not None else Fastrnn().prepare(layer.quantize("int8"), x, dy)
        rounded = type(layer)(layer.input_size, layer.hidden_size, compute_dtype="bfloat16")
        rounded.set_params(layer.params)
        return Fastrnn().prepare(rounded, x, dy)


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

    tolerance = TOLERANCE

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

    tolerance = TOLERANCE

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
    present: list[System] = [Fastrnn(), FewerBits("int8"), FewerBits("bfloat16"), Twin()]
    missing: list[str] = []
    peers: dict[str, Callable[[], System]] = {"PyTorch": Torch, "ONNX Runtime": OnnxRuntime}
    for name, make in peers.items():
        try:
            present.append(make())
        except (ImportError, OSError):  # OSError: installed, but a shared library does not load
            missing.append(name)
    return present, missing


CELLS: tuple[type[Layer], ...] = (fastrnn.RNN, fastrnn.GRU, fastrnn.LSTM)
BURST = 0.02  # seconds of calls that one reading of the clock covers, at least
# Seconds before a burst: OpenBLAS' threads keep spinning for 0.1 s after a product (NumPy 2.4), and
# whoever was timed next would have had half a core less.
PAUSE = 0.2


@dataclass(frozen=True)
class Case:
    """The sizes of one line of the table, and whether the gradients are wanted too."""

    T: int
    N: int
    H: int
    training: bool


@dataclass(frozen=True)
class Speeds:
    """What the table says: the systems, and the seconds of each for every line."""

    systems: list[str]
    rows: dict[str, list[float]]


T, H = 64, 128  # of the table
CASES = (Case(T, 32, H, False), Case(T, 32, H, True), Case(T, 1, H, False))


def measure(cell: type[Layer], case: Case, systems: list[System], rounds: int) -> list[float]:
    """Return the seconds of one call for each of `systems`, NaN where one cannot do it.

    Parameters
    ----------
    cell : type
        ``fastrnn.RNN``, ``GRU`` or ``LSTM``.
    case : Case
        What to compute.
    systems : list of System
        The first one's y is the right one.
    rounds : int
        Readings; the systems take turns, and each one's best is returned: what else runs on the
        machine can only add.

    Raises
    ------
    RuntimeError
        A system computes something else.
    """
    rng = np.random.default_rng(0)
    layer = cell(case.H, case.H, rng=rng)
    x = rng.standard_normal((case.T, case.N, case.H)).astype(np.float32)
    dy = rng.standard_normal(x.shape).astype(np.float32) if case.training else None
    calls = [system.prepare(layer, x, dy) for system in systems]
    expected: NDArray[np.float32] | None = None
    for system, call in zip(systems, calls, strict=True):
        if call is None:
            continue
        y = call()
        expected = y if expected is None else expected
        if not np.allclose(y, expected, rtol=0, atol=system.tolerance):
            raise RuntimeError(f"{system.name} and {systems[0].name} disagree on a {cell.__name__}")
    readings = [[_seconds(call) for call in calls] for _ in range(rounds)]
    return [min(column) for column in zip(*readings, strict=True)]


def _seconds(call: Call | None) -> float:
    """Return the mean seconds of a call over one burst, the first call after the pause apart."""
    if call is None:
        return float("nan")
    sleep(PAUSE)
    call()
    count, began = 0, perf_counter()
    while (now := perf_counter()) < began + BURST or count == 0:
        call()
        count += 1
    return (now - began) / count


def report_speed(console: Console, *, rounds: int) -> Speeds:
    """Measure, print the table and return its numbers; `rounds` readings for each."""
    systems, missing = installed_systems()
    speeds = Speeds([system.name for system in systems], {})
    table = Table(box=SIMPLE, show_edge=False)
    for head in ("cell", "work", "N"):
        table.add_column(head, no_wrap=True)
    for system in systems:
        head = "\n".join(system.name.rsplit(" ", 1))
        table.add_column(head, justify="right", no_wrap=True)
    for case in CASES:
        for cell in CELLS:
            seconds = measure(cell, case, systems, rounds)
            work = "training" if case.training else "forward"
            speeds.rows[f"{cell.__name__} {work} N={case.N}"] = seconds
            others = (_beside(own, seconds[0]) for own in seconds[1:])
            table.add_row(cell.__name__, work, str(case.N), f"{1e3 * seconds[0]:.2f}", *others)
        table.add_section()
    console.print(
        f"\nspeed: milliseconds a call, and how many times fastrnn's they are\n"
        f"(T={T}, I=H={H}, float32 where no other precision is named, "
        f"{fastrnn.get_num_threads()} threads, NumPy {np.__version__}; "
        "training is forward and backward)",
        soft_wrap=True,
    )
    # Rich shortens what is wider than the output; a figure without its end is a wrong one.
    table.width = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    console.print(table, crop=False)
    if missing:
        console.print(f"not importable here: {', '.join(missing)}", soft_wrap=True)
    return speeds


def _beside(seconds: float, own: float) -> str:
    """Return milliseconds and how many times fastrnn's they are."""
    if np.isnan(seconds):
        return "–"
    times = seconds / own
    return f"{1e3 * seconds:.2f} {times:5.{1 if times >= 1 else 2}f}×"
