"""WordVectors: vectors of words, and queries: similar words, analogies, distances."""

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np

from fastrnn._checks import flag, integer, number
from fastrnn.data import _word_tests
from fastrnn.data._word_table import Array, UnknownWordError, WordTable, listed
from fastrnn.io import CheckpointError, load_checkpoint, save_checkpoint
from fastrnn.io.word2vec_format import load_word2vec_format, save_word2vec_format

_FORMAT = "fastrnn-word-vectors"
_SMALL = 1e-6  # keeps `most_similar_cosmul` from a division by zero
__all__ = ["UnknownWordError", "WordVectors"]


class WordVectors(WordTable):
    """Vectors of words, by the names that gensim's ``KeyedVectors`` has.

    Wherever a word is asked for, its number in `index_to_key` does as well. Lengths are computed
    anew for every question, so that an edit of `vectors` in place is never missed.

    Parameters
    ----------
    words : sequence of str
        All different.
    vectors : array_like of float, (V, E)
        Not copied if it is an array.
    counts : array_like of int or None, (V,)
        How often each word came.

    Attributes
    ----------
    index_to_key : list of str
    key_to_index : dict of str to int
    vectors : ndarray, (V, E)
    counts : ndarray of int64 or None

    Raises
    ------
    TypeError, ValueError
        An argument breaks its rule.

    Examples
    --------
    >>> from fastrnn.data import WordVectors
    >>> wv = WordVectors(["king", "queen", "tree"], [[1.0, 0.2], [0.9, 0.4], [-0.3, 1.0]])
    >>> wv["queen"].tolist(), "bush" in wv
    ([0.9, 0.4], False)
    >>> [(word, round(score, 2)) for word, score in wv.most_similar("king", topn=1)]
    [('queen', 0.98)]
    >>> wv.doesnt_match(["king", "queen", "tree"])
    'tree'
    """

    def get_vector(self, key: Any, norm: bool = False) -> Array:
        """Return the vector of a word, divided by its length if `norm`; UnknownWordError."""
        vector: Array = self.vectors[self.get_index(key)]
        return vector / (np.linalg.norm(vector) or 1.0) if norm else vector

    def similarity(self, w1: Any, w2: Any) -> float:
        """Return the cosine of the angle between two words, in -1..1; UnknownWordError."""
        return float(np.dot(self.get_vector(w1, norm=True), self.get_vector(w2, norm=True)))

    def distance(self, w1: Any, w2: Any) -> float:
        """Return 1 less the cosine of the angle between two words, in 0..2; UnknownWordError."""
        return 1.0 - self.similarity(w1, w2)

    def distances(self, word_or_vector: Any, other_words: Iterable[Any] = ()) -> Array:
        """Return the distances of a word to others.

        Parameters
        ----------
        word_or_vector : str, int or array_like (E,)
        other_words : iterable of str or int
            Empty: all words, itself included.

        Returns
        -------
        ndarray, (n,)

        Raises
        ------
        UnknownWordError, ValueError
            A word has no vector, or a vector has another length.
        """
        others = listed(other_words)
        unit = self.unit_vectors()
        rows = unit[[self.get_index(word) for word in others]] if others else unit
        sought = self._vector_of(word_or_vector)
        result: Array = 1.0 - rows @ (sought / (np.linalg.norm(sought) or 1.0))
        return result

    def n_similarity(self, ws1: Sequence[Any], ws2: Sequence[Any]) -> float:
        """Return the cosine between the means of two lists of words.

        Parameters
        ----------
        ws1, ws2 : sequence of str or int
            At least one word each. Unlike in gensim one without a vector is not passed over.

        Returns
        -------
        float

        Raises
        ------
        UnknownWordError, ValueError
            A word has no vector, or a list is empty.
        """
        if len(ws1) == 0 or len(ws2) == 0:
            raise ValueError("ws1 and ws2 must hold at least one word each")
        first, second = (self[listed(words)].mean(axis=0, dtype=np.float64) for words in (ws1, ws2))
        lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
        return float(first @ second) / (lengths or 1.0)

    def get_mean_vector(
        self,
        keys: Sequence[Any],
        weights: Sequence[float] | None = None,
        pre_normalize: bool = True,
        post_normalize: bool = False,
        ignore_missing: bool = True,
    ) -> Array:
        """Return the mean of some vectors.

        Parameters
        ----------
        keys : sequence of str, int or of vectors (E,)
        weights : sequence of float or None
            One for each of the keys; their sizes add up to what the sum is divided by. None: 1.
        pre_normalize : bool
            Take the vectors of words at length 1.
        post_normalize : bool
            Return the mean at length 1.
        ignore_missing : bool
            Leave out words without a vector.

        Returns
        -------
        ndarray of float32, (E,)
            Zeros where all words are left out.

        Raises
        ------
        UnknownWordError
            A word has no vector, and ignore_missing is False.
        TypeError, ValueError
            There are no keys, as many weights as keys are not given, or a vector has another shape.

        Examples
        --------
        >>> from fastrnn.data import WordVectors
        >>> wv = WordVectors(["a", "b"], [[3.0, 4.0], [0.0, 2.0]])
        >>> [round(number, 2) for number in wv.get_mean_vector(["a", "b", "c"]).tolist()]
        [0.3, 0.9]
        """
        if isinstance(keys, (str, bytes)) or not isinstance(keys, (Sequence, np.ndarray)):
            raise TypeError(f"keys must be a list of words or vectors, got {type(keys).__name__}")
        if len(keys) == 0:
            raise ValueError("keys must hold at least one word or vector")
        if weights is None:
            weights = [1.0] * len(keys)
        if isinstance(weights, (str, bytes)) or not isinstance(weights, (Sequence, np.ndarray)):
            raise TypeError(f"weights must be a list of numbers, got {type(weights).__name__}")
        if len(weights) != len(keys):
            raise ValueError(f"weights must be {len(keys)} numbers as keys are, got {len(weights)}")
        given = [number(f"weights[{k}]", weight) for k, weight in enumerate(weights)]
        sum_, total = np.zeros(self.vector_size, np.float64), 0.0
        norm, missing = flag("pre_normalize", pre_normalize), flag("ignore_missing", ignore_missing)
        for key, weight in zip(keys, given, strict=True):
            if missing and isinstance(key, str) and key not in self:
                continue
            sum_ += weight * self._vector_of(key, norm=norm)
            total += abs(weight)
        mean = sum_ / (total or 1.0)
        if flag("post_normalize", post_normalize):
            mean /= np.linalg.norm(mean) or 1.0
        return mean.astype(np.float32)

    def closer_than(self, key1: Any, key2: Any) -> list[str]:
        """Return all words that are closer to the first word than the second one is.

        Parameters
        ----------
        key1, key2 : str or int

        Returns
        -------
        list of str

        Raises
        ------
        UnknownWordError
            A word has no vector.
        """
        first, second = self.get_index(key1), self.get_index(key2)
        distances = self.distances(first)
        closer = np.flatnonzero(distances < distances[second]).tolist()
        return [self.index_to_key[row] for row in closer if row != first]

    def rank(self, key1: Any, key2: Any) -> int:
        """Return the place of the second word among those near the first, 1 for the nearest.

        Parameters
        ----------
        key1, key2 : str or int

        Returns
        -------
        int

        Raises
        ------
        UnknownWordError
            A word has no vector.
        """
        return len(self.closer_than(key1, key2)) + 1

    def most_similar_to_given(self, key1: Any, keys_list: Sequence[Any]) -> Any:
        """Return the word of a list that is nearest to a word.

        Parameters
        ----------
        key1 : str or int
        keys_list : sequence of str or int
            At least one.

        Returns
        -------
        str or int
            As the list has it.

        Raises
        ------
        UnknownWordError, ValueError
            A word has no vector, or the list is empty.
        """
        if len(keys_list) == 0:
            raise ValueError("keys_list must hold at least one word")
        return keys_list[int(np.argmax([self.similarity(key1, key) for key in keys_list]))]

    def most_similar(
        self,
        positive: Any = None,
        negative: Any = None,
        topn: int | None = 10,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
    ) -> Any:
        """Return the words nearest to the mean of some words less others, not those themselves.

        Parameters
        ----------
        positive, negative : str, int, list of those, of vectors (E,) and of (word, weight), or None
            What speaks for and against a word: ``positive=["king", "woman"], negative=["man"]``.
            Weights are 1 for and -1 against. A word's vector is taken at length 1, a vector as is.
        topn : int or None
            None: the cosines of all words.
        clip_start, clip_end : int, int or None
            Look only among the words from this number on, and only up to that one.
        restrict_vocab : int or None
            Look only among so many words at the front, the most frequent ones.

        Returns
        -------
        list of (str, float), or ndarray with topn=None
            Words and cosines, the nearest first.

        Raises
        ------
        UnknownWordError
            A word has no vector.
        TypeError, ValueError
            No word was given, or an argument breaks its rule.

        References
        ----------
        T. Mikolov et al., "Linguistic Regularities in Continuous Space Word Representations", 2013.
        """
        start, end = integer("clip_start", clip_start, 0), _or_all("clip_end", clip_end)
        if restrict_vocab is not None:
            start, end = 0, integer("restrict_vocab", restrict_vocab, 1)
        given = [(key, 1.0) for key in _keys(positive)] + [(key, -1.0) for key in _keys(negative)]
        if not given:
            raise ValueError("positive or negative must name at least one word")
        sought = np.zeros(self.vector_size, np.float64)
        asked = set()
        for key, sign in given:
            weight = float(key[1]) if isinstance(key, tuple) else sign
            word = key[0] if isinstance(key, tuple) else key
            if isinstance(word, (str, int, np.integer)):
                asked.add(self.get_index(word))
            sought += weight * self._vector_of(word, norm=True)
        scores = self.unit_vectors()[start:end] @ (sought / (np.linalg.norm(sought) or 1.0))
        return self._best(scores, asked, topn, start)

    def similar_by_word(
        self, word: Any, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Any:
        """Return the words nearest to a word, as `most_similar` of that word."""
        return self.most_similar([word], topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_key(
        self, key: Any, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Any:
        """Return the words nearest to a word, as `most_similar` of that word."""
        return self.most_similar([key], topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_vector(
        self, vector: Any, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Any:
        """Return the words nearest to a vector (E,), as `most_similar` of that vector."""
        return self.most_similar([np.asarray(vector)], topn=topn, restrict_vocab=restrict_vocab)

    def most_similar_cosmul(
        self,
        positive: Any = None,
        negative: Any = None,
        topn: int | None = 10,
        restrict_vocab: int | None = None,
    ) -> Any:
        """Return the words whose cosines with some words multiply to most, over those with others.

        Parameters
        ----------
        positive, negative : str, int, list of those and of vectors (E,), or None
            As for `most_similar`, without weights; at least one positive one.
        topn : int or None
            None: the scores of all words.
        restrict_vocab : int or None
            Look only among so many words at the front.

        Returns
        -------
        list of (str, float), or ndarray with topn=None

        Raises
        ------
        UnknownWordError, TypeError, ValueError
            As for `most_similar`.

        References
        ----------
        O. Levy, Y. Goldberg, "Linguistic Regularities in Sparse and Explicit Word Representations",
        2014, equation 4, cosines shifted into 0..1.
        """
        front = _or_all("restrict_vocab", restrict_vocab)
        unit = self.unit_vectors()[:front]
        if not _keys(positive):
            raise ValueError("positive must name at least one word")
        asked, scores = set(), np.ones(len(unit))
        for keys, power in ((_keys(positive), 1), (_keys(negative), -1)):
            product = np.ones(len(unit))
            for key in keys:
                if isinstance(key, (str, int, np.integer)):
                    asked.add(self.get_index(key))
                product *= (1.0 + unit @ self._vector_of(key, norm=True)) / 2.0
            scores *= product if power == 1 else 1.0 / (product + _SMALL)
        return self._best(scores, asked, topn, 0)

    def _vector_of(self, key: Any, norm: bool = False) -> Array:
        """Return the vector of a word, or one that was given, which keeps its length."""
        if isinstance(key, (str, int, np.integer)):
            return self.get_vector(key, norm=norm)
        vector = np.asarray(key, np.float64)
        if vector.shape != (self.vector_size,):
            raise ValueError(f"a vector must have shape ({self.vector_size},), got {vector.shape}")
        return vector

    def _best(self, scores: Array, asked: set[int], topn: int | None, start: int) -> Any:
        """Return the words with the highest scores, without those that were asked with."""
        if topn is None:
            return scores
        most = integer("topn", topn, 0)
        best = (np.argsort(-scores, kind="stable")[: most + len(asked)] + start).tolist()
        near = [row for row in best if row not in asked][:most]
        return [(self.index_to_key[row], float(scores[row - start])) for row in near]

    def doesnt_match(self, words: Sequence[str]) -> str:
        """Return the word of a list that is farthest from the mean of all; UnknownWordError."""
        if isinstance(words, str) or len(words) == 0:
            raise ValueError("words must be a list of at least one word")
        vectors = np.array([self.get_vector(word, norm=True) for word in words], np.float64)
        scores = vectors @ vectors.mean(axis=0)
        return words[int(np.argmin(scores))]

    def unit_vectors(self) -> Array:
        """Return all vectors (V, E) divided by their lengths, as float32 or their own dtype."""
        lengths = np.sqrt(np.square(self.vectors).sum(axis=1, keepdims=True))
        unit: Array = self.vectors / np.where(lengths > 0, lengths, 1)
        return unit

    def get_normed_vectors(self) -> Array:
        """Return all vectors (V, E) divided by their lengths, as `unit_vectors`."""
        return self.unit_vectors()

    @property
    def norms(self) -> Array:
        """The lengths of the vectors, (V,)."""
        lengths: Array = np.sqrt(np.square(self.vectors).sum(axis=1))
        return lengths

    def fill_norms(self, force: bool = False) -> None:
        """Do nothing: gensim's programs call it, and lengths are never kept here.

        Parameters
        ----------
        force : bool
        """
        flag("force", force)

    def vectors_for_all(
        self, keys: Iterable[str], allow_inference: bool = True, copy_vecattrs: bool = False
    ) -> "WordVectors":
        """Return the vectors of some words as a table of their own.

        Parameters
        ----------
        keys : iterable of str
            Words without a vector are left out, and repeated ones taken once.
        allow_inference : bool
            No effect: here no vector is made up for a word that has none.
        copy_vecattrs : bool
            Take counts and other attributes along.

        Returns
        -------
        WordVectors

        Raises
        ------
        TypeError
            keys are no list of words, or another argument is no bool.
        """
        flag("allow_inference", allow_inference)
        words = [word for word in dict.fromkeys(listed(keys)) if word in self.key_to_index]
        rows = np.array([self.key_to_index[word] for word in words], np.intp)
        result = WordVectors(words, self.vectors[rows])
        if flag("copy_vecattrs", copy_vecattrs):
            for name, values in self._kept().items():
                result._keep(name, values[rows])
        return result

    def evaluate_word_analogies(
        self,
        path: str | os.PathLike[str],
        restrict_vocab: int = 300_000,
        case_insensitive: bool = True,
    ) -> tuple[float, list[dict[str, Any]]]:
        """Answer "a is to b as c is to …" of a file with four words a line and ``: sections``.

        Parameters
        ----------
        path : path
        restrict_vocab : int
            Answer with, and know, only so many words at the front.
        case_insensitive : bool
            Compare words in lower case.

        Returns
        -------
        score : float
            The part of the answered questions whose answer was right; 0 if none was.
        sections : list of dict
            ``section``, ``correct``, ``answered`` (all four words known) and ``asked``, and the
            sums at the end under ``"Total accuracy"``. answered / asked is the coverage.

        Raises
        ------
        OSError, ValueError
            The file cannot be read, or a line has not four words.
        """
        most = integer("restrict_vocab", restrict_vocab, 1)
        sections = _word_tests.read_analogies(path)
        return _word_tests.answer(self, sections, most, case_insensitive)

    def evaluate_word_pairs(
        self, path: str | os.PathLike[str], delimiter: str = "\t", case_insensitive: bool = True
    ) -> tuple[float, float, float]:
        """Compare cosines with what people think: a file with two words and a number a line.

        Parameters
        ----------
        path : path
            Lines that begin with # are comments.
        delimiter : str
        case_insensitive : bool
            Compare words in lower case.

        Returns
        -------
        pearson, spearman : float
            Correlations over the pairs whose words are both known; ranks of equals are averaged.
        oov_ratio : float
            Percent of the pairs that are not, as in gensim.

        Raises
        ------
        OSError, ValueError
            The file cannot be read, a line breaks the rule, or fewer than two pairs are known.
        """
        pairs = _word_tests.read_pairs(path, delimiter)
        return _word_tests.correlate(self, pairs, case_insensitive)

    def save_word2vec_format(self, path: str | os.PathLike[str], binary: bool = False) -> None:
        """Write the format of word2vec.c, as `fastrnn.io.word2vec_format.save_word2vec_format`."""
        save_word2vec_format(path, self.index_to_key, self.vectors, binary=binary)

    @classmethod
    def load_word2vec_format(
        cls, path: str | os.PathLike[str], binary: bool = False, limit: int | None = None
    ) -> Self:
        """Read the format of word2vec.c, as `fastrnn.io.word2vec_format.load_word2vec_format`."""
        return cls(*load_word2vec_format(path, binary=binary, limit=limit))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write words, vectors and attributes to one safetensors file.

        Parameters
        ----------
        path : path
            Replaced if it exists.

        Raises
        ------
        ImportError
            safetensors is missing; the message says how to get it.
        OSError
            The file could not be written; the old one is still there.
        TypeError
            An attribute is neither a number nor what JSON can say.
        """
        kept = self._kept()
        tensors = {f"number.{n}": v for n, v in kept.items() if v.dtype != object}
        texts = {"words": self.index_to_key}
        texts |= {f"object.{n}": v.tolist() for n, v in kept.items() if v.dtype == object}
        for name, values in texts.items():
            text = json.dumps(values, ensure_ascii=False, allow_nan=False)
            tensors[name] = np.frombuffer(text.encode(), np.uint8)
        save_checkpoint(path, tensors | {"vectors": self.vectors}, {"format": _FORMAT})

    @classmethod
    def load(cls, path: str | os.PathLike[str], mmap: str | None = None) -> Self:
        """Read what `save` wrote.

        Parameters
        ----------
        path : path
        mmap : str or None
            No effect: the file is read and compared with its SHA-256 as a whole.

        Returns
        -------
        WordVectors

        Raises
        ------
        fastrnn.CheckpointError
            The file is damaged, or holds something else.
        ImportError
            safetensors is missing; the message says how to get it.
        OSError
            The file could not be read.
        """
        if mmap not in (None, "r", "r+", "c", "w+"):
            raise ValueError(f"mmap must be None, 'r', 'r+', 'c' or 'w+', got {mmap!r}")
        result = load_checkpoint(path)
        if result.state.get("format") != _FORMAT:
            raise CheckpointError(path, "it holds no word vectors", "name a file that save wrote")
        try:
            tensors = dict(result.tensors)
            words = json.loads(tensors.pop("words").tobytes())
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                raise ValueError("its words are no list of texts")
            table = cls(words, tensors.pop("vectors"))
            for name, values in tensors.items():
                kind, _, attribute = name.partition(".")
                if kind not in ("number", "object"):
                    raise ValueError(f"{name} has no place in it")
                kept = values
                if kind == "object":
                    kept = np.full(len(words), None, object)
                    kept[:] = json.loads(values.tobytes())
                if kept.shape != (len(words),):
                    raise ValueError(f"{attribute} is not there for every word")
                table._keep(attribute, kept)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise CheckpointError(
                path, f"it holds no word vectors: {error}", "take another file"
            ) from None
        return table

    def __repr__(self) -> str:
        return f"WordVectors(<{len(self)} words of {self.vector_size} numbers>)"


def _keys(given: Any) -> list[Any]:
    """Return words, numbers or vectors as a list."""
    if given is None:
        return []
    if isinstance(given, (str, int, np.integer)) or getattr(given, "ndim", 2) == 1:
        return [given]
    return listed(given)


def _or_all(name: str, end: int | None) -> int | None:
    """Return where a range ends, None for the end of all."""
    return None if end is None else integer(name, end, 1)
