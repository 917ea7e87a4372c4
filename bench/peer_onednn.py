"""oneDNN called directly, without a framework around it, through a small library compiled here."""

import ctypes
import functools
import importlib.metadata
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.baselines import Peer, Prepared, Problem
from bench.cases import Array, Case
from bench.few_bits import forward_alone

SOURCE = Path(__file__).parent / "native" / "onednn.cpp"
SYSTEM = Path("/usr")
# The numbers of the enums of that file, and gates of oneDNN as places in fastrnn's order.
_CELLS = {"rnn_tanh": 0, "lstm": 1, "gru_after": 2, "gru_before": 3}
_PRECISIONS = {"float32": 0, "bfloat16": 1, "int8": 2}
_GATES = {"RNN": (0,), "LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2)}


class OneDnn(Peer):
    """Its recurrent primitives with ``prop_kind::forward_inference``.

    Headers and library are those of ``onednn-cpu-gomp`` and ``onednn-devel-cpu-gomp``, or of the
    system. What is timed is the primitive alone: x has been converted before, and y is left as it
    comes.
    """

    title = "oneDNN"
    packages = ("onednn-cpu-gomp",)
    precision = "float32"

    @classmethod
    def importable(cls) -> bool:
        """Whether headers and a compiler are there; compiles nothing."""
        return _prefix() is not None and _compiler() is not None

    @classmethod
    def version(cls) -> str:
        return "of the system" if _prefix() == SYSTEM else super().version()

    @classmethod
    def refusal(cls, case: Case) -> str | None:
        if case.cell not in _CELLS:
            return f"what is compared are {', '.join(_CELLS)}"
        if cls.precision == "int8" and case.cell != "lstm":
            return "oneDNN has int8 for LSTMs"
        return forward_alone(case)

    def prepare(self, problem: Problem) -> Prepared:
        library, case = _library(), problem.case
        if isinstance(library, str):
            raise ImportError(library)
        ctypes.CDLL("libgomp.so.1").omp_set_num_threads(case.threads)  # whose threads oneDNN takes
        kind, H = case.kind, case.H
        w_ih, w_hh, b_ih, b_hh = (
            problem.weights[f"{name}_l0"].reshape(kind.gates, H, -1)[list(_GATES[kind.layer])]
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        bias = (b_ih + b_hh)[..., 0]
        if case.cell == "gru_after":
            bias = np.concatenate([bias[:2], b_ih[2:, :, 0], b_hh[2:, :, 0]])
        scales = 127 / np.maximum(np.abs(w_ih).max(axis=2), np.abs(w_hh).max(axis=2))
        arrays = [
            np.ascontiguousarray(array, np.float32)
            for array in (problem.x, w_ih.transpose(2, 0, 1), w_hh.transpose(2, 0, 1), bias, scales)
        ]
        sizes = (ctypes.c_int * 4)(case.T, case.N, case.I, H)
        made = ctypes.c_void_p(
            library.onednn_make(
                _CELLS[case.cell], _PRECISIONS[self.precision], sizes,
                *(array.ctypes.data_as(ctypes.c_void_p) for array in arrays),
            )
        )  # fmt: skip
        if not made:
            raise RuntimeError(ctypes.string_at(library.onednn_failure()).decode())

        def answer() -> dict[str, Array]:
            y = np.empty((case.T, case.N, H), np.float32)
            library.onednn_run(made)
            library.onednn_answer(made, y.ctypes.data_as(ctypes.c_void_p))
            return {"y": y}

        return Prepared(functools.partial(library.onednn_run, made), answer)


class OneDnnBfloat16(OneDnn):
    """The same with everything but c and sums in bfloat16."""

    title = "oneDNN bfloat16"
    precision = "bfloat16"


class OneDnnInt8(OneDnn):
    """The same with x and h as bytes of one scale, and weights of a scale a row."""

    title = "oneDNN int8"
    precision = "int8"


def _compiler() -> str | None:
    return os.environ.get("CXX") or shutil.which("c++")


def _prefix() -> Path | None:
    """Where include/ and lib/ are, of the packages or of the system; None where neither is."""
    try:
        files = importlib.metadata.files("onednn-devel-cpu-gomp") or []
    except ModuleNotFoundError:
        files = []
    headers = [Path(str(file.locate())).resolve() for file in files if file.name == "dnnl.hpp"]
    found = [header.parents[1] for header in headers if header.parent.name == "include"]
    return next(iter(found), SYSTEM if (SYSTEM / "include" / "dnnl.hpp").exists() else None)


@functools.cache
def _library() -> ctypes.CDLL | str:
    """The functions of C, or the reason why there are none."""
    compiler, prefix = _compiler(), _prefix()
    if compiler is None or prefix is None:
        return "no compiler, or no dnnl.hpp"
    command = [*compiler.split(), "-std=c++17", "-O2", "-shared", "-fPIC", str(SOURCE)]
    if prefix != SYSTEM:
        lib = prefix / "lib"
        command += [f"-I{prefix / 'include'}", f"-L{lib}", f"-Wl,-rpath,{lib}"]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "onednn.so"
        command += ["-ldnnl", "-o", str(target)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            return f"{compiler} failed: {done.stderr.strip()}"
        try:
            library: Any = ctypes.CDLL(str(target))
        except OSError as error:
            return str(error)
    library.onednn_make.restype = ctypes.c_void_p
    library.onednn_failure.restype = ctypes.c_char_p
    return library  # type: ignore[no-any-return]
