"""Translations against one reference each: BLEU and chrF, computed by sacrebleu and nobody else."""

from collections.abc import Sequence
from typing import Any

from fastrnn.metrics.answers import paired


def bleu(
    predictions: Sequence[str], references: Sequence[str], *, tokenize: str = "13a"
) -> tuple[float, float]:
    """Return BLEU of a corpus, 0..100, and the ratio of lengths, as ``sacrebleu`` computes them.

    Parameters
    ----------
    predictions, references : sequence of str
        One reference each, with its real words.
    tokenize : str
        sacrebleu's name of a tokeniser; "none" for texts whose tokens stand apart already.

    Raises
    ------
    ImportError
        sacrebleu is missing; the message says how to get it.
    TypeError
        A prediction or reference is no str, or all predictions or references together are one.
    ValueError
        There are no predictions, or another number of references than one for each.

    References
    ----------
    Papineni et al., "BLEU: a method for automatic evaluation of machine translation", 2002;
    Post, "A call for clarity in reporting BLEU scores", 2018.

    Examples
    --------
    >>> from fastrnn import metrics
    >>> metrics.bleu(["a b c d e"], ["a b c d e"], tokenize="none")
    (100.00000000000004, 1.0)
    """
    right = _one_each(predictions, references)
    result = _sacrebleu().corpus_bleu(
        list(predictions),
        [right],
        tokenize=tokenize,
        force=tokenize == "none",
    )
    return float(result.score), result.sys_len / max(result.ref_len, 1)


def chrf(predictions: Sequence[str], references: Sequence[str]) -> float:
    """Return chrF of a corpus, 0..100, as ``sacrebleu`` computes it.

    Raises
    ------
    ImportError
        sacrebleu is missing; the message says how to get it.
    TypeError, ValueError
        As `bleu`.

    References
    ----------
    Popović, "chrF: character n-gram F-score for automatic MT evaluation", 2015.

    Examples
    --------
    >>> from fastrnn import metrics
    >>> metrics.chrf(["abcdef"], ["abcdef"])
    100.0
    """
    right = _one_each(predictions, references)
    result = _sacrebleu().corpus_chrf(list(predictions), [right])
    return float(result.score)


def _one_each(predictions: Sequence[str], references: Sequence[str]) -> list[str]:
    """Return the references, of which each prediction has one."""
    pairs = paired(predictions, references)
    for prediction, may in pairs:
        if len(may) != 1:
            raise ValueError(f"references must be one for each prediction, got {may!r:.60}")
        for text in (prediction, *may):
            if not isinstance(text, str):
                raise TypeError(
                    f"predictions and references must be texts, got {text!r:.60}; join the tokens"
                )
    return [reference for _, (reference,) in pairs]


def _sacrebleu() -> Any:
    """Return the package, or raise ImportError that says how to get it."""
    try:
        import sacrebleu
    except ImportError as error:
        raise ImportError('BLEU needs sacrebleu: pip install "fastrnn[text]"') from error
    return sacrebleu
