"""Conversation: the turns so far, and the state of the context after them."""

from typing import TYPE_CHECKING, Any

import numpy as np

from fastrnn._checks import integer
from fastrnn.models._parts.conditioned import Memory
from fastrnn.models._parts.symbols import as_symbols

if TYPE_CHECKING:
    from fastrnn.models._dialogue.model import DialogueModel


class Conversation:
    """A running conversation with `HRED` or `VHRED`, however long: each turn is read once.

    Parameters
    ----------
    model : HRED or VHRED
        Its parameters must not change meanwhile.

    Attributes
    ----------
    history : list
        All turns, as they were given and generated.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.models import HRED
    >>> model = HRED("gru", 12, 8, rng=np.random.default_rng(0))
    >>> conversation = model.conversation()
    >>> conversation.hear([4, 5])
    >>> reply = conversation.reply(max_length=3)
    >>> bool((reply == model.reply([[4, 5]], max_length=3)).all()), len(conversation.history)
    (True, 2)
    """

    def __init__(self, model: "DialogueModel") -> None:
        self._model = model
        self.history: list[Any] = []
        self._state: Any = None
        self._context: Any = None
        self._vectors: list[Any] = []

    def _next(self, speaker: int | None) -> Any:
        """Return the number of the next speaker: the one who is named, or whose turn it is."""
        speakers = self._model._speakers
        if speaker is None:
            return np.array([len(self.history) % max(speakers, 1)])
        if speakers == 0:
            raise ValueError("speaker is named, and the model was made without speakers")
        return np.array([integer("speaker", speaker, 0, speakers - 1)])

    def hear(self, turn: Any, *, speaker: int | None = None) -> None:
        """Read one turn.

        Parameters
        ----------
        turn : str, or array_like of int, (T,)
            May be empty. Unknown words are read as UNK.
        speaker : int or None
            Who says it, of a model with speakers; None: they take turns.

        Raises
        ------
        TypeError, ValueError
            It is a string and the model has no Vocabulary, or holds a symbol out of range.
        """
        model, who = self._model, self._next(speaker)
        ids = as_symbols("a turn", turn, model.vocabulary, model._vocab)
        vector = model._vectors(model.params, ids[:, None], np.array([len(ids)]))
        vector = model._add_speaker(model.params, "heard", vector, who)
        y, self._state = model._context.apply(model.params["context"], vector[None], self._state)
        self._context = y[0]
        if model._attention:
            self._vectors.append(vector)
        self.history.append(turn)

    def reply(
        self, *, n: int | None = None, z: Any = None, speaker: int | None = None, **options: Any
    ) -> Any:
        """Generate the next turn and add it to the history; or generate some to choose from.

        Parameters
        ----------
        n : int or None
            None: one reply, which becomes part of the history. A number: so many replies, of which
            none does; `hear` the one that was chosen.
        speaker : int or None
            Who says it, of a model with speakers; None: they take turns.
        z, **options
            As `VHRED.reply`, for which None is its prior, and `HRED.reply`, which has no z.

        Returns
        -------
        str or ndarray of int64, or list of n

        Raises
        ------
        TypeError, ValueError
            Nothing was heard yet, or an option breaks its rule.
        """
        if self._context is None:
            raise ValueError("a conversation must hear at least one turn before it can reply")
        model, who, memory = self._model, self._next(speaker), None
        if model._attention:
            memory = Memory(np.stack(self._vectors), np.array([len(self._vectors)]))
        context = model._add_speaker(model.params, "said", self._context, who)
        answer = model._decoded(context, memory, n, z, **options)[0]
        if n is None:
            self.hear(answer, speaker=speaker)
        return answer
