"""All-pairs designs: few rows in which every two values of every two factors meet."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np


def pairwise(factors: Mapping[str, Sequence[Any]], seed: int = 0) -> list[dict[str, Any]]:
    """Rows in which every two values of every two factors meet, found greedily."""
    rng = np.random.default_rng(seed)
    names = list(factors)
    missing = {
        ((a, u), (b, v))
        for a, b in itertools.combinations(names, 2)
        for u in factors[a]
        for v in factors[b]
    }
    rows = []
    while missing:
        row = dict(min(missing, key=repr))
        for name in rng.permutation([n for n in names if n not in row]):
            gains = [_new_pairs(names, row, name, value, missing) for value in factors[name]]
            best = np.flatnonzero(np.equal(gains, max(gains)))
            row[str(name)] = factors[name][int(rng.choice(best))]
        missing -= set(_pairs(names, row))
        rows.append(row)
    return rows


def _pairs(names: Sequence[str], row: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    items = [(name, row[name]) for name in names if name in row]
    return itertools.combinations(items, 2)


def _new_pairs(
    names: Sequence[str], row: Mapping[str, Any], name: str, value: Any, missing: set[Any]
) -> int:
    found = 0
    for other, chosen in row.items():
        pair = ((other, chosen), (name, value))
        found += (pair if names.index(other) < names.index(name) else pair[::-1]) in missing
    return found
