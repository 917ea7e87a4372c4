"""AutoEncoder: vectors through a narrow layer and back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastrnn._checks import Array, generator
from fastrnn.models._latent.vectors import VectorModel
from fastrnn.models._parts.dense import affine, log_likelihood
from fastrnn.models._parts.reader import linear_params

if TYPE_CHECKING:
    from numpy.random import Generator


class AutoEncoder(VectorModel):
    """Dense layers down to a latent vector, and dense layers back to the vector.

    Parameters
    ----------
    input_size : int
        I, the length of a vector.
    z_dim : int
        Z, the length of a latent vector.
    hidden_sizes : sequence of int
        Widths of the layers between vector and latent vector; the decoder has them in reverse. None
        at all makes the linear autoencoder, whose best loss is that of principal components.
    activation : {"tanh", "relu", "linear"}
        After each hidden layer.
    likelihood : {"gaussian", "bernoulli"}
        The loss is the squared error, or the cross-entropy of data in 0..1.
    dtype : dtype
        float32 or float64.
    rng : numpy.random.Generator or None
        Where the first weights come from; None: fresh entropy.

    Attributes
    ----------
    params : dict
        ``"encoder"`` and ``"decoder"``, hidden layers ``"l0"``, ``"l1"``, …; ``"code"`` (Z, ·) and
        ``"out"`` (I, ·), the last layer of each. All have ``"weight"`` and ``"bias"``.

    Raises
    ------
    TypeError, ValueError
        An option has the wrong type, is out of range, or unknown.

    References
    ----------
    Hinton and Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", 2006;
    Baldi and Hornik, "Neural Networks and Principal Component Analysis", 1989, for the linear one.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.models import AutoEncoder
    >>> rng = np.random.default_rng(0)
    >>> model = AutoEncoder(6, 2, hidden_sizes=[8], rng=rng)
    >>> x = rng.random((5, 6), dtype=np.float32)
    >>> model.encode(x).shape, model.reconstruct(x).shape
    ((5, 2), (5, 6))
    """

    def __init__(
        self,
        input_size: int,
        z_dim: int,
        *,
        hidden_sizes: Sequence[int] = (),
        activation: str = "tanh",
        likelihood: str = "gaussian",
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
    ) -> None:
        super().__init__(
            input_size, z_dim, hidden_sizes, activation, likelihood, dtype, generator(rng), {}
        )

    def _code_params(self, columns: int, rng: "Generator") -> dict[str, Any]:
        return {"code": linear_params(self._z_dim, columns, self.dtype, rng)}

    def loss(
        self,
        params: Mapping[str, Any],
        batch: Any,
        rng: "Generator | None" = None,  # noqa: ARG002
    ) -> Any:
        """Return the mean over the vectors of how far each comes back: a pure function of params.

        Parameters
        ----------
        params : nested dict
            Of the names and shapes of `params`, which are not looked at.
        batch : array_like, (N, I)
            Vectors of the model's dtype; in 0..1 for Bernoulli.
        rng : ignored
            There is nothing to draw.

        Returns
        -------
        float, or what autograd traces as one
            Squared error, or cross-entropy in nats, summed over a vector.

        Raises
        ------
        TypeError, ValueError
            batch has the wrong type, shape, or a value out of range.
        """
        x = self._enter(batch)
        out = self._decoded(params, self._code(params, x))
        if self._likelihood == "bernoulli":
            return -anp.sum(log_likelihood("bernoulli", out, x)) / max(len(x), 1)
        return anp.sum((x - out) ** 2) / max(len(x), 1)

    def _code(self, params: Mapping[str, Any], x: Any) -> Any:
        return affine(params["code"], self._encoded(params, x))

    def encode(self, x: ArrayLike) -> Array:
        """Return the codes of vectors.

        Parameters
        ----------
        x : array_like, (N, I)
            Of the model's dtype.

        Returns
        -------
        ndarray, (N, Z)

        Raises
        ------
        TypeError, ValueError
            As `loss`.
        """
        z: Array = self._code(self.params, self._enter(x))
        return z

    def _mean_code(self, x: Array) -> Array:
        return self.encode(x)

    def evaluate(self, batches: Iterable[Any]) -> dict[str, float]:
        """Return the mean loss over all vectors of all batches.

        Parameters
        ----------
        batches : iterable of array_like, (N, I)

        Returns
        -------
        dict
            ``"loss"``, as `loss` gives it.

        Raises
        ------
        TypeError, ValueError
            As `loss`; there is no vector in all batches.
        """
        total, count = 0.0, 0
        for batch in batches:
            total += float(self.loss(self.params, batch)) * len(batch)
            count += len(batch)
        if count == 0:
            raise ValueError("batches must hold at least one vector, got none")
        return {"loss": total / count}
