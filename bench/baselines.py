"""One small interface for everything that is timed: fastrnn, its NumPy twin and other libraries."""

import abc
import functools
import importlib
import importlib.metadata
import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.cases import Array, Case


@dataclass(frozen=True, eq=False)
class Problem:
    """The numbers of a case, the same for everybody.

    Attributes
    ----------
    case : Case
    x : ndarray, (T, N, I)
        Standard normal.
    weights : dict of ndarray
        Uniform in ±1/√H under the names of ``state_dict``.
    dy : ndarray, (T, N, D·H)
        Gradient of the loss by y; standard normal.
    lengths : ndarray of int64 or None, (N,)
    """

    case: Case
    x: Array
    weights: dict[str, Array]
    dy: Array
    lengths: Array | None


def problem(case: Case) -> Problem:
    """Draw the numbers of a case; float32 numbers are float64 ones rounded."""
    rng = np.random.default_rng(1)
    bound = 1 / np.sqrt(case.H)

    def cast(numbers: Array) -> Array:
        return numbers.astype(case.dtype)

    return Problem(
        case,
        cast(rng.standard_normal((case.T, case.N, case.I))),
        {k: cast(rng.uniform(-bound, bound, s)) for k, s in case.parameter_shapes().items()},
        cast(rng.standard_normal((case.T, case.N, case.directions * case.H))),
        case.lengths(),
    )


@dataclass(frozen=True)
class Prepared:
    """A case made ready in one library.

    Attributes
    ----------
    run : callable
        Does the work once; this is what is timed.
    answer : callable
        Does the work once and returns its results as arrays in fastrnn's names and layouts: ``y``;
        in training also ``dx`` and ``d`` + the name of each parameter. A stream starts afresh.
    """

    run: Callable[[], Any]
    answer: Callable[[], dict[str, Array]]


class Peer(abc.ABC):
    """A library that can run cases.

    Attributes
    ----------
    title : str
        How tables call it.
    packages : tuple of str
        What must be importable; the first one's version is recorded.
    """

    title: str
    packages: tuple[str, ...]

    @classmethod
    def importable(cls) -> bool:
        """Whether every package is installed; imports none."""
        return all(importlib.util.find_spec(package) is not None for package in cls.packages)

    @classmethod
    def version(cls) -> str:
        """Version of the first package."""
        return importlib.metadata.version(cls.packages[0])

    @classmethod
    def refusal(cls, case: Case) -> str | None:
        """Why the library cannot run the case, or None; imports no package."""
        del case
        return None

    @abc.abstractmethod
    def prepare(self, problem: Problem) -> Prepared:
        """Build the layer, load the weights and set the number of threads."""


def usable_cpus() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def needs_whole_affinity(case: Case) -> str | None:
    """Refuse a case for a library whose threads are the CPUs the process may use."""
    if usable_cpus() == case.threads:
        return None
    return f"takes one thread for each of the {usable_cpus()} usable CPUs, not {case.threads}"


class Fastrnn(Peer):
    """fastrnn's layers: weights packed for inference, forward and backward for training."""

    title = "fastrnn"
    packages: tuple[str, ...] = ("fastrnn",)

    @classmethod
    def version(cls) -> str:
        from fastrnn import runtime

        return runtime.config()["fastrnn"]  # known also where fastrnn is not installed

    def prepare(self, problem: Problem) -> Prepared:
        import fastrnn

        case = problem.case
        fastrnn.set_num_threads(case.threads)
        if case.kind.choices:
            return by_functions(problem)
        return prepared(problem, make_layer(case))


def prepared(problem: Problem, layer: Any) -> Prepared:
    """A case by a layer of fastrnn, which gets the problem's weights."""
    import fastrnn

    case = problem.case
    fastrnn.set_num_threads(case.threads)
    layer.load_state_dict(problem.weights)
    x, dy, lengths = problem.x, problem.dy, problem.lengths

    def forward() -> Array:
        y: Array = layer(x, lengths=lengths)[0]
        return y

    def training() -> tuple[Array, Any]:
        y, _, tape = layer.forward(x, lengths=lengths)
        return y, layer.backward(tape, dy)

    def gradients() -> dict[str, Array]:
        y, grads = training()
        return {"y": y, "dx": grads.x} | {f"d{k}": v for k, v in grads.params.items()}

    if case.stream:
        stream = layer.stream(batch_size=case.N)
        x_t = x[0]

        def first_step() -> dict[str, Array]:
            stream.reset()
            return {"y": stream.step(x_t)[None]}

        return Prepared(functools.partial(stream.step, x_t), first_step)
    if case.training:
        return Prepared(training, gradients)
    return Prepared(forward, lambda: {"y": forward()})


