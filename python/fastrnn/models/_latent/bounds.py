"""Evidence lower bound and importance-weighted bound of models with one latent vector a row."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastrnn import ops
from fastrnn._checks import Array, integer, number
from fastrnn.models._latent.gaussians import importance, log_normal, noise_for

if TYPE_CHECKING:
    from numpy.random import Generator


class Measured(NamedTuple):
    """What bounds are made of.

    Attributes
    ----------
    mu, logvar : ndarray, (N, Z)
        Of the posterior.
    prior : tuple
        Its mean and logarithm of the variance; empty for the standard normal.
    log_likelihood : callable
        From latent vectors (N, Z) to nats (N,).
    """

    mu: Array
    logvar: Array
    prior: tuple[Array, ...]
    log_likelihood: Callable[[Any], Array]


class Bounds:
    """The part of `VAE`, `SequenceVAE` and `VHRED` that measures; batches are those of `loss`."""

    params: dict[str, Any]

    def _enter(self, batch: Any) -> Any:
        """Return a batch checked, of whatever form `_posterior` and `_log_likelihood` take."""
        raise NotImplementedError

    def _posterior(self, params: Mapping[str, Any], x: Any) -> tuple[Any, Any]:
        """Return mean and logarithm of the variance of each row's posterior, (N, Z)."""
        raise NotImplementedError

    def _log_likelihood(self, params: Mapping[str, Any], x: Any, z: Any) -> Any:
        """Return ln p(row | z) in nats, (N,)."""
        raise NotImplementedError

    def _measured(self, batch: Any) -> "Measured":
        """Return what the bounds of a batch are made of, with the model's own parameters."""
        x = self._enter(batch)
        mu, logvar = self._posterior(self.params, x)
        return Measured(mu, logvar, (), lambda z: self._log_likelihood(self.params, x, z))

    def _some(self, batch: Any) -> "Measured":
        measured = self._measured(batch)
        if not len(measured.mu):
            raise ValueError("the batch must hold at least one row, got none")
        return measured

    def elbo(
        self, batch: Any, *, samples: int = 1, rng: "Generator | None" = None
    ) -> dict[str, float]:
        """Return the evidence lower bound and its two parts, means over the rows in nats.

        Parameters
        ----------
        batch
            As `loss` takes it, with at least one row.
        samples : int
            Latent vectors drawn for each row, for the reconstruction.
        rng : numpy.random.Generator or None
            Where they come from; None: the same noise every time.

        Returns
        -------
        dict
            ``"elbo"``, which is ``"reconstruction"``, the mean of ln p(x | z), minus ``"kl"``, that
            of KL(q(z | x) ‖ p(z)), whole and unweighted.

        Raises
        ------
        TypeError, ValueError
            As `loss`; there is no row, or no sample.

        References
        ----------
        Kingma and Welling, "Auto-Encoding Variational Bayes", 2014, equation 3.
        """
        draws, source = integer("samples", samples, 1), noise_for(rng)
        mu, logvar, prior, log_likelihood = self._some(batch)
        total = 0.0
        for _ in range(draws):
            z = ops.reparameterise(mu, logvar, rng=source)
            total += float(log_likelihood(z).mean(dtype=np.float64))
        reconstruction = total / draws
        kl = float(ops.gaussian_kl(mu, logvar, *prior).mean(dtype=np.float64))
        return {"elbo": reconstruction - kl, "reconstruction": reconstruction, "kl": kl}

    def iwae(self, batch: Any, k: int, *, rng: "Generator | None" = None) -> float:
        """Return the importance-weighted bound on ln p(x), its mean over the rows in nats.

        Parameters
        ----------
        batch
            As `loss` takes it, with at least one row.
        k : int
            Latent vectors drawn for each row: the more, the closer the bound. 1 is the lower bound
            of `elbo`, with the divergence estimated from the draw.
        rng : numpy.random.Generator or None
            Where they come from; None: the same noise every time.

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            As `elbo`.

        References
        ----------
        Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", 2016, equation 8.
        """
        draws, source = integer("k", k, 1), noise_for(rng)
        mu, logvar, prior, log_likelihood = self._some(batch)

        def log_weights() -> Iterable[Array]:
            for _ in range(draws):
                z = ops.reparameterise(mu, logvar, rng=source)
                prior_over_posterior = log_normal(z, *prior) - log_normal(z, mu, logvar)
                yield log_likelihood(z) + prior_over_posterior

        return float(importance(log_weights()).mean())

    def active_units(self, batch: Any, *, threshold: float = 0.01) -> NDArray[np.bool_]:
        """Return which units of z are used: those whose means differ from row to row.

        Parameters
        ----------
        batch
            As `loss` takes it, with at least one row.
        threshold : float
            A unit is active if the variance of its mean over the rows is above this.

        Returns
        -------
        ndarray of bool, (Z,)

        Raises
        ------
        TypeError, ValueError
            As `elbo`.

        References
        ----------
        Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", 2016, section 5.
        """
        least = number("threshold", threshold, 0)
        active: NDArray[np.bool_] = self._some(batch).mu.var(axis=0, dtype=np.float64) > least
        return active
