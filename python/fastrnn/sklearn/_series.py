"""What X may be: a table, an array of series, a list of series of any lengths, or texts."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, validate_data

from fastrnn._checks import FLOAT32, FLOAT64, Array
from fastrnn.data import Vocabulary, pad

Rows = NDArray[np.int64]

_MOST = 2**22  # numbers that are padded at a time while predicting


class Series:
    """n sequences: vectors of d channels, or texts.

    Parameters
    ----------
    parts : ndarray, (n, T, d), or list of ndarray, (T_i, d), or list of str
        Texts are cut into characters, or into words between blanks.
    level : {None, "character", "word"}
        None: vectors.

    Attributes
    ----------
    parts, level
        As given.
    lengths : ndarray of int64, (n,)
    regular : bool
        Whether all have the same number of steps, in one array.
    """

    def __init__(self, parts: Any, level: Any = None) -> None:
        self.parts, self.level = parts, level
        self.regular = isinstance(parts, np.ndarray)
        count = len if level != "word" else lambda text: len(text.split())
        steps = [parts.shape[1]] * len(parts) if self.regular else list(map(count, parts))
        self.lengths = np.array(steps, np.int64)

    def __len__(self) -> int:
        return len(self.parts)

    @property
    def channels(self) -> int:
        """d, of vectors."""
        return int(self.parts.shape[2] if self.regular else self.parts[0].shape[1])

    def content(self, row: int) -> bytes:
        """Return what tells one sequence from the others."""
        part = self.parts[row]
        return part.encode() if isinstance(part, str) else part.tobytes()

    def batch(self, rows: Rows, vocabulary: Vocabulary | None) -> tuple[Array, Any]:
        """Return some sequences as (N, T, ·), and their lengths, None where there is one alone."""
        if self.regular:
            return self.parts[rows], None
        parts = [self.parts[row] for row in rows]
        if vocabulary is not None:
            parts = [vocabulary.encode(part) for part in parts]
        return pad(parts, batch_first=True)

    def batches(self, vocabulary: Vocabulary | None) -> Iterator[tuple[Rows, Array, Any]]:
        """Yield row numbers, x and lengths of all sequences, a bounded part of them at a time."""
        order = np.argsort(self.lengths, kind="stable")
        width = 1 if self.level else self.channels
        start = 0
        while start < len(order):
            stop = len(order)
            while (n := stop - start) > 1 and n * self.lengths[order[stop - 1]] * width > _MOST:
                stop = start + (n + 1) // 2
            rows = order[start:stop]
            yield rows, *self.batch(rows, vocabulary)
            start = stop

    def moments(self, rows: Rows, weights: Array | None) -> tuple[Array, Array]:
        """Return mean and standard deviation of each channel over all steps of some sequences.

        A channel that never changes has the deviation 1.
        """
        total = np.zeros((2, self.channels))
        count = 0.0
        for k in (0, 1):
            for i, row in enumerate(rows):
                weight = 1.0 if weights is None else weights[i]
                part = self.parts[row].astype(FLOAT64)
                total[k] += weight * (part if k == 0 else (part - total[0]) ** 2).sum(axis=0)
                count += weight * len(part) * (k == 0)
            total[k] /= count
        scale = np.sqrt(total[1])
        return total[0], np.where(scale > 0, scale, 1.0)


def read(estimator: Any, X: Any, *, reset: bool, double: bool) -> Series:
    """Return X as series, and note its columns or channels in the estimator if `reset`.

    Parameters
    ----------
    estimator : BaseEstimator
    X : array, list, DataFrame or Series of pandas
    reset : bool
        Whether this X is to be learned from; else it must be like the one that was.
    double : bool
        float64 stays what it is; else vectors become float32.

    Raises
    ------
    TypeError, ValueError
        As scikit-learn raises them; what is wrong with one sample names it.
    """
    result = _texts(X) or _arrays(estimator, X, double) or _table(estimator, X, reset, double)
    empty = np.flatnonzero(result.lengths == 0)
    if len(empty):
        raise ValueError(f"X must hold sequences of at least one step, sample {empty[0]} has none")
    if not len(result):
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
    kind = result.level or "vectors"
    if reset:
        estimator._kind = kind
        estimator._channels = 1 if result.level else result.channels
    elif kind != estimator._kind:
        raise ValueError(
            f"X must be of the kind that {type(estimator).__name__} was fitted with, "
            f"{_KINDS[estimator._kind]}, got {_KINDS[kind]}"
        )
    elif not result.level and result.channels != estimator._channels:
        raise ValueError(
            f"X has {result.channels} channels, but {type(estimator).__name__} is expecting "
            f"{estimator._channels} channels as input"
        )
    if not result.level:
        _check_finite(result)
    return result


_KINDS = {
    "vectors": "vectors of numbers",
    "character": "texts",
    "word": "lists of tokens",
}


def _texts(X: Any) -> Series | None:
    """Return texts, or lists of tokens, as such; None if X is something else."""
    if not isinstance(X, (list, tuple)) and getattr(X, "ndim", 0) != 1:
        return None
    values = list(X)
    if not values:
        return None
    if all(isinstance(value, str) for value in values):
        return Series([str(value) for value in values], "character")
    if not all(_is_tokens(value) for value in values):
        return None
    for n, value in enumerate(values):
        for token in value:
            if str(token).split() != [token]:
                raise ValueError(
                    f"tokens of X must hold no blanks and not be empty, sample {n} has {token!r}"
                )
    texts = [" ".join(map(str, value)) for value in values]
    return Series(texts, "word") if any(texts) else None


def _is_tokens(value: Any) -> bool:
    """Whether a sample is a list of strings, which may be empty."""
    if isinstance(value, (list, tuple)):
        return all(isinstance(token, str) for token in value)
    return isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind == "U"


def _arrays(estimator: Any, X: Any, double: bool) -> Series | None:
    """Return an array (n, T, d), or a list of series, as such; None if X is a table."""
    name = type(estimator).__name__
    if getattr(X, "ndim", 0) == 3:
        whole = check_array(
            X, dtype=None, allow_nd=True, ensure_all_finite=False, input_name="X",
            estimator=name, ensure_min_samples=1,
        )  # fmt: skip
        if not whole.shape[2]:
            raise ValueError(f"X must have at least one channel, got shape {whole.shape}")
        return Series(_floats(whole, double, "X"))
    listed = isinstance(X, (list, tuple)) or (getattr(X, "ndim", 0) == 1 and len(X) > 0)
    if not listed or not len(X):
        return None
    axes = {getattr(part, "ndim", None) or _axes_of(part) for part in X}
    if axes == {1} and (len({len(part) for part in X}) > 1 or not isinstance(X, (list, tuple))):
        X = [np.asarray(part)[:, None] for part in X]  # one channel
    elif axes != {2}:
        if axes & {1, 2} and len(axes) > 1:
            raise ValueError(
                "X must hold series of one form, (T_i, d) or (T_i,), got "
                f"{', '.join(f'{k} axes' for k in sorted(axes))}"
            )
        return None
    parts = [_floats(np.asarray(part), double, f"sample {n} of X") for n, part in enumerate(X)]
    d = parts[0].shape[1]
    for n, part in enumerate(parts):
        if part.shape[1] != d:
            raise ValueError(
                f"X must hold series of one number of channels: sample 0 has {d}, "
                f"sample {n} has {part.shape[1]}"
            )
    if not d:
        raise ValueError("X must hold series of at least one channel, got none")
    return Series(parts)


def _axes_of(part: Any) -> int:
    """Return how many axes a nested sequence has, by its first elements."""
    axes = 0
    while isinstance(part, Sequence) and not isinstance(part, str):
        axes += 1
        if not part:
            break
        part = part[0]
    return axes + getattr(part, "ndim", 0)


def _table(estimator: Any, X: Any, reset: bool, double: bool) -> Series:
    """Return the rows of a table as series of one channel."""
    checked: Any = None
    options = {
        "dtype": [np.float64, np.float32] if double else None,
        "ensure_all_finite": False, "ensure_min_samples": 1,
    }  # fmt: skip
    if reset or getattr(estimator, "_is_table", False):
        checked = validate_data(estimator, X, reset=reset, **options)
    else:
        checked = check_array(X, input_name="X", estimator=type(estimator).__name__, **options)
    if reset:
        estimator._is_table = True
    if checked.dtype.kind not in "fiub":
        checked = check_array(checked, dtype=np.float64, ensure_all_finite=False, input_name="X")
    return Series(_floats(checked, double, "X")[:, :, None])


def _floats(array: Array, double: bool, name: str) -> Array:
    """Return numbers as float32, or where asked as the float64 that they are."""
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} must hold real numbers, got {array.dtype}")
    kind = FLOAT64 if double and array.dtype != FLOAT32 else FLOAT32
    with np.errstate(over="ignore"):  # what is too large is refused as infinite
        return np.ascontiguousarray(array, kind)


def _check_finite(series: Series) -> None:
    """Refuse what is no number, with its place.

    Raises
    ------
    ValueError
        Something is NaN, infinite, or too large for the dtype.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # ∞ − ∞
        if series.regular and np.isfinite(series.parts.sum(dtype=FLOAT64)):
            return
    for n, part in enumerate(series.parts):
        lost = np.argwhere(~np.isfinite(part))
        if len(lost):
            step, channel = lost[0]
            what = "NaN" if np.isnan(part[step, channel]) else (
                f"infinity or a value too large for {part.dtype}"
            )  # fmt: skip
            raise ValueError(
                f"Input X contains {what}: sample {n}, step {step}, channel {channel}"
            )
