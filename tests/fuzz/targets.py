"""What is fuzzed: a function of bytes for each target, which may end in documented errors only.

Nothing here needs a fuzzer: tests/fuzz/run.py drives the targets by coverage, and the test beside
it repeats what the fuzzers have found.
"""

import hashlib
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from helpers.loaders import LOADERS

import fastrnn
from fastrnn import _core
from fuzz.calls import call_of
from fuzz.draw import Draw
from fuzz.inside import spoil_one

SECONDS = 2.0  # of processor time, for any input
DIGEST = re.compile(rb'"fastrnn\.sha256":"[0-9a-f]{64}"')

# A target is a few loaders; the first byte of its input says which one.
GROUPS = {
    "tensors": ("checkpoint", "weights", "arrays"),
    "models": ("model", "resume", "quantised model", "quantised layer", "layer"),
    "vocabularies": ("vocabulary", "pieces"),
    "tokens": ("token record", "token index", "token ids"),
    "onnx": ("onnx", "onnx int8"),
    "vectors": ("word2vec text", "word2vec binary", "questions"),
    "numpy": ("npy", "npz"),
    "texts": ("examples", "config"),
}


class Files:
    """The loaders of one group, and the folders in which they read."""

    def __init__(self, group: str, folder: Path) -> None:
        self._group = group
        self._paths = []
        for i, name in enumerate(GROUPS[group]):
            path = folder / str(i) / LOADERS[name].name
            path.parent.mkdir()
            LOADERS[name].good(path)
            LOADERS[name].load(path)
            self._paths.append(path)

    def seeds(self) -> list[bytes]:
        """A good file of each loader."""
        return [bytes([i]) + path.read_bytes() for i, path in enumerate(self._paths)]

    def __call__(self, data: bytes) -> None:
        which = data[0] % len(self._paths) if data else 0
        loader, path = LOADERS[GROUPS[self._group][which]], self._paths[which]
        path.write_bytes(signed(data[1:]))
        try:
            loader.load(path)
        except (OSError, *loader.errors) as error:
            told(error)


def told(error: Exception) -> None:
    """Fail for an error that says nothing."""
    assert str(error), f"{type(error).__name__} without a word"


def signed(data: bytes) -> bytes:
    """The same file with the right SHA-256 of ours in it, where it has one: it lets nobody by."""
    zeros = b'"fastrnn.sha256":"' + b"0" * 64 + b'"'
    empty = DIGEST.sub(zeros, data)
    digits = hashlib.sha256(empty).hexdigest().encode()
    return empty.replace(zeros, zeros.replace(b"0" * 64, digits))


class Core:
    """The boundary of `_core`: any function, with arguments that are right, nearly, or not."""

    def seeds(self) -> list[bytes]:
        rng = np.random.default_rng(0)
        return [bytes([i]) + rng.bytes(40) for i in range(64)] + [bytes([i] * 2) for i in range(64)]

    def __call__(self, data: bytes) -> None:
        call = call_of(Draw(data))
        try:
            call()
        except (MemoryError, TypeError, ValueError) as error:
            told(error)
        finally:
            _core.force_plan()


class Inside:
    """The same, of what the package itself hands to `_core`, one call spoilt."""

    def seeds(self) -> list[bytes]:
        rng = np.random.default_rng(0)
        return [bytes([i % 6]) + rng.bytes(60) for i in range(120)]

    def __call__(self, data: bytes) -> None:
        try:
            found = spoil_one(Draw(data))
        finally:
            _core.force_plan()
        if found is not None and found[1] is not None:
            told(found[1])


LASAGNE = ("ingate forgetgate cell outgate", "resetgate updategate hidden_update", "hid")
TORCH = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
OTHERS = (None, 3, "x", [], {}, [[1.0]], object())


class ForeignArrays:
    """Arrays of other programs: as many as they like, of any shape and type."""

    FLOATS = ("f4", "f8", ">f4", "f2", "i8", "O", "c16", "?")

    def seeds(self) -> list[bytes]:
        pairs = [(program, family) for program in range(4) for family in range(3)]
        return [bytes([*pair, 1, 2, 3] * 9) for pair in pairs]

    def __call__(self, data: bytes) -> None:
        draw = Draw(data)
        program = draw.below(4)
        cls = draw.pick([fastrnn.RNN, fastrnn.GRU, fastrnn.LSTM])
        G = {fastrnn.RNN: 1, fastrnn.GRU: 3, fastrnn.LSTM: 4}[cls]
        H, I, D = draw.below(4), draw.below(4), 1 + draw.below(2)
        try:
            if program == 0:
                shapes = [(I, G * H), (H, G * H), (G * H,)] * (D * (1 + draw.below(2)))
                cls.from_keras(self._arrays(draw, shapes), bidirectional=D == 2)
            elif program == 1:
                gates = draw.pick(LASAGNE).split()
                names = [f"{head}_{g}" for head in ("W_in_to", "W_hid_to", "b") for g in gates]
                shapes = [shape for shape in ((I, H), (H, H), (H,)) for _ in gates]
                cls.from_lasagne(dict(zip(names, self._arrays(draw, shapes), strict=True)))
            elif program == 2:
                names, shapes = [], []
                for layer in range(1 + draw.below(2)):
                    for end in ("", "_reverse")[:D]:
                        names += [f"{kind}_l{layer}{end}" for kind in TORCH]
                        shapes += [(G * H, D * H if layer else I), (G * H, H), (G * H,), (G * H,)]
                cls.from_torch(dict(zip(names, self._arrays(draw, shapes), strict=True)))
            else:
                shapes = [(D, G * H, I), (D, G * H, H), (D, 2 * G * H)]
                W, R, B = self._arrays(draw, shapes)
                direction = draw.pick(["forward", "reverse", "bidirectional", "", None, 1])
                fastrnn.io.OnnxNode.make(
                    cls.__name__, W, R, B, direction=direction,
                    clip=draw.pick([None, 1.0, -1.0, "x", np.nan]),
                    activations=draw.pick([None, ["Tanh"], ["Sigmoid", "Tanh", "Relu"], "x", 3]),
                )  # fmt: skip
        except (MemoryError, TypeError, ValueError) as error:
            told(error)

    def _arrays(self, draw: Draw, shapes: list[tuple[int, ...]]) -> list[object]:
        found: list[object] = []
        for shape in shapes:
            change = draw.below(24)
            wrong = {1: shape[::-1], 2: (*shape, draw.below(3)), 3: shape[:-1], 4: (0, 2**40)}
            dtype = draw.pick(self.FLOATS) if change == 5 else "f4"
            array: object = np.ones(wrong.get(change, shape), dtype)
            found.append(draw.pick(OTHERS) if change == 6 else array)
        return found


# Each makes its target in an empty folder.
MAKERS: dict[str, Callable[[Path], Any]] = {
    **{group: partial(Files, group) for group in GROUPS},
    "core": lambda _: Core(),
    "inside": lambda _: Inside(),
    "foreign": lambda _: ForeignArrays(),
}


def checked(target: Callable[[bytes], None], data: bytes) -> None:
    """Run a target, and refuse an input that takes too long."""
    start = time.process_time()
    target(data)
    seconds = time.process_time() - start
    assert seconds <= SECONDS, f"an input of {len(data)} bytes took {seconds:.1f} s"
