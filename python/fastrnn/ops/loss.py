"""Cross-entropy as one primitive of autograd: of logits, or of the input of an output layer."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn import _core
from fastrnn._call import twins
from fastrnn._checks import Array, allocate, as_rows, integer, integers, leading, probability
from fastrnn.ops._primitive import Call, differentiable
from fastrnn.ops.linear import checked_map

_REDUCTIONS = ("mean", "sum", "none")
NOTHING = -(2**63)  # no class has this number


def softmax_cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    ignore_index: int | None = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Any:
    """Return the cross-entropy between the softmax of logits and the right classes.

    Parameters
    ----------
    logits : array_like, (…, V)
        float32 or float64, not normalised. -Inf is a class that cannot be.
    targets : array_like of int, (…,)
        The right classes, each in 0..V-1 or `ignore_index`.
    ignore_index : int or None
        Rows with this target have no loss and no gradient, whatever their logits, NaN included.
    label_smoothing : float
        0..1: so much of the target is spread evenly over all classes.
    reduction : {"mean", "sum", "none"}
        The mean is over the rows that are not ignored. As in PyTorch it is NaN if there is none;
        the gradient is 0 then.

    Returns
    -------
    number of the dtype of logits, or ndarray (…,) for ``"none"``

    Raises
    ------
    TypeError
        logits are no floating array, targets no integers, or an option has the wrong type.
    ValueError
        A shape does not fit, a target is no class, or an option is out of range.
    MemoryError
        The workspace does not fit.
    NotImplementedError
        While autograd differentiates it a second time.

    Notes
    -----
    With p the softmax of a row, t its target and s the smoothing, the loss is
    ``-(1 - s)·log p_t - s/V·Σ log p_v``. Sums over rows are in float64. Backward computes p again,
    so that forward keeps two numbers a row.

    References
    ----------
    Szegedy et al., "Rethinking the Inception Architecture", 2016, section 7 (smoothing);
    docs/maths/softmax_cross_entropy.md; `fastrnn.reference.softmax_cross_entropy` is the twin.

    Examples
    --------
    >>> import autograd, numpy as np
    >>> from fastrnn import ops
    >>> float(ops.softmax_cross_entropy(np.zeros((3, 4)), [0, 3, -100]))
    1.3862943611198906
    >>> autograd.grad(ops.softmax_cross_entropy)(np.zeros((1, 4)), [2])
    array([[ 0.25,  0.25, -0.75,  0.25]])
    """
    return _loss(
        logits,
        targets=targets,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        reduction=reduction,
    )


def checked_loss(
    name: str, rows: Array, targets: Any, ignore_index: Any, label_smoothing: Any, reduction: Any
) -> tuple[Array, dict[str, Any]]:
    """Return the targets of rows (…, ·), which have this name, and the options of the loss."""
    targets = integers("targets", targets)
    if targets.shape != rows.shape[:-1]:
        raise ValueError(
            f"targets must have shape (…,) = {rows.shape[:-1]} for {name} of {rows.shape}, "
            f"got {targets.shape}"
        )
    smoothing = probability("label_smoothing", label_smoothing)
    if reduction not in _REDUCTIONS:
        raise ValueError(f"reduction must be one of {_REDUCTIONS}, got {reduction!r}")
    if ignore_index is not None:
        ignore_index = integer("ignore_index", ignore_index, NOTHING, 2**63 - 1)
    return targets, {
        "ignore_index": ignore_index, "label_smoothing": smoothing, "reduction": reduction,
    }  # fmt: skip


def _forward(
    call: Call,
    logits: Any,
    *,
    targets: Any,
    ignore_index: Any,
    label_smoothing: Any,
    reduction: Any,
) -> Any:
    logits, dtype = leading("logits", logits)
    if logits.ndim == 0 or (logits.shape[-1] == 0 and prod(logits.shape[:-1]) > 0):
        raise ValueError(f"logits must have shape (…, V) with V >= 1, got {logits.shape}")
    targets, options = checked_loss(
        "logits", logits, targets, ignore_index, label_smoothing, reduction
    )
    smoothing, ignored = options["label_smoothing"], options["ignore_index"]
    loss = allocate("loss", targets.shape, dtype)
    kept = allocate("kept", (targets.size, 2), dtype)
    core_ignored = NOTHING if ignored is None else ignored
    total, count = _core.softmax_cross_entropy_forward(
        as_rows("logits", logits), targets.ravel(), loss.reshape(-1), kept, core_ignored,
        smoothing, call.num_threads,
    )  # fmt: skip
    call.kept = (logits, targets, kept, core_ignored, count, options)
    if not call.core:
        return twins().softmax_cross_entropy(logits, targets, **options)
    if reduction == "none":
        return loss
    if reduction == "mean":
        total = total / count if count else np.nan
    return dtype.type(total)


def _backward(call: Call, g: Any) -> tuple[Array]:
    logits, targets, kept, ignored, count, options = call.kept
    if not call.core:
        return (twins().softmax_cross_entropy_backward(g, logits, targets, **options),)
    if options["reduction"] == "none":
        dloss = g.reshape(-1)
    else:
        scale = count if options["reduction"] == "mean" and count else 1
        dloss = allocate("dloss", (targets.size,), logits.dtype)
        dloss.fill(g / logits.dtype.type(scale))
    dlogits = allocate("dlogits", logits.shape, logits.dtype)
    _core.softmax_cross_entropy_backward(
        dloss, as_rows("logits", logits), targets.ravel(), kept, as_rows("dlogits", dlogits),
        ignored, options["label_smoothing"], call.num_threads,
    )  # fmt: skip
    return (dlogits,)


_loss = differentiable("softmax_cross_entropy", _forward, _backward)


# ---- without all the logits ----


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


def _linear_forward(call: Call, x: Any, w: Any, b: Any, *, targets: Any, **options: Any) -> Any:
    x, w, b = checked_map(x, w, b, "V")
    targets, options = checked_loss("x", x, targets, **options)
    reduction, number = options["reduction"], w.dtype.type
    count = targets.size
    if options["ignore_index"] is not None:
        count = np.count_nonzero(targets != options["ignore_index"])
    slope = 1 / number(count) if reduction == "mean" and count else number(1)
    arrays, ready = (x, w, b, targets), call.core and call.traced and reduction != "none"
    # The core looks at the targets, for the twin as well.
    losses, total, gradients = _run(call, arrays, options, slope if ready else None)
    call.kept = (arrays, options, slope, gradients if ready else None)
    if not call.core:
        return twins().linear_cross_entropy(*arrays, **options)
    if reduction == "none":
        return losses
    if reduction == "mean":
        total = total / count if count else np.nan
    return number(total)


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
    losses = allocate("loss", targets.shape, w.dtype)
    ignored = options["ignore_index"]
    total, _ = _core.linear_cross_entropy(
        as_rows("x", x), w, b, targets.ravel(), losses.reshape(-1),
        None if dloss is None else np.broadcast_to(dloss, targets.shape).reshape(-1),
        None if dx is None else as_rows("dx", dx), dw, db,
        NOTHING if ignored is None else ignored, options["label_smoothing"], call.num_threads,
    )  # fmt: skip
    return losses, total, gradients


def _linear_backward(call: Call, g: Any) -> tuple[Array | None, ...]:
    arrays, options, slope, gradients = call.kept
    if not call.core:
        return twins().linear_cross_entropy_backward(g, *arrays, **options)  # type: ignore[no-any-return]
    if gradients is None:
        return _run(call, arrays, options, g * slope)[2]
    call.kept = (arrays, options, slope, None)  # the caller's from now on
    for gradient in gradients if g != 1 else ():
        if gradient is not None:
            np.multiply(gradient, g, out=gradient)
    return gradients  # type: ignore[no-any-return]


_linear_loss = differentiable("linear_cross_entropy", _linear_forward, _linear_backward)
