"""The operations of fastrnn.ops as the tests see them: how to draw arguments, and what to run.

An operation is called as ``function(*arrays, **options)``, unless its row says otherwise; the
arrays are what is differentiated.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
from autograd.builtins import tuple as traced_tuple

from helpers.decoders import draw_decoder, run_decoder

Arrays = dict[str, np.ndarray]
Draw = Callable[..., tuple[Arrays, dict[str, Any]]]


@dataclass(frozen=True)
class Operation:
    """One row of the table: its name, how to draw a call of some sizes, and the sizes."""

    name: str
    draw: Draw  # (rng, **sizes) -> arrays in float64, options
    sizes: list[dict[str, Any]]
    rows: str | None = None  # the array whose first axis counts independent rows, if there is one
    small: list[dict[str, Any]] = field(default_factory=list)  # for finite differences
    call: Callable[..., Any] | None = None  # (namespace, arrays, options), where it is called else


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape)


def draw_linear(
    rng: np.random.Generator, x: tuple[int, ...], O: int, bias: bool = True
) -> tuple[Arrays, dict[str, Any]]:
    arrays = {"x": normal(rng, *x), "w": normal(rng, O, x[-1])}
    return arrays | ({"b": normal(rng, O)} if bias else {}), {}


LINEAR = Operation(
    "linear",
    draw_linear,
    [
        {"x": (1, 1), "O": 1},
        {"x": (7, 5), "O": 3, "bias": False},
        {"x": (2, 3, 17), "O": 65},
        {"x": (33,), "O": 9},
        {"x": (300, 65), "O": 31},  # rows in more than one list, k in more than one block
        {"x": (5, 600), "O": 130},
        {"x": (0, 4), "O": 3},
        {"x": (3, 0), "O": 2},
        {"x": (3, 2), "O": 0},
    ],
    rows="x",
    small=[{"x": (3, 2), "O": 2}, {"x": (2, 1, 3), "O": 2, "bias": False}],
)


def draw_embedding(
    rng: np.random.Generator, V: int, E: int, ids: tuple[int, ...], padding: bool = False
) -> tuple[Arrays, dict[str, Any]]:
    options: dict[str, Any] = {"ids": rng.integers(0, max(V, 1), ids)}
    return {"w": normal(rng, V, E)}, options | ({"padding_idx": V // 2} if padding else {})


EMBEDDING = Operation(
    "embedding",
    draw_embedding,
    [
        {"V": 1, "E": 1, "ids": (1,)},
        {"V": 7, "E": 17, "ids": (3, 5)},
        {"V": 5, "E": 130, "ids": (200,), "padding": True},
        {"V": 31, "E": 9, "ids": ()},
        {"V": 4, "E": 3, "ids": (0, 2)},
        {"V": 4, "E": 0, "ids": (2,)},
    ],
    small=[{"V": 3, "E": 2, "ids": (4,)}],
)


def draw_loss(
    rng: np.random.Generator, logits: tuple[int, ...], ignored: bool = False, **options: Any
) -> tuple[Arrays, dict[str, Any]]:
    targets = rng.integers(0, logits[-1], logits[:-1])
    if ignored:
        targets = np.where(rng.random(targets.shape) < 0.4, -100, targets)
    return {"logits": 3 * normal(rng, *logits)}, {"targets": targets, **options}


LOSS = Operation(
    "softmax_cross_entropy",
    draw_loss,
    [
        {"logits": (1, 1)},
        {"logits": (7, 17), "ignored": True},
        {"logits": (3, 5, 65), "label_smoothing": 0.1},
        {"logits": (40, 33), "ignored": True, "label_smoothing": 0.3, "reduction": "none"},
        {"logits": (5, 9), "reduction": "sum"},
        {"logits": (31,)},
        {"logits": (0, 4), "reduction": "sum"},
        {"logits": (2, 0, 4), "reduction": "none"},
    ],
    rows="logits",
    small=[
        {"logits": (4, 3), "ignored": True, "label_smoothing": 0.2},
        {"logits": (2, 3), "reduction": "none"},
        {"logits": (2, 1, 4), "reduction": "sum"},
    ],
)


def draw_linear_loss(
    rng: np.random.Generator, x: tuple[int, ...], V: int, bias: bool = True, **options: Any
) -> tuple[Arrays, dict[str, Any]]:
    arrays, _ = draw_linear(rng, x, V, bias)
    (_, targets) = draw_loss(rng, (*x[:-1], V), **options)
    return arrays, targets | ({} if bias else {"b": None})


def run_linear_loss(namespace: ModuleType, arrays: Arrays, options: dict[str, Any]) -> Any:
    return namespace.linear_cross_entropy(**arrays, **options)


LINEAR_LOSS = Operation(
    "linear_cross_entropy",
    draw_linear_loss,
    [
        {"x": (1, 1), "V": 1},
        {"x": (7, 5), "V": 17, "bias": False, "ignored": True},
        {"x": (2, 3, 17), "V": 65, "label_smoothing": 0.1},
        {"x": (40, 33), "V": 31, "ignored": True, "reduction": "none"},
        {"x": (5, 9), "V": 130, "reduction": "sum", "ignored": True},
        {"x": (33,), "V": 9},
        {"x": (0, 4), "V": 3, "reduction": "sum"},
        {"x": (2, 0), "V": 3},
    ],
    rows="x",
    small=[
        {"x": (4, 2), "V": 3, "ignored": True, "label_smoothing": 0.2},
        {"x": (2, 3), "V": 3, "reduction": "none", "bias": False},
        {"x": (2, 1, 2), "V": 4, "reduction": "sum"},
    ],
    call=run_linear_loss,
)


def draw_dropout(
    rng: np.random.Generator, x: tuple[int, ...], p: float = 0.5
) -> tuple[Arrays, dict[str, Any]]:
    return {"x": normal(rng, *x)}, {"p": p, "rng": 7}


DROPOUT = Operation(
    "dropout",
    draw_dropout,
    [
        {"x": (1,)},
        {"x": (3, 5, 17), "p": 0.2},
        {"x": (6007,), "p": 0.9},
        {"x": (5, 3), "p": 0.0},
        {"x": (5, 3), "p": 1.0},
        {"x": (3, 0)},
        {"x": ()},
    ],
    small=[{"x": (5, 2)}],
)


def draw_attention(
    rng: np.random.Generator, S: int, N: int, H: int, lengths: bool = False
) -> tuple[Arrays, dict[str, Any]]:
    arrays = {"query": normal(rng, N, H), "keys": normal(rng, S, N, H) / max(H, 1) ** 0.5}
    if not lengths:
        return arrays, {}
    drawn = rng.integers(0, S + 1, N)
    drawn[: min(N, 2)] = [0, S][: min(N, 2)]
    return arrays, {"lengths": drawn}


ATTENTION = Operation(
    "attention",
    draw_attention,
    [
        {"S": 1, "N": 1, "H": 1},
        {"S": 7, "N": 3, "H": 17},
        {"S": 33, "N": 9, "H": 65, "lengths": True},
        {"S": 5, "N": 2, "H": 8, "lengths": True},
        {"S": 0, "N": 2, "H": 3},
        {"S": 3, "N": 0, "H": 3, "lengths": True},
        {"S": 3, "N": 2, "H": 0},
    ],
    rows="query",
    small=[{"S": 3, "N": 2, "H": 2}, {"S": 3, "N": 3, "H": 2, "lengths": True}],
)


def draw_kl(
    rng: np.random.Generator, shape: tuple[int, ...], prior: bool = False
) -> tuple[Arrays, dict[str, Any]]:
    names = ("mu", "logvar", "prior_mu", "prior_logvar")[: 4 if prior else 2]
    return {name: normal(rng, *shape) for name in names}, {}


GAUSSIAN_KL = Operation(
    "gaussian_kl",
    draw_kl,
    [
        {"shape": (1, 1)},
        {"shape": (7, 17)},
        {"shape": (3, 5, 33), "prior": True},
        {"shape": (9,), "prior": True},
        {"shape": (0, 4)},
        {"shape": (3, 0), "prior": True},
    ],
    rows="mu",
    small=[{"shape": (3, 2)}, {"shape": (2, 3), "prior": True}],
)


def draw_reparameterise(
    rng: np.random.Generator, shape: tuple[int, ...]
) -> tuple[Arrays, dict[str, Any]]:
    return {"mu": normal(rng, *shape), "logvar": normal(rng, *shape)}, {"rng": 11}


REPARAMETERISE = Operation(
    "reparameterise",
    draw_reparameterise,
    [{"shape": (1,)}, {"shape": (7, 17)}, {"shape": (5, 9, 200)}, {"shape": (0, 3)}],
    small=[{"shape": (3, 2)}],
)

ATTENTION_DECODER = Operation(
    "attention_decoder",
    draw_decoder,
    [
        {"T": 1, "N": 1, "S": 1, "sizes": (1, 1, 1, 1, 1)},
        {"T": 5, "N": 7, "S": 9, "sizes": (17, 33, 31, 19, 9), "output": True, "ragged": True},
        {"T": 4, "N": 3, "S": 6, "sizes": (5, 9, 65, 33, 1), "cell": "lstm", "feed": False},
        {
            "T": 4, "N": 5, "S": 5, "sizes": (3, 17, 16, 1, 70), "cell": "lstm",
            "score": "general", "query": "current", "output": True, "ragged": True,
        },
        {
            "T": 3, "N": 101, "S": 3, "sizes": (7, 20, 20, 1, 3), "score": "dot",
            "query": "current", "ragged": True,
        },
        {"T": 3, "N": 2, "S": 300, "sizes": (0, 5, 8, 5, 1), "query": "current", "state": False},
        {"T": 3, "N": 2, "S": 3, "sizes": (2, 3, 7, 2, 1), "score": "general"},
        {"T": 0, "N": 2, "S": 3},
        {"T": 2, "N": 0, "S": 3, "output": True},
        {"T": 2, "N": 2, "S": 0},
    ],
    small=[
        {"T": 2, "N": 2, "S": 3},
        {"T": 2, "N": 3, "S": 2, "cell": "lstm", "query": "current", "output": True},
    ],
    call=run_decoder,
)  # fmt: skip

OPERATIONS = {
    operation.name: operation
    for operation in (
        LINEAR, EMBEDDING, LOSS, LINEAR_LOSS, DROPOUT, ATTENTION, ATTENTION_DECODER, GAUSSIAN_KL,
        REPARAMETERISE,
    )
}  # fmt: skip


def cases(sizes: str = "sizes") -> list[tuple[Operation, dict[str, Any]]]:
    """Each operation at each of its sizes."""
    return [(op, s) for op in OPERATIONS.values() for s in getattr(op, sizes)]


def name_of(value: Any) -> str:
    """The words of a test id."""
    if isinstance(value, Operation):
        return value.name
    return "-".join(f"{key}{size}" for key, size in value.items()).replace(" ", "")


def cast(arrays: Arrays, dtype: Any) -> Arrays:
    return {name: array.astype(dtype) for name, array in arrays.items()}


def run(
    namespace: ModuleType, operation: Operation, arrays: Arrays, options: dict[str, Any]
) -> Any:
    """The operation's result: an array, or a tuple of them."""
    if operation.call is not None:
        return operation.call(namespace, arrays, fresh(options))
    return getattr(namespace, operation.name)(*arrays.values(), **fresh(options))


def fresh(options: dict[str, Any]) -> dict[str, Any]:
    """The options, with a new generator for each seed: a generator that was used is another one."""
    return {
        name: np.random.default_rng(value) if name == "rng" else value
        for name, value in options.items()
    }


def cotangent(rng: np.random.Generator, result: Any) -> Any:
    """A random gradient by a result, in float64."""
    if isinstance(result, tuple):
        return tuple(cotangent(rng, part) for part in result)
    return rng.normal(size=np.shape(result))


def gradients(
    namespace: ModuleType,
    operation: Operation,
    arrays: Arrays,
    options: dict[str, Any],
    g: Any,
) -> Arrays:
    """The gradients of ``sum(g · result)`` by autograd: the primitive's, or through the twin."""
    dtype = next(iter(arrays.values())).dtype

    def loss(values: Any) -> Any:
        result = run(namespace, operation, dict(zip(arrays, values, strict=True)), options)
        pairs = zip(g, result, strict=True) if isinstance(g, tuple) else [(g, result)]
        return sum(anp.sum(np.asarray(a, dtype) * b) for a, b in pairs)

    found = autograd.grad(loss)(traced_tuple(tuple(arrays.values())))
    return dict(zip(arrays, found, strict=True))
