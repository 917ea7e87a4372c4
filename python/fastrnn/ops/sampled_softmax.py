"""sampled_softmax: the loss of many classes by a sample of them, made of other operations."""

from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import ArrayLike

from fastrnn._checks import Array, integer, integers
from fastrnn.ops._primitive import value_of
from fastrnn.ops.embedding import embedding
from fastrnn.ops.loss import linear_cross_entropy

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
    """Return the cross-entropy of ``linear(x, w, b)``, the softmax's sum estimated from a sample.

    For training with so many classes that all their scores would take too long. The scores that
    are computed, for all rows, are those of the classes that are right for any row, and of
    `num_samples` that are drawn. As more are drawn the loss and its gradient approach those of the
    whole softmax.

    Parameters
    ----------
    x : array_like, (…, I)
    w : array_like, (V, I)
        float32 or float64; its dtype is that of the call.
    b : array_like or None, (V,)
    targets : array_like of int, (…,)
        The right classes, each in 0..V-1 or `ignore_index`.
    num_samples : int
        How many classes are drawn, with replacement.
    rng : numpy.random.Generator
    proposal : array_like or None, (V,)
        What is drawn from, up to a factor: the classes' counts, say. None: all alike. A class of 0
        is never drawn, and so never learns from being wrong.
    ignore_index : int or None
        Rows with this target have no loss and no gradient.
    reduction : {"mean", "sum", "none"}
        The mean is over the rows that are not ignored; NaN if there is none.

    Returns
    -------
    number of the dtype of w, or ndarray (…,) for ``"none"``

    Raises
    ------
    TypeError
        An array is no floating array of the dtype of w, targets or num_samples are no integers, or
        rng is no Generator.
    ValueError
        A shape does not fit, a target is no class, or proposal holds no weights.
    MemoryError
        A result or the workspace does not fit.
    NotImplementedError
        While autograd differentiates it a second time.

    Notes
    -----
    With o a row's scores, t its target, B the targets of all rows, q the proposal and K samples k,
    of which those in B are left out, the loss is
    ``-o_t + log(Σ_{v in B} e^{o_v} + Σ_k e^{o_k} / (K·q_k))``: the sum under the logarithm is that
    of the softmax in expectation.

    References
    ----------
    Bengio and Senécal, "Quick Training of Probabilistic Neural Nets by Importance Sampling", 2003;
    Jean et al., "On Using Very Large Target Vocabulary for Neural Machine Translation", 2015,
    section 3; docs/maths/sampled_softmax.md; `fastrnn.reference.sampled_softmax` is the twin.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import ops
    >>> x, w = np.ones((1, 2)), np.zeros((4, 2))
    >>> rng = np.random.default_rng(0)
    >>> float(ops.sampled_softmax(x, w, None, [0], num_samples=1, rng=rng))
    1.6094379124341003
    """
    points, table = (a if hasattr(a, "shape") else np.asarray(a) for a in (x, w))
    biases = b if b is None or hasattr(b, "shape") else np.asarray(b)
    return _sampled(
        points, table, biases, integers("targets", targets), ignore_index, reduction,
        (rng, num_samples, proposal),
    )  # fmt: skip


def _sampled(
    x: Any, w: Any, b: Any, targets: Any, ignore_index: Any, reduction: Any, drawing: Any
) -> Any:
    if x.ndim == 0 or w.ndim != 2 or x.shape[-1] != w.shape[1]:
        raise ValueError(f"x (…, I) and w (V, I) must fit, got {x.shape} and {w.shape}")
    V, (rng, num_samples, proposal) = w.shape[0], drawing
    if b is not None and b.shape != (V,):
        raise ValueError(f"b must have shape (V,) = ({V},), got {b.shape}")
    ids, log_counts = _drawn(rng, V, num_samples, proposal)
    used = _used(targets, x.shape[:-1], V, ignore_index)
    # A class that is drawn n times counts n times, one that is right for a row exactly once.
    own = np.unique(targets[used])
    drawn, first, counts = np.unique(ids, return_index=True, return_counts=True)
    others = ~np.isin(drawn, own)
    classes = np.concatenate([own, drawn[others]])
    shift = np.zeros(len(classes), value_of(w).dtype)
    shift[len(own) :] = (np.log(counts) - log_counts[first])[others]
    rows = embedding(w, classes)
    biases: Any = shift
    if b is not None:
        biases = anp.reshape(embedding(anp.reshape(b, (V, 1)), classes), shift.shape) + shift
    labels = np.where(used, np.searchsorted(own, targets), -1)
    return linear_cross_entropy(x, rows, biases, labels, ignore_index=-1, reduction=reduction)


def _drawn(rng: Any, V: int, num_samples: Any, proposal: Any) -> tuple[Array, Array]:
    """Return classes drawn with replacement, and the log of how often each is expected."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator, got {type(rng).__name__}")
    count = integer("num_samples", num_samples, 1)
    if V < 1:
        raise ValueError("w must have shape (V, I) with V >= 1")
    if proposal is None:
        return rng.integers(0, V, count), np.full(count, np.log(count / V))
    chances = np.asarray(proposal, np.float64)
    if chances.shape != (V,):
        raise ValueError(f"proposal must have shape (V,) = ({V},), got {chances.shape}")
    total = chances.sum()
    if not (np.isfinite(total) and total > 0 and chances.min() >= 0):
        raise ValueError("proposal must hold finite numbers, none below 0 and one above")
    edges = np.cumsum(chances)
    ids = np.searchsorted(edges, rng.random(count) * edges[-1], side="right")
    return ids, np.log(count * chances[ids] / total)


def _used(targets: Array, shape: tuple[int, ...], V: int, ignore_index: Any) -> Array:
    """Return which rows are not ignored."""
    if targets.shape != shape:
        raise ValueError(f"targets must have shape (…,) = {shape}, got {targets.shape}")
    used = np.ones(shape, bool) if ignore_index is None else targets != ignore_index
    wrong = used & ((targets < 0) | (targets >= V))
    if wrong.any():
        raise ValueError(f"targets must lie in 0..V-1 = 0..{V - 1}, got {targets[wrong][0]}")
    return used
