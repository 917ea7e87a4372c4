"""Dialogues with known truth: what has to be remembered, and how uncertain a reply really is."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NAMES = (
    "anna", "ben", "clara", "david", "emma", "felix", "grace", "hugo",
    "iris", "jonas", "karin", "leo", "maria", "nils", "olga", "paul",
)  # fmt: skip
QUESTIONS = (
    ("what is the capital of france ?", "it is paris ."),
    ("how many legs has a spider ?", "it has eight legs ."),
    ("which colour has snow ?", "snow is white ."),
    ("do you like music ?", "yes , very much ."),
    ("what do cows drink ?", "they drink water ."),
    ("how are you ?", "i am fine , thank you ."),
)


class SlotDialogue(NamedTuple):
    """A dialogue whose last reply depends on an earlier turn.

    Attributes
    ----------
    turns : list of str
        Utterances, the asker's and the answerer's in turns; the last one is the answer to the
        probe, and a model has to give it from the others.
    name : str
        The word that is asked for.
    lag : int
        D, exchanges from where the name was said (last) to the probe.
    overwritten : bool
        Whether another name had been said before it.
    """

    turns: list[str]
    name: str
    lag: int
    overwritten: bool


def slot_dialogues(
    rng: np.random.Generator,
    N: int,
    *,
    lag: int | tuple[int, int] = (1, 6),
    names: Sequence[str] = NAMES,
    questions: Sequence[tuple[str, str]] = QUESTIONS,
    overwrite: float = 0.25,
    longest: int = 8,
) -> list[SlotDialogue]:
    r"""Draw dialogues in which someone says a name, and asks for it `lag` exchanges later.

    The name is drawn evenly. Who sees the last utterance only is right once in K = len(names)
    times, and needs at least ln K nats for the name (`slot_bounds`); who remembers is always right.

    Parameters
    ----------
    rng : Generator
    N : int
    lag : int or (int, int)
        D: the probe comes D exchanges after the name, so D − 1 questions stand between.
    names : sequence of str
    questions : sequence of (str, str)
        What else is asked, with its answer.
    overwrite : float
        The probability of a new name, of which the lag is counted, where there is room for one.
    longest : int
        The most exchanges of a dialogue.

    Raises
    ------
    ValueError
        A lag does not fit into `longest`, or there are no names or questions.

    Examples
    --------
    >>> import numpy as np
    >>> from toys import dialogues
    >>> (one,) = dialogues.slot_dialogues(np.random.default_rng(0), 1, lag=2)
    >>> print(*one.turns, sep="\n")
    my name is maria .
    hello maria .
    what is the capital of france ?
    it is paris .
    call me karin .
    hello karin .
    what is the capital of france ?
    it is paris .
    what is my name ?
    your name is karin .
    """
    low, high = (lag, lag) if isinstance(lag, int) else lag
    if not 1 <= low <= high < longest:
        raise ValueError(f"lag must be between 1 and longest − 1 = {longest - 1}, got {lag}")
    if len(set(names)) < 2 or not questions:
        raise ValueError("names must be two at least, and questions one")
    found = []
    for _ in range(N):
        wanted = int(rng.integers(low, high + 1))
        before, after = (names[i] for i in rng.choice(len(names), 2, replace=False))
        room = longest - wanted - 1  # exchanges that may stand before the name
        overwritten = room > 0 and rng.random() < overwrite
        if overwritten:
            turns = [f"my name is {before} .", f"hello {before} ."]
            turns += _asked(rng, questions, int(rng.integers(0, room)))
            turns += [f"call me {after} .", f"hello {after} ."]
        else:
            turns = [f"my name is {after} .", f"hello {after} ."]
        turns += _asked(rng, questions, wanted - 1)
        turns += ["what is my name ?", f"your name is {after} ."]
        found.append(SlotDialogue(turns, after, wanted, overwritten))
    return found


def slot_bounds(names: Sequence[str] = NAMES) -> tuple[float, float]:
    """Return what a model reaches that sees the last utterance only: share right, nats a name.

    Examples
    --------
    >>> from toys import dialogues
    >>> dialogues.slot_bounds()
    (0.0625, 2.772588722239781)
    """
    return 1 / len(names), float(np.log(len(names)))


def _asked(
    rng: np.random.Generator, questions: Sequence[tuple[str, str]], exchanges: int
) -> list[str]:
    """Return that many questions with their answers."""
    return [turn for i in rng.integers(0, len(questions), exchanges) for turn in questions[i]]


class ModeDialogues:
    """A context, and replies of one of several kinds (modes), so that the entropy is known.

    Mode m is drawn from p(m | c). Its replies are a frame of 6 to 10 words: its own opening and
    closing word, and between them places each of which takes one of a few words of the mode
    evenly. No two modes share a word, so a reply tells its mode and
    H(r | c) = H(m | c) + Σ_m p(m | c)·places_m·ln choices. With `told_by` one word alone is the
    mode's own; the others, and the length, are those of any mode.

    Parameters
    ----------
    rng : Generator
        Draws p(m | c).
    contexts : int
        How many contexts there are.
    modes : int
        M.
    choices : int
        Words that a place may take.
    shortest, longest : int
        Words of a reply, at least 3; mode m has shortest + m mod (longest − shortest + 1), or
        shortest where one word tells the mode.
    skew : float
        Mode k of a context, in an order drawn for it, has weight skew^k; 1 makes them equal.
    told_by : {"every", "first", "middle", "last"}
        Which word of a reply tells its mode.

    Attributes
    ----------
    p : ndarray of float64, (C, M)
        p(m | c).
    mode_entropy, entropy : ndarray of float64, (C,)
        H(m | c) and H(r | c) in nats: no model of replies has a smaller loss.

    References
    ----------
    The problem it isolates: Serban et al., "A hierarchical latent variable encoder-decoder model
    for generating dialogues", 2017, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from toys import dialogues
    >>> rng = np.random.default_rng(0)
    >>> source = dialogues.ModeDialogues(rng, contexts=2, modes=3)
    >>> one = source.draw(rng, 1)[0]
    >>> one.context, one.reply
    ('tell me about topic0 .', 'open2 b2x0 c2x1 d2x2 e2x1 f2x1 g2x2 close2')
    >>> source.mode_of(one.reply) == one.mode
    True
    >>> source.entropy.round(3)
    array([6.656, 6.806])
    """

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        contexts: int = 4,
        modes: int = 8,
        choices: int = 3,
        shortest: int = 6,
        longest: int = 10,
        skew: float = 0.7,
        told_by: str = "every",
    ) -> None:
        if not 3 <= shortest <= longest <= 28:
            raise ValueError(f"shortest and longest must be in 3..28, got {shortest}, {longest}")
        if not 0 < skew <= 1:
            raise ValueError(f"skew must be in (0, 1], got {skew}")
        telling = {"every": None, "first": 0, "middle": shortest // 2, "last": shortest - 1}
        if told_by not in telling:
            raise ValueError(f"told_by must be one of {', '.join(telling)}, got {told_by!r}")
        self._telling = telling[told_by]
        longer = longest - shortest if self._telling is None else 0
        self.lengths = [shortest + m % (longer + 1) for m in range(modes)]
        weights = skew ** np.array([rng.permutation(modes) for _ in range(contexts)], float)
        self.p: Floats = weights / weights.sum(1, keepdims=True)
        self.mode_entropy: Floats = -(self.p * np.log(self.p)).sum(1)
        self.choices = choices
        chosen = -2 if self._telling is None else -1
        noise = (np.array(self.lengths) + chosen) * np.log(self.choices)
        self.entropy: Floats = self.mode_entropy + self.p @ noise

    def context(self, c: int) -> str:
        """Return the utterance that is context c."""
        return f"tell me about topic{c} ."

    def _words(self, mode: int, place: int) -> list[str]:
        """Return what may stand at a place of a mode's replies."""
        if self._telling is not None:
            if place == self._telling:
                return [f"kind{mode}"]
            return [f"{chr(ord('a') + place)}x{i}" for i in range(self.choices)]
        if place == 0:
            return [f"open{mode}"]
        if place == self.lengths[mode] - 1:
            return [f"close{mode}"]
        return [f"{chr(ord('a') + place)}{mode}x{i}" for i in range(self.choices)]

    def draw(self, rng: np.random.Generator, N: int) -> list["ModeDialogue"]:
        """Return N dialogues, contexts drawn evenly."""
        found = []
        for c in rng.integers(0, len(self.p), N):
            mode = int(rng.choice(self.p.shape[1], p=self.p[c]))
            places = [self._words(mode, place) for place in range(self.lengths[mode])]
            reply = " ".join(words[int(rng.integers(len(words)))] for words in places)
            found.append(ModeDialogue(self.context(int(c)), reply, int(c), mode))
        return found

    def mode_of(self, reply: str) -> int | None:
        """Return the mode of a reply, None when no mode can have said it.

        A reply that begins in one mode and goes on in another belongs to none: the share of None
        among a model's replies is the share of inconsistent ones.
        """
        words = reply.split()
        for mode, n in enumerate(self.lengths):
            if len(words) == n and all(
                word in self._words(mode, place) for place, word in enumerate(words)
            ):
                return mode
        return None

    def opening_mode(self, reply: str) -> int | None:
        """Return the mode whose opening word a reply has, whatever follows."""
        first = reply.partition(" ")[0]
        openings = {self._words(mode, 0)[0]: mode for mode in range(len(self.lengths))}
        return openings.get(first)


class ModeDialogue(NamedTuple):
    """An utterance, a reply to it, and which context and mode they are of.

    Attributes
    ----------
    context : str
    reply : str
    c, mode : int
    """

    context: str
    reply: str
    c: int
    mode: int
