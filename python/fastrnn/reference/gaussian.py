"""Diagonal Gaussians: their distance, a draw, and the backward of both."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference._checks import generator
from fastrnn.reference._math import Array, array_module, as_array

if TYPE_CHECKING:
    from numpy.random import Generator


def gaussian_kl(
    mu: ArrayLike,
    logvar: ArrayLike,
    prior_mu: ArrayLike | None = None,
    prior_logvar: ArrayLike | None = None,
) -> Array:
    """Return the divergence of two diagonal Gaussians, in plain NumPy; also under `autograd.numpy`.

    Parameters
    ----------
    mu, logvar : array_like, (…, Z)
        Mean and logarithm of the variance.
    prior_mu, prior_logvar : array_like or None, (…, Z)
        Of the Gaussian from which the distance is measured; None: the standard normal.

    Returns
    -------
    ndarray, (…,)
        KL(N(mu, e^logvar) ‖ N(prior_mu, e^prior_logvar)), summed over the last axis.

    Raises
    ------
    ValueError
        A shape does not fit.

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, appendix B;
    docs/maths/gaussian_kl.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> reference.gaussian_kl(np.array([[1.0, 2.0]]), np.zeros((1, 2)))
    array([2.5])
    """
    d: Any = as_array(mu)
    t, mean, log = (as_array(array, d) for array in (logvar, prior_mu, prior_logvar))
    xp = array_module(d, t, mean, log)
    if mean is not None:
        t, d = t - log, (d - mean) * xp.exp(-0.5 * log)
    return 0.5 * xp.sum(xp.expm1(t) - t + d**2, axis=-1)  # type: ignore[no-any-return]


def gaussian_kl_backward(
    dkl: Array,
    mu: Array,
    logvar: Array,
    prior_mu: Array | None = None,
    prior_logvar: Array | None = None,
) -> tuple[Array, Array, Array | None, Array | None]:
    """Return the gradients of `gaussian_kl` by its arguments, given that by its result.

    Parameters
    ----------
    dkl : ndarray, (…,)
    mu, logvar, prior_mu, prior_logvar
        As forward had them.

    Returns
    -------
    dmu, dlogvar : ndarray, (…, Z)
    dprior_mu, dprior_logvar : ndarray or None, (…, Z)

    Raises
    ------
    ValueError
        A shape does not fit.

    References
    ----------
    docs/maths/gaussian_kl.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> mu, logvar = np.ones((1, 1)), np.zeros((1, 1))
    >>> dmu, dlogvar, _, _ = reference.gaussian_kl_backward(np.ones(1), mu, logvar)
    >>> dmu, dlogvar
    (array([[1.]]), array([[0.]]))
    """
    g = np.asarray(dkl)[..., None]
    if prior_mu is None or prior_logvar is None:
        return g * mu, 0.5 * g * np.expm1(logvar), None, None
    precision = np.exp(-0.5 * prior_logvar)
    d, grown = (mu - prior_mu) * precision, np.expm1(logvar - prior_logvar)
    dmu = g * d * precision
    return dmu, 0.5 * g * grown, -dmu, -0.5 * g * (grown + d**2)


def reparameterise(
    mu: ArrayLike, logvar: ArrayLike, *, rng: "Generator | None" = None
) -> Array:
    """Draw from a diagonal Gaussian, in plain NumPy; also under `autograd.numpy`.

    Parameters
    ----------
    mu, logvar : array_like, of one shape
    rng : numpy.random.Generator or None
        Where the noise comes from, drawn in float64; None: fresh entropy.

    Returns
    -------
    ndarray, in the shape of mu
        ``mu + e^(logvar/2)·ε``, ε from the standard normal.

    Raises
    ------
    TypeError
        rng is no Generator.
    ValueError
        The shapes differ.

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, section 2.4;
    docs/maths/reparameterise.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> mu, rng = np.zeros(2), np.random.default_rng(0)
    >>> reference.reparameterise(mu, mu, rng=rng).round(3)
    array([ 0.126, -0.132])
    """
    mean: Any = as_array(mu)
    return drawn(  # type: ignore[no-any-return]
        mean, as_array(logvar, mean), noise(rng, mean.shape, mean.dtype)
    )


def reparameterise_backward(
    dz: Array, logvar: Array, *, rng: "Generator | None" = None
) -> tuple[Array, Array]:
    """Return the gradients of `reparameterise` by mu and logvar, given that by its result.

    Parameters
    ----------
    dz : ndarray, of any shape
    logvar : ndarray
        As forward had it.
    rng : numpy.random.Generator
        In the state in which forward had it.

    Returns
    -------
    dmu, dlogvar : ndarray, in the shape of dz

    Raises
    ------
    TypeError
        rng is no Generator.

    References
    ----------
    docs/maths/reparameterise.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> rng = np.random.default_rng(0)
    >>> reference.reparameterise_backward(np.ones(1), np.zeros(1), rng=rng)[1].round(3)
    array([0.063])
    """
    return drawn_backward(dz, logvar, noise(rng, dz.shape, dz.dtype))


def noise(rng: "Generator | None", shape: tuple[int, ...], dtype: Any) -> Array:
    """Return standard normal numbers: the same ones, rounded, in either precision."""
    return generator(rng).standard_normal(shape).astype(dtype, copy=False)


def drawn(mu: Any, logvar: Any, eps: Array) -> Any:
    """Return the draw that this noise makes."""
    return mu + array_module(mu, logvar).exp(0.5 * logvar) * eps


def drawn_backward(dz: Array, logvar: Array, eps: Array) -> tuple[Array, Array]:
    """Return the gradients by mu and logvar of `drawn`."""
    return dz.copy(), 0.5 * dz * np.exp(0.5 * logvar) * eps
