"""HRED, a hierarchical encoder-decoder for dialogues: replies from a context of all turns."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastrnn._checks import generator
from fastrnn.metrics import perplexity
from fastrnn.models._dialogue.model import DialogueModel
from fastrnn.models._dialogue.segments import Segmented

if TYPE_CHECKING:
    from numpy.random import Generator


class HRED(Segmented, DialogueModel):
    """The hierarchical recurrent encoder-decoder.

    The utterance layer turns each turn into a vector, the context layer runs over these vectors,
    and the decoder generates the next turn from the state of the context layer.

    Parameters
    ----------
    cell : {"gru", "lstm", "rnn"}
    vocab : int or Vocabulary
        V, at least 5: 0..3 are PAD, UNK, BOS and EOS. A symbol of yours can mark the end of a
        dialogue.
    hidden_size : int
        H of the layer that reads a turn.
    context_size, decoder_size : int or None
        Of the other two layers; None: H.
    embedding_size : int or None
        E, of one table for encoder and decoder; None: H.
    bidirectional_utterance : bool
        Read each turn from both ends.
    decoder_input : {"every", "init", "gated"}
        Where the context enters the decoder: at every step and as the initial state; as the initial
        state alone; or at every step through gates computed from the symbol before.
    attention : bool
        Attend to the vectors of all turns before, at each step of the decoder.
    speakers : int
        How many there are. Each has two vectors that are learned: one is added to the vectors of
        its turns, the other to the context from which its next turn is generated. 0: none.
    dropout : float
        Of the inputs of the context layer and of the output layer, while training.
    loss : {"full", "sampled"}
        What `loss` is while learning, that is with an rng: the whole softmax, or with many symbols
        `fastrnn.ops.sampled_softmax`. An update then changes the rows of tables that the batch or
        the sample has, and leaves the others alone. `evaluate`, `nats` and replies take all.
    num_samples : int or None
        How many symbols are drawn for a batch; None: 2,048.
    proposal : {"log_uniform", "uniform"} or None
        Symbol k is drawn in proportion to ``ln(1 + 1/(k + 1))``, which None means, too: a
        Vocabulary has the most frequent words first; or all are drawn alike.
    word_drop : float
        Probability that an input symbol of the decoder becomes UNK, while training.
    dtype : dtype
        float32 or float64.
    rng : numpy.random.Generator or None
        Where the first weights come from; None: fresh entropy.
    **layer_options
        More options of the layers: `truncate`, `clip_step`; without attention `forget_bias`,
        `peephole`, `reset_after`, `nonlinearity` and `compute_dtype`, too.

    Attributes
    ----------
    params : dict
        ``"embedding"``, ``"encoder"``, ``"context"`` and ``"decoder"``; with speakers
        ``"speakers"``, ``"heard"`` (speakers, ·) and ``"said"`` (speakers, ·).

    Raises
    ------
    TypeError, ValueError
        An option has the wrong type, is out of range, or unknown.

    Notes
    -----
    All turns of a batch are one ragged call of the first layer, equal ones once, all dialogues one
    of the second, all replies one of the third; gradients go through all turns. An empty turn is
    read as zeros.

    References
    ----------
    Sordoni et al., "A Hierarchical Recurrent Encoder-Decoder for Generative Context-Aware Query
    Suggestion", 2015; Serban et al., "Building End-To-End Dialogue Systems Using Generative
    Hierarchical Neural Network Models", 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.data import Vocabulary, pack_dialogues
    >>> from fastrnn.models import HRED
    >>> dialogues = [["hello", "hello you"], ["bye", "good bye", "bye"]]
    >>> words = Vocabulary.from_texts([turn for d in dialogues for turn in d], level="word")
    >>> model = HRED("gru", words, 16, rng=np.random.default_rng(0))
    >>> batch = pack_dialogues([[words.encode(turn) for turn in d] for d in dialogues])
    >>> history = model.fit([batch], epochs=60, progress=False)
    >>> model.reply(["hello"]), model.reply(["bye", "good bye"])
    ('hello you', 'bye')
    """

    def __init__(
        self,
        cell: str,
        vocab: Any,
        hidden_size: int,
        *,
        context_size: int | None = None,
        decoder_size: int | None = None,
        embedding_size: int | None = None,
        bidirectional_utterance: bool = True,
        decoder_input: str = "every",
        attention: bool = False,
        speakers: int = 0,
        dropout: float = 0.0,
        loss: str = "full",
        num_samples: int | None = None,
        proposal: str | None = None,
        word_drop: float = 0.0,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
        **layer_options: Any,
    ) -> None:
        super().__init__(
            cell, vocab, hidden_size, context_size=context_size, decoder_size=decoder_size,
            embedding_size=embedding_size, bidirectional_utterance=bidirectional_utterance,
            decoder_input=decoder_input, attention=attention, speakers=speakers, dropout=dropout,
            word_drop=word_drop, dtype=dtype, rng=generator(rng), latent=0,
            output=(loss, num_samples, proposal), layer_options=layer_options,
            own_options={"word_drop": word_drop},
        )  # fmt: skip

    def loss(self, params: Mapping[str, Any], batch: Any, rng: "Generator | None" = None) -> Any:
        """Return the mean of −ln p of the target turns: a pure function of params.

        Parameters
        ----------
        params : nested dict
            Of the names and shapes of `params`, which are not looked at.
        batch : tuple (tokens, lengths, turns), or fastrnn.data.DialogueBatch
            As `fastrnn.data.pack_dialogues` returns them; the named tuple may have targets, which
            turns to predict, and speakers as well. The first turn of a dialogue cannot be a target.
            Of a plain tuple these two may follow the first three.
        rng : numpy.random.Generator or None
            Of dropout and the sample; None: nothing is dropped, and all symbols take part.

        Returns
        -------
        float, or what autograd traces as one
            Nats for a symbol, the end of each turn included; 0 if there is no target.

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
        params, rng
            As `loss`.
        batch : tuple
            As `loss` takes it; or one of `segmented`, which knows whether it continues another.
        state : what the call before returned
            Used if the batch continues another. While autograd differentiates, pass plain arrays
            to cut the gradient here.

        Returns
        -------
        loss : float, or what autograd traces as one
        state : dict or None
            State of the context layer, and vectors to attend to; None after whole dialogues.

        Raises
        ------
        TypeError, ValueError
            As `loss`; the batch continues another and there is no state.
        """
        d = self._enter(batch)
        encoded = self._encode_dialogues(params, d, state, learning=True, rng=rng)
        nats = self._target_nats(
            params, d, encoded.contexts, encoded.memory, rng=rng, learning=True, reduction="sum"
        ).nats
        return nats / max(d.symbols, 1), encoded.state

    def nats(self, batch: Any) -> NDArray[np.float64]:
        """Return −ln p of each target turn.

        Parameters
        ----------
        batch : tuple
            As `loss` takes it.

        Returns
        -------
        ndarray of float64, (P,)
            In the order of the batch; each turn's end is part of it.

        Raises
        ------
        TypeError, ValueError
            As `loss`.
        """
        d = self._enter(batch)
        encoded = self._encode_dialogues(self.params, d)
        nats = self._target_nats(self.params, d, encoded.contexts, encoded.memory)
        by_turn: NDArray[np.float64] = nats.by_row(len(encoded.contexts))
        return by_turn

    def evaluate(self, batches: Iterable[Any]) -> dict[str, float]:
        """Return how well the model predicts the target turns.

        Parameters
        ----------
        batches : iterable of tuple
            As `loss` takes each.

        Returns
        -------
        dict
            ``"loss"``, the mean of −ln p over all symbols in nats; ``"perplexity"``, its exp.

        Raises
        ------
        TypeError, ValueError
            As `loss`; there is no target in all batches.
        """
        total, symbols = 0.0, 0
        for batch in batches:
            total += float(self.nats(batch).sum())
            symbols += self._enter(batch).symbols
        if symbols == 0:
            raise ValueError("batches must hold at least one target turn, got none")
        return {"loss": total / symbols, "perplexity": perplexity(total, symbols)}

    def reply(
        self,
        history: Sequence[Any],
        *,
        n: int | None = None,
        max_length: int = 50,
        temperature: float = 0.0,
        speakers: Sequence[int] | None = None,
        rng: "Generator | None" = None,
        **options: Any,
    ) -> Any:
        """Generate the turn after a history.

        Parameters
        ----------
        history : sequence of str, or of array_like of int, (T,)
            The turns so far, at least one, which may be empty; it may be longer than any in
            training. Words that the Vocabulary does not have are read as UNK.
        n : int or None
            None: one reply; else a list of n.
        max_length : int
            The most symbols of one, at least 1.
        temperature : float
            0: the likeliest symbol at each step, or a beam search; else symbols are drawn, as
            `fastrnn.decode.sample`.
        speakers : sequence of int, or None
            The speaker of each turn and of the reply; None: they take turns.
        rng : numpy.random.Generator or None
            Of the draws; None: fresh entropy.
        **options
            Of draws: top_k and top_p of `fastrnn.decode.sample`. Of the search at temperature 0:
            beam_size, length_penalty, alpha and word_penalty of `fastrnn.decode.beam_search`. Of
            both: min_length and block_ngram_repeat of `fastrnn.decode.Rules`.

        Returns
        -------
        str or ndarray of int64, or list of n
            Strings with a Vocabulary. PAD, UNK and BOS are never generated.

        Raises
        ------
        TypeError, ValueError
            history has no turn, holds a symbol out of range, or an option breaks its rule.
        """
        return self._reply(
            history, n, options.pop("z", None), speakers=speakers, max_length=max_length,
            temperature=temperature, rng=rng, **options,
        )  # fmt: skip

    def replies(self, histories: Sequence[Any], *, n: int | None = None, **options: Any) -> Any:
        """Generate the turns after many histories, as one batch.

        Parameters
        ----------
        histories : sequence of sequence
            As `reply` takes each.
        n, **options
            As `reply`; speakers is a sequence for each history.

        Returns
        -------
        list
            What `reply` returns for each; without draws it is the same.

        Raises
        ------
        TypeError, ValueError
            As `reply`.
        """
        return self._replies(histories, n, options.pop("z", None), **options)
