"""Calls of attention_decoder for the tests: every cell, score, query, feed and output."""

import itertools
from typing import Any

import autograd.numpy as anp
import numpy as np

CHOICES = list(
    itertools.product(
        ("gru", "lstm"),
        ("additive", "dot", "general"),
        ("previous", "current"),
        (True, False),  # input_feed
        (True, False),  # weight_output
    )
)


def draw_params(
    rng: np.random.Generator,
    cell: str,
    score: str,
    query: str,
    feed: bool,
    output: bool,
    sizes: tuple[int, int, int, int, int],
) -> dict[str, np.ndarray]:
    """The arrays of a decoder; sizes are E, C, H, A and O."""
    E, C, H, A, O = sizes
    F = 0 if not feed else O if query == "current" and output else C
    rows = H * (3 if cell == "gru" else 4)

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(size=shape) / max(shape[-1], 1) ** 0.5

    params = {
        "weight_ih": normal(rows, E + F),
        "weight_hh": normal(rows, H),
        "bias_ih": normal(rows),
        "bias_hh": normal(rows),
    }
    if score == "additive":
        params |= {"weight_query": normal(A, H), "weight_key": normal(A, C)}
        params |= {"bias_key": normal(A), "vector": 3 * normal(A)}
    if score == "general":
        params |= {"weight_general": normal(C, H)}
    if output:
        params |= {"weight_output": normal(O, H + C), "bias_output": normal(O)}
    return params


def draw_decoder(
    rng: np.random.Generator,
    T: int,
    N: int,
    S: int,
    sizes: tuple[int, int, int, int, int] = (3, 4, 4, 5, 2),
    *,
    cell: str = "gru",
    score: str = "additive",
    query: str = "previous",
    feed: bool = True,
    output: bool = False,
    ragged: bool = False,
    state: bool = True,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """A call as an operation's row draws it: arrays by name, also the state's, and options."""
    E, C, H, _, _ = sizes
    params = draw_params(rng, cell, score, query, feed, output, sizes)
    arrays = {"x": rng.normal(size=(T, N, E)), "memory": rng.normal(size=(S, N, C))}
    if state:
        names = ("h0", "c0")[: 1 + (cell == "lstm")]
        arrays |= {name: rng.normal(size=(N, H)) for name in names}
    if state and feed and query == "current":
        F = params["weight_ih"].shape[1] - E
        arrays["fed0"] = rng.normal(size=(N, F))
    options = {"cell": cell, "score": score, "query": query, "input_feed": feed}
    if ragged:
        options |= {"memory_lengths": spread(rng, S, N, 2), "lengths": spread(rng, T, N)}
    return arrays | params, options


def spread(rng: np.random.Generator, most: int, N: int, none: int = 0) -> np.ndarray:
    """Lengths with 0 in row `none` and the longest in row 1, where there are such rows."""
    drawn = rng.integers(0, most + 1, N)
    drawn[none : none + 1] = 0
    drawn[1:2] = most
    return drawn


def run_decoder(namespace: Any, arrays: dict[str, Any], options: dict[str, Any]) -> tuple[Any, ...]:
    """The call, its results in one flat tuple, rows first."""
    names = ("h0", "c0", "fed0")
    state = tuple(arrays[name] for name in names if name in arrays) or None
    params = {
        name: array
        for name, array in arrays.items()
        if name not in ("x", "memory") and name not in names
    }
    *results, after = namespace.attention_decoder(
        arrays["x"], arrays["memory"], params, state=state, **options
    )
    return (*(anp.swapaxes(result, 0, 1) for result in results), *after)
