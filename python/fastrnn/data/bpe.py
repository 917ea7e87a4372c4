"""Byte pair encoding: pieces of words as tokens, from which every text comes back exactly."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Self

from fastrnn._checks import integer, items
from fastrnn.data.vocabulary import SPECIALS, Level, Vocabulary, is_text

_MOST = 2**24  # tokens of a vocabulary, and counts that make sense

_BYTES = 256  # the pieces that every text can be cut into

# No piece crosses from a space to what stands before it. Other white space before a word is cut in
# another place, so it stays together with the word. What is white to Python, but not to the
# pattern of `tokenizers`, is the four separators of ASCII.
_WHITE, _INK = r"[^\S\x1c-\x1f]", r"[\S\x1c-\x1f]"
_STRETCH = re.compile(rf" ?{_INK}+|{_WHITE}+(?= {_INK})|{_WHITE}+{_INK}*")


class BPE(Vocabulary):
    """Frequent pieces of words, made from bytes by merging pairs; ids 0..3 are the specials.

    A text is taken as its bytes in UTF-8, so there is no unknown character, and
    ``decode(encode(text)) == text`` for every text. Work is done by the package ``tokenizers``.

    Parameters
    ----------
    tokens : sequence of str
        Token i gets the id i + 4. They are spelled in GPT-2's alphabet of 256 printable characters,
        one for each byte, all of which are tokens themselves; a space there is "Ġ".
    merges : sequence of (str, str)
        The pairs to join, the first ones first. Both parts and the whole are tokens.

    Attributes
    ----------
    tokens : tuple of str
    merges : tuple of (str, str)
    level : str
        "bpe".

    Raises
    ------
    ImportError
        tokenizers is missing; the message says how to get it.
    TypeError, ValueError
        A rule above is broken, a token stands there twice, or there are more than 2²⁴.

    References
    ----------
    Sennrich, Haddow and Birch, "Neural machine translation of rare words with subword units",
    2016, algorithm 1; on bytes: Radford et al., "Language models are unsupervised multitask
    learners", 2019, section 2.2.

    Examples
    --------
    >>> from fastrnn.data import BPE
    >>> pieces = BPE.from_texts(["low lower lowest newest"] * 9, max_size=270)
    >>> pieces.cut("lowest")
    ['lo', 'west']
    >>> pieces.decode(pieces.encode("slow, 遅い", eos=True))
    'slow, 遅い'
    """

    def __init__(self, tokens: Sequence[str], merges: Sequence[Sequence[str]]) -> None:
        package = require_tokenizers()
        self._set_tokens(tokens, "bpe")
        self.merges = tuple(self._pair(pair) for pair in merges)
        lacking = sorted(set(package.pre_tokenizers.ByteLevel.alphabet()) - set(self.tokens))
        if lacking:
            raise ValueError(f"tokens must hold all {_BYTES} bytes, {lacking[0]!r} is missing")
        table = {token: i for i, token in enumerate(self.tokens)}
        self._tokenizer = _pieces(package, package.models.BPE(table, list(self.merges)))

    def _pair(self, pair: Sequence[str]) -> tuple[str, str]:
        """Return a pair of tokens whose joint is a token too."""
        if isinstance(pair, str) or len(pair) != 2 or not all(isinstance(p, str) for p in pair):
            raise TypeError(f"merges must hold pairs of strings, got {pair!r}")
        first, second = pair
        for token in (first, second, first + second):
            if token not in self._ids:
                raise ValueError(f"merges must join tokens to a token, got {pair!r}")
        return first, second

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        *,
        level: Level = "bpe",
        min_count: int = 2,
        max_size: int | None = 8000,
    ) -> Self:
        """Learn which pieces are frequent.

        Parameters
        ----------
        texts : iterable of str
            Read once; a string is one text.
        level : "bpe"
        min_count : int
            A pair that is rarer is not joined.
        max_size : int or None
            The most ids, at least 260: 256 bytes and the four specials. None: join while there is
            a pair to join.

        Returns
        -------
        BPE
        """
        if level != "bpe":
            raise ValueError(f"level must be 'bpe', got {level!r}")
        least = SPECIALS + _BYTES
        size = _MOST if max_size is None else integer("max_size", max_size, least, _MOST)
        package = require_tokenizers()
        tokenizer = _pieces(package, package.models.BPE())
        trainer = package.trainers.BpeTrainer(
            vocab_size=size - SPECIALS,
            min_frequency=integer("min_count", min_count, 1, _MOST),
            initial_alphabet=sorted(package.pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        given = [texts] if isinstance(texts, str) else items("texts", texts)
        tokenizer.train_from_iterator((_checked(text) for text in given), trainer)
        learned: dict[str, Any] = json.loads(tokenizer.to_str())["model"]
        table: dict[str, int] = learned["vocab"]
        merges = [pair.split(" ") if isinstance(pair, str) else pair for pair in learned["merges"]]
        return cls(sorted(table, key=table.__getitem__), merges)

    def content(self) -> dict[str, Any]:
        """Return what makes it again, as `from_content` takes it."""
        return {**super().content(), "merges": [list(pair) for pair in self.merges]}

    def cut(self, text: str) -> list[str]:
        """Return the pieces of a text, in the spelling of ``tokens``.

        Raises
        ------
        ValueError
            It holds half a character (a lone surrogate), which has no bytes.
        """
        pieces: list[str] = self._tokenizer.encode(_checked(text)).tokens
        return pieces

    def _spell(self, tokens: Iterable[str | None], unknown: str) -> str:
        """Return the text of tokens; bytes that are no character become U+FFFD."""
        runs: list[list[str]] = [[]]
        for token in tokens:
            if token is None:
                runs.append([])
            else:
                runs[-1].append(token)
        return unknown.join(self._tokenizer.decoder.decode(run) for run in runs)


def stretches(text: str) -> list[str]:
    """Return parts of a text, mostly words with a space before, that are cut each for itself.

    Examples
    --------
    >>> from fastrnn.data.bpe import stretches
    >>> stretches("it's  two words")
    ["it's", ' ', ' two', ' words']
    """
    return _STRETCH.findall(text)


def _checked(text: str) -> str:
    """Return a text that can be written as UTF-8."""
    if not isinstance(text, str):
        raise TypeError(f"texts must be strings, got {type(text).__name__}")
    if not is_text(text):
        raise ValueError("texts must hold whole characters, got a lone surrogate")
    return text


def _pieces(package: Any, model: Any) -> Any:
    """Return a tokenizer that cuts bytes with this model, and puts nothing into the text."""
    tokenizer = package.Tokenizer(model)
    tokenizer.pre_tokenizer = package.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = package.decoders.ByteLevel()
    return tokenizer


def require_tokenizers() -> Any:
    """Return the package, or raise ImportError that says how to get it."""
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError('BPE needs tokenizers: pip install "fastrnn[text]"') from error
    return tokenizers
