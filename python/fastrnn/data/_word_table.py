"""A table of words: their numbers, their vectors, and whatever else is kept for each word."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import flag

Array = NDArray[Any]
_COUNT = "count"  # the attribute that gensim gives to every word of a text


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


class WordTable:
    """What a WordVectors keeps; the questions that one asks it are in `word_vectors.py`."""

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
        self._attributes: dict[str, Array] = {}

    @property
    def vector_size(self) -> int:
        """E, how long a vector is."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        """Return V, the number of words."""
        return len(self.index_to_key)

    def __contains__(self, word: object) -> bool:
        return self.has_index_for(word)

    def __getitem__(self, words: Any) -> Array:
        """Return the vector of a word (E,), or those of a list (n, E); UnknownWordError."""
        if isinstance(words, (str, int, np.integer)):
            result: Array = self.vectors[self.get_index(words)]
            return result
        rows = [self.get_index(word) for word in listed(words)]
        return self.vectors[np.array(rows, np.intp)]

    def __setitem__(self, words: Any, vectors: Any) -> None:
        """Add vectors, or replace those that are there, as `add_vectors`."""
        self.add_vectors(words, vectors, replace=True)

    def has_index_for(self, key: object) -> bool:
        """Return whether there is a vector of this word, or of this number of a word.

        Parameters
        ----------
        key : object

        Returns
        -------
        bool
        """
        if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
            return 0 <= int(key) < len(self)
        return isinstance(key, str) and key in self.key_to_index

    def get_index(self, key: Any, default: int | None = None) -> int:
        """Return the number of a word.

        Parameters
        ----------
        key : str or int
            A word, or a number, which is returned if there is such a word.
        default : int or None
            What to return for a word that is not there; None: UnknownWordError.

        Returns
        -------
        int

        Raises
        ------
        UnknownWordError
            The word has no vector, and there is no default.
        """
        if self.has_index_for(key):
            return self.key_to_index[key] if isinstance(key, str) else int(key)
        if default is None:
            raise UnknownWordError(key)
        return default

    def get_vecattr(self, key: Any, attr: str) -> Any:
        """Return an attribute of a word: ``"count"``, or what `set_vecattr` has kept.

        Parameters
        ----------
        key : str or int
        attr : str

        Returns
        -------
        object

        Raises
        ------
        UnknownWordError, KeyError
            There is no such word, or no such attribute.
        """
        row = self.get_index(key)
        kept = self._kept()
        if attr not in kept:
            raise KeyError(f"no attribute {attr!r}; there are {sorted(kept)}")
        return kept[attr][row]

    def set_vecattr(self, key: Any, attr: str, val: Any) -> None:
        """Keep a value for a word; for the other words it is 0, or None, until it is set.

        Parameters
        ----------
        key : str or int
        attr : str
            ``"count"``, or a name of your own.
        val : int, float or object
            The first value says of which type all are.

        Raises
        ------
        UnknownWordError, TypeError, ValueError
            There is no such word, or the value is of another type than those before.
        """
        row = self.get_index(key)
        if attr not in self._kept():
            self._keep(attr, _room(len(self), val))
        self._kept()[attr][row] = val

    def add_vector(self, key: str, vector: Any) -> int:
        """Add a word; for many at once `add_vectors` copies the others once only.

        Parameters
        ----------
        key : str
            A word that is not there yet.
        vector : array_like of float, (E,)

        Returns
        -------
        int
            Its number.

        Raises
        ------
        TypeError, ValueError
            The word is there already, or an argument breaks its rule.
        """
        if key in self.key_to_index:
            raise ValueError(f"key must be new, {key!r} is there; replace it by add_vectors")
        self.add_vectors([key], np.asarray(vector)[None])
        return len(self) - 1

    def add_vectors(
        self,
        keys: str | Sequence[str],
        weights: Any,
        extras: Mapping[str, Any] | None = None,
        replace: bool = False,
    ) -> None:
        """Add words and their vectors; the table of vectors becomes a new array.

        Parameters
        ----------
        keys : str, or sequence of str
            All different.
        weights : array_like of float, (n, E), or (E,) of one word
        extras : mapping of str to array_like (n,), or None
            Attributes of these words, as `set_vecattr`.
        replace : bool
            Words that are there get the new vectors; False: they keep theirs.

        Raises
        ------
        TypeError, ValueError
            An argument breaks its rule.
        """
        words = [keys] if isinstance(keys, str) else listed(keys)
        rows = np.asarray(weights).astype(self.vectors.dtype, copy=False)
        rows = rows[None] if rows.ndim == 1 and isinstance(keys, str) else rows
        if rows.shape != (len(words), self.vector_size):
            shape = f"({len(words)}, {self.vector_size})"
            raise ValueError(f"weights must have shape {shape}, got {rows.shape}")
        if not all(isinstance(word, str) for word in words) or len(set(words)) < len(words):
            raise ValueError("keys must be words, all different")
        more = {name: np.asarray(values) for name, values in (extras or {}).items()}
        for name, values in more.items():
            if values.shape != (len(words),):
                raise ValueError(f"extras[{name!r}] must have shape ({len(words)},)")
        fresh = [i for i, word in enumerate(words) if word not in self.key_to_index]
        known = [i for i, word in enumerate(words) if word in self.key_to_index]
        self._append([words[i] for i in fresh], rows[fresh])
        changed = [*fresh, *known] if flag("replace", replace) else fresh
        places = [self.key_to_index[words[i]] for i in changed]
        self.vectors[places] = rows[changed]
        for name, values in more.items():
            if name not in self._kept():
                self._keep(name, _room(len(self), values[0] if len(values) else 0))
            self._kept()[name][places] = values[changed]

    def _append(self, words: list[str], rows: Array) -> None:
        for word in words:
            self.key_to_index[word] = len(self.index_to_key)
            self.index_to_key.append(word)
        self.vectors = np.concatenate([self.vectors, rows])
        for name, values in self._kept().items():
            more = np.zeros(len(words), values.dtype)
            more[...] = None if values.dtype == object else 0
            self._keep(name, np.concatenate([values, more]))

    def _kept(self) -> dict[str, Array]:
        """Return all attributes by their names."""
        counts = {} if self.counts is None else {_COUNT: self.counts}
        return counts | self._attributes

    def _keep(self, name: str, values: Array) -> None:
        if name == _COUNT:
            self.counts = values.astype(np.int64)
        else:
            self._attributes[name] = values


def _room(count: int, example: Any) -> Array:
    """Return an array for values like this one."""
    if isinstance(example, (bool, np.bool_, int, np.integer)):
        return np.zeros(count, np.int64)
    if isinstance(example, (float, np.floating)):
        return np.zeros(count, np.float64)
    return np.full(count, None, object)


def listed(given: Any) -> list[Any]:
    """Return words or vectors as a list."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"words must be a str, or a list of words or vectors, got {given!r:.60}")
    return list(given)
