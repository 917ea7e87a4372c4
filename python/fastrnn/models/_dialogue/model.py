"""What `HRED` and `VHRED` share: turns to vectors, vectors to contexts, contexts to replies."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from numpy.typing import DTypeLike

from fastrnn import init, ops
from fastrnn._checks import flag, generator, integer, probability
from fastrnn.data import DialogueBatch, pack_dialogues
from fastrnn.data.arrays import as_ids
from fastrnn.decode._rules import MOST_ROWS
from fastrnn.models._dialogue.dialogues import Dialogues, as_batch, indexed
from fastrnn.models._parts.conditioned import ConditionedDecoder, Memory
from fastrnn.models._parts.decoder import Ids
from fastrnn.models._parts.model import Model, size_of
from fastrnn.models._parts.output import OutputLoss
from fastrnn.models._parts.pooling import last
from fastrnn.models._parts.reader import CELLS, Reader
from fastrnn.models._parts.symbols import as_symbols, as_texts

if TYPE_CHECKING:
    from numpy.random import Generator

    from fastrnn.models.conversation import Conversation


class EncodedDialogues(NamedTuple):
    """A batch of dialogues as vectors, before anything is decoded.

    Attributes
    ----------
    vectors : (U, W)
        One of each turn.
    contexts : (P, C)
        The context from which each target is predicted.
    memory : Memory or None
        What the decoder attends to.
    state : dict or None
        The final state, for a batch that continues these dialogues.
    """

    vectors: Any
    contexts: Any
    memory: Memory | None
    state: dict[str, Any] | None


class DialogueModel(Model):
    """The common part of `HRED` and `VHRED`; see there.

    Parameters
    ----------
    latent : int
        How many columns join the context at the input of the decoder.
    output : (loss, num_samples, proposal)
    word_drop : float
    own_options : dict
        What else belongs to the settings.
    """

    _reads_targets = False

    def __init__(
        self,
        cell: str,
        vocab: Any,
        hidden_size: int,
        *,
        context_size: int | None,
        decoder_size: int | None,
        embedding_size: int | None,
        bidirectional_utterance: bool,
        decoder_input: str,
        attention: bool,
        speakers: int,
        dropout: float,
        word_drop: float,
        dtype: DTypeLike,
        rng: "Generator",
        latent: int,
        output: tuple[Any, Any, Any],
        layer_options: Mapping[str, Any],
        own_options: Mapping[str, Any],
    ) -> None:
        V = self._vocab = integer("vocab", size_of(vocab), 5)
        self._output = OutputLoss(V, *output)
        self._table_rows = self._output.table_rows
        H = integer("hidden_size", hidden_size, 1)
        C = H if context_size is None else integer("context_size", context_size, 1)
        O = H if decoder_size is None else integer("decoder_size", decoder_size, 1)
        self._dropout = probability("dropout", dropout)
        self._word_drop = probability("word_drop", word_drop)
        self._reader = Reader(
            cell, input_size=None, vocab=V, embedding_size=embedding_size, hidden_size=H,
            num_layers=1, bidirectional=bidirectional_utterance, merge_mode="concat", dropout=0.0,
            dtype=dtype, rng=rng, layer_options=layer_options,
        )  # fmt: skip
        self.dtype = self._reader.layer.dtype
        W, E = self._reader.width, self._reader.layer.input_size
        self._context = CELLS[cell](W, C, dtype=self.dtype, rng=rng, **layer_options)
        self._attention = flag("attention", attention)
        self._decoder = ConditionedDecoder(
            cell, V, E, O, C + latent, num_layers=1, decoder_input=decoder_input,
            memory_size=W if self._attention else None, dtype=self.dtype, rng=rng, **layer_options,
        )  # fmt: skip
        self._sizes, self._speakers = (W, C), integer("speakers", speakers, 0)
        self.params = {
            "embedding": self._reader.params["embedding"],
            "encoder": self._reader.params["rnn"],
            "context": self._context.state_dict(),
            "decoder": self._decoder.params,
        }
        if self._speakers:
            self.params["speakers"] = _speaker_params(speakers, W, C, self.dtype, rng)
        super().__init__(
            {"cell": cell, "hidden_size": H, "context_size": context_size,
             "decoder_size": decoder_size, "embedding_size": embedding_size,
             "bidirectional_utterance": bidirectional_utterance, "decoder_input": decoder_input,
             "attention": attention, "speakers": self._speakers, "dropout": dropout,
             **self._output.config, "dtype": self.dtype.name, **own_options, **layer_options},
            vocab,
        )  # fmt: skip

    def _recurrent(self) -> dict[str, Any]:
        return {"encoder": self._reader.layer, "context": self._context}

    def _with_frozen(self, precision: str) -> dict[str, Any]:
        params = super()._with_frozen(precision)
        self._decoder, params["decoder"] = self._decoder.quantized(params["decoder"], precision)
        return params

    def tokens(self, batch: Any) -> int:
        """Return how many symbols of a batch are read: those of all its turns.

        Parameters
        ----------
        batch : tuple
            As `loss` takes it.

        Returns
        -------
        int
        """
        return int(as_ids("lengths", as_batch(batch).lengths, 2**40).sum())

    def terms(self, batch: Any) -> int:
        """Return how many symbols of a batch are predicted, of which its loss is the mean."""
        return self._enter(batch).symbols

    def _enter(self, batch: Any) -> Dialogues:
        return indexed(batch, self._vocab, self._reads_targets, self._speakers)

    def _vectors(self, params: Mapping[str, Any], tokens: Ids, lengths: Ids, **how: Any) -> Any:
        """Return the vectors (U, W) of turns (T, U)."""
        own = {"embedding": params["embedding"], "rnn": params["encoder"]}
        _, state = self._reader(own, tokens, lengths=lengths, **how)
        return last(self._reader.layer, state)

    def _add_speaker(self, params: Mapping[str, Any], which: str, x: Any, speakers: Ids) -> Any:
        """Return x plus the vector of each speaker, if turns have speakers."""
        return x + ops.embedding(params["speakers"][which], speakers) if self._speakers else x

    def _encode_dialogues(
        self,
        params: Mapping[str, Any],
        d: Dialogues,
        state: Any = None,
        learning: bool = False,
        rng: "Generator | None" = None,
    ) -> EncodedDialogues:
        """Return the vectors of all turns and the contexts after them, starting from `state`."""
        if d.continued and state is None:
            raise ValueError(
                "the batch continues another one: call loss_with_state with the state that it "
                "returned for that one"
            )
        begin = state if d.continued else {"context": None, "turns": None}
        vectors = self._vectors(params, d.tokens, d.lengths, rng=rng, learning=learning)
        x = ops.embedding(vectors, d.context_turns)
        x = self._add_speaker(params, "heard", x, d.context_speakers)
        if rng is not None and self._dropout > 0:
            x = ops.dropout(x, self._dropout, rng=rng)
        y, end = self._context.apply(
            params["context"], x, begin["context"], lengths=d.steps, rng=rng
        )
        contexts = ops.embedding(anp.reshape(y, (-1, self._sizes[1])), d.context_rows)
        contexts = self._add_speaker(params, "said", contexts, d.target_speakers)
        memory = None
        if self._attention:
            earlier = 0 if begin["turns"] is None else len(begin["turns"])
            x = anp.concatenate([begin["turns"], x]) if earlier else x
            rows = np.arange(len(x))[:, None] * len(d.steps) + d.target_dialogues
            memory = Memory(
                ops.embedding(anp.reshape(x, (-1, self._sizes[0])), rows), d.turns_before + earlier
            )
        final = {"context": end, "turns": x if self._attention else None}
        return EncodedDialogues(vectors, contexts, memory, None if d.continued is None else final)

    def _target_nats(
        self, params: Mapping[str, Any], d: Dialogues, condition: Any, memory: Memory | None,
        **how: Any,
    ) -> Any:  # fmt: skip
        """Return −ln p of the symbols of all targets."""
        return self._decoder.nats(
            params, condition, d.targets, d.target_lengths, memory=memory, dropout=self._dropout,
            word_drop=self._word_drop, output=self._output, **how,
        )  # fmt: skip

    def _condition(self, contexts: Any, z: Any, rng: "Generator") -> Any:  # noqa: ARG002
        """Return the input of the decoder, (P, C + latent), given contexts (P, C)."""
        if z is not None:
            raise TypeError(f"z is no option of {type(self).__name__}: it has no latent vectors")
        return contexts

    def conversation(self) -> "Conversation":
        """Begin a conversation, of which only the context's state is kept.

        Returns
        -------
        Conversation
        """
        from fastrnn.models.conversation import Conversation

        return Conversation(self)

    def _read_history(self, history: Any) -> list[Ids]:
        if isinstance(history, str) or not isinstance(history, Sequence) or not len(history):
            raise ValueError(
                f"history must be a sequence of at least one turn, got {history!r:.60}"
            )
        return [as_symbols("a turn", turn, self.vocabulary, self._vocab) for turn in history]

    def _reply(
        self, history: Any, n: int | None, z: Any, *, speakers: Any = None, **how: Any
    ) -> Any:
        each = None if speakers is None else [speakers]
        return self._replies([history], n, z, speakers=each, **how)[0]

    def _replies(
        self, histories: Sequence[Any], n: int | None, z: Any, *, speakers: Any = None, **how: Any
    ) -> list[Any]:
        nothing = np.zeros(0, np.int64)  # in place of the reply
        tokens, lengths, turns = pack_dialogues(
            [[*self._read_history(history), nothing] for history in histories]
        )
        targets = np.zeros(len(lengths), np.bool_)
        targets[np.cumsum(turns) - 1] = True
        speaker = None if speakers is None else _concatenated(speakers, turns)
        batch = DialogueBatch(tokens, lengths, turns, targets, speaker)
        d = indexed(batch, self._vocab, False, self._speakers)
        encoded = self._encode_dialogues(self.params, d)
        return self._decoded(encoded.contexts, encoded.memory, n, z, **how)

    def _decoded(
        self,
        contexts: Any,
        memory: Memory | None,
        n: int | None,
        z: Any,
        *,
        rng: "Generator | None" = None,
        **options: Any,
    ) -> list[Any]:
        """Return for each context (P, C) one reply, or a list of n."""
        source, count = generator(rng), 1 if n is None else integer("n", n, 1, MOST_ROWS)
        rows = np.repeat(np.arange(len(contexts)), count)
        condition = self._condition(contexts[rows], z, source)
        if memory is not None:
            memory = Memory(memory.vectors[:, rows], memory.lengths[rows])
        symbols = self._decoder.generate(self.params, condition, memory, source, **options)
        texts = as_texts(symbols, self.vocabulary)
        if n is None:
            return texts
        return [texts[k : k + count] for k in range(0, len(texts), count)]


def _speaker_params(speakers: int, W: int, C: int, dtype: Any, rng: "Generator") -> dict[str, Any]:
    """Return first vectors of speakers, added to the vectors of turns and to contexts."""
    sizes = {"heard": W, "said": C}  # the names in model files
    return {k: init.uniform((speakers, n), n**-0.5, rng, dtype) for k, n in sizes.items()}


def _concatenated(speakers: Any, turns: Ids) -> Ids:
    """Return the speaker of each turn, those of the replies included."""
    rows = [np.asarray(each) for each in speakers]
    for row in rows:
        if row.ndim != 1 or row.dtype.kind not in "iu":
            raise TypeError(f"speakers must be integers, one a turn, got {row.dtype} {row.shape}")
    if [len(row) for row in rows] != turns.tolist():
        raise ValueError(
            "speakers must name who says each turn of a history and the reply: "
            f"{turns.tolist()} of them, got {[len(row) for row in rows]}"
        )
    return np.concatenate(rows) if rows else np.zeros(0, np.int64)
