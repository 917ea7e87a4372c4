"""gaussian_kl and reparameterise: what a variational model needs, as primitives of autograd."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn import _core
from fastrnn._call import twins
from fastrnn._checks import Array, alike, allocate, as_rows, generator
from fastrnn.ops._primitive import Call, differentiable

if TYPE_CHECKING:
    from numpy.random import Generator


def gaussian_kl(
    mu: ArrayLike,
    logvar: ArrayLike,
    prior_mu: ArrayLike | None = None,
    prior_logvar: ArrayLike | None = None,
) -> Array:
    """Return the Kullback-Leibler divergence of diagonal Gaussians, row by row.

    Parameters
    ----------
    mu, logvar : array_like, (…, Z)
        Mean and logarithm of the variance; float32 or float64.
    prior_mu, prior_logvar : array_like or None, (…, Z)
        Of the Gaussian from which the distance is measured, both or neither; None: the standard
        normal. They have gradients too.

    Returns
    -------
    ndarray, (…,)
        KL(N(mu, e^logvar) ‖ N(prior_mu, e^prior_logvar)), summed over the last axis.

    Raises
    ------
    TypeError
        The arrays are no floating arrays of one dtype, or the prior is given by half.
    ValueError
        The shapes differ, or there is no last axis.
    MemoryError
        The result does not fit.
    NotImplementedError
        While autograd differentiates it a second time.

    Notes
    -----
    ``½ Σ (e^t - 1 - t + d²)`` with ``t = logvar - prior_logvar`` and
    ``d = (mu - prior_mu)·e^(-prior_logvar/2)``.

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, appendix B;
    docs/maths/gaussian_kl.md; `fastrnn.reference.gaussian_kl` is the twin.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import ops
    >>> ops.gaussian_kl(np.array([[1.0, 2.0]]), np.zeros((1, 2)))
    array([2.5])
    """
    if (prior_mu is None) != (prior_logvar is None):
        raise TypeError("prior_mu and prior_logvar must be given together, or neither")
    if prior_mu is None:
        return _kl(mu, logvar)  # type: ignore[no-any-return]
    return _kl(mu, logvar, prior_mu, prior_logvar)  # type: ignore[no-any-return]


_KL_NAMES = ("logvar", "prior_mu", "prior_logvar")


def _kl_forward(call: Call, mu: Any, *others: Any) -> Array:
    arrays = alike("mu", mu, **dict(zip(_KL_NAMES, others, strict=False)))
    if arrays[0].ndim == 0:
        raise ValueError("mu must have shape (…, Z), got ()")
    call.kept = arrays
    if not call.core:
        return np.asarray(twins().gaussian_kl(*arrays))
    kl = allocate("kl", arrays[0].shape[:-1], arrays[0].dtype)
    _core.gaussian_kl_forward(*_four(arrays), kl.reshape(-1), call.num_threads)
    return kl


def _kl_backward(call: Call, dkl: Array) -> tuple[Array | None, ...]:
    arrays = call.kept
    if not call.core:
        return twins().gaussian_kl_backward(dkl, *arrays)[: len(arrays)]  # type: ignore[no-any-return]
    gradients = [
        allocate("gradient", array.shape, array.dtype) if wanted else None
        for array, wanted in zip(arrays, call.wanted, strict=True)
    ]
    _core.gaussian_kl_backward(
        dkl.reshape(-1), *_four(arrays), *_four(gradients), call.num_threads
    )
    return tuple(gradients)


def _four(arrays: Any) -> tuple[Any, Any, Any, Any]:
    """Return the arrays as rows, None for those of a prior that is not there."""
    rows = [None if array is None else as_rows("an array", array) for array in arrays]
    mu, logvar, prior_mu, prior_logvar = rows + [None] * (4 - len(rows))
    return mu, logvar, prior_mu, prior_logvar


def reparameterise(mu: ArrayLike, logvar: ArrayLike, *, rng: "Generator | None" = None) -> Array:
    """Draw from diagonal Gaussians so that the draw has a gradient by their parameters.

    Parameters
    ----------
    mu, logvar : array_like, of one shape
        Mean and logarithm of the variance; float32 or float64.
    rng : numpy.random.Generator or None
        Where the noise comes from, drawn in float64, so that a seed gives the same draw in both
        precisions; None: fresh entropy.

    Returns
    -------
    ndarray, in the shape of mu
        ``mu + e^(logvar/2)·ε``, ε from the standard normal.

    Raises
    ------
    TypeError
        mu and logvar are no floating arrays of one dtype, or rng is no Generator.
    ValueError
        The shapes differ.
    MemoryError
        The result does not fit.
    NotImplementedError
        While autograd differentiates it a second time.

    Notes
    -----
    ``dmu = dz`` and ``dlogvar = ½·dz·e^(logvar/2)·ε``.

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, section 2.4;
    docs/maths/reparameterise.md; `fastrnn.reference.reparameterise` is the twin.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import ops
    >>> mu, rng = np.zeros(2), np.random.default_rng(0)
    >>> ops.reparameterise(mu, mu, rng=rng).round(3)
    array([ 0.126, -0.132])
    """
    return _draw(mu, logvar, rng=generator(rng))  # type: ignore[no-any-return]


def _draw_forward(call: Call, mu: Any, logvar: Any, *, rng: "Generator") -> Array:
    mu, logvar = alike("mu", mu, logvar=logvar)
    eps = rng.standard_normal(mu.shape).astype(mu.dtype, copy=False)
    call.kept = (logvar, eps)
    if not call.core:
        return twins("gaussian").drawn(mu, logvar, eps)  # type: ignore[no-any-return]
    z = allocate("z", mu.shape, mu.dtype)
    _core.reparameterise_forward(_flat(mu), _flat(logvar), _flat(eps), _flat(z), call.num_threads)
    return z


def _draw_backward(call: Call, dz: Array) -> tuple[Array | None, ...]:
    logvar, eps = call.kept
    if not call.core:
        return twins("gaussian").drawn_backward(dz, logvar, eps)  # type: ignore[no-any-return]
    dmu, dlogvar = (
        allocate(name, dz.shape, dz.dtype) if wanted else None
        for name, wanted in zip(("dmu", "dlogvar"), call.wanted, strict=True)
    )
    _core.reparameterise_backward(
        _flat(dz), _flat(logvar), _flat(eps), _flat(dmu), _flat(dlogvar), call.num_threads
    )
    return dmu, dlogvar


def _flat(array: Any) -> Any:
    """Return the array as one contiguous axis, a view where it is contiguous; None as it is."""
    return None if array is None else np.ascontiguousarray(array).reshape(-1)


_kl = differentiable("gaussian_kl", _kl_forward, _kl_backward)
_draw = differentiable("reparameterise", _draw_forward, _draw_backward)
