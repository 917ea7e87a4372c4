"""Answers against their references: exact matches, edits, brackets.

Answers are compared as they were decoded, without looking at the reference. Where a question has
several right answers, the closest counts.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

from fastrnn._checks import items

Symbols = Sequence[Hashable]


def exact_match(predictions: Sequence[Symbols], references: Sequence[Any]) -> float:
    """Return the share of answers that are right from the first symbol to the last.

    One minus it is the word error rate (WER) of spelling to pronunciation.

    Parameters
    ----------
    predictions : sequence of sequences
        Texts or lists of symbols.
    references : sequence
        For each prediction what it should be, or a list of all that it may be: then it is right
        when it equals one of them. Texts are compared with texts, lists with lists.

    Raises
    ------
    TypeError
        predictions or references are one text, not a sequence of them, or an answer is neither a
        text nor a sequence.
    ValueError
        There are no predictions, not as many references, or one without any.

    Examples
    --------
    >>> from fastrnn import metrics
    >>> metrics.exact_match(["AH", "T UW"], [["EY", "AH"], ["T UH"]])
    0.5
    """
    pairs = paired(predictions, references)
    return sum(any(_same(p, r) for r in may) for p, may in pairs) / len(pairs)


def edit_distance(a: Symbols, b: Symbols) -> int:
    """Return the least number of symbols to insert, delete or exchange to turn a into b.

    Examples
    --------
    >>> from fastrnn import metrics
    >>> metrics.edit_distance("kitten", "sitting")
    3
    """
    b = list(items("b", b))
    row = list(range(len(b) + 1))
    for i, symbol in enumerate(items("a", a), 1):
        corner, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            here = min(row[j] + 1, row[j - 1] + 1, corner + (symbol != other))
            corner, row[j] = row[j], here
    return row[-1]


def error_rate(predictions: Sequence[Symbols], references: Sequence[Any]) -> float:
    """Return the edits to the closest references by the symbols of those references.

    With phones as symbols it is the phone error rate (PER), with words that of speech recognition.
    It may exceed 1. Of references that are equally close the first counts.

    Parameters
    ----------
    predictions, references
        As in `exact_match`; a text is a sequence of characters.

    Raises
    ------
    TypeError
        As in `exact_match`.
    ValueError
        As in `exact_match`, or all references are empty.

    Examples
    --------
    >>> from fastrnn import metrics
    >>> metrics.error_rate([["T", "UW"]], [[["T", "UH", "N"], ["T", "AO"]]])
    0.5
    """
    edits = symbols = 0
    for prediction, may in paired(predictions, references):
        distances = [(edit_distance(prediction, reference), len(reference)) for reference in may]
        best = min(distances, key=lambda pair: pair[0])
        edits, symbols = edits + best[0], symbols + best[1]
    if not symbols:
        raise ValueError("references must hold at least one symbol")
    return edits / symbols


def paired(predictions: Sequence[Symbols], references: Sequence[Any]) -> list[Any]:
    """Return predictions with all their references."""
    predictions = several("predictions", predictions)
    references = several("references", references)
    if not predictions or len(predictions) != len(references):
        raise ValueError(
            "predictions and references must be equally many and not none, "
            f"got {len(predictions)} and {len(references)}"
        )
    pairs = [
        (p, r if isinstance(r, list) and _is_list_of_answers(r, p) else [r])
        for p, r in zip(predictions, references, strict=True)
    ]
    if not all(may for _, may in pairs):
        raise ValueError("references must be one at least for each prediction")
    return pairs


def several(name: str, answers: Any) -> list[Any]:
    """Return answers as a list; one text is no list of its characters."""
    if isinstance(answers, str):
        raise TypeError(f"{name} must be a sequence of answers, got one text; put it into a list")
    return list(items(name, answers))


def _is_list_of_answers(references: list[Any], prediction: Symbols) -> bool:
    """Whether a list holds whole answers, not the symbols of one."""
    if isinstance(prediction, str):
        return True
    return bool(references) and all(isinstance(r, list | tuple) for r in references)


def _same(a: Symbols, b: Symbols) -> bool:
    """Whether two answers are equal; a list equals a tuple of the same symbols."""
    return a == b if isinstance(a, str) or isinstance(b, str) else _list(a) == _list(b)


def _list(answer: Symbols) -> list[Hashable]:
    return list(items("an answer", answer))


def bracket_f1(
    predictions: Sequence[Sequence[Hashable]], references: Sequence[Sequence[Hashable]]
) -> float:
    """Return the F1 of brackets: labelled spans that a tree shares with the right one.

    Parameters
    ----------
    predictions, references : sequences of lists
        For each sentence its spans, (label, start, end): which of its words a bracket holds;
        an answer that is no tree has none. A span that stands there twice counts twice.

    Returns
    -------
    float
        Of all sentences together; 0 if no bracket is right.

    References
    ----------
    Black et al., "A procedure for quantitatively comparing the syntactic coverage of English
    grammars", 1991 (PARSEVAL).

    Examples
    --------
    >>> from fastrnn import metrics
    >>> right = [("S", 0, 3), ("NP", 0, 1), ("VP", 1, 3)]
    >>> metrics.bracket_f1([[("S", 0, 3), ("NP", 0, 2)]], [right])
    0.4
    """
    if len(predictions) != len(references):
        raise ValueError(
            f"predictions must be as many as references, got {len(predictions)}, {len(references)}"
        )
    both = given = wanted = 0
    for mine, theirs in zip(predictions, references, strict=True):
        both += (Counter(mine) & Counter(theirs)).total()
        given, wanted = given + len(mine), wanted + len(theirs)
    return 2 * both / (given + wanted) if given + wanted else 0.0
