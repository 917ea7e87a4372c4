"""Hashes of earlier results: of everything a recurrent layer computes, for every cell and option.

`tests/hashes.txt` has a line for each cell with its options, float type and instruction set, and on
it for each of SHAPES three hashes: of y and the final states, of the gradients by the inputs, and
of those by the weights. A change of the core that is to change no result gives the same file:

    python tests/hashes.py            # writes tests/hashes.txt; `git diff` shows what has changed

The inputs come from integers alone, and every multiply-add of the core is written out, so the bits
depend on the instruction set and on nothing else: not on the compiler, on threads or on chunks.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_name("hashes.txt")
GATES = {"rnn": 1, "lstm": 4, "gru": 3}
PLANS = ((1, None, 0), (2, "rows", 1), (2, "units", 0), (2, "units", 1), (1, None, 2))

Arrays = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes, and what of a call goes with them: ragged rows, absent arguments, limits."""

    T: int
    N: int
    I: int
    H: int
    flags: str = ""


# Around the widths of vectors (4, 8, 16), tiles (4 panels, 6 rows) and blocks of rows (24).
SHAPES = (
    Shape(1, 1, 1, 1),
    Shape(3, 1, 5, 7, "reverse"),
    Shape(0, 2, 3, 8),
    Shape(5, 2, 8, 16, "truncate clip"),
    Shape(6, 5, 17, 33, "ragged"),
    Shape(7, 4, 9, 65, "ragged reverse truncate"),
    Shape(3, 30, 3, 17, "no_bias no_state"),
    Shape(4, 27, 2, 31, "ragged reverse clip add_dx"),
    Shape(3, 3, 70, 130, "projected"),
    Shape(5, 6, 11, 20, "ids ragged"),
    Shape(2, 1, 33, 64, "no_dy no_dx"),
)


@dataclasses.dataclass(frozen=True)
class Config:
    """A cell with its options; `masks` has a letter for each mask: m h c."""

    cell: str
    choices: tuple[Any, ...] = ()  # of _core.Choices, for general cells; the fourth is clip
    peephole: str = ""  # "diagonal", "full"
    projects: bool = False
    masks: str = ""
    norm: bool = False

    def __str__(self) -> str:
        words = [self.cell, *(str(choice).replace(" ", "") for choice in self.choices)]
        words += [self.peephole] if self.peephole else []
        words += ["w_hr"] if self.projects else []
        words += [f"masks={self.masks}"] if self.masks else []
        return "/".join([*words, "w_norm"] if self.norm else words)


def configs() -> list[Config]:
    """Every cell, and every option of the general ones alone and with others."""
    usual, odd = ("sigmoid", "tanh", "tanh"), ("softsign", ("elu", 0.9, 0.0), "softplus")
    found = [Config(name) for name in ("rnn_tanh", "rnn_relu", "rnn_sigmoid", "rnn_linear")]
    found += [Config("lstm"), Config("lstm_peephole", peephole="diagonal")]
    found += [Config("gru_after"), Config("gru_before")]
    names = {"rnn_general": ("tanh",), "gru_after_general": usual[:2]}
    for cell, acts in (names | {"gru_before_general": usual[:2]}).items():
        found += [Config(cell, (acts,)), Config(cell, (odd[: len(acts)],))]
        found += [Config(cell, (acts, "ifo", False, 0.4), masks=m) for m in ("", "mh")]
        found += [Config(cell, (acts,), masks=masks) for masks in ("m", "h", "mh")]
        found += [Config(cell, (acts,), norm=True, masks=masks) for masks in ("", "m", "mh")]
    lstm = "lstm_general"
    found += [Config(lstm, (usual,), peephole) for peephole in ("", "diagonal", "full")]
    found += [Config(lstm, (odd, *more)) for more in ((), ("i",), ("io",), ("ifo", True), ("",))]
    found += [Config(lstm, (odd, "ifo", False, 0.4), "full", True, "mh", True)]
    for peephole in ("", "diagonal", "full"):
        for projects in (False, True):
            for masks in ("m", "h", "c", "mhc") if not peephole else ("m", "mh"):
                found += [Config(lstm, (usual,), peephole, projects, masks)]
            found += [Config(lstm, (usual,), peephole, projects, norm=True)]
            found += [Config(lstm, (usual,), peephole, projects)] if projects else []
            found += [Config(lstm, (odd, "fo"), peephole, projects, "h", norm=True)]
    found += [Config(lstm, (usual,), projects=True, masks="mhc", norm=True)]
    found += [Config(lstm, (usual,), masks="mhc", norm=True)]
    return found


