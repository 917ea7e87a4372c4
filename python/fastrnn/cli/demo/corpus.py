"""The demo's text: what Python's help system says about its topics, as numbers and as bits."""

import bz2
import lzma
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.intp]


@dataclass(frozen=True)
class Corpus:
    """A text cut in two: characters as indices into `alphabet`.

    Attributes
    ----------
    alphabet : str
        The V different characters of the text, sorted.
    train : ndarray of intp, (n,)
        The first 90 % of the text.
    held_out : ndarray of intp, (m,)
        The rest, never trained on.
    """

    alphabet: str
    train: Tokens
    held_out: Tokens

    def encode(self, text: str) -> Tokens:
        """Return the tokens of `text`; ValueError if it holds a character not in `alphabet`."""
        index = {character: token for token, character in enumerate(self.alphabet)}
        try:
            return np.array([index[character] for character in text], np.intp)
        except KeyError as error:
            raise ValueError(
                f"text holds {error.args[0]!r}, which is not in the alphabet"
            ) from None

    def decode(self, tokens: Tokens) -> str:
        """Return the text of `tokens`."""
        return "".join(self.alphabet[token] for token in tokens)


def from_text(text: str) -> Corpus:
    """Cut `text` after nine tenths of its characters and number its characters."""
    alphabet = "".join(sorted(set(text)))
    whole = Corpus(alphabet, np.empty(0, np.intp), np.empty(0, np.intp)).encode(text)
    cut = int(len(whole) * 0.9)
    return Corpus(alphabet, whole[:cut], whole[cut:])


def python_topics() -> str:
    """Return the text behind ``help("topics")``: all topics, sorted by name, joined by newlines.

    Raises
    ------
    ImportError
        This Python comes without ``pydoc_data`` (some distributions split it off).
    """
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise ImportError(
            "this Python lacks pydoc_data.topics, the text of the demo; "
            "install the full standard library"
        ) from error
    return "\n".join(topics[name] for name in sorted(topics))


def compressed_bits(text: str) -> dict[str, float]:
    """Return how many bits per character of `text` bz2 and xz need at their best.

    Each compresses the UTF-8 bytes of `text` alone, headers included, as its command would.
    """
    data = text.encode()
    sizes = {
        "bz2 -9": len(bz2.compress(data, 9)),
        "xz -9e": len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)),
    }
    return {name: 8 * size / len(text) for name, size in sizes.items()}
