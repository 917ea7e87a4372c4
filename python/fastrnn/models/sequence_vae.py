"""SequenceVAE: the variational autoencoder of sentences."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastrnn import ops
from fastrnn._checks import Array, generator, integer, number, probability
from fastrnn.data import SentenceBatch, pad
from fastrnn.metrics import perplexity
from fastrnn.models._latent.annealing import Annealing, schedule
from fastrnn.models._latent.bounds import Bounds
from fastrnn.models._latent.gaussians import (
    gaussian,
    gaussian_params,
    kl_of_units,
    noise_for,
    with_free_bits,
)
from fastrnn.models._parts.conditioned import ConditionedDecoder
from fastrnn.models._parts.decoder import Ids
from fastrnn.models._parts.dense import between, vectors
from fastrnn.models._parts.model import Model, size_of
from fastrnn.models._parts.pooling import last
from fastrnn.models._parts.reader import Reader
from fastrnn.models._parts.symbols import as_symbols, as_texts

if TYPE_CHECKING:
    from numpy.random import Generator


_Rows = tuple[Ids, NDArray[np.int64]]


class SequenceVAE(Annealing, Bounds, Model):
    """A recurrent encoder from sentences to Gaussians over latent vectors, and a decoder back.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn"}
    vocab : int or Vocabulary
        V, at least 5: symbols 0..3 are PAD, UNK, BOS and EOS, as `fastrnn.data` has them. With a
        Vocabulary sentences may be given, and come back, as strings.
    hidden_size : int
        H of both layers.
    z_dim : int
        Z, the length of a latent vector z.
    embedding_size : int or None
        E, of one table for encoder and decoder; None: H.
    bidirectional : bool
        Of the encoder.
    decoder_input : {"every", "init", "gated"}
        Where z enters the decoder: at every step and as the initial state; as the initial state
        alone; or at every step through gates computed from the symbol before.
    word_drop : float
        Probability that an input symbol of the decoder becomes UNK, while training.
    kl_schedule : int, (int, int) or None
        After how many updates of `fit` the weight of the divergence has risen from 0 to 1. Of two
        numbers, it is 0 up to the first, so that z is used before it costs. None: it is always 1.
    free_bits : float
        Nats of each unit of z that cost nothing while training.
    dropout : float
        Of the inputs of the output layer, while training.
    dtype : dtype
        float32 or float64.
    rng : numpy.random.Generator or None
        Where the first weights come from; None: fresh entropy.
    **layer_options
        More options of the layers: `forget_bias`, `peephole`, `reset_after`, `nonlinearity`,
        `compute_dtype`, `truncate`, `clip_step`.

    Attributes
    ----------
    params : dict
        ``"embedding"``, ``"encoder"``, ``"posterior"`` with ``"mu"`` and ``"logvar"``, and
        ``"decoder"``.

    Raises
    ------
    TypeError, ValueError
        An option has the wrong type, is out of range, or unknown.

    Notes
    -----
    A decoder that sees every word before the next one can do without z. Then the divergence is 0
    (posterior collapse), and the loss may still be good. `kl_schedule`, `word_drop` and `free_bits`
    are against it; `elbo` and `evaluate` give the divergence apart.

    References
    ----------
    Bowman et al., "Generating Sentences from a Continuous Space", 2016; Kingma et al., "Improving
    Variational Inference with Inverse Autoregressive Flow", 2016, appendix C.8 (free bits);
    docs/maths/elbo.md.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.data import Vocabulary
    >>> from fastrnn.models import SequenceVAE
    >>> words = Vocabulary.from_texts(["the cat sat", "a dog ran"], level="word")
    >>> model = SequenceVAE("gru", words, 8, 2, rng=np.random.default_rng(0))
    >>> mu, logvar = model.encode(["the cat sat", "a dog"])
    >>> mu.shape, len(model.decode(mu, max_length=5))
    ((2, 2), 2)
    """

    dtype: Any

    def __init__(
        self,
        cell: str,
        vocab: Any,
        hidden_size: int,
        z_dim: int,
        *,
        embedding_size: int | None = None,
        bidirectional: bool = False,
        decoder_input: str = "every",
        word_drop: float = 0.0,
        kl_schedule: int | tuple[int, int] | None = None,
        free_bits: float = 0.0,
        dropout: float = 0.0,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
        **layer_options: Any,
    ) -> None:
        source = generator(rng)
        V = self._vocab = integer("vocab", size_of(vocab), 5)
        H, Z = integer("hidden_size", hidden_size, 1), integer("z_dim", z_dim, 1)
        self._z_dim, self._dropout = Z, probability("dropout", dropout)
        self._word_drop = probability("word_drop", word_drop)
        self._free = number("free_bits", free_bits, 0)
        self._reader = Reader(
            cell, input_size=None, vocab=V, embedding_size=embedding_size, hidden_size=H,
            num_layers=1, bidirectional=bidirectional, merge_mode="concat", dropout=0.0,
            dtype=dtype, rng=source, layer_options=layer_options,
        )  # fmt: skip
        self.dtype = self._reader.layer.dtype
        self._decoder = ConditionedDecoder(
            cell, V, self._reader.layer.input_size, H, Z, num_layers=1,
            decoder_input=decoder_input, dtype=self.dtype, rng=source, **layer_options,
        )  # fmt: skip
        self.params = {
            "embedding": self._reader.params["embedding"],
            "encoder": self._reader.params["rnn"],
            "posterior": gaussian_params(Z, self._reader.width, self.dtype, source),
            "decoder": self._decoder.params,
        }
        super().__init__(
            {"cell": cell, "hidden_size": H, "z_dim": Z, "embedding_size": embedding_size,
             "bidirectional": bidirectional, "decoder_input": decoder_input,
             "word_drop": word_drop, "kl_schedule": schedule(kl_schedule), "free_bits": free_bits,
             "dropout": dropout, "dtype": self.dtype.name, **layer_options},
            vocab,
        )  # fmt: skip

    def tokens(self, batch: Any) -> int:
        """Return how many symbols a batch holds, each sentence's end included.

        Parameters
        ----------
        batch : tuple
            As `loss` takes it.

        Returns
        -------
        int
        """
        lengths = self._enter(batch)[1]
        return int(lengths.sum()) + len(lengths)

    def terms(self, batch: Any) -> int:
        """Return how many sentences a batch holds, of which its loss is the mean.

        Parameters
        ----------
        batch : tuple or list
            As `loss` takes it.

        Returns
        -------
        int
        """
        return len(self._enter(batch)[1])

    def _recurrent(self) -> dict[str, Any]:
        return {"encoder": self._reader.layer}

    def _with_frozen(self, precision: str) -> dict[str, Any]:
        params = super()._with_frozen(precision)
        self._decoder, params["decoder"] = self._decoder.quantized(params["decoder"], precision)
        return params

    def _as_batch(self, batch: Any) -> SentenceBatch:
        """Return a batch by names; its parts are not looked at."""
        if isinstance(batch, list):
            rows = [as_symbols("a sentence", text, self.vocabulary, self._vocab) for text in batch]
            batch = pad(rows) if rows else (np.zeros((0, 0), np.int64), [])
        if not isinstance(batch, tuple) or len(batch) not in (2, 3):
            raise TypeError(
                "batch must be (x, lengths), (x, lengths, weight) or a list of sentences, "
                f"got {type(batch).__name__}"
            )
        return SentenceBatch(*batch)

    def _enter(self, batch: Any) -> _Rows:
        """Return symbols (T, N), PAD beyond the lengths, and lengths (N,)."""
        x, lengths, _ = self._as_batch(batch)
        x, steps, _ = self._reader.enter(x, lengths)
        return x, steps

    def _weighted(self, batch: Any, weight: float) -> SentenceBatch:
        return self._as_batch(batch)._replace(weight=weight)

    def loss(self, params: Mapping[str, Any], batch: Any, rng: "Generator | None" = None) -> Any:
        """Return minus the mean evidence lower bound of sentences: a pure function of params.

        Parameters
        ----------
        params : nested dict
            Of the names and shapes of `params`, which are not looked at.
        batch : tuple (x, lengths), fastrnn.data.SentenceBatch, or list
            x of int, (T, N): the symbols of sentences without BOS and EOS, which are added; lengths
            of int, (N,), how many each has, 0..T. What stands beyond is never read. The weight of
            the divergence is 1 where it is not given. A list holds sentences as strings or ids.
        rng : numpy.random.Generator or None
            Of z and of dropout; None: nothing is dropped, and the noise of z is the same every
            time.

        Returns
        -------
        float, or what autograd traces as one
            Nats for a sentence.

        Raises
        ------
        TypeError, ValueError
            A part of batch has the wrong type, shape, or a value out of range.
        """
        batch = self._as_batch(batch)
        x, weight = self._enter(batch), number("weight", batch.weight, 0)
        mu, logvar = self._posterior(params, x, rng=rng, learning=True)
        z = ops.reparameterise(mu, logvar, rng=noise_for(rng))
        nats = self._target_nats(params, x, z, rng=rng, learning=True, reduction="sum").nats
        kl = with_free_bits(kl_of_units(mu, logvar), self._free)
        return (nats + weight * kl) / max(len(mu), 1)

    def _posterior(
        self, params: Mapping[str, Any], x: _Rows, **how: Any
    ) -> tuple[Any, Any]:
        own = {"embedding": params["embedding"], "rnn": params["encoder"]}
        _, state = self._reader(own, x[0], lengths=x[1], **how)
        return gaussian(params["posterior"], last(self._reader.layer, state))

    def _target_nats(self, params: Mapping[str, Any], x: _Rows, z: Any, **how: Any) -> Any:
        return self._decoder.nats(
            params, z, *x, dropout=self._dropout, word_drop=self._word_drop, **how
        )  # fmt: skip

    def _log_likelihood(self, params: Mapping[str, Any], x: _Rows, z: Any) -> Any:
        return -self._target_nats(params, x, z).by_row(len(z))

    def evaluate(
        self, batches: Iterable[Any], *, rng: "Generator | None" = None
    ) -> dict[str, float]:
        """Return the bound over all sentences of all batches, its two parts, and perplexity.

        Parameters
        ----------
        batches : iterable
            As `loss` takes each; a weight is not looked at.
        rng : numpy.random.Generator or None
            Of z; None: the same noise every time.

        Returns
        -------
        dict
            ``"loss"``, ``"kl"`` minus ``"reconstruction"``, in nats for a sentence;
            ``"perplexity"``, exp of the loss for each symbol, the ends included.

        Raises
        ------
        TypeError, ValueError
            As `loss`; there is no sentence in all batches.
        """
        source = noise_for(rng)
        sums, rows, symbols = np.zeros(2), 0, 0
        for batch in batches:
            x = self._enter(batch)
            mu, logvar = self._posterior(self.params, x)
            z = ops.reparameterise(mu, logvar, rng=source)
            sums[0] += self._log_likelihood(self.params, x, z).sum()
            sums[1] += ops.gaussian_kl(mu, logvar).sum(dtype=np.float64)
            rows, symbols = rows + len(mu), symbols + int(x[1].sum()) + len(mu)
        if rows == 0:
            raise ValueError("batches must hold at least one sentence, got none")
        reconstruction, kl = (sums / rows).tolist()
        return {
            "loss": kl - reconstruction, "reconstruction": reconstruction, "kl": kl,
            "perplexity": perplexity(float(sums[1] - sums[0]), symbols),
        }  # fmt: skip

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
