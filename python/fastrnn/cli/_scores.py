"""How good predictions are: the figures that ``--references`` prints."""

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn._checks import Array
from fastrnn.data import Vocabulary
from fastrnn.models._seq2seq.measures import MEASURES, measured
from fastrnn.train._loop import shown


def of_labels(predictions: Sequence[Any], references: Sequence[Any]) -> dict[str, float]:
    """Return the share of right labels, and F1: the mean over all labels, each counting alike.

    A label of the references that the model does not know is never right.
    """
    if not references:
        raise ValueError("references must hold at least one label")
    given, wanted = Counter(predictions), Counter(references)
    right = Counter(p for p, r in zip(predictions, references, strict=True) if p == r)
    each = [2 * right[label] / (given[label] + wanted[label]) for label in given | wanted]
    return {"accuracy": right.total() / len(references), "f1": sum(each) / len(each)}


def of_numbers(predictions: Array, references: Array) -> dict[str, float]:
    """Return errors and R², the mean over the columns, of (n, K) numbers."""
    errors = predictions - references
    spread = np.sum((references - references.mean(axis=0)) ** 2, axis=0)
    left = np.sum(errors**2, axis=0)
    scores = {"rmse": float(np.sqrt(np.mean(errors**2))), "mae": float(np.mean(np.abs(errors)))}
    if (spread > 0).all():  # R² compares with a column's mean, and a constant has no other value
        scores["r2"] = float(np.mean(1 - left / spread))
    return scores


def of_texts(
    predictions: Sequence[str], references: Sequence[str], known: Vocabulary
) -> dict[str, float]:
    """Return exact matches, errors by words and by characters, and BLEU where sacrebleu is there.

    Parameters
    ----------
    known : Vocabulary
        Of what the model writes. Words stand apart as the model writes them, and BLEU takes them
        so; other texts are cut by sacrebleu's own rules (13a).
    """
    some = any(text.split() for text in references)  # errors are shares of what is there
    scores = measured(("exact_match", "wer", "cer") if some else MEASURES[:1], predictions,
                     references, known)  # fmt: skip
    if some:
        try:
            scores |= measured(("bleu",), predictions, references, known)
        except ImportError as error:
            print(f"no BLEU: {error}", file=sys.stderr)
    return scores


class Unknown:
    """The share of symbols that a vocabulary does not know, of texts that are read in turn."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary, self._count, self._unknown = vocabulary, 0, 0

    def ids(self, text: str) -> Any:
        """Return the symbols of a text, and count them."""
        ids = self._vocabulary.encode(text)
        self._count += len(ids)
        self._unknown += int((ids == Vocabulary.UNK).sum())
        return ids

    @property
    def share(self) -> float:
        """From 0 to 1; 0 of nothing."""
        return self._unknown / self._count if self._count else 0.0

    def report(self, name: object) -> None:
        """Say on stderr how much of a file is unknown, if anything is."""
        if self._unknown:
            print(
                f"unknown: {self._unknown:,} of the {self._count:,} symbols of {name}, "
                f"{100 * self.share:.1f} %",
                file=sys.stderr,
            )


def line_of(figures: dict[str, float]) -> str:
    """Return figures as a line for people."""
    return "  ".join(
        f"{name} {value if isinstance(value, int) else shown(value)}"
        for name, value in figures.items()
    )
