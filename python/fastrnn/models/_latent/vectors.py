"""What models of vectors share: dense layers down to a latent vector, and up again."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastrnn._checks import Array, choice, integer
from fastrnn.cells import float_type
from fastrnn.models._parts.dense import (
    ACTIVATIONS,
    LIKELIHOODS,
    affine,
    between,
    checked_data,
    dense,
    dense_params,
    mean_of,
    sizes_of,
    vectors,
)
from fastrnn.models._parts.model import Model
from fastrnn.models._parts.reader import linear_params

if TYPE_CHECKING:
    from numpy.random import Generator


class VectorModel(Model):
    """The common part of `AutoEncoder` and `VAE`; see there."""

    def __init__(
        self,
        input_size: int,
        z_dim: int,
        hidden_sizes: Sequence[int],
        activation: str,
        likelihood: str,
        dtype: DTypeLike,
        rng: "Generator",
        own_options: Mapping[str, Any],
    ) -> None:
        I = self._input_size = integer("input_size", input_size, 1)
        Z = self._z_dim = integer("z_dim", z_dim, 1)
        hidden = sizes_of("hidden_sizes", hidden_sizes)
        self._activation = choice("activation", activation, list(ACTIVATIONS))
        self._likelihood = choice("likelihood", likelihood, LIKELIHOODS)
        self.dtype = float_type(dtype)
        down, up = [I, *hidden], [Z, *hidden[::-1]]
        self.params = {
            "encoder": dense_params(down, self.dtype, rng),
            **self._code_params(down[-1], rng),
            "decoder": dense_params(up, self.dtype, rng),
            "out": linear_params(I, up[-1], self.dtype, rng),
        }
        super().__init__(
            {"input_size": I, "z_dim": Z, "hidden_sizes": hidden, "activation": activation,
             "likelihood": likelihood, "dtype": self.dtype.name, **own_options}
        )  # fmt: skip
        del self.config["vocab"]  # vectors have no symbols

    def _code_params(self, columns: int, rng: "Generator") -> dict[str, Any]:
        """Return first weights of what stands between the hidden layers and the code."""
        raise NotImplementedError

    def _encoded(self, params: Mapping[str, Any], x: Any) -> Any:
        return dense(params["encoder"], x, self._activation)

    def _decoded(self, params: Mapping[str, Any], z: Any) -> Any:
        return affine(params["out"], dense(params["decoder"], z, self._activation))

    def _enter(self, x: Any) -> Array:
        return checked_data(x, self._input_size, self.dtype, self._likelihood)

    def tokens(self, batch: Any) -> int:
        """Return how many vectors a batch holds.

        Parameters
        ----------
        batch : ndarray, (N, I)

        Returns
        -------
        int
        """
        return len(batch)

    def decode(self, z: ArrayLike) -> Array:
        """Return the vectors that the decoder makes of latent vectors.

        Parameters
        ----------
        z : array_like, (N, Z)
            Of the model's dtype.

        Returns
        -------
        ndarray, (N, I)
            Probabilities of a Bernoulli likelihood, means of a Gaussian one.

        Raises
        ------
        TypeError, ValueError
            z has the wrong type or shape.
        """
        z = vectors("z", z, self._z_dim, self.dtype)
        return mean_of(self._likelihood, self._decoded(self.params, z))

    def _mean_code(self, x: Array) -> Array:
        """Return the latent vector of each vector, (N, Z)."""
        raise NotImplementedError

    def reconstruct(self, x: ArrayLike) -> Array:
        """Return vectors as they come back from their latent vector, or the mean of it.

        Parameters
        ----------
        x : array_like, (N, I)
            Of the model's dtype.

        Returns
        -------
        ndarray, (N, I)
            As `decode` gives it.

        Raises
        ------
        TypeError, ValueError
            x has the wrong type, shape, or a value out of range.
        """
        return self.decode(self._mean_code(self._enter(x)))

    def interpolate(self, a: ArrayLike, b: ArrayLike, steps: int) -> Array:
        """Return what is decoded on the line from the (mean) latent vector of a to that of b.

        Parameters
        ----------
        a, b : array_like, (I,)
            Vectors of the model's dtype.
        steps : int
            How many points, both ends included.

        Returns
        -------
        ndarray, (steps, I)

        Raises
        ------
        TypeError, ValueError
            a, b or steps have the wrong type, shape, or a value out of range.
        """
        first, last = self._mean_code(self._enter(np.stack([np.asarray(a), np.asarray(b)])))
        return self.decode(between(first, last, steps))
