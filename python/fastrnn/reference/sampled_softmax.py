"""The softmax over many classes by a sample: docs/maths/sampled_softmax.md derives it."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference._checks import whole
from fastrnn.reference._math import Array, affine, array_module, as_array, constant, rows
from fastrnn.reference.loss import softmax_cross_entropy

if TYPE_CHECKING:
    from numpy.random import Generator


def sampled_softmax(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None,
    targets: ArrayLike,
    *,
    num_samples: int,
    rng: "Generator",
    proposal: ArrayLike | None = None,
    ignore_index: int | None = -100,
    reduction: str = "mean",
) -> Any:
    """Return the cross-entropy with the softmax's sum estimated, in plain NumPy.

    It also runs under `autograd.numpy`.

    Parameters
    ----------
    x : array_like, (…, I)
    w : array_like, (V, I)
    b : array_like or None, (V,)
    targets : array_like of int, (…,)
    num_samples : int
    rng : numpy.random.Generator
    proposal : array_like or None, (V,)
    ignore_index : int or None
    reduction : {"mean", "sum", "none"}
        All as `fastrnn.ops.sampled_softmax` has them.

    Returns
    -------
    number or ndarray (…,)

    Raises
    ------
    TypeError
        rng is no Generator, or num_samples no integer.
    ValueError
        A shape does not fit, or proposal is no distribution.

    References
    ----------
    Bengio and Senécal, "Quick Training of Probabilistic Neural Nets by Importance Sampling", 2003;
    Jean et al., "On Using Very Large Target Vocabulary for Neural Machine Translation", 2015,
    section 3; docs/maths/sampled_softmax.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> w, rng = np.zeros((4, 2)), np.random.default_rng(0)
    >>> float(reference.sampled_softmax(np.ones((1, 2)), w, None, [0], num_samples=1, rng=rng))
    1.6094379124341003
    """
    table = as_array(w)
    points, biases = as_array(x, table), as_array(b, table)
    xp, shape, V = array_module(points, table, biases), points.shape[:-1], table.shape[0]
    ids, log_counts = draw_classes(rng, V, num_samples, proposal)
    used = used_rows(targets, shape, V, ignore_index)
    own = np.unique(np.asarray(targets)[used])
    left = ~np.isin(ids, own)
    classes = np.concatenate([own, ids[left]])
    shift = np.concatenate([np.zeros(len(own)), -log_counts[left]])
    shift = shift.astype(constant(table).dtype)
    picked = shift if biases is None else biases[classes] + shift
    scores = affine(xp, rows(points), table[classes], picked)
    labels = np.where(used, np.searchsorted(own, targets), -1)
    return softmax_cross_entropy(
        scores.reshape((*shape, len(classes))), labels, ignore_index=-1, reduction=reduction
    )


def draw_classes(
    rng: "Generator", V: int, num_samples: Any, proposal: Any
) -> tuple[Array, Array]:
    """Return num_samples classes drawn with replacement, and the log of how often each is expected.

    Raises
    ------
    TypeError
        rng is no Generator, or num_samples no integer.
    ValueError
        proposal has another shape, or does not hold weights.
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator, got {type(rng).__name__}")
    count = whole("num_samples", num_samples, 1)
    if V < 1:
        raise ValueError("w must have shape (V, I) with V >= 1")
    if proposal is None:
        return rng.integers(0, V, count), np.full(count, np.log(count / V))
    weights = np.asarray(proposal, np.float64)
    if weights.shape != (V,):
        raise ValueError(f"proposal must have shape (V,) = ({V},), got {weights.shape}")
    total = weights.sum()
    if not (np.isfinite(total) and total > 0 and weights.min() >= 0):
        raise ValueError("proposal must hold finite numbers, none below 0 and one above")
    edges = np.cumsum(weights)
    ids = np.searchsorted(edges, rng.random(count) * edges[-1], side="right")
    return ids, np.log(count * weights[ids] / total)


def used_rows(targets: Any, shape: tuple[int, ...], V: int, ignore_index: Any) -> Array:
    """Return which rows are not ignored.

    Raises
    ------
    ValueError
        targets has another shape, or one is no class.
    """
    targets = np.asarray(targets)
    if targets.shape != shape:
        raise ValueError(f"targets must have shape (…,) = {shape}, got {targets.shape}")
    used = np.ones(shape, bool) if ignore_index is None else targets != ignore_index
    wrong = used & ((targets < 0) | (targets >= V))
    if wrong.any():
        raise ValueError(f"targets must lie in 0..V-1 = 0..{V - 1}, got {targets[wrong][0]}")
    return used
