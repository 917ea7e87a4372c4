"""``fastrnn translate``: a sequence-to-sequence model turns lines into lines."""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.cli._lines import equally_many, lines_of, name_of, portions
from fastrnn.cli._opening import model_for
from fastrnn.cli._scores import Unknown, line_of, of_texts
from fastrnn.data import Vocabulary
from fastrnn.decode import Hypothesis
from fastrnn.models import Seq2Seq

_LINES = 512  # read, translated and printed together


def run_translate(
    path: Path,
    file: Path,
    *,
    references: Path | None,
    n_best: int,
    seed: int | None,
    attention: Path | None,
    **options: Any,
) -> None:
    """Translate a file, standard input, or what somebody types, line by line.

    Parameters
    ----------
    path : Path
        The model's file, or the folder of its training.
    file : Path
        ``-`` is standard input.
    references : Path or None
        The right translations, line by line: scores follow on stderr.
    n_best : int
        Above 1, each translation is a line of its own: the source's number, score and text.
    seed : int or None
        Of the draws, if there are any.
    attention : Path or None
        Where the attention over the first line goes, as a picture.
    **options
        As `Seq2Seq.translate`.
    """
    model = model_for("translate", path)
    if model.source_vocabulary is None or model.target_vocabulary is None:
        raise ValueError(f"{path}: the model has no vocabularies, so it knows numbers and no text")
    if attention is not None:
        from fastrnn.plot import require_matplotlib

        require_matplotlib()
    if any(options[name] is not None for name in ("temperature", "top_k", "top_p")):
        options["rng"] = np.random.default_rng(seed)
    elif seed is not None:
        raise ValueError("--seed is for draws: give --temperature, --top-k or --top-p, too")
    typed = str(file) == "-" and sys.stdin.isatty()
    if typed:
        print("type a line to translate; Ctrl-D ends", file=sys.stderr)
    texts = lines_of(file)
    answers = None if references is None else list(lines_of(references))
    if references is not None and answers is not None:
        texts = iter(equally_many(list(texts), file, answers, references))
    sources, targets = Unknown(model.source_vocabulary), Unknown(model.target_vocabulary)
    number, predictions = 0, list[str]()
    for lines in portions(texts, 1 if typed else _LINES):
        keep = attention is not None and number == 0
        rows = [sources.ids(line) for line in lines]
        result = model.translate(rows, n_best=n_best, return_attention=keep, **options)
        for line, best in zip(lines, result, strict=True):
            number += 1
            if answers is not None:
                predictions.append(str((best[0] if isinstance(best, list) else best).text))
            for hypothesis in best if isinstance(best, list) else [best]:
                head = f"{number}\t{hypothesis.score:.4f}\t" if n_best > 1 else ""
                print(head + str(hypothesis.text))
            if attention is not None and number == 1:
                _draw(model, line, best[0] if isinstance(best, list) else best, attention)
        sys.stdout.flush()
    sources.report(name_of(file))
    if answers is not None:
        for answer in answers:
            targets.ids(answer)
        targets.report(references)
        print(line_of(of_texts(predictions, answers, model.target_vocabulary)), file=sys.stderr)


def _draw(model: Seq2Seq, line: str, result: Hypothesis, path: Path) -> None:
    """Write the picture of how the translation looked at its source."""
    from fastrnn import plot
    from fastrnn.plot._matplotlib import boxes

    if result.attention is None or result.attention.size == 0:
        raise ValueError("the first line has no translation, so there is no attention to draw")
    source, target = model.source_vocabulary, model.target_vocabulary
    assert source is not None  # both were looked for at the start
    assert target is not None
    names = _spelled(source, source.encode(line)), _spelled(target, result.tokens)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # once for each letter; said below
        plot.save(plot.attention(result.attention, *names), path)
    print(f"picture: {path}", file=sys.stderr)
    if missing := boxes("".join(names[0] + names[1])):
        print(
            f"no font here has {missing}: the picture shows boxes, until one such as "
            "Noto Sans CJK is installed",
            file=sys.stderr,
        )


def _spelled(vocabulary: Vocabulary, ids: NDArray[np.int64]) -> list[str]:
    """Return what each symbol stands for."""
    return [vocabulary.decode([i]) for i in ids]
