"""HRED: replies from a context that has heard every turn of the dialogue."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastrnn.init import generator
from fastrnn.metrics import perplexity
from fastrnn.models._dialogue.segments import Segmented
from fastrnn.models._dialogue.talking import Talking

if TYPE_CHECKING:
    from numpy.random import Generator


class HRED(Segmented, Talking):
    """The hierarchical recurrent encoder-decoder.

    One layer reads each turn into a vector, one goes over these vectors from turn to turn, and one
    says the next turn from the state of the second.

    Parameters
    ----------
    cell : {"gru", "lstm", "rnn"}
    vocab : int or Vocabulary
        V, at least 5: 0..3 are PAD, UNK, BOS and EOS. That a dialogue ends can be a symbol, too.
    hidden_size : int
        H of the layer that reads a turn.
    context_size, decoder_size : int or None
        Of the other two layers; None: H.
    embedding_size : int or None
        E, of one table for what is read and said; None: H.
    bidirectional_utterance : bool
        Read each turn from both ends.
    decoder_input : {"every", "init", "gated"}
        Where the context enters what is said: at every step and as the initial state; as that
        alone; or at every step through gates that see the word before.
    attention : bool
        Attend to the vectors of all turns before, at each step of what is said.
    speakers : int
        How many there are, each with a vector of its own that marks the turns it said for the
        context, and one for what it is about to say; 0: turns bear no marks.
    dropout : float
        Of what the context hears of each turn, and of what enters the output layer, while learning.
    word_drop : float
        How probable it is that a word which the decoder sees while learning becomes UNK.
    dtype : dtype
        float32 or float64.
    rng : numpy.random.Generator or None
        Where the first weights come from; None: fresh entropy.
    **layer_options
        More options of the layers: `truncate`, `clip_step`; without attention `forget_bias`,
        `peephole`, `reset_after` and `nonlinearity`, too.

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
    >>> talks = [["hello", "hello you"], ["bye", "good bye", "bye"]]
    >>> words = Vocabulary.from_texts([t for talk in talks for t in talk], level="word")
    >>> model = HRED("gru", words, 16, rng=np.random.default_rng(0))
    >>> batch = pack_dialogues([[words.encode(turn) for turn in talk] for talk in talks])
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
            layer_options=layer_options, own_options={"word_drop": word_drop},
        )  # fmt: skip

    def loss(self, params: Mapping[str, Any], batch: Any, rng: "Generator | None" = None) -> Any:
        """Return the mean of −ln p of what is said: a pure function of params.

        Parameters
        ----------
        params : nested dict
            Of the names and shapes of `params`, which are not looked at.
        batch : tuple (tokens, lengths, turns), or with said, or speakers, or both after them
            The first three as `fastrnn.data.pack_dialogues` returns them. said is bool, (U,):
            which turns are to be said; without it all but the first of each dialogue. The first
            cannot be. speakers is int, (U,): who says each turn; without it they take turns.
        rng : numpy.random.Generator or None
            Where what is dropped is drawn with; None: nothing is dropped.

        Returns
        -------
        float, or what autograd traces as one
            Nats for a symbol, the end of each turn included; 0 if nothing is to be said.

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
        """Return the loss, and where a batch begins that goes on with the same dialogues.

        Parameters
        ----------
        params, rng
            As `loss`.
        batch : tuple
            As `loss` takes it; or one of `segmented`, which says whether it goes on.
        state : what the call before returned
            Looked at if the batch goes on. While autograd differentiates, pass plain arrays to cut
            the gradient here.

        Returns
        -------
        loss : float, or what autograd traces as one
        state : dict or None
            The context, and what there is to attend to; None after whole dialogues.

        Raises
        ------
        TypeError, ValueError
            As `loss`; the batch goes on and there is no state.
        """
        d = self._enter(batch)
        heard = self._hear(params, d, state, learning=True, rng=rng)
        said = self._say(params, d, heard.contexts, heard.memory, rng=rng, learning=True)
        return said.nats.sum() / max(d.symbols, 1), heard.after

    def nats(self, batch: Any) -> NDArray[np.float64]:
        """Return −ln p of each turn that is to be said.

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
        heard = self._hear(self.params, d)
        said = self._say(self.params, d, heard.contexts, heard.memory)
        found: NDArray[np.float64] = said.by_row(len(heard.contexts))
        return found

    def evaluate(self, batches: Iterable[Any]) -> dict[str, float]:
        """Return how well the model predicts what is said.

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
            As `loss`; nothing is to be said in all batches.
        """
        total, symbols = 0.0, 0
        for batch in batches:
            total += float(self.nats(batch).sum())
            symbols += self._enter(batch).symbols
        if symbols == 0:
            raise ValueError("batches must hold at least one turn to be said, got none")
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
        """Say what comes after a history.

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
            Who said each turn, and who shall reply; None: they take turns.
        rng : numpy.random.Generator or None
            Where they are drawn with; None: fresh entropy.
        **options
            Of draws: top_k and top_p of `fastrnn.decode.sample`. Of the search at temperature 0:
            beam_size, length_penalty, alpha and word_penalty of `fastrnn.decode.beam_search`. Of
            both: min_length and block_ngram_repeat of `fastrnn.decode.Rules`.

        Returns
        -------
        str or ndarray of int64, or list of n
            Strings with a Vocabulary. PAD, UNK and BOS are never said.

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
        """Say what comes after each of many histories, side by side.

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
