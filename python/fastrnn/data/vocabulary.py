"""Which number stands for which character or word, and back."""

import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn._checks import flag, integer, items
from fastrnn.data.arrays import as_ids
from fastrnn.io._files import atomic_write
from fastrnn.io._json import is_format, read_json

Ids = NDArray[np.int64]
Level = Literal["character", "word", "bpe"]

PAD, UNK, BOS, EOS = range(4)  # padding, unknown, beginning, end: no text spells them
SPECIALS = 4
UNKNOWN = "\ufffd"  # what stands for UNK in a text
_MOST = 2**24  # tokens of a vocabulary
_FORMAT = "fastrnn-vocabulary"
_MAX_BYTES = 2**30  # of a file


class Vocabulary:
    """The tokens that a model knows, numbered without gaps; 0..3 are PAD, UNK, BOS and EOS.

    Parameters
    ----------
    tokens : sequence of str
        Token i gets the id i + 4. At level "character" each is one character, at level "word" none
        is empty or holds white space.
    level : {"character", "word"}
        What a text is cut into.

    Attributes
    ----------
    tokens : tuple of str
    level : str
    PAD, UNK, BOS, EOS : int
        The ids of padding, of an unknown token, of the beginning and the end of a text. They have
        no spelling, so no text can hold them and none is ever printed.

    Raises
    ------
    TypeError, ValueError
        A token breaks a rule above, or stands there twice, or there are more than 2²⁴.

    Examples
    --------
    >>> from fastrnn.data import Vocabulary
    >>> words = Vocabulary.from_texts(["the cat and the dog", "the dog"], level="word", min_count=2)
    >>> words.tokens
    ('the', 'dog')
    >>> words.encode("the cat", eos=True)
    array([4, 1, 3])
    >>> words.decode([4, 1, 3, 0, 0])
    'the \ufffd'
    """

    PAD, UNK, BOS, EOS = PAD, UNK, BOS, EOS

    def __init__(self, tokens: Sequence[str], *, level: Level) -> None:
        if level not in ("character", "word"):
            raise ValueError(f"level must be 'character' or 'word', got {level!r}")
        self._set_tokens(tokens, level)
        for token in self.tokens:
            fits = len(token) == 1 if level == "character" else token.split() == [token]
            if not fits or not is_text(token):
                raise ValueError(f"tokens must each be one {level}, got {token!r}")

    def _set_tokens(self, tokens: Sequence[str], level: Level) -> None:
        """Take tokens over that are strings, different, and not too many."""
        if isinstance(tokens, str) or not all(
            isinstance(token, str) for token in items("tokens", tokens)
        ):
            raise TypeError("tokens must be a sequence of strings")
        if len(tokens) + SPECIALS > _MOST:
            raise ValueError(f"tokens must be at most 2^24 with the 4 specials, got {len(tokens)}")
        self.level = level
        self.tokens = tuple(tokens)
        self._ids = {token: i for i, token in enumerate(self.tokens, SPECIALS)}
        if len(self._ids) < len(self.tokens):
            twice = next(token for token, n in Counter(self.tokens).items() if n > 1)
            raise ValueError(f"tokens must be different, got {twice!r} twice")

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        *,
        level: Level = "word",
        min_count: int = 1,
        max_size: int | None = None,
    ) -> Self:
        """Collect the tokens of texts, the most frequent first, ties in the order of the alphabet.

        Parameters
        ----------
        texts : iterable of str
            Read once; a string is one text.
        level : {"character", "word"}
        min_count : int
            What is rarer becomes UNK.
        max_size : int or None
            The most ids, the four specials included.

        Returns
        -------
        Vocabulary
        """
        if level not in ("character", "word"):
            raise ValueError(f"level must be 'character' or 'word', got {level!r}")
        least = integer("min_count", min_count, 1)
        most = None if max_size is None else integer("max_size", max_size, SPECIALS) - SPECIALS
        counts: Counter[str] = Counter()
        for text in [texts] if isinstance(texts, str) else items("texts", texts):
            _check_text(text)
            counts.update(text if level == "character" else text.split())
        return cls(most_frequent(counts.items(), least, most), level=level)

    def __len__(self) -> int:
        """Return V, the number of ids."""
        return len(self.tokens) + SPECIALS

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.content() == other.content()

    def __hash__(self) -> int:
        return hash(self.tokens)

    def cut(self, text: str) -> Sequence[str]:
        """Return the pieces of a text that `encode` looks up."""
        return text if self.level == "character" else text.split()

    def encode(self, text: str, *, bos: bool = False, eos: bool = False) -> Ids:
        """Return the ids of a text.

        Parameters
        ----------
        text : str
            At level "word" it is cut at white space.
        bos, eos : bool
            Put BOS before, EOS after it.

        Returns
        -------
        ndarray of int64, (n,)

        Raises
        ------
        TypeError
            text is no string.
        """
        _check_text(text)
        ids = [self._ids.get(part, UNK) for part in self.cut(text)]
        before = [BOS] if flag("bos", bos) else []
        return np.array([*before, *ids, *([EOS] if flag("eos", eos) else [])], np.int64)

    def decode(self, ids: ArrayLike, *, unknown: str = UNKNOWN) -> str:
        """Return the text of ids: up to the first EOS, without PAD and BOS.

        Words are joined by single spaces, so ``decode(encode(text))`` is the text itself for
        characters, and the text with its white space made uniform for words, as long as the
        vocabulary holds every token.

        Parameters
        ----------
        ids : array_like of int, (n,)
        unknown : str
            Stands for UNK.

        Raises
        ------
        TypeError
            ids are no integers.
        ValueError
            An id is outside of 0..V−1, or ids are not of shape (n,).
        """
        array = as_ids("ids", ids, len(self))
        if array.ndim != 1:
            raise ValueError(f"ids must have shape (n,), got {array.shape}")
        shown = array.tolist()
        if EOS in shown:
            shown = shown[: shown.index(EOS)]
        hidden = (PAD, BOS)
        tokens = [
            None if i == UNK else self.tokens[i - SPECIALS] for i in shown if i not in hidden
        ]
        return self._spell(tokens, unknown)

    def _spell(self, tokens: Iterable[str | None], unknown: str) -> str:
        """Return the text of tokens, None being an unknown one."""
        joint = "" if self.level == "character" else " "
        return joint.join(unknown if token is None else token for token in tokens)

    @property
    def sha256(self) -> str:
        """The SHA-256 of what `save` writes: equal for equal vocabularies."""
        return hashlib.sha256(self._json()).hexdigest()

    def content(self) -> dict[str, Any]:
        """Return what makes it again, as `from_content` takes it: strings in lists, no more."""
        return {"level": self.level, "tokens": list(self.tokens)}

    @staticmethod
    def from_content(content: Mapping[str, Any]) -> "Vocabulary":
        """Make the vocabulary, of any level, whose `content` this is.

        Raises
        ------
        ImportError
            It is of level "bpe", and tokenizers is missing.
        TypeError, ValueError
            A key is missing or too many, or what it holds breaks a rule of its class.
        """
        if not isinstance(content, Mapping):
            raise TypeError(f"content must be a mapping, got {type(content).__name__}")
        pairs = content.get("level") == "bpe"
        keys = {"level", "tokens"} | ({"merges"} if pairs else set())
        if set(content) != keys or not isinstance(content["tokens"], list):
            raise ValueError(f"content must hold {sorted(keys)}, tokens a list")
        if not pairs:
            return Vocabulary(content["tokens"], level=content["level"])
        from fastrnn.data.bpe import BPE

        return BPE(content["tokens"], content["merges"])

    def _json(self) -> bytes:
        content = {"format": _FORMAT, "version": 1, **self.content()}
        return json.dumps(content, ensure_ascii=False, indent=0).encode()

    def save(self, path: str | PathLike[str]) -> None:
        """Write a JSON file, all of it or nothing.

        Raises
        ------
        OSError
            It cannot be written; what was there before is still there.
        """
        with atomic_write(path) as file:
            file.write(self._json())

    @staticmethod
    def load(path: str | PathLike[str]) -> "Vocabulary":
        """Read what `save` wrote, a vocabulary of any level.

        Raises
        ------
        ImportError
            It is of level "bpe", and tokenizers is missing.
        OSError
            The file cannot be read.
        ValueError
            It is no vocabulary: broken or foreign JSON, a key too many or too few, a token that
            is no token, or one that stands there twice.
        """
        content: Any = read_json(path, _MAX_BYTES)
        if not isinstance(content, dict) or content.pop("format", None) != _FORMAT:
            raise ValueError(f"{path} is no vocabulary of fastrnn")
        if (version := content.pop("version", None)) != 1:
            raise ValueError(f"{path} must be of version 1, got {version!r}")
        try:
            return Vocabulary.from_content(content)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} is no vocabulary: {error}") from None


def is_vocabulary(path: str | PathLike[str]) -> bool:
    """Return whether a file is one that `Vocabulary.save` wrote."""
    return is_format(path, _FORMAT, _MAX_BYTES)


def most_frequent(counts: Iterable[tuple[str, int]], least: int, most: int | None) -> list[str]:
    """Return what is counted at least so often, at most so many: in the order of a vocabulary."""
    kept = ((-n, token) for token, n in counts if n >= least)
    return [token for _, token in (sorted(kept) if most is None else heapq.nsmallest(most, kept))]


def _check_text(text: Any) -> None:
    if not isinstance(text, str):
        raise TypeError(f"a text must be a string, got {type(text).__name__}")


def is_text(token: str) -> bool:
    """Whether a string can be written as UTF-8; a lone surrogate cannot."""
    try:
        token.encode()
    except UnicodeEncodeError:
        return False
    return True
