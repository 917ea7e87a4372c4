"""The rules of Seq2Seq's options, and parameters without what traces them."""

from collections.abc import Mapping
from typing import Any

from fastrnn._checks import flag
from fastrnn.data.vocabulary import SPECIALS
from fastrnn.models._parts.model import size_of
from fastrnn.ops._primitive import value_of

_SCORES = (None, "additive", "dot", "general")
_QUERIES = ("previous", "current")


def plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nested dict with what autograd traces as plain arrays."""
    return {
        name: plain(entry) if isinstance(entry, Mapping) else value_of(entry)
        for name, entry in params.items()
    }


def vocab_sizes(source_vocab: Any, target_vocab: Any) -> tuple[int, int]:
    """Return V of either side."""
    sizes = size_of(source_vocab, "source_vocab"), size_of(target_vocab, "target_vocab")
    for name, V in zip(("source_vocab", "target_vocab"), sizes, strict=True):
        if V <= SPECIALS:
            raise ValueError(f"{name} must exceed the {SPECIALS} specials, got {V}")
    return sizes


def check_attention(attention: Any, query: Any, input_feed: Any) -> None:
    """Refuse an unknown score, and options of attention without it."""
    if attention not in _SCORES:
        raise ValueError(f"attention must be one of {list(_SCORES)}, got {attention!r}")
    if query not in _QUERIES:
        raise ValueError(f"query must be one of {list(_QUERIES)}, got {query!r}")
    flag("input_feed", input_feed)
    if attention is None and (query != "previous" or not input_feed):
        raise ValueError(f"query and input_feed need attention, got {query!r} and {input_feed!r}")


def constraints_of(constraint: Any, chosen: list[int], N: int) -> Any:
    """Return the constraints of some of N sources."""
    if not isinstance(constraint, (list, tuple)):
        return constraint
    if len(constraint) != N:
        raise ValueError(
            f"constraint must be one function, or N = {N}, one for each source, got "
            f"{len(constraint)}"
        )
    return [constraint[n] for n in chosen]
