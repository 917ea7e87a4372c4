"""Files of examples for ``fastrnn train``: a text to continue, or JSON lines with labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import integer
from fastrnn.data import Vocabulary, batches, contiguous_streams, pad
from fastrnn.io._files import read_text
from fastrnn.io._json import strict_json

Level = Literal["character", "word"]
Rows = NDArray[np.int64]
T = TypeVar("T")


@dataclass(frozen=True)
class Dataset:
    """What a model learns from and is judged by.

    Attributes
    ----------
    train, held_out : iterable of batches
        As the model's `loss` and `evaluate` take them.
    model : dict
        What the data decides about the model: its vocabulary or input size, its classes.
    labels : tuple of str
        The names of the classes; empty for a text.
    words : str
        How large it is, for people.
    speakers : int
        How many the model must tell apart; 0: the data names none.
    unknown : str
        Which share of the symbols the vocabulary lacks, for people; empty where there are none.
    """

    train: Any
    held_out: Any
    model: dict[str, Any]
    labels: tuple[str, ...]
    words: str
    speakers: int = 0
    unknown: str = ""


def text_dataset(
    folder: Path,
    text: str,
    *,
    level: Level = "character",
    min_count: int = 1,
    max_size: int | None = None,
    held_out: float = 0.1,
    N: int = 32,
    T: int = 64,
) -> Dataset:
    """Return a text cut in two, as N streams of T steps a batch; the end is held out.

    Raises
    ------
    OSError, ValueError
        The file cannot be read, is no UTF-8, or too short; or an argument breaks its rule.
    """
    whole = read_text(named(folder, "text", text))
    cut = len(whole) - int(len(whole) * share(held_out))
    vocabulary = Vocabulary.from_texts(
        [whole[:cut]], level=level, min_count=min_count, max_size=max_size
    )
    ids = vocabulary.encode(whole[:cut]), vocabulary.encode(whole[cut:])
    train, judged = (contiguous_streams(part, N=N, T=T) for part in ids)
    return Dataset(
        train,
        judged,
        {"vocab": vocabulary},
        (),
        f"{len(ids[0]):,} {level}s of {text}, {len(vocabulary)} different; "
        f"{len(ids[1]):,} held out",
        unknown=unknown_shares(ids[:1], ids[1:]),
    )


def classes_dataset(folder: Path, examples: str, **options: Any) -> Dataset:
    """Return sequences with one label each; see `labelled_dataset`."""
    return labelled_dataset(named(folder, "examples", examples), each_step=False, **options)


def tags_dataset(folder: Path, examples: str, **options: Any) -> Dataset:
    """Return sequences with one label for each step; see `labelled_dataset`."""
    return labelled_dataset(named(folder, "examples", examples), each_step=True, **options)


def labelled_dataset(
    path: Path,
    *,
    each_step: bool,
    level: Level = "character",
    min_count: int = 1,
    max_size: int | None = None,
    held_out: float = 0.1,
    batch_size: int = 32,
    seed: int = 0,
) -> Dataset:
    """Return the examples of a file of JSON lines, shuffled and cut in two.

    A line is ``{"x": …, "label": …}``, or for a label at each step ``{"x": …, "labels": […]}``.
    x is a text, or a list of steps, each a list of numbers. Labels are texts or integers.
    """
    lines = read_lines(path)
    pairs = [_example(path, i, line, each_step) for i, line in enumerate(lines)]
    parts = divided(list(enumerate(pairs, 1)), held_out, seed, str(path), "examples")
    cut = len(parts[0])
    numbers, examples = zip(*parts[0], *parts[1], strict=True)
    inputs, labels = zip(*examples, strict=True)
    sizes = [None if isinstance(x, str) else np.shape(x)[1] for x, _ in pairs]
    if len(set(sizes)) > 1:
        odd = next(i for i, size in enumerate(sizes) if size != sizes[0])
        raise ValueError(f"{path}, line {odd + 1}: x is of another kind or size than in line 1")
    model: dict[str, Any]
    unknown = ""
    if isinstance(inputs[0], str):
        vocabulary = Vocabulary.from_texts(
            inputs[:cut], level=level, min_count=min_count, max_size=max_size
        )
        sequences = [vocabulary.encode(text) for text in inputs]
        model = {"vocab": vocabulary}
        unknown = unknown_shares(sequences[:cut], sequences[cut:])
    else:
        sequences = [np.asarray(x, np.float32) for x in inputs]
        model = {"input_size": sizes[0]}
    names = sorted({name for each in labels for name in each})
    classes = {name: i for i, name in enumerate(names)}
    targets = [np.array([classes[name] for name in each], np.int64) for each in labels]
    for number, sequence, target in zip(numbers, sequences, targets, strict=True):
        if each_step and len(target) != len(sequence):
            raise ValueError(
                f"{path}, line {number}: {len(sequence)} steps have {len(target)} labels"
            )

    def make(rows: Rows) -> tuple[Any, ...]:
        x, lengths = pad([sequences[i] for i in rows])
        marks = [targets[i] for i in rows]
        return x, pad(marks)[0] if each_step else np.concatenate(marks), lengths

    steps = [len(sequence) for sequence in sequences]
    train = batches(steps[:cut], batch_size, seed=seed, make=make)
    judged = batches(steps[cut:], batch_size, seed=seed, make=lambda rows: make(rows + cut))
    return Dataset(
        train,
        judged,
        {**model, "classes": names},
        tuple(names),
        f"{cut:,} examples of {path.name}, {len(names)} labels; {len(pairs) - cut:,} held out",
        unknown=unknown,
    )


def _example(path: Path, number: int, line: str, each_step: bool) -> tuple[Any, list[str]]:
    """Return input and labels of one line."""
    key = "labels" if each_step else "label"
    try:
        content = strict_json(line)
        if not isinstance(content, dict) or content.keys() != {"x", key}:
            raise ValueError(f'it must be {{"x": …, "{key}": …}}')
        x, labels = content["x"], content[key] if each_step else [content[key]]
        if not isinstance(x, str) and np.asarray(x, np.float32).ndim != 2:
            raise ValueError("x must be a text, or a list of steps that are lists of numbers")
        if not isinstance(labels, list) or not all(type(label) in (str, int) for label in labels):
            raise ValueError(f"{key} must be made of texts or integers")
        if "" in labels:
            raise ValueError(f"{key} must not be an empty text")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}, line {number + 1}: {error}") from None
    return x, [str(label) for label in labels]


def divided(
    things: Sequence[T], held_out: Any, seed: int, name: str, what: str
) -> tuple[list[T], list[T]]:
    """Return what to learn from and what to hold out, each in a shuffled order."""
    if len(things) < 2:
        raise ValueError(f"{name} must hold at least two {what}, got {len(things)}")
    order = np.random.default_rng(integer("seed", seed, 0)).permutation(len(things))
    cut = len(things) - max(1, int(len(things) * share(held_out)))
    return [things[i] for i in order[:cut]], [things[i] for i in order[cut:]]


def unknown_shares(learned: Sequence[Rows], held_out: Sequence[Rows]) -> str:
    """Return which share of the symbols a vocabulary did not know, on both sides of a cut."""
    shares = []
    for part in (learned, held_out):
        count = sum(map(len, part))
        unknown = sum(int((ids == Vocabulary.UNK).sum()) for ids in part)
        shares.append(f"{100 * unknown / count if count else 0.0:.1f} %")
    return f"{shares[0]} of what is learned from, {shares[1]} of what is held out"


def named(folder: Path, key: str, name: Any) -> Path:
    """Return the path of a file that a key names; TypeError if that is no name."""
    if not isinstance(name, str):
        raise TypeError(f"{key} must be the name of a file, got {name!r}")
    return folder / name


def read_lines(path: Path) -> list[str]:
    """Return the lines of a file, without their ends.

    The other characters at which `str.splitlines` cuts, such as U+2028, are part of a line, as they
    are for whoever wrote the file and for all commands that read line by line.

    Raises
    ------
    OSError, ValueError
        As `read_text`.
    """
    text = read_text(path)
    return text.removesuffix("\n").split("\n") if text else []


def share(held_out: Any) -> float:
    """Return how much to hold out, which must lie between 0 and 1."""
    if type(held_out) not in (int, float) or not 0 < held_out < 1:
        raise ValueError(f"held_out must lie between 0 and 1, got {held_out!r}")
    return float(held_out)
