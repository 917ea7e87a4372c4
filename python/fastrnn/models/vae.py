"""VAE: the variational autoencoder of vectors."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastrnn import ops
from fastrnn._checks import Array, flag, generator, integer
from fastrnn.models._latent.bounds import Bounds
from fastrnn.models._latent.gaussians import gaussian, gaussian_params, noise_for
from fastrnn.models._latent.vectors import VectorModel
from fastrnn.models._parts.dense import log_likelihood

if TYPE_CHECKING:
    from numpy.random import Generator


class VAE(VectorModel, Bounds):
    """An encoder from a vector to a Gaussian over latent vectors z, and a decoder to a likelihood.

    Parameters
    ----------
    input_size : int
        I, the length of a vector.
    z_dim : int
        Z, the length of z.
    hidden_sizes : sequence of int
        Widths of the layers between vector and z; the decoder has them in reverse.
    activation : {"tanh", "relu", "linear"}
        After each hidden layer.
    likelihood : {"bernoulli", "gaussian"}
        Of data in 0..1, or of any.
    learn_sigma : bool
        Learn the Gaussian likelihood's variance, one number for all; False: it is 1.
    dtype : dtype
        float32 or float64.
    rng : numpy.random.Generator or None
        Where the first weights come from; None: fresh entropy.

    Attributes
    ----------
    params : dict
        ``"encoder"`` and ``"decoder"``, hidden layers ``"l0"``, ``"l1"``, …; ``"posterior"`` with
        the heads ``"mu"`` and ``"logvar"`` (Z, ·); ``"out"`` (I, ·); all with ``"weight"`` and
        ``"bias"``. ``"logvar"`` (1,) if it is learned.

    Raises
    ------
    TypeError, ValueError
        An option has the wrong type, is out of range, or unknown.

    Notes
    -----
    The loss alone cannot tell a good model from one whose decoder ignores z, so `elbo` and
    `evaluate` give reconstruction and divergence apart.

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", 2014; docs/maths/elbo.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.models import VAE
    >>> rng = np.random.default_rng(0)
    >>> model = VAE(6, 2, hidden_sizes=[8], rng=rng)
    >>> x = rng.random((5, 6), dtype=np.float32)
    >>> sorted(model.elbo(x, rng=rng))
    ['elbo', 'kl', 'reconstruction']
    >>> model.encode(x)[0].shape, model.sample(3, rng=rng).shape
    ((5, 2), (3, 6))
    """

    def __init__(
        self,
        input_size: int,
        z_dim: int,
        *,
        hidden_sizes: Sequence[int] = (400,),
        activation: str = "tanh",
        likelihood: str = "bernoulli",
        learn_sigma: bool = False,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
    ) -> None:
        if flag("learn_sigma", learn_sigma) and likelihood != "gaussian":
            raise ValueError("learn_sigma needs a Gaussian likelihood: Bernoulli has no variance")
        super().__init__(
            input_size, z_dim, hidden_sizes, activation, likelihood, dtype, generator(rng),
            {"learn_sigma": bool(learn_sigma)},
        )  # fmt: skip
        if learn_sigma:
            self.params["logvar"] = np.zeros(1, self.dtype)

    def _code_params(self, columns: int, rng: "Generator") -> dict[str, Any]:
        return {"posterior": gaussian_params(self._z_dim, columns, self.dtype, rng)}

    def loss(self, params: Mapping[str, Any], batch: Any, rng: "Generator | None" = None) -> Any:
        """Return minus the mean evidence lower bound of a batch: a pure function of params.

        Parameters
        ----------
        params : nested dict
            Of the names and shapes of `params`, which are not looked at.
        batch : array_like, (N, I)
            Vectors of the model's dtype; in 0..1 for Bernoulli.
        rng : numpy.random.Generator or None
            Of z, one for each vector; None: the same noise every time.

        Returns
        -------
        float, or what autograd traces as one
            Nats for a vector.

        Raises
        ------
        TypeError, ValueError
            batch has the wrong type, shape, or a value out of range.
        """
        x = self._enter(batch)
        reconstruction, kl = self._parts(params, x, noise_for(rng))
        return anp.sum(kl - reconstruction) / max(len(x), 1)

    def _parts(self, params: Mapping[str, Any], x: Array, rng: "Generator") -> tuple[Any, Any]:
        """Return ln p(x | z) at one z drawn for each row, and the divergence, (N,) each."""
        mu, logvar = self._posterior(params, x)
        z = ops.reparameterise(mu, logvar, rng=rng)
        return self._log_likelihood(params, x, z), ops.gaussian_kl(mu, logvar)

    def _posterior(self, params: Mapping[str, Any], x: Any) -> tuple[Any, Any]:
        return gaussian(params["posterior"], self._encoded(params, x))

    def _log_likelihood(self, params: Mapping[str, Any], x: Any, z: Any) -> Any:
        out = self._decoded(params, z)
        return log_likelihood(self._likelihood, out, x, params.get("logvar"))

    def _mean_code(self, x: Array) -> Array:
        return self.encode(x)[0]

    def encode(self, x: ArrayLike) -> tuple[Array, Array]:
        """Return the posterior of each vector, a Gaussian over z.

        Parameters
        ----------
        x : array_like, (N, I)
            Of the model's dtype.

        Returns
        -------
        mu, logvar : ndarray, (N, Z)
            Mean, and logarithm of the variance.

        Raises
        ------
        TypeError, ValueError
            As `loss`.
        """
        mu, logvar = self._posterior(self.params, self._enter(x))
        return mu, logvar

    def sample(self, n: int, *, rng: "Generator | None" = None) -> Array:
        """Return the decoder's means for latent vectors drawn from the prior.

        Parameters
        ----------
        n : int
        rng : numpy.random.Generator or None
            Of the latent vectors; None: fresh entropy.

        Returns
        -------
        ndarray, (n, I)

        Raises
        ------
        TypeError, ValueError
            n is no count, or rng no Generator.
        """
        z = generator(rng).standard_normal((integer("n", n, 0), self._z_dim))
        return self.decode(z.astype(self.dtype))

    def evaluate(
        self, batches: Iterable[Any], *, rng: "Generator | None" = None
    ) -> dict[str, float]:
        """Return the mean loss over all vectors of all batches, and its two parts.

        Parameters
        ----------
        batches : iterable of array_like, (N, I)
        rng : numpy.random.Generator or None
            Of z; None: the same noise every time.

        Returns
        -------
        dict
            ``"loss"``, which is ``"kl"`` minus ``"reconstruction"``, in nats.

        Raises
        ------
        TypeError, ValueError
            As `loss`; there is no vector in all batches.
        """
        source, totals, count = noise_for(rng), np.zeros(2), 0
        for batch in batches:
            parts = self._parts(self.params, self._enter(batch), source)
            totals += [part.sum(dtype=np.float64) for part in parts]
            count += len(batch)
        if count == 0:
            raise ValueError("batches must hold at least one vector, got none")
        reconstruction, kl = (totals / count).tolist()
        return {"loss": kl - reconstruction, "reconstruction": reconstruction, "kl": kl}
