"""WordVectors: words and their vectors, and the questions that one asks them."""

import os
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import integer
from fastrnn.data import _word_tests
from fastrnn.io.word2vec_format import load_word2vec_format, save_word2vec_format

Array = NDArray[Any]


class UnknownWordError(KeyError, ValueError):
    """A word that has no vector was asked for.

    Parameters
    ----------
    word : str
    """

    def __init__(self, word: Any) -> None:
        self.word = word
        super().__init__(word)

    def __str__(self) -> str:
        return f"the word {self.word!r} has no vector"


class WordVectors:
    """Vectors of words, by the names that gensim's ``KeyedVectors`` has.

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

    def __init__(self, words: Sequence[str], vectors: Any, counts: Any = None) -> None:
        self.index_to_key = list(words)
        self.key_to_index = {word: i for i, word in enumerate(self.index_to_key)}
        self.vectors: Array = np.asarray(vectors)
        if self.vectors.dtype.kind != "f":
            raise TypeError(f"vectors must hold floats, got {self.vectors.dtype}")
        V = len(self.index_to_key)
        if self.vectors.ndim != 2 or len(self.vectors) != V or self.vectors.shape[1] < 1:
            raise ValueError(f"vectors must have shape ({V}, E), got {self.vectors.shape}")
        if len(self.key_to_index) < V:
            raise ValueError("words must be different")
        self.counts = None if counts is None else np.asarray(counts, np.int64)

    @property
    def vector_size(self) -> int:
        """E, how long a vector is."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        """Return V, the number of words."""
        return len(self.index_to_key)

    def __contains__(self, word: object) -> bool:
        return word in self.key_to_index

    def __getitem__(self, words: str | Sequence[str]) -> Array:
        """Return the vector of a word (E,), or those of a list (n, E); UnknownWordError."""
        if isinstance(words, str):
            found: Array = self.vectors[self._index(words)]
            return found
        return np.array([self.vectors[self._index(word)] for word in _listed(words)])

    def get_vector(self, word: str, norm: bool = False) -> Array:
        """Return the vector of a word, divided by its length if `norm`; UnknownWordError."""
        vector = self[word]
        return vector / (np.linalg.norm(vector) or 1.0) if norm else vector

    def similarity(self, word: str, other: str) -> float:
        """Return the cosine of the angle between two words, in -1..1; UnknownWordError."""
        return float(np.dot(self.get_vector(word, norm=True), self.get_vector(other, norm=True)))

    def most_similar(
        self,
        positive: str | Iterable[Any] | None = None,
        negative: str | Iterable[Any] | None = None,
        topn: int = 10,
        restrict_vocab: int | None = None,
    ) -> list[tuple[str, float]]:
        """Return the words nearest to the mean of some words less others, not those themselves.

        Parameters
        ----------
        positive, negative : str, list of str or of vectors (E,), or None
            What speaks for and against a word: ``positive=["king", "woman"], negative=["man"]``.
        topn : int
        restrict_vocab : int or None
            Look only among so many words at the front, the most frequent ones.

        Returns
        -------
        list of (str, float)
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
        most = integer("topn", topn, 1)
        front = None if restrict_vocab is None else integer("restrict_vocab", restrict_vocab, 1)
        signs = [(key, 1.0) for key in _keys(positive)] + [(key, -1.0) for key in _keys(negative)]
        if not signs:
            raise ValueError("positive or negative must name at least one word")
        sought = np.zeros(self.vector_size, np.float64)
        asked = set()
        for key, sign in signs:
            if isinstance(key, str):
                asked.add(self._index(key))
            vector = self[key] if isinstance(key, str) else np.asarray(key, np.float64)
            if vector.shape != sought.shape:
                raise ValueError(f"a vector must have shape {sought.shape}, got {vector.shape}")
            sought += sign * vector / (np.linalg.norm(vector) or 1.0)
        scores = self.unit_vectors()[:front] @ (sought / (np.linalg.norm(sought) or 1.0))
        best = np.argsort(-scores, kind="stable")[: most + len(asked)].tolist()
        near = [i for i in best if i not in asked][:most]
        return [(self.index_to_key[i], float(scores[i])) for i in near]

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
    def load_word2vec_format(cls, path: str | os.PathLike[str], binary: bool = False) -> Self:
        """Read the format of word2vec.c, as `fastrnn.io.word2vec_format.load_word2vec_format`."""
        return cls(*load_word2vec_format(path, binary=binary))

    def _index(self, word: Any) -> int:
        try:
            return self.key_to_index[word]
        except (KeyError, TypeError):
            raise UnknownWordError(word) from None

    def __repr__(self) -> str:
        return f"WordVectors(<{len(self)} words of {self.vector_size} numbers>)"


def _keys(given: Any) -> list[Any]:
    """Return words or vectors as a list."""
    if given is None:
        return []
    if isinstance(given, str) or (isinstance(given, np.ndarray) and given.ndim == 1):
        return [given]
    return _listed(given)


def _listed(given: Any) -> list[Any]:
    if not isinstance(given, Iterable):
        raise TypeError(f"words must be a str, or a list of words or vectors, got {given!r:.60}")
    return list(given)
