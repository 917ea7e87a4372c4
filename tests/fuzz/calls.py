"""Calls of `_core` from its stub: arguments as it describes them, and then a few wrong in some way.

The stub says of every array what its shape is, in a comment; shapes of one call use the same sizes.
"""

import ast
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fastrnn
from fastrnn import _core
from fuzz.draw import Draw

STUB = Path(fastrnn.__file__).parent / "_core.pyi"
# They change the process, or wait for a file.
LEFT_OUT = ("set_num_threads", "Word2VecText", "word2vec_count", "sum_of_squares")
NUMBERS = (0, 1, 2, 3, -1, 255, 2**31, 2**62, 2**63, -(2**63), 2**64)
WRONG = (None, 3, -1.5, "x", b"x", [], {}, (), object(), float("nan"), True, 2**70)
DTYPES = ("f8", "f4", ">f8", "f2", "i8", "i4", "u1", "?", "O", "c16")


class Parameter(NamedTuple):
    """An argument as the stub describes it."""

    name: str
    kind: str  # its annotation
    shape: tuple[str, ...]  # sizes of an array in symbols
    default: bool


@cache
def functions() -> dict[str, list[Parameter]]:
    """All functions and classes with their arguments."""
    text = STUB.read_text()
    lines, found = text.splitlines(), {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = _parameters(node, lines)
        elif isinstance(node, ast.ClassDef) and node.name != "Cell":
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
                    found[node.name] = _parameters(inner, lines)[1:]
    return {name: parameters for name, parameters in found.items() if name not in LEFT_OUT}


def _parameters(node: ast.FunctionDef, lines: list[str]) -> list[Parameter]:
    found: list[Parameter] = []
    defaults = [None] * (len(node.args.args) - len(node.args.defaults)) + list(node.args.defaults)
    for argument, default in zip(node.args.args, defaults, strict=True):
        kind = ast.unparse(argument.annotation) if argument.annotation else ""
        comment = lines[argument.lineno - 1].partition("#")[2]
        sizes = re.search(r"\(([A-Z0-9*, +]+)\)", comment)
        shape = tuple(s.strip() for s in sizes[1].split(",") if s.strip()) if sizes else ()
        if not shape and found and "rray" in kind:
            shape = found[-1].shape  # "as the next two"
        found.append(Parameter(argument.arg, kind, shape, default is not None))
    return found


def call_of(draw: Draw) -> Callable[[], Any]:
    """A call of one function, with the arguments that the bytes choose."""
    name = draw.pick(sorted(functions()))
    cell = draw.pick(list(_core.Cell.__members__.values()))
    G = {"rnn": 1, "lst": 4, "gru": 3}[cell.name[:3]]
    sizes = {size: 1 + draw.below(4) for size in ("T", "N", "I", "H", "M", "O", "V", "E", "S", "Z")}
    sizes |= {"K": 1, "P": sizes["H"], "G": G, "stride": 16}
    dtype = draw.pick(["f4", "f8"])
    arguments = {}
    for parameter in functions()[name]:
        value = _value(parameter, draw, cell, sizes, dtype)
        absent = draw.below(3) == 0
        if not _has(cell, parameter.name):
            value = None
        elif "None" in parameter.kind and (absent or parameter.name.startswith("w_")):
            value = value if parameter.name in ("w_ih", "w_hh") else None
        elif parameter.default and absent:
            continue
        arguments[parameter.name] = spoilt(value, draw) if draw.below(24) == 1 else value
    return lambda: getattr(_core, name)(**arguments)


def _has(cell: Any, argument: str) -> bool:
    """Whether calls for this cell take the argument, apart from those with more options."""
    if argument.endswith("peephole"):
        return bool(cell.name == "lstm_peephole")
    states = ("c0", "c_n", "dc0", "dc_n")
    return argument not in ("dw_hr", "dw_norm", *(() if "lstm" in cell.name else states))


def _value(p: Parameter, draw: Draw, cell: Any, sizes: dict[str, int], dtype: str) -> Any:
    """A value of the right kind."""
    if p.kind.startswith("list"):
        count = draw.below(3)
        if "str" in p.kind:
            return ["a", "b"][:count]
        array = np.ones(3, dtype)
        return [(array,) if "tuple" in p.kind else array] * count
    if "rray" in p.kind or p.kind.startswith("dict"):
        shape = tuple(eval(size, {}, sizes) for size in p.shape)
        integer = re.search(r"int\d+|float32", p.kind)
        array = np.ones(shape, integer[0] if integer else dtype)
        return {"keys": array, "w_ih": array} if p.kind.startswith("dict") else array
    simple = {
        "Cell": cell, "bool": draw.below(2) == 1, "bool | None": True, "str": _name(draw),
        "float": draw.pick([0.5, 0.0, 1.0, -1.0, 1e308, float("nan"), float("inf")]),
        "bytes": b"\1\0", "tuple[float, float]": (0.1, 0.01), "tuple[float, ...]": (0.1,) * 7,
    }  # fmt: skip
    if p.kind in simple:
        return simple[p.kind]
    if p.kind.startswith("int"):
        return draw.below(3) if p.name in ("num_threads", "n") else draw.pick(NUMBERS)
    makers = {
        "Tape": lambda: _tape(cell, sizes, dtype) if p.kind == "Tape" else _core.Tape(),
        "Choices": lambda: _core.Choices(("tanh",)),
        "Word2VecTables": lambda: _core.Word2VecTables(
            np.arange(4, 0, -1), True, False, True, True, 2, 2, 0.75, 0.0
        ),
    }
    for word, make in makers.items():
        if p.kind.startswith(word):
            try:
                return make()
            except (TypeError, ValueError):
                return None
    return None


def _tape(cell: Any, sizes: dict[str, int], dtype: str) -> Any:
    """A tape of a forward call of these sizes; an empty one for cells with more options."""
    T, N, I, H, G = (sizes[size] for size in "TNIHG")
    tape, lstm = _core.Tape(), "lstm" in cell.name
    shapes = (T, N, I), (G * H, I), (G * H, H), (G * H,), (N, H), (T, N, H)
    x, w_ih, w_hh, b, h0, y = (np.ones(shape, dtype) for shape in shapes)
    c0, h_n, c_n = h0.copy(), h0.copy(), h0.copy()
    peephole = np.ones((3, H), dtype) if cell.name == "lstm_peephole" else None
    if "general" not in cell.name:
        _core.rnn_forward(
            cell, x, w_ih, w_hh, b, b.copy(), peephole, h0, c0 if lstm else None, None, y, h_n,
            c_n if lstm else None, tape=tape,
        )  # fmt: skip
    return tape


def _name(draw: Draw) -> str:
    names = ("tanh", "sigmoid", "dot", "general", "concat", "rows", "adam", "sgd", "float32", "")
    return draw.pick(names)


def spoilt(value: Any, draw: Draw) -> Any:
    """Something that is wrong with a value, or with one of those in it."""
    if isinstance(value, list | tuple | dict) and value and draw.below(4):
        keys = list(value) if isinstance(value, dict) else range(len(value))
        at = draw.pick(keys)
        if isinstance(value, dict):
            return {key: spoilt(v, draw) if key == at else v for key, v in value.items()}
        return type(value)(spoilt(v, draw) if i == at else v for i, v in enumerate(value))
    if not isinstance(value, np.ndarray) or draw.below(3) == 0:
        return draw.pick(WRONG)
    how = draw.below(10)
    if how == 0:
        with np.errstate(all="ignore"):
            return value.astype(draw.pick(DTYPES))
    if how == 1:
        return value[..., None]
    if how == 2:
        return value[0] if value.ndim and len(value) else value
    if how == 3:
        return np.ones((*value.shape, 2), value.dtype)[..., 0]
    if how == 4:
        return value.T
    if how == 5:
        frozen = value.copy()
        frozen.flags.writeable = False
        return frozen
    if how == 6:
        return np.broadcast_to(np.ones((), value.dtype), (2**40, *value.shape[1:]))
    if how == 7:
        return np.empty((0, *value.shape[1:]), value.dtype)
    if how == 8:
        raw = np.zeros(value.nbytes + 1, np.uint8)[1:]
        return raw.view(value.dtype).reshape(value.shape)
    filled = value.copy()
    filled[...] = draw.pick([0, 1, 100, -1])
    return filled
