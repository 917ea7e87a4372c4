"""The options of a layer: each one checked, none ignored."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastrnn._calls.kinds import Peephole
from fastrnn._checks import FLOAT32, FLOAT64, DType, integer, probability, step_limit
from fastrnn._layers.merge import MERGE_MODES

MAX_LAYERS = 1024


class GradientLimits(NamedTuple):
    """What acts on the gradients on their way back through time; None: nothing does.

    Attributes
    ----------
    truncate : int or None
        Every how many steps the recurrent gradient is cut.
    clip_step : float or None
        The limit of each step's gradients by the pre-activations.
    """

    truncate: int | None
    clip_step: float | None


def gradient_limits(truncate: Any, clip_step: Any) -> GradientLimits:
    """Return both options, checked."""
    return GradientLimits(
        None if truncate is None else integer("truncate", truncate, 1),
        None if clip_step is None else step_limit(clip_step),
    )


def sizes(hidden_size: Any, num_layers: Any) -> tuple[list[int], bool]:
    """Return H of each layer, and whether the caller gave a list."""
    L = integer("num_layers", num_layers, 1, MAX_LAYERS)
    if not isinstance(hidden_size, Sequence) or isinstance(hidden_size, str):
        return [integer("hidden_size", hidden_size, 1)] * L, False
    result = [integer(f"hidden_size[{i}]", H, 1) for i, H in enumerate(hidden_size)]
    if not 1 <= len(result) <= MAX_LAYERS:
        raise ValueError(f"hidden_size must have 1..{MAX_LAYERS} elements, got {len(result)}")
    if L not in (1, len(result)):
        raise ValueError(f"num_layers must be {len(result)}, one per hidden_size, got {L}")
    return result, True


def proj_size(value: Any, hidden_size: Any) -> int:
    """Return P, 0 without projection."""
    P = integer("proj_size", value, 0)
    smallest = min(sizes(hidden_size, 1)[0]) if P else 1
    if P and smallest <= P:
        raise ValueError(f"proj_size must be less than hidden_size = {smallest}, got {value!r}")
    return P


def peephole(value: Any) -> Peephole:
    """Return whether the gates see the cell state, and "full" where by whole matrices."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if not isinstance(value, str):
        raise TypeError(f'peephole must be True, False or "full", got {value!r}')
    if value != "full":
        raise ValueError(f'peephole must be True, False or "full", got {value!r}')
    return "full"


def dropout(value: Any, layers: int) -> float:
    """Return the probability of dropping, which acts between layers only."""
    p = probability("dropout", value)
    if p > 0 and layers == 1:
        raise ValueError(f"dropout acts between layers, and there is only one; got {value!r}")
    return p


def merge_mode(value: Any, bidirectional: bool) -> str:
    """Return how two directions become one."""
    if not isinstance(value, str) or value not in MERGE_MODES:
        raise ValueError(f"merge_mode must be one of {MERGE_MODES}, got {value!r}")
    if value != "concat" and not bidirectional:
        raise ValueError(f"merge_mode={value!r} needs bidirectional=True")
    return value


def dtype(value: Any) -> DType:
    """Return float32 or float64 as the one dtype object of its kind."""
    try:
        given = np.dtype(value)
    except (TypeError, ValueError):
        given = None
    for supported in (FLOAT32, FLOAT64):
        # None means float64 to NumPy, also when it is compared with a dtype.
        if value is not None and given is not None and given == supported:
            return supported
    raise TypeError(f"dtype must be float32 or float64, got {value!r}")
