"""Files of examples for ``fastrnn train``: a text to continue, or JSON lines with labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastrnn._checks import integer
from fastrnn.data import TokenFile, Vocabulary, batches, contiguous_streams, pad
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
    steps : int
        Of the largest batch, padding included, over all of its rows.
    files : tuple of TokenFile
        What the batches are read from while a model learns.
    """

    train: Any
    held_out: Any
    model: dict[str, Any]
    labels: tuple[str, ...]
    words: str
    steps: int
    speakers: int = 0
    unknown: str = ""
    files: tuple[TokenFile, ...] = ()

    @property
    def predicted(self) -> int:
        """How many symbols the model has to choose from, V; 0 if it generates no text."""
        table = self.model.get("target_vocab", self.model.get("vocab"))
        return 0 if table is None or self.labels or "outputs" in self.model else len(table)

    def close(self) -> None:
        """Close the files; the batches cannot be read after that."""
        for file in self.files:
            file.close()


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
        N * T,
        unknown=unknown_shares(ids[:1], ids[1:]),
    )


def classes_dataset(folder: Path, examples: str, **options: Any) -> Dataset:
    """Return sequences with one label each, ``{"x": …, "label": …}``; see `read_examples`."""
    path = named(folder, "examples", examples)
    return _labelled(read_examples(path, "label", _one_label, **options))


def tags_dataset(folder: Path, examples: str, **options: Any) -> Dataset:
    """Return sequences with a label at each step, ``{"x": …, "labels": […]}``."""
    path = named(folder, "examples", examples)
    return _labelled(read_examples(path, "labels", _labels, each_step=True, **options))


def numbers_dataset(folder: Path, examples: str, *, each_step: bool, **options: Any) -> Dataset:
    """Return sequences with numbers to predict, ``{"x": …, "target": …}``.

    A target is a number or a list of K, or with `each_step` a list of these, one for each step.
    The model knows mean and standard deviation of the targets that it learns from.
    """
    path = named(folder, "examples", examples)
    given = read_examples(
        path, "target", _rows if each_step else _row, each_step=each_step, **options
    )
    K = next((target.shape[-1] for target in given.targets if target.size), 1)
    for number, target in zip(given.numbers, given.targets, strict=True):
        if target.size and target.shape[-1] != K:
            raise ValueError(
                f"{path}, line {number}: target must have as many numbers as the others, {K}, "
                f"got {target.shape[-1]}"
            )
    targets = [target.reshape(-1, K) if each_step else target for target in given.targets]
    learned = np.concatenate([target.reshape(-1, K) for target in targets[: given.cut]])
    if not len(learned):
        raise ValueError(f"{path} must hold a target to learn from")
    scale = learned.std(axis=0)
    model = {
        "outputs": K,
        "target_center": learned.mean(axis=0).tolist(),
        "target_scale": np.where(scale > 0, scale, 1.0).tolist(),
    }
    return given.dataset(targets, model, f"{K} numbers each")


@dataclass(frozen=True)
class Examples:
    """The examples of a file: those to learn from, then those that are held out."""

    path: Path
    each_step: bool
    batch_size: int
    seed: int
    cut: int  # so many are learned from
    numbers: Sequence[int]  # of their lines
    sequences: Sequence[Any]  # arrays of ids, or of steps
    targets: Sequence[Any]  # as they were read
    model: dict[str, Any]  # what the inputs decide about it
    unknown: str

    def dataset(
        self, targets: Sequence[Any], model: dict[str, Any], kind: str, labels: Sequence[str] = ()
    ) -> Dataset:
        """Return the batches of the examples with these arrays as targets."""
        cut, sequences = self.cut, self.sequences

        def make(rows: Rows) -> tuple[Any, ...]:
            x, lengths = pad([sequences[i] for i in rows])
            marks = [targets[i] for i in rows]
            return x, pad(marks)[0] if self.each_step else np.stack(marks), lengths

        steps = [len(sequence) for sequence in sequences]
        size, seed = self.batch_size, self.seed
        return Dataset(
            batches(steps[:cut], size, seed=seed, make=make),
            batches(steps[cut:], size, seed=seed, make=lambda rows: make(rows + cut)),
            self.model | model,
            tuple(labels),
            f"{cut:,} examples of {self.path.name}, {kind}; {len(steps) - cut:,} held out",
            size * max(steps),
            unknown=self.unknown,
        )