class Numbers:
    """Reproducible numbers in [-1, 1), from a counter alone (the output function of SplitMix64)."""

    def __init__(self) -> None:
        self._count = 0

    def draw(self, *shape: int, scale: float = 1.0) -> np.ndarray:
        size = int(np.prod(shape))
        with np.errstate(over="ignore"):
            z = np.arange(self._count + 1, self._count + size + 1, dtype=np.uint64)
            z *= np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        self._count += size
        # 23 bits of it: a float32 to the last bit
        values = (z >> np.uint64(41)).astype(np.int64) - 2**22
        return (values.astype(np.float32) * np.float32(scale * 2.0**-22)).reshape(shape)


@functools.lru_cache(maxsize=1024)
def problem(config: Config, shape: Shape) -> tuple[Arrays, Arrays, dict[str, tuple[int, ...]]]:
    """The inputs of forward, those of backward, and the shapes of the gradients."""
    numbers, flags = Numbers(), shape.flags.split()
    family = config.cell.split("_")[0]
    T, N, I, H = shape.T, shape.N, shape.I, shape.H
    lstm, G = family == "lstm", GATES[family]
    P = max(1, H * 2 // 3) if config.projects else H
    free = "projected" in flags or "ids" in flags
    bias, state = "no_bias" not in flags, "no_state" not in flags
    draw = numbers.draw
    x = draw(1, 9, G * H) if "ids" in flags else draw(T, N, G * H if free else I)
    given: Arrays = {"x": x, "w_ih": None if free else draw(G * H, I, scale=2 / np.sqrt(I))}
    given["w_hh"] = draw(G * H, P, scale=2 / np.sqrt(P))
    given |= {name: draw(G * H, scale=0.3) if bias else None for name in ("b_ih", "b_hh")}
    rows = {"": 0, "diagonal": 3, "full": 3 * H}[config.peephole]
    scale = 0.5 if config.peephole == "diagonal" else 1 / np.sqrt(H)
    given["w_peephole"] = draw(rows, H, scale=scale) if rows else None
    given["w_hr"] = draw(P, H, scale=2 / np.sqrt(H)) if config.projects else None
    given["w_norm"] = draw(2 * G + 2 * lstm, H, scale=0.3) + 1 if config.norm else None
    given["h0"] = draw(N, P, scale=0.5) if state else None
    given["c0"] = draw(N, H, scale=0.5) if state and lstm else None
    given["h_mask"] = (draw(N, P) > -0.4) / 0.7 if "m" in config.masks else None
    given["h_keep"] = draw(T, N, P) > 0 if "h" in config.masks else None
    given["c_keep"] = np.abs(draw(T, N, H)) if "c" in config.masks else None
    back = {"dy": None if "no_dy" in flags else draw(T, N, P), "dh_n": draw(N, P)}
    back["dc_n"] = draw(N, H) if lstm else None
    shapes = {f"d{k}": given[k].shape for k in (*NAMES, "h0", "c0") if given[k] is not None}
    if "no_dx" in flags:
        del shapes["dx"]
    given["lengths"] = (np.arange(N) * 7 + 3) % (T + 1) if "ragged" in flags else None
    given["ids"] = (np.arange(T * N).reshape(T, N) * 5) % 9 if "ids" in flags else None
    outputs = {"y": (T, N, P), "h_n": (N, P)} | ({"c_n": (N, H)} if lstm else {})
    return given, back, shapes | outputs


NAMES = ("x", "w_ih", "w_hh", "b_ih", "b_hh", "w_peephole", "w_hr", "w_norm")


def typed(arrays: Arrays, dtype: Any) -> Arrays:
    """The arrays in one float type; integers stay as they are."""
    return {
        name: a if a is None or a.dtype.kind == "i" else a.astype(dtype)
        for name, a in arrays.items()
    }


def run(core: Any, config: Config, shape: Shape, dtype: Any, plan: Any) -> Arrays:
    """Every result of forward and backward under one plan."""
    threads, split, chunk = plan
    given, back, shapes = problem(config, shape)
    flags = shape.flags.split()
    out = {name: np.full(size, 0.25, dtype) for name, size in shapes.items()}
    given, back = typed(given, dtype), typed(back, dtype)
    clip = {"clip": config.choices[3]} if len(config.choices) > 3 else {}
    choices = core.Choices(*config.choices[:3], **clip) if "general" in config.cell else None
    call = {"reverse": "reverse" in flags, "num_threads": threads, "choices": choices}
    call |= {name: out.get(name) for name in ("y", "h_n", "c_n")}
    cell, tape = getattr(core.Cell, config.cell), core.Tape()
    core.force_plan(split, chunk)
    try:
        core.rnn_forward(cell, **given, **call, tape=tape)
        grads = {f"d{name}": out.get(f"d{name}") for name in (*NAMES, "h0", "c0")}
        limits: Arrays = {"truncate": 2} if "truncate" in flags else {}
        limits |= {"clip_step": 0.3} if "clip" in flags else {}
        limits |= {"add_dx": True} if "add_dx" in flags and given["w_ih"] is not None else {}
        core.rnn_backward(tape, **back, **grads, num_threads=threads, **limits)
        check_without_tape(core, cell, given, call, out, flags)
    finally:
        core.force_plan()
    return out


def check_without_tape(
    core: Any, cell: Any, given: Arrays, call: Arrays, out: Arrays, flags: list[str]
) -> None:
    """Inference, with packed weights as well, gives the bits of training."""
    call = call | {k: np.empty_like(out[k]) for k in ("y", "h_n", "c_n") if k in out}
    core.rnn_forward(cell, **given, **call)
    same(out, call)
    if "ids" in flags:
        return
    names = NAMES[1:]
    packed = core.PackedWeights(cell, **{name: given[name] for name in names})
    core.rnn_forward(cell, **given | dict.fromkeys(names), **call, packed=packed)
    same(out, call)


def same(one: Arrays, other: Arrays) -> None:
    """Assert that the outputs of forward agree to the bit."""
    for name in ("y", "h_n", "c_n"):
        if name in one:
            assert one[name].tobytes() == other[name].tobytes(), f"{name} without a tape"


def hashes(out: Arrays) -> str:
    """Of outputs, of gradients by the inputs, of gradients by the weights."""
    groups = (("y", "h_n", "c_n"), ("dx", "dh0", "dc0"), tuple(f"d{n}" for n in NAMES[1:]))
    digests = []
    for group in groups:
        digest = hashlib.blake2b(digest_size=3)
        for name in group:
            if name in out:
                digest.update(out[name].tobytes())
        digests.append(digest.hexdigest())
    return "".join(digests)


def line(core: Any, config: Config, dtype: str, first: int, plans: int) -> list[str]:
    """The hashes of all shapes, which no plan may change; each under some plans, in turns."""
    found = []
    for k, shape in enumerate(SHAPES):
        some = [PLANS[(first + k + i) % len(PLANS)] for i in range(plans)]
        each = {plan: hashes(run(core, config, shape, dtype, plan)) for plan in some}
        assert len(set(each.values())) == 1, f"{config} {dtype} {shape}: {each}"
        found.append(each[some[0]])
    return found


def lines(core: Any, plans: int = len(PLANS)) -> Iterator[tuple[str, list[str]]]:
    """What hashes.txt holds of the instruction set in use."""
    for k, config in enumerate(configs()):
        for dtype in ("float32", "float64"):
            yield f"{core.isa()} {dtype} {config}", line(core, config, dtype, k, plans)


def read() -> dict[str, list[str]]:
    """hashes.txt by the names of its lines."""
    rows = [row.split(": ") for row in FILE.read_text().splitlines()]
    return {name: found.split() for name, found in rows}


if __name__ == "__main__":
    from fastrnn import _core

    with FILE.open("w") as file:
        for isa in _core.available_isas():
            _core.set_isa(isa)
            file.writelines(f"{name}: {' '.join(found)}\n" for name, found in lines(_core))
