"""What a Word2Vec holds and does: which words it takes, matrices, a file, a training."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastrnn import _core
from fastrnn._checks import Array, integer, number
from fastrnn.data.word_vectors import WordVectors
from fastrnn.models._parts.model import Model
from fastrnn.models.word2vec._corpus import Counted
from fastrnn.models.word2vec._ranks import Ranks
from fastrnn.models.word2vec._run import Rows, Schedule, Watch, padded_rows, run

RULE_DEFAULT, RULE_DISCARD, RULE_KEEP = 0, 1, 2  # what a rule returns; as in gensim
Rule = Callable[[str, int, int], int]


def checked_rule(name: str, rule: Any) -> Rule | None:
    """Return a rule, or None."""
    if rule is not None and not callable(rule):
        raise TypeError(f"{name} must be None or a function of word, count and min_count")
    checked: Rule | None = rule
    return checked


def chosen(
    counted: Counted, least: int, most: int | None, most_final: int | None, rule: Rule | None
) -> Counted:
    """Return the words that are taken, in their order: the most frequent first.

    Parameters
    ----------
    counted : Counted
        Words of a text, the most frequent first.
    least : int
        Rarer words are left out,
    most : int or None
        all but so many of the most frequent ones before any other rule is asked, and
    most_final : int or None
        all that are not more frequent than the first word beyond so many, however often they come.
    rule : function of word, count and least, or None
        Says RULE_KEEP or RULE_DISCARD whatever the count is, or RULE_DEFAULT.
    """
    words, counts = counted.words[:most], counted.counts[:most]
    frequent = counts >= least
    if most_final is not None and int(frequent.sum()) > most_final:
        least = int(counts[most_final]) + 1
        frequent = counts >= least
    if rule is not None:
        for row, (word, count) in enumerate(zip(words, counts.tolist(), strict=True)):
            decision = rule(word, count, least)
            if decision not in (RULE_DEFAULT, RULE_DISCARD, RULE_KEEP):
                raise ValueError(f"trim_rule must return 0, 1 or 2, got {decision!r} for {word!r}")
            if decision != RULE_DEFAULT:
                frequent[row] = decision == RULE_KEEP
    kept = np.flatnonzero(frequent)
    return replace(counted, words=[words[row] for row in kept.tolist()], counts=counts[kept])


_MOST_SOFTMAX = 4096  # words over which a full softmax is sensible
_WORDS, _COUNTS, _LOSSES = "words", "counts", "losses"


class Word2VecBase(Model):
    """The state of a Word2Vec; its public methods are in `__init__.py`."""

    _progress = False
    _trim_rule: Rule | None = None
    _callbacks: tuple[Any, ...] = ()
    _ranks = Ranks(None)
    _latest_loss = 0.0
    _wv: WordVectors | None = None
    _source_of_wv: Any = None

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        del self.config["vocab"]  # the words are in the tensors
        self.losses: list[float] = []
        self.corpus_count: int | None = None
        self.corpus_total_words: int | None = None
        self._set_words([], np.zeros(0, np.int64))

    @property
    def _threads(self) -> int:
        return 1 if self.config["deterministic"] else int(self.config["workers"])

    def _set_words(self, words: list[str], counts: NDArray[np.int64]) -> None:
        """Take these words; those that stood in the same places before keep their vectors."""
        config, old = self.config, getattr(self, "params", {})
        softmax = config["negative"] == 0 and not config["hs"]
        if softmax and len(words) > _MOST_SOFTMAX:
            raise ValueError(
                f"negative must be above 0, or hs 1, for more than {_MOST_SOFTMAX} words, "
                f"got {len(words)} words"
            )
        self._words, self._counts = words, counts
        shape = (len(words), config["vector_size"])
        self._rows = Rows(
            padded_rows(*shape),
            padded_rows(*shape) if config["negative"] or softmax else None,
            padded_rows(*shape) if config["hs"] else None,
        )
        self.params = {
            name: rows[:, : shape[1]]
            for name, rows in vars(self._rows).items()
            if rows is not None
        }
        known = len(old.get("vectors", ()))
        rng = np.random.default_rng([config["seed"], known])
        fresh = self.params["vectors"][known:]
        # As gensim 4 begins. With word2vec.c's half of it, vectors of rare words stay so alike that
        # CBOW answered 1.6 points fewer syntactic analogies (3 seeds of word2vec_quality's text).
        fresh[...] = (2 * rng.random(fresh.shape, np.float32) - 1) / config["vector_size"]
        for name, array in old.items():
            self.params[name][:known] = array

    def _take_words(self, text: Any, update: bool, rule: Rule | None = None) -> int:
        """Set or extend the vocabulary; return how many words of the text are in it."""
        config, least = self.config, self.config["min_count"]
        rule = rule or self._trim_rule
        counted = text.count(1 if update or rule else least, self._threads)
        if counted.total == 0:
            raise ValueError("the text must hold at least one word, got none")
        taken = chosen(
            counted, least, config["max_vocab_size"], config["max_final_vocab"], rule
        )
        words, counts = taken.words, taken.counts
        if update:
            words, counts = _merged(self._words, self._counts, counted, taken)
        else:
            self.params = {}
        if not words:
            raise ValueError(
                f"min_count must leave at least one word, got {least}, with which none of "
                f"{counted.distinct} different words is taken"
            )
        self._set_words(words, counts)
        self.corpus_count, self.corpus_total_words = counted.sentences, counted.total
        return self._known_of(counted)

    def _known_of(self, counted: Counted) -> int:
        """Return how many words of a text are in the vocabulary."""
        known = set(self._words)
        rows = zip(counted.words, counted.counts.tolist(), strict=True)
        return sum(n for word, n in rows if word in known)

    def _teach(
        self,
        text: Any,
        words: int,
        epochs: Any,
        start_alpha: Any,
        end_alpha: Any,
        callbacks: Any = (),
    ) -> list[float]:
        if words == 0:
            raise ValueError("the text must hold words of the vocabulary, got none")
        config = self.config
        times = config["epochs"] if epochs is None else integer("epochs", epochs, 1)
        first = config["alpha"] if start_alpha is None else number("start_alpha", start_alpha, 0.0)
        last = config["min_alpha"] if end_alpha is None else number("end_alpha", end_alpha, 0.0)
        self._adopt()
        rows = [self._rows.vectors]
        rows += [self._rows.outputs] if self._rows.outputs is not None else []
        if self._rows.nodes is not None:
            rows.append(self._rows.nodes[::-1])  # the last nodes are those near the root
        self._ranks.begin(self._words, self._counts, (times, words), rows)
        alphas = first * self._ranks.size, last * self._ranks.size
        losses = run(
            self._tables(), self._rows, text.source(self._words),
            Schedule(times, words, *alphas, config["seed"], self._threads),
            len(self.losses), Watch(self, callbacks or self._callbacks, self._progress),
            self._ranks,
        )  # fmt: skip
        self.losses += losses
        return losses

    def _tables(self) -> Any:
        config = self.config
        return _core.Word2VecTables(
            self._counts, bool(config["sg"]), bool(config["hs"]), bool(config["cbow_mean"]),
            config["shrink_windows"], config["window"], config["negative"], config["ns_exponent"],
            config["sample"],
        )  # fmt: skip

    def _adopt(self) -> None:
        """Copy arrays that the user has put into `params` to where the core works."""
        for name, rows in vars(self._rows).items():
            if rows is None:
                continue
            own = rows[:, : self.config["vector_size"]]
            given = self.params[name]
            if given.shape != own.shape:
                raise ValueError(f"params[{name!r}] must have shape {own.shape}, got {given.shape}")
            if not np.may_share_memory(given, own):
                own[...] = given
                self.params[name] = own

    def _tensors(self) -> dict[str, Array]:
        """Return the words, one a line, their counts, and the losses so far."""
        text = "".join(f"{word}\n" for word in self._words).encode()
        return {
            _WORDS: np.frombuffer(text, np.uint8),
            _COUNTS: self._counts,
            _LOSSES: np.array(self.losses, np.float64),
        }

    @classmethod
    def _restored(cls, tensors: dict[str, Array], config: Mapping[str, Any]) -> Self:
        words = tensors.pop(_WORDS).tobytes().decode().split("\n")[:-1]
        counts, losses = tensors.pop(_COUNTS), tensors.pop(_LOSSES)
        fits = counts.shape == (len(words),) and counts.dtype == np.int64
        if not fits or len(set(words)) < len(words):
            raise ValueError("its words and counts do not fit together")
        options = dict(config)
        maker: Any = cls
        model: Self = maker(**{**options, "workers": options["workers"] or None})
        model._set_words(words, counts)
        model._fill(tensors)
        model.losses = losses.tolist()
        return model


def _merged(
    words: list[str], counts: NDArray[np.int64], more: Counted, taken: Counted
) -> tuple[list[str], NDArray[np.int64]]:
    """Return the words with those that are taken of another text, and the sums of the counts."""
    more_counts = dict(zip(more.words, more.counts.tolist(), strict=True))
    sums = [n + more_counts.get(word, 0) for word, n in zip(words, counts.tolist(), strict=True)]
    known = set(words)
    fresh = {word: more_counts[word] for word in taken.words if word not in known}
    return [*words, *fresh], np.array([*sums, *fresh.values()], np.int64)