def read_examples(
    path: Path,
    key: str,
    read: Callable[[Any], Any],
    *,
    each_step: bool = False,
    level: Level = "character",
    min_count: int = 1,
    max_size: int | None = None,
    held_out: float = 0.1,
    batch_size: int = 32,
    seed: int = 0,
) -> Examples:
    """Return the examples of a file of JSON lines, shuffled and cut in two.

    A line is ``{"x": …, key: …}``. x is a text, or a list of steps, each a list of numbers; `read`
    makes a target of what stands under the key, and with `each_step` it has one for each step.
    """
    pairs = [_example(path, i, line, key, read) for i, line in enumerate(read_lines(path), 1)]
    parts = divided(list(enumerate(pairs, 1)), held_out, seed, str(path), "examples")
    cut = len(parts[0])
    numbers, examples = zip(*parts[0], *parts[1], strict=True)
    inputs, targets = zip(*examples, strict=True)
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
    for number, sequence, target in zip(numbers, sequences, targets, strict=True):
        if each_step and len(target) != len(sequence):
            raise ValueError(
                f"{path}, line {number}: {len(sequence)} steps have {len(target)} {key}"
                + ("" if key.endswith("s") else "s")
            )
    return Examples(
        path, each_step, batch_size, seed, cut, numbers, sequences, targets, model, unknown
    )


def _labelled(given: Examples) -> Dataset:
    """Return examples whose targets are lists of labels, as the numbers of these."""
    names = sorted({name for each in given.targets for name in each})
    classes = {name: i for i, name in enumerate(names)}
    targets = [np.array([classes[name] for name in each], np.int64) for each in given.targets]
    if not given.each_step:
        targets = [target[0] for target in targets]
    return given.dataset(targets, {"classes": names}, f"{len(names)} labels", names)


def _example(
    path: Path, number: int, line: str, key: str, read: Callable[[Any], Any]
) -> tuple[Any, Any]:
    """Return input and target of one line."""
    try:
        content = strict_json(line)
        if not isinstance(content, dict) or content.keys() != {"x", key}:
            raise ValueError(f'it must be {{"x": …, "{key}": …}}')
        x, target = content["x"], read(content[key])
        if not isinstance(x, str) and np.asarray(x, np.float32).ndim != 2:
            raise ValueError("x must be a text, or a list of steps that are lists of numbers")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}, line {number}: {error}") from None
    return x, target


def _one_label(content: Any) -> list[str]:
    return _labels([content], "label")


def _labels(content: Any, key: str = "labels") -> list[str]:
    if not isinstance(content, list) or not all(type(label) in (str, int) for label in content):
        raise ValueError(f"{key} must be made of texts or integers")
    if "" in content:
        raise ValueError(f"{key} must not be an empty text")
    return [str(label) for label in content]


def _row(content: Any) -> NDArray[np.float64]:
    """Return a number or a list of K as (K,)."""
    row = _numbers(content, "target must be a number, or a list of numbers")
    if row.ndim > 1 or not row.size:
        raise ValueError("target must be a number, or a list of numbers")
    return row.reshape(-1)


def _rows(content: Any) -> NDArray[np.float64]:
    """Return a number or a list of K for each step as (T, K)."""
    rule = "target must be a list with a number, or a list of numbers, for each step"
    rows = _numbers(content, rule)
    if not 1 <= rows.ndim <= 2:
        raise ValueError(rule)
    return rows.reshape(len(rows), -1) if rows.size else rows.reshape(0, 1)


def _numbers(content: Any, rule: str) -> NDArray[np.float64]:
    try:
        array = np.array(content)
    except ValueError:
        raise ValueError(rule) from None
    if array.size and array.dtype.kind not in "fiu":
        raise ValueError(rule)
    return array.astype(np.float64)


def divided(
    things: Sequence[T], held_out: Any, seed: int, name: str, what: str
) -> tuple[list[T], list[T]]:
    """Return what to learn from and what to hold out, each in a shuffled order."""
    learned, judged = division(len(things), held_out, seed, name, what)
    return [things[i] for i in learned], [things[i] for i in judged]


def division(n: int, held_out: Any, seed: int, name: str, what: str) -> tuple[Rows, Rows]:
    """Return the numbers, of n things, of those to learn from and of those to hold out."""
    if n < 2:
        raise ValueError(f"{name} must hold at least two {what}, got {n}")
    order = np.random.default_rng(integer("seed", seed, 0)).permutation(n)
    cut = n - max(1, int(n * share(held_out)))
    return order[:cut], order[cut:]


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
