"""linear_cross_entropy: an output layer and its loss as one primitive, without all its logits."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn import _core
from fastrnn._call import twins
from fastrnn._checks import Array, allocate
from fastrnn.ops._arguments import as_rows
from fastrnn.ops._primitive import Call, differentiable
from fastrnn.ops.linear import checked_map
from fastrnn.ops.loss import NOTHING, checked_loss


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


def _forward(call: Call, x: Any, w: Any, b: Any, *, targets: Any, **options: Any) -> Any:
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


def _backward(call: Call, g: Any) -> tuple[Array | None, ...]:
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


_linear_loss = differentiable("linear_cross_entropy", _forward, _backward)
