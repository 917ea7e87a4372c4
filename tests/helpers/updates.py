"""Optimisers for tests: one row for every rule of the core, and runs of a few updates."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastrnn.train import SGD, Adagrad, Adam, AdamW, Optimiser, RMSprop

# The name of the rule, or of a variant of it behind a slash: a fresh optimiser.
OPTIMISERS: dict[str, Callable[[], Optimiser]] = {
    "sgd": lambda: SGD(0.1),
    "sgd/decay": lambda: SGD(0.1, weight_decay=0.3),
    "sgd_momentum": lambda: SGD(0.1, momentum=0.8, weight_decay=0.3),
    "sgd_nesterov": lambda: SGD(0.1, momentum=0.8, nesterov=True),
    "adam": lambda: Adam(0.1),
    "adam/decay": lambda: Adam(0.1, betas=(0.7, 0.9), eps=1e-3, weight_decay=0.3),
    "adam/decoupled": lambda: AdamW(0.1, weight_decay=0.3),
    "rmsprop": lambda: RMSprop(0.01, weight_decay=0.3),
    "rmsprop_momentum": lambda: RMSprop(0.01, momentum=0.8),
    "rmsprop_centered": lambda: RMSprop(0.01, alpha=0.9, centered=True),
    "rmsprop_centered_momentum": lambda: RMSprop(0.01, centered=True, momentum=0.8, eps=1e-4),
    "adagrad": lambda: Adagrad(0.1),
    "adagrad/decay": lambda: Adagrad(
        0.1, lr_decay=0.1, weight_decay=0.3, initial_accumulator_value=0.2
    ),
}

# Tails of every vector width, an array without elements, one without axes, and one of two blocks.
SHAPES = {"a": (1,), "b": (7,), "none": (0, 3), "scalar": (), "c": (3, 5, 9), "d": (4096 + 33,)}


def draw_tree(rng: np.random.Generator, dtype: Any) -> dict[str, Any]:
    """A nested dict of arrays."""
    arrays = {name: rng.standard_normal(shape).astype(dtype) for name, shape in SHAPES.items()}
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    return {"deep": {"deeper": {"d": arrays.pop("d")}}, **arrays}


def mapped(function: Callable[..., np.ndarray], *trees: Any) -> Any:
    """The tree of the results of a function of the arrays."""
    if isinstance(trees[0], dict):
        return {key: mapped(function, *(tree[key] for tree in trees)) for key in trees[0]}
    return function(*trees)


def leaves(tree: Any, path: str = "") -> dict[str, np.ndarray]:
    """The arrays by the dotted names of their places."""
    if not isinstance(tree, dict):
        return {path: tree}
    found: dict[str, np.ndarray] = {}
    for key, value in tree.items():
        found |= leaves(value, f"{path}.{key}" if path else key)
    return found


def run(optimiser: Optimiser, params: Any, gradients: list[Any]) -> dict[str, np.ndarray]:
    """Update a copy of params against each of the gradients; return it with the state."""
    params = mapped(np.array, params)
    for grads in gradients:
        optimiser.update(params, grads)
    return leaves(params) | optimiser.state_dict()


def good() -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters and gradients that fit."""
    params = {"a": np.ones(3), "b": {"c": np.ones((2, 2), np.float32), "d": np.ones(2)}}
    return params, mapped(lambda a: np.full_like(a, 0.5), params)
