"""Samples and what they weigh: equal ones count as one, and some are held out for early stopping.

A weight of 2 is the sample twice, bit for bit: equal samples are merged, their weights added, and
their order is that of their contents. So nothing depends on the order in which samples come, and no
sample is learned from and held out at once.
"""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import FLOAT64, Array
from fastrnn.sklearn._series import Rows, Series


def checked_weights(sample_weight: Any, n: int) -> Array:
    """Return a weight for each sample, (n,) of float64.

    Raises
    ------
    ValueError
        They are not n finite numbers of at least 0, one of which is above 0.
    """
    if sample_weight is None:
        return np.ones(n)
    try:
        weights = np.asarray(sample_weight, FLOAT64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"sample_weight must hold numbers: {error}") from None
    if weights.ndim == 0:
        weights = np.full(n, weights)
    if weights.shape != (n,):
        raise ValueError(f"sample_weight must have shape (n,) = ({n},), got {weights.shape}")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("sample_weight must be finite and at least 0")
    if not weights.any():
        raise ValueError("sample_weight is zero for every sample: nothing is left to learn")
    return weights


def merged(series: Series, targets: Any, weights: Array) -> tuple[Rows, Array]:
    """Return one row number for all equal samples of a weight, and the sums of their weights.

    Parameters
    ----------
    series : Series
    targets : sequence of n ndarrays
    weights : ndarray, (n,)
        Samples of weight 0 are left out.
    """
    rows = np.flatnonzero(weights)
    digests = [
        hashlib.blake2b(series.content(row) + targets[row].tobytes(), digest_size=16).digest()
        for row in rows.tolist()
    ]
    keys = np.frombuffer(b"".join(digests), np.uint64).reshape(-1, 2)
    _, first, group = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return rows[first], np.bincount(group.ravel(), weights[rows])


def divided(
    fraction: float, labels: NDArray[np.int64] | None, n: int, rng: np.random.Generator
) -> tuple[Rows, Rows]:
    """Return which of n samples to learn from and which to hold out, stratified by labels.

    Raises
    ------
    ValueError
        There is none that could be held out.
    """
    order = rng.permutation(n)
    groups = np.zeros(n, np.int64) if labels is None else labels
    counts = np.bincount(groups)
    wanted = counts * fraction
    quota = np.minimum(np.floor(wanted), np.maximum(counts - 1, 0)).astype(np.int64)
    for label in np.argsort(quota - wanted, kind="stable"):
        if quota.sum() < max(1, round(n * fraction)) and quota[label] < counts[label] - 1:
            quota[label] += 1
    if not quota.any():
        few = "1 sample" if n == 1 else f"{n} samples, all of different classes"
        raise ValueError(
            "early_stopping holds out a part of the samples, but never the last of a class; "
            f"got {few}: pass early_stopping=False"
        )
    held = np.zeros(n, np.bool_)
    for label in np.flatnonzero(quota):
        held[order[groups[order] == label][: quota[label]]] = True
    return order[~held[order]], order[held[order]]
