"""VHRED, the variational HRED: replies from a context and a latent vector drawn for each turn."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import DTypeLike

from fastrnn import ops
from fastrnn._checks import Array, floats, generator, integer, number
from fastrnn.data import DialogueBatch
from fastrnn.metrics import perplexity
from fastrnn.models._dialogue.dialogues import Dialogues, as_batch
from fastrnn.models._dialogue.model import DialogueModel, EncodedDialogues
from fastrnn.models._dialogue.segments import Segmented
from fastrnn.models._latent.annealing import Annealing, schedule
from fastrnn.models._latent.bounds import Bounds, Measured
from fastrnn.models._latent.gaussians import (
    gaussian,
    gaussian_params,
    kl_of_units,
    noise_for,
    with_free_bits,
)
from fastrnn.models._parts.dense import affine
from fastrnn.models._parts.output import FULL, OutputLoss
from fastrnn.models._parts.reader import linear_params

if TYPE_CHECKING:
    from numpy.random import Generator


class VHRED(Segmented, Annealing, DialogueModel, Bounds):
    """The hierarchical recurrent encoder-decoder with a latent vector for each turn.

    The prior is a Gaussian over latent vectors z, given the turns before: to reply, z is drawn from
    it. While training z is drawn from the posterior, a Gaussian given the reply as well.

    Parameters
    ----------
    cell, vocab, hidden_size, context_size, decoder_size, embedding_size
        As `HRED`.
    z_dim : int
        Z, the length of a latent vector.
    bidirectional_utterance, decoder_input, attention, speakers, dropout
    loss, num_samples, proposal
        As `HRED`; context and latent vector enter the decoder.
    word_drop : float
        Probability that an input symbol of the decoder becomes UNK, while training.
    kl_schedule : int, (int, int) or None
        After how many updates of `fit` the weight of the divergence has risen from 0 to 1. Of two
        numbers, it is 0 up to the first, so that z is used before it costs. None: it is always 1.
    free_bits : float
        Nats of each unit of z that cost nothing while training.
    bag_of_words : float
        Weight of a second loss, which predicts the words of the reply in any order from context and
        z alone; 0: none.
    dtype : dtype
        float32 or float64.
    rng : numpy.random.Generator or None
        Where the first weights come from; None: fresh entropy.
    **layer_options
        As `HRED`.

    Attributes
    ----------
    params : dict
        As `HRED`, and ``"prior"`` and ``"posterior"``, a hidden layer and the heads ``"mu"`` and
        ``"logvar"`` each; with a bag of words ``"bag"``.

    Raises
    ------
    TypeError, ValueError
        An option has the wrong type, is out of range, or unknown.

    Notes
    -----
    A decoder that sees every word before the next one can do without z. Then the divergence is 0
    (posterior collapse), and the loss may still be good. `evaluate` gives the divergence apart, and
    `kl_schedule`, `word_drop`, `free_bits` and `bag_of_words` are against it.

    References
    ----------
    Serban et al., "A Hierarchical Latent Variable Encoder-Decoder Model for Generating Dialogues",
    2017; Zhao et al., "Learning Discourse-level Diversity for Neural Dialog Models using
    Conditional Variational Autoencoders", 2017, section 3.3 (bag of words).

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.data import pack_dialogues
    >>> from fastrnn.models import VHRED
    >>> model = VHRED("gru", 12, 8, 2, word_drop=0.2, rng=np.random.default_rng(0))
    >>> batch = pack_dialogues([[[4, 5], [6]], [[7], [8, 9], [4]]])
    >>> sorted(model.evaluate([batch]))
    ['kl', 'loss', 'perplexity', 'reconstruction']
    >>> len(model.reply([[4, 5], [6]], n=3, max_length=4, rng=np.random.default_rng(0)))
    3
    """

    _reads_targets = True

    def __init__(
        self,
        cell: str,
        vocab: Any,
        hidden_size: int,
        z_dim: int,
        *,
        context_size: int | None = None,
        decoder_size: int | None = None,
        embedding_size: int | None = None,
        bidirectional_utterance: bool = True,
        decoder_input: str = "every",
        attention: bool = False,
        speakers: int = 0,
        word_drop: float = 0.0,
        kl_schedule: int | tuple[int, int] | None = None,
        free_bits: float = 0.0,
        bag_of_words: float = 0.0,
        dropout: float = 0.0,
        loss: str = "full",
        num_samples: int | None = None,
        proposal: str | None = None,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
        **layer_options: Any,
    ) -> None:
        source, Z = generator(rng), integer("z_dim", z_dim, 1)
        self._z_dim, self._free = Z, number("free_bits", free_bits, 0)
        self._bag = number("bag_of_words", bag_of_words, 0)
        super().__init__(
            cell, vocab, hidden_size, context_size=context_size, decoder_size=decoder_size,
            embedding_size=embedding_size, bidirectional_utterance=bidirectional_utterance,
            decoder_input=decoder_input, attention=attention, speakers=speakers,
            dropout=dropout, word_drop=word_drop, dtype=dtype, rng=source, latent=Z,
            output=(loss, num_samples, proposal), layer_options=layer_options,
            own_options={
                "z_dim": Z, "word_drop": word_drop, "kl_schedule": schedule(kl_schedule),
                "free_bits": free_bits, "bag_of_words": bag_of_words,
            },
        )  # fmt: skip
        W, C = self._sizes
        for name, columns in (("prior", C), ("posterior", C + W)):
            self.params[name] = {
                "hidden": linear_params(C, columns, self.dtype, source),
                **gaussian_params(Z, C, self.dtype, source),
            }
        if self._bag > 0:
            self.params["bag"] = {
                "hidden": linear_params(C, C + Z, self.dtype, source),
                "out": linear_params(self._vocab, C, self.dtype, source),
            }

    def loss(self, params: Mapping[str, Any], batch: Any, rng: "Generator | None" = None) -> Any:
        """Return minus the lower bound on ln p of the target turns: a pure function of params.

        Parameters
        ----------
        params : nested dict
            Of the names and shapes of `params`, which are not looked at.
        batch : tuple
            As `HRED.loss` takes it. `weight` is that of the divergence; in a plain tuple it is the
            last element.
        rng : numpy.random.Generator or None
            Of z, dropout and the sample; None: nothing is dropped, all symbols take part, and the
            noise of z is the same every time.

        Returns
        -------
        float, or what autograd traces as one
            Nats for a symbol, with the part of `bag_of_words`; 0 if there is no target.

        Raises
        ------
        TypeError, ValueError
            A part of batch has the wrong type, shape, or a value out of range.
        """
        return self.loss_with_state(params, batch, None, rng)[0]

    def loss_with_state(
        self,
        params: Mapping[str, Any],
        batch: Any,
        state: Any = None,
        rng: "Generator | None" = None,
    ) -> tuple[Any, Any]:
        """Return the loss, and the state for a batch that continues the same dialogues.

        Parameters
        ----------
        params, batch, state, rng
            As `loss` and `HRED.loss_with_state`.

        Returns
        -------
        loss : float, or what autograd traces as one
        state : dict or None

        Raises
        ------
        TypeError, ValueError
            As `loss`; the batch continues another and there is no state.
        """
        weight, d = number("weight", as_batch(batch).weight, 0), self._enter(batch)
        encoded, posterior, prior = self._gaussians(params, d, state, learning=True, rng=rng)
        z = ops.reparameterise(*posterior, rng=noise_for(rng))
        condition = anp.concatenate([encoded.contexts, z], axis=1)
        nats = self._target_nats(
            params, d, condition, encoded.memory, rng=rng, learning=True, reduction="sum"
        ).nats
        kl = with_free_bits(kl_of_units(*posterior, *prior), self._free)
        total = nats + weight * kl
        if self._bag > 0:
            total = total + self._bag * bag_nats(params["bag"], condition, d, self._output, rng)
        return total / max(d.symbols, 1), encoded.state

    def _weighted(self, batch: Any, weight: float) -> DialogueBatch:
        return as_batch(batch)._replace(weight=weight)

    def evaluate(
        self, batches: Iterable[Any], *, rng: "Generator | None" = None
    ) -> dict[str, float]:
        """Return the bound over all target turns, its two parts, and perplexity.

        Parameters
        ----------
        batches : iterable of tuple
            As `loss` takes each; a weight is not looked at.
        rng : numpy.random.Generator or None
            Of z; None: the same noise every time.

        Returns
        -------
        dict
            ``"reconstruction"`` and ``"kl"``, nats for a turn; ``"loss"``, their difference in
            nats for a symbol; ``"perplexity"``, its exp.

        Raises
        ------
        TypeError, ValueError
            As `loss`; there is no target in all batches.
        """
        source = noise_for(rng)
        sums, turns, symbols = np.zeros(2), 0, 0
        for batch in batches:
            mu, logvar, prior, log_likelihood = self._measured(batch)
            sums[0] += log_likelihood(ops.reparameterise(mu, logvar, rng=source)).sum()
            sums[1] += ops.gaussian_kl(mu, logvar, *prior).sum(dtype=np.float64)
            turns, symbols = turns + len(mu), symbols + self._enter(batch).symbols
        if symbols == 0:
            raise ValueError("batches must hold at least one target turn, got none")
        loss = float(sums[1] - sums[0]) / symbols
        return {
            "loss": loss, "reconstruction": float(sums[0] / turns), "kl": float(sums[1] / turns),
            "perplexity": perplexity(loss),
        }  # fmt: skip

    def reply(
        self, history: Sequence[Any], *, n: int | None = None, z: Any = "prior", **options: Any
    ) -> Any:
        """Generate the turn after a history, for latent vectors that are drawn or given.

        Parameters
        ----------
        history : sequence of str, or of array_like of int, (T,)
            As `HRED.reply`.
        n : int or None
            None: one reply; else a list of n, each with a z of its own.
        z : "prior", or array_like, (Z,) or (n, Z)
            Drawn from the prior given the history; or these vectors, of the model's dtype.
        **options
            max_length, temperature, speakers, rng and what else `HRED.reply` takes. z is drawn from
            rng first, so with the temperature 0 it is all that differs from reply to reply.

        Returns
        -------
        str or ndarray of int64, or list of n

        Raises
        ------
        TypeError, ValueError
            history has no turn or holds a symbol out of range, or an option breaks its rule.
        """
        return self._reply(history, n, z, **options)

    def replies(
        self, histories: Sequence[Any], *, n: int | None = None, z: Any = "prior", **options: Any
    ) -> Any:
        """Generate the turns after many histories, as one batch.

        Parameters
        ----------
        histories : sequence of sequence
            As `reply` takes each.
        n, **options
            As `reply`.
        z : "prior", or array_like, (Z,) or (R, Z)
            One row for each reply, those to the first history first.

        Returns
        -------
        list
            What `reply` returns for each.

        Raises
        ------
        TypeError, ValueError
            As `reply`.
        """
        return self._replies(histories, n, z, **options)

    def _prior(self, params: Mapping[str, Any], contexts: Any) -> tuple[Any, Any]:
        return _heads(params["prior"], contexts)

    def _gaussians(
        self, params: Mapping[str, Any], d: Dialogues, state: Any = None, **how: Any
    ) -> tuple[EncodedDialogues, tuple[Any, Any], tuple[Any, Any]]:
        """Return the encoded dialogues, and posterior and prior of each target."""
        encoded = self._encode_dialogues(params, d, state, **how)
        targets = ops.embedding(encoded.vectors, d.target_turns)
        seen = anp.concatenate([encoded.contexts, targets], axis=1)
        return encoded, _heads(params["posterior"], seen), self._prior(params, encoded.contexts)

    def _measured(self, batch: Any) -> Measured:
        d = self._enter(batch)
        encoded, posterior, prior = self._gaussians(self.params, d)

        def log_likelihood(z: Any) -> Array:
            condition = np.concatenate([encoded.contexts, z], axis=1)
            nats = self._target_nats(self.params, d, condition, encoded.memory)
            by_turn: Array = -nats.by_row(len(z))
            return by_turn

        return Measured(*posterior, prior, log_likelihood)

    def encode(self, batch: Any) -> tuple[Array, Array]:
        """Return the posterior over z of each turn that is to be predicted.

        Parameters
        ----------
        batch : tuple
            As `loss` takes it.

        Returns
        -------
        mu, logvar : ndarray, (P, Z)
            Mean, and logarithm of the variance.

        Raises
        ------
        TypeError, ValueError
            As `loss`.
        """
        measured = self._measured(batch)
        return measured.mu, measured.logvar

    def _condition(self, contexts: Any, z: Any, rng: "Generator") -> Any:
        if z is None or (isinstance(z, str) and z == "prior"):
            drawn = ops.reparameterise(*self._prior(self.params, contexts), rng=rng)
        elif isinstance(z, str):
            raise ValueError(f"z must be 'prior' or an array of latent vectors, got {z!r}")
        else:
            drawn = floats("z", z, self.dtype)
            if drawn.shape not in ((self._z_dim,), (len(contexts), self._z_dim)):
                raise ValueError(
                    f"z must have shape (Z,) = ({self._z_dim},) or one row for each reply, "
                    f"({len(contexts)}, {self._z_dim}), got {drawn.shape}"
                )
            drawn = np.broadcast_to(drawn, (len(contexts), self._z_dim))
        return np.concatenate([contexts, drawn], axis=1)


def _heads(params: Mapping[str, Any], x: Any) -> tuple[Any, Any]:
    return gaussian(params, anp.tanh(affine(params["hidden"], x)))


def bag_nats(
    params: Mapping[str, Any],
    condition: Any,
    d: Dialogues,
    output: OutputLoss = FULL,
    rng: "Generator | None" = None,
) -> Any:
    """Return −ln p of the words of all targets in any order: one softmax a turn."""
    y = anp.tanh(affine(params["hidden"], condition))
    T, P = d.targets.shape
    place = np.flatnonzero(np.arange(T)[:, None] < d.target_lengths)
    turns, words, out = place % max(P, 1), d.targets.ravel()[place], params["out"]
    if output.samples(rng):
        y = ops.embedding(y, turns)
        return output(y, out["weight"], out["bias"], words, reduction="sum", rng=rng)
    scores = ops.embedding(affine(out, y), turns)
    return ops.softmax_cross_entropy(scores, words, ignore_index=None, reduction="sum")
