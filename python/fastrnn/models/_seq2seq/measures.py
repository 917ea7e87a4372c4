"""How right translations are: the figures that may be asked of a model of pairs."""

from collections.abc import Sequence
from typing import Any

from fastrnn import metrics
from fastrnn.data import Vocabulary

MEASURES = ("exact_match", "wer", "cer", "bleu")


def checked_measures(measures: Any) -> list[str]:
    """Return the names of measures.

    Raises
    ------
    TypeError, ValueError
        They are no sequence, or one is unknown.
    """
    if isinstance(measures, str) or not isinstance(measures, Sequence):
        raise TypeError(f"measures must be a sequence of names, got {measures!r}")
    for name in measures:
        if name not in MEASURES:
            raise ValueError(f"measures must be of {list(MEASURES)}, got {name!r}")
    return list(measures)


def measured(
    measures: Sequence[str],
    predictions: Sequence[Any],
    right: Sequence[Any],
    known: Vocabulary | None,
) -> dict[str, float]:
    """Return the figures of texts, or of symbols where there is no Vocabulary."""
    if not right:
        raise ValueError("targets must hold at least one translation, got none")
    if known is None:
        predictions, right = (
            [" ".join(map(str, ids)) for ids in side] for side in (predictions, right)
        )
    words = [[text.split() for text in side] for side in (predictions, right)]
    apart = known is None or known.level == "word"
    figures: dict[str, float] = {}
    for name in measures:
        if name == "exact_match":
            figures[name] = metrics.exact_match(predictions, right)
        elif name == "bleu":
            tokenize = "none" if apart else "13a"
            figures[name] = metrics.bleu(predictions, right, tokenize=tokenize)[0]
        else:
            by = words if name == "wer" or known is None else [predictions, right]
            figures[name] = metrics.error_rate(*by)
    return figures
