"""linear_cross_entropy: an output layer and its loss as one primitive, without all its logits."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn import _core
from fastrnn._call import twins
from fastrnn._checks import Array, allocate, floats, integer, leading, probability
from fastrnn.ops._arguments import as_rows, integers
from fastrnn.ops._primitive import Call, differentiable
from fastrnn.ops.loss import NOTHING, REDUCTIONS


def linear_cross_entropy(
    x: ArrayLike,
    w: ArrayLike,
    b: ArrayLike | None,
    targets: ArrayLike,
    *,
    ignore_index: int | None = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Any:
    """Return ``softmax_cross_entropy(linear(x, w, b), targets)`` in less memory and time.

    The logits of all rows are never there at once: those of some rows are made, and turned into
    the rows' losses and into gradients, before the next. The numbers are the same, bit for bit.

    Parameters
    ----------
    x : array_like, (…, I)
    w : array_like, (V, I)
        float32 or float64; its dtype is that of the call.
    b : array_like or None, (V,)
        -Inf for a class that cannot be.
    targets : array_like of int, (…,)
        The right classes, each in 0..V-1 or `ignore_index`.
    ignore_index, label_smoothing, reduction
        As `softmax_cross_entropy`. With ``"none"`` the gradient needs the logits a second time.

    Returns
    -------
    number of the dtype of w, or ndarray (…,) for ``"none"``

    Raises
    ------
    TypeError
        An array is no floating array of the dtype of w, targets are no integers, or an option has
        the wrong type.
    ValueError
        A shape does not fit, a target is no class, or an option is out of range.
    MemoryError
        A gradient or the workspace does not fit.
    NotImplementedError
        While autograd differentiates it a second time.

    Notes
    -----
    Where something is differentiated, the gradients by x, w and b are made with the loss: each
    logit is computed once, and is no more once its row is done.

    References
    ----------
    docs/maths/linear_cross_entropy.md; `fastrnn.reference.linear_cross_entropy` is the twin.

    Examples
    --------
    >>> import autograd, numpy as np
    >>> from fastrnn import ops
    >>> x, w = np.array([[1.0, 2.0]]), np.zeros((4, 2))
    >>> float(ops.linear_cross_entropy(x, w, None, [2]))
    1.3862943611198906
    >>> autograd.grad(lambda b: ops.linear_cross_entropy(x, w, b, [2]))(np.zeros(4))
    array([ 0.25,  0.25, -0.75,  0.25])
    """
    return _linear_loss(
        x, w, b, targets=targets, ignore_index=ignore_index, label_smoothing=label_smoothing,
        reduction=reduction,
    )  # fmt: skip


def _forward(
    call: Call,
    x: Any,
    w: Any,
    b: Any,
    *,
    targets: Any,
    ignore_index: Any,
    label_smoothing: Any,
    reduction: Any,
) -> Any:
    w, dtype = leading("w", w)
    if w.ndim != 2:
        raise ValueError(f"w must have shape (V, I), got {w.shape}")
    V, I = w.shape
    x = floats("x", x, dtype)
    if x.ndim == 0 or x.shape[-1] != I:
        raise ValueError(f"x must have shape (…, I) = (…, {I}) for w of {w.shape}, got {x.shape}")
    if b is not None:
        b = floats("b", b, dtype)
        if b.shape != (V,):
            raise ValueError(f"b must have shape (V,) = ({V},) for w of {w.shape}, got {b.shape}")
    targets = integers("targets", targets)
    if targets.shape != x.shape[:-1]:
        raise ValueError(
            f"targets must have shape (…,) = {x.shape[:-1]} for x of {x.shape}, got {targets.shape}"
        )
    smoothing = probability("label_smoothing", label_smoothing)
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be one of {REDUCTIONS}, got {reduction!r}")
    ignored = ignore_index
    if ignored is not None:
        ignored = integer("ignore_index", ignored, NOTHING, 2**63 - 1)
    options = {"ignore_index": ignored, "label_smoothing": smoothing, "reduction": reduction}
    count = targets.size if ignored is None else np.count_nonzero(targets != ignored)
    arrays = x, w, b, targets
    if call.core:
        ready = call.traced and reduction != "none"
        slope = 1 / dtype.type(count) if reduction == "mean" and count else dtype.type(1)
        loss, total, gradients = _run(call, arrays, options, slope if ready else None)
        call.kept = (arrays, options, gradients)
        if reduction == "none":
            return loss
        if reduction == "mean":
            total = total / count if count else np.nan
        return dtype.type(total)
    _run(call, arrays, options, None)  # the core looks at the targets, for the twin as well
    call.kept = (arrays, options, None)
    return twins().linear_cross_entropy(*arrays, **options)


def _run(
    call: Call, arrays: tuple[Any, ...], options: dict[str, Any], dloss: Any
) -> tuple[Array, float, tuple[Array | None, ...]]:
    """Return each row's loss, their sum, and the gradients; dloss None: none of these."""
    x, w, b, targets = arrays
    wanted = call.wanted if dloss is not None else (False, False, False)
    shapes = {"dx": x.shape, "dw": w.shape, "db": w.shape[:1]}
    gradients = tuple(
        allocate(name, shape, w.dtype) if want else None
        for (name, shape), want in zip(shapes.items(), wanted, strict=True)
    )
    dx, dw, db = gradients
    loss = allocate("loss", targets.shape, w.dtype)
    ignored = options["ignore_index"]
    total, _ = _core.linear_cross_entropy(
        as_rows("x", x), w, b, targets.ravel(), loss.reshape(-1),
        None if dloss is None else np.broadcast_to(dloss, targets.shape).reshape(-1),
        None if dx is None else as_rows("dx", dx), dw, db,
        NOTHING if ignored is None else ignored, options["label_smoothing"], call.num_threads,
    )  # fmt: skip
    return loss, total, gradients


def _backward(call: Call, g: Any) -> tuple[Array | None, ...]:
    arrays, options, gradients = call.kept
    if not call.core:
        return twins().linear_cross_entropy_backward(g, *arrays, **options)  # type: ignore[no-any-return]
    if options["reduction"] == "none":
        return _run(call, arrays, options, g)[2]
    if g == 1:
        return gradients  # type: ignore[no-any-return]
    return tuple(None if gradient is None else gradient * g for gradient in gradients)


_linear_loss = differentiable("linear_cross_entropy", _forward, _backward)
