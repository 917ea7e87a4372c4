"""Sentences to latent vectors and back, one symbol after the other."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from fastrnn._checks import Array, integer
from fastrnn.data import Vocabulary
from fastrnn.init import generator
from fastrnn.models._parts.conditioned import ConditionedDecoder
from fastrnn.models._parts.dense import between, vectors
from fastrnn.models._parts.symbols import as_texts

if TYPE_CHECKING:
    from numpy.random import Generator


class Sentences:
    """The part of `SequenceVAE` that encodes and generates."""

    params: dict[str, Any]
    vocabulary: Vocabulary | None
    dtype: Any
    _decoder: ConditionedDecoder
    _z_dim: int

    def _enter(self, batch: Any) -> Any:
        """Return a batch checked."""
        raise NotImplementedError

    def _posterior(self, params: Mapping[str, Any], x: Any) -> tuple[Any, Any]:
        """Return mean and logarithm of the variance of each sentence's posterior, (N, Z)."""
        raise NotImplementedError

    def encode(self, batch: Any) -> tuple[Array, Array]:
        """Return the posterior of each sentence, a Gaussian over z.

        Parameters
        ----------
        batch : tuple or list
            As `loss` takes it.

        Returns
        -------
        mu, logvar : ndarray, (N, Z)
            Mean, and logarithm of the variance.

        Raises
        ------
        TypeError, ValueError
            As `loss`.
        """
        mu, logvar = self._posterior(self.params, self._enter(batch))
        return mu, logvar

    def decode(
        self,
        z: ArrayLike,
        *,
        max_length: int = 50,
        temperature: float = 0.0,
        rng: "Generator | None" = None,
        **options: Any,
    ) -> list[Any]:
        """Generate one sentence from each latent vector.

        Parameters
        ----------
        z : array_like, (N, Z)
            Of the model's dtype.
        max_length : int
            The most symbols of one.
        temperature : float
            0: the likeliest symbol at each step; else they are drawn, as `fastrnn.decode.sample`.
        rng : numpy.random.Generator or None
            Where they are drawn with; None: fresh entropy.
        **options
            As `HRED.reply`: top_k and top_p of draws, beam_size and length_penalty of the search,
            min_length, block_ngram_repeat.

        Returns
        -------
        list of N str, or of ndarray of int64
            Strings with a Vocabulary. PAD, UNK and BOS are never generated.

        Raises
        ------
        TypeError, ValueError
            z has the wrong type or shape, or an option breaks its rule.
        """
        z = vectors("z", z, self._z_dim, self.dtype)
        rows = self._decoder.generate(
            self.params, z, None, generator(rng), max_length=max_length, temperature=temperature,
            **options,
        )  # fmt: skip
        return as_texts(rows, self.vocabulary)

    def sample(self, n: int, *, rng: "Generator | None" = None, **options: Any) -> list[Any]:
        """Generate sentences from latent vectors drawn from the prior.

        Parameters
        ----------
        n : int
        rng : numpy.random.Generator or None
            Of the latent vectors, and then of the symbols; None: fresh entropy.
        **options
            As `decode`.

        Returns
        -------
        list
            As `decode`.

        Raises
        ------
        TypeError, ValueError
            As `decode`.
        """
        source = generator(rng)
        z = source.standard_normal((integer("n", n, 0), self._z_dim)).astype(self.dtype)
        return self.decode(z, rng=source, **options)

    def interpolate(self, a: Any, b: Any, steps: int, **options: Any) -> list[Any]:
        """Generate sentences on the line from the posterior mean of a to that of b.

        Parameters
        ----------
        a, b : str, or array_like of int, (m,)
        steps : int
            How many points, both ends included.
        **options
            As `decode`.

        Returns
        -------
        list
            As `decode`.

        Raises
        ------
        TypeError, ValueError
            As `loss` and `decode`.
        """
        first, last = self.encode([a, b])[0]
        return self.decode(between(first, last, steps), **options)