class Twin(Fastrnn):
    """The same layers on ``fastrnn.reference``: plain NumPy."""

    title = "NumPy twin"
    packages = ("numpy", "fastrnn")

    @classmethod
    def version(cls) -> str:
        return np.__version__

    @classmethod
    def refusal(cls, case: Case) -> str | None:
        return needs_whole_affinity(case)

    def prepare(self, problem: Problem) -> Prepared:
        import fastrnn

        def on_reference(work: Callable[[], Any]) -> Callable[[], Any]:
            def call() -> Any:
                with fastrnn.use_backend("reference"):
                    return work()

            return call

        with fastrnn.use_backend("reference"):
            prepared = super().prepare(problem)
        return Prepared(on_reference(prepared.run), on_reference(prepared.answer))


def by_functions(problem: Problem) -> Prepared:
    """A case by fastrnn's functions, which have choices that its layers lack."""
    import fastrnn

    case, kind = problem.case, problem.case.kind
    names = {"weight_ih": "w_ih", "weight_hh": "w_hh", "bias_ih": "b_ih", "bias_hh": "b_hh"}
    arrays = (problem.x, *(problem.weights[f"{name}_l0"] for name in names))
    options = dict(kind.options, **kind.choices, lengths=problem.lengths)
    plain, forward, backward = (
        getattr(fastrnn, kind.layer.lower() + suffix) for suffix in ("", "_forward", "_backward")
    )

    def training() -> tuple[Array, Any]:
        y, _, tape = forward(*arrays, **options)
        return y, backward(tape, problem.dy)

    def gradients() -> dict[str, Array]:
        y, grads = training()
        found = {f"d{name}_l0": getattr(grads, field) for name, field in names.items()}
        return {"y": y, "dx": grads.x} | found

    def inference() -> Array:
        y: Array = plain(*arrays, **options)[0]
        return y

    if case.training:
        return Prepared(training, gradients)
    return Prepared(inference, lambda: {"y": inference()})


def make_layer(case: Case, **options: Any) -> Any:
    """A fastrnn layer of the case's cell and sizes, with more options."""
    import fastrnn

    return getattr(fastrnn, case.kind.layer)(
        case.I,
        case.H,
        case.layers,
        bidirectional=case.bidirectional,
        dtype=np.dtype(case.dtype),
        **case.kind.options,
        **options,
    )


# Peers by the name they have in options and files. A module is imported when its peer is asked for.
_MODULES: Mapping[str, str] = {
    "fastrnn": "bench.baselines:Fastrnn",
    "numpy": "bench.baselines:Twin",
    "torch": "bench.peer_torch:Torch",
    "onnxruntime": "bench.peer_onnxruntime:OnnxRuntime",
    "jax": "bench.peer_jax:Jax",
    "onednn": "bench.peer_onednn:OneDnn",
}
NAMES = tuple(_MODULES)
# Those of `bench.precision`, which no other bench has.
_FEW_BITS: Mapping[str, str] = {
    "fastrnn int8": "bench.few_bits:FastrnnInt8",
    "fastrnn bfloat16": "bench.few_bits:FastrnnBfloat16",
    "torch int8": "bench.few_bits:TorchInt8",
    "torch bfloat16": "bench.few_bits:TorchBfloat16",
    "onnxruntime int8": "bench.few_bits:OnnxRuntimeInt8",
    "onednn int8": "bench.peer_onednn:OneDnnInt8",
    "onednn bfloat16": "bench.peer_onednn:OneDnnBfloat16",
    "openvino bfloat16": "bench.peer_openvino:OpenVinoBfloat16",
}
FEW_BITS = tuple(_FEW_BITS)


def peer_class(name: str) -> type[Peer]:
    """The class of a peer.

    Raises
    ------
    ValueError
        When there is no peer of that name.
    """
    known = {**_MODULES, **_FEW_BITS}
    if name not in known:
        raise ValueError(f"peer must be one of {', '.join(NAMES)}, got {name!r}")
    module, attribute = known[name].split(":")
    found: type[Peer] = getattr(importlib.import_module(module), attribute)
    return found


def importable() -> list[str]:
    """Names of the peers whose packages are installed."""
    return [name for name in NAMES if peer_class(name).importable()]
