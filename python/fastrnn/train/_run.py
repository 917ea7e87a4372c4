"""Where a training stands, by its counts and in its data; into a checkpoint and back."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, Protocol

import numpy as np

from fastrnn._checks import Array, flag, integer, number
from fastrnn.io import Checkpoint, CheckpointError
from fastrnn.train._trees import flatten, put_together, take_apart
from fastrnn.train.history import History, history_of

Batch = Any


@dataclass
class Window:
    """Sums over the updates since the last record."""

    updates: int = 0
    loss: float = 0.0
    gradient_norm: float = 0.0

    def add(self, loss: float, gradient_norm: float) -> None:
        """Add one update."""
        self.updates += 1
        self.loss += loss
        self.gradient_norm += gradient_norm

    def means(self) -> dict[str, float]:
        """Return the means and start anew."""
        columns = {
            "loss": self.loss / self.updates,
            "gradient_norm": self.gradient_norm / self.updates,
        }
        self.updates, self.loss, self.gradient_norm = 0, 0.0, 0.0
        return columns


@dataclass
class Run:
    """How far a training has come.

    Attributes
    ----------
    update, epoch, tokens, seconds : numbers
        Done so far; seconds without validation and saving.
    validated_update, validated_epoch : int
        When the last validation was.
    best, bad : float or None, int
        The best figure, and how many validations since then were no better.
    best_params : dict of str to ndarray
        The parameters it belongs to; empty if nobody asked for them.
    carry : nest of arrays
        The state that the next batch goes on from.
    """

    update: int = 0
    epoch: int = 0
    tokens: int = 0
    seconds: float = 0.0
    validated_update: int = 0
    validated_epoch: int = 0
    best: float | None = None
    bad: int = 0
    best_params: dict[str, Array] = field(default_factory=dict)
    carry: Any = None
    window: Window = field(default_factory=Window)
    history: History = field(default_factory=History)


class Position:
    """Where in its data a training stands, so that no batch is seen twice or left out after a stop.

    It gives batches, epoch after epoch, from a source that can be set to where a run stopped.

    A source with `state_dict` and `load_state_dict` (those of `fastrnn.data`) keeps its position
    itself. Of any other one the batches already used are counted, and left out after a stop; it
    must give the same ones in every epoch, as a list does.

    Parameters
    ----------
    data : iterable
        A ``for`` loop over it is one epoch.

    Attributes
    ----------
    index : int
        Batches of this epoch that were given.
    carries : bool
        Whether a batch goes on where the one before ended, which data deny by `carries`.
    """

    def __init__(self, data: Iterable[Batch]) -> None:
        self._data: Any = data
        self._has_state = hasattr(data, "state_dict") and hasattr(data, "load_state_dict")
        try:
            one_way = not self._has_state and iter(data) is data
        except TypeError:
            raise TypeError(
                f"data must be an iterable of batches, got {type(data).__name__}"
            ) from None
        if one_way:
            raise TypeError(
                "data must be a list or another iterable that can be run through again, "
                f"got the one-way iterator {type(data).__name__}"
            )
        self.carries = bool(getattr(data, "carries", True))
        self.index = 0
        self._entered = False  # in the middle of an epoch
        self._before: dict[str, Any] | None = None

    def rest_of_epoch(self, count: int = 1) -> Iterator[list[Batch]]:
        """Give the batches from here to the end of the epoch, so many at a time.

        The last time of an epoch may be fewer.

        Raises
        ------
        ValueError
            The data gives no batch at all.
        """
        whole, given = not self._entered, False
        if self._has_state:
            batches: Iterator[Batch] = iter(self._data)
        else:
            batches = islice(iter(self._data), self.index, None)
        while True:
            self._before = self.state_dict()
            several: list[Batch] = []
            while len(several) < count:
                here = self.state_dict() if several else self._before
                try:
                    several.append(next(batches))
                except StopIteration:
                    if several and self._has_state:
                        # It stands in the next epoch, and these batches are of this one.
                        self._data.load_state_dict(here["data"])
                        batches = iter(self._data)
                    break
                given, self._entered = True, True
                self.index += 1
            if not several:
                break
            yield several
        if whole and not given:
            raise ValueError("data gives no batch")
        self.index, self._entered = 0, False

    def back(self) -> None:
        """Go back to before what was given last, a batch or the end of an epoch."""
        if self._before is not None:
            self.load_state_dict(self._before)
            self._before = None

    def done(self) -> None:
        """Say that what was given last, a batch or the end of an epoch, has been dealt with."""
        self._before = None

    def state_dict(self) -> dict[str, Any]:
        """Return the position as JSON can say it."""
        return {
            "index": self.index,
            "entered": self._entered,
            "data": self._data.state_dict() if self._has_state else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to a position that `state_dict` returned.

        Raises
        ------
        TypeError, ValueError
            It is none, or one of another kind of data, or of other data.
        """
        if (state["data"] is not None) != self._has_state:
            raise ValueError("the position is one of another kind of data")
        index, entered = integer("index", state["index"], 0), flag("entered", state["entered"])
        if entered != (index > 0):
            raise ValueError(f"index is {index}, and entered {entered}: one of them is wrong")
        if self._has_state:
            self._data.load_state_dict(state["data"])
        elif hasattr(self._data, "__len__") and index > len(self._data):
            raise ValueError(f"index is {index}, and the data has {len(self._data)} batches")
        self.index, self._entered = index, entered


def generator_state(rng: np.random.Generator) -> dict[str, Any]:
    """Return all that the next numbers depend on; integers as hexadecimal digits.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.train._run import generator_state
    >>> generator_state(np.random.default_rng(0))["bit_generator"]
    'PCG64'
    """
    return {key: _written(value) for key, value in rng.bit_generator.state.items()}


def set_generator_state(rng: np.random.Generator, state: Mapping[str, Any]) -> None:
    """Bring the generator into a state that `generator_state` returned.

    Raises
    ------
    ValueError
        It is the state of another kind of generator, or none. The generator is as it was then.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.train._run import generator_state, set_generator_state
    >>> a, b = np.random.default_rng(0), np.random.default_rng(1)
    >>> set_generator_state(b, generator_state(a))
    >>> bool(a.random() == b.random())
    True
    """
    present = rng.bit_generator.state
    name = present["bit_generator"]
    if not isinstance(state, Mapping) or state.get("bit_generator") != name:
        raise ValueError(f"the generator is a {name}, its saved state is of another kind")
    try:
        rng.bit_generator.state = _read_like(present, state)
    except (TypeError, ValueError, KeyError, OverflowError):
        raise ValueError(f"the saved state of the {name} generator is not one") from None


def _written(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _written(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray):
        return [hex(number) for number in value.tolist()]
    return value if isinstance(value, str) else hex(int(value))


def _read_like(present: Any, value: Any) -> Any:
    """Read what `_written` wrote; the present state says what belongs where."""
    if isinstance(present, Mapping):
        if present.keys() != value.keys():
            raise KeyError
        return {key: _read_like(inner, value[key]) for key, inner in present.items()}
    if isinstance(present, np.ndarray):
        numbers = np.array([int(digits, 16) for digits in value], present.dtype)
        if numbers.shape != present.shape:
            raise ValueError
        return numbers
    return str(value) if isinstance(present, str) else int(value, 16)


class Stepper(Protocol):
    """What a training needs of its optimiser."""

    def update(self, params: Any, grads: Any) -> None:
        """Change the arrays of `params` in place; all of them, or raise."""

    def state_dict(self) -> Mapping[str, Array]:
        """Return all that the next updates depend on."""

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""


_COUNTS = ("update", "epoch", "tokens", "validated_update", "validated_epoch", "bad")
_NUMBERS = (*_COUNTS, "seconds", "best")


def to_checkpoint(
    model: Any, optimiser: Stepper, rng: np.random.Generator, run: Run, position: Position
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the tensors and the state of a checkpoint; the arrays are not copied."""
    tensors: dict[str, Array] = {}
    for prefix, arrays in (
        ("model.", flatten("model.params", model.params)),
        ("optim.", optimiser.state_dict()),
        ("best.", run.best_params),
        ("tables.", _tables(model)),  # so that it can be loaded from here
    ):
        tensors |= {prefix + name: array for name, array in arrays.items()}
    carried: dict[str, Array] = {}
    skeleton = take_apart(run.carry, "carry.", carried)
    tensors |= carried
    tensors["history"] = np.frombuffer(run.history.lines(), np.uint8)
    state = {
        **_identity(model, optimiser),
        "run": {name: getattr(run, name) for name in _NUMBERS},
        "window": asdict(run.window),
        "carry": skeleton,
        "rng": generator_state(rng),
        "position": position.state_dict(),
    }
    return tensors, state


def from_checkpoint(
    checkpoint: Checkpoint,
    model: Any,
    optimiser: Stepper,
    rng: np.random.Generator,
    position: Position,
) -> Run:
    """Put everything where the checkpoint says it was, or raise CheckpointError and do nothing."""
    arrays = flatten("model.params", model.params)
    saved = _part(checkpoint, "model.")
    difference = _difference(checkpoint, model, optimiser, arrays, saved)
    if difference:
        raise CheckpointError(
            checkpoint.path, difference, "build what it was saved from, or take another folder"
        )
    before = dict(optimiser.state_dict()), generator_state(rng), position.state_dict()
    try:
        run = _run_of(checkpoint, arrays)
        optimiser.load_state_dict(_part(checkpoint, "optim."))
        set_generator_state(rng, checkpoint.state["rng"])
        position.load_state_dict(checkpoint.state["position"])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        optimiser.load_state_dict(before[0])
        set_generator_state(rng, before[1])
        position.load_state_dict(before[2])
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(
            checkpoint.path, f"it does not fit this training: {reason}", "take another folder"
        ) from None
    put(arrays, saved)
    return run


def put(arrays: Mapping[str, Array], values: Mapping[str, Array]) -> None:
    """Write values into the arrays of a model."""
    for name, array in arrays.items():
        array[...] = values[name]


def _tables(model: Any) -> dict[str, Array]:
    """Return what a model's file holds beside its parameters: its vocabularies."""
    tables: dict[str, Array] = getattr(model, "_tensors", dict)()
    return tables


def _identity(model: Any, optimiser: Stepper) -> dict[str, Any]:
    return {
        "kind": "training",
        "model": type(model).__name__,
        "config": getattr(model, "config", None),
        "vocabulary": getattr(getattr(model, "vocabulary", None), "sha256", None),
        "optimiser": type(optimiser).__name__,
    }


def _part(checkpoint: Checkpoint, prefix: str) -> dict[str, Array]:
    """Return the tensors whose names begin with the prefix, without it."""
    return {
        name.removeprefix(prefix): array
        for name, array in checkpoint.tensors.items()
        if name.startswith(prefix)
    }


def _difference(
    checkpoint: Checkpoint,
    model: Any,
    optimiser: Stepper,
    arrays: Mapping[str, Array],
    saved: Mapping[str, Array],
) -> str:
    """Say in one line what tells the checkpoint's model or optimiser from ours; "" if nothing."""
    for key, ours in _identity(model, optimiser).items():
        if key not in checkpoint.state:
            return f"it is no checkpoint of a training: it lacks {key}"
        theirs = checkpoint.state[key]
        if key == "config" and isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            keys = [k for k in {**ours, **theirs} if not _equal(ours.get(k), theirs.get(k))]
            if keys:
                k = keys[0]
                return f"it is of another model: {k} is {theirs.get(k)!r}, here {ours.get(k)!r}"
        elif not _equal(ours, theirs):
            return f"it is of another training: its {key} is {theirs!r}, here {ours!r}"
    absent = sorted(arrays.keys() - saved.keys())
    extra = sorted(saved.keys() - arrays.keys())
    if absent or extra:
        return f"it is of another model: it lacks {absent[:3]} and has {extra[:3]} too many"
    for name, array in arrays.items():
        there = saved[name]
        if (there.shape, there.dtype) != (array.shape, array.dtype):
            return (
                f"it is of another model: {name} is {there.dtype} {there.shape}, "
                f"here {array.dtype} {array.shape}"
            )
    tables, ours = _part(checkpoint, "tables."), _tables(model)
    # Checkpoints once had none.
    if tables and {n: a.tobytes() for n, a in tables.items()} != {
        n: a.tobytes() for n, a in ours.items()
    }:
        return "it is of another model: its vocabularies are not those of the model here"
    return ""


def _equal(ours: Any, theirs: Any) -> bool:
    """Whether two values are the same in JSON, which knows no tuples."""
    if isinstance(ours, (list, tuple)) and isinstance(theirs, (list, tuple)):
        return len(ours) == len(theirs) and all(map(_equal, ours, theirs))
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return ours.keys() == theirs.keys() and all(_equal(ours[k], theirs[k]) for k in ours)
    return type(ours) is type(theirs) and bool(ours == theirs)


def _run_of(checkpoint: Checkpoint, arrays: Mapping[str, Array]) -> Run:
    numbers = {name: checkpoint.state["run"][name] for name in _NUMBERS}
    window = Window(**checkpoint.state["window"])
    for name, value in {**numbers, **asdict(window)}.items():
        if name in (*_COUNTS, "updates"):
            integer(name, value, 0, 10**15)
        elif not (name == "best" and value is None):
            number(name, value)
    best_params = _part(checkpoint, "best.")
    shapes = {name: (array.shape, array.dtype) for name, array in arrays.items()}
    if best_params and shapes != {n: (a.shape, a.dtype) for n, a in best_params.items()}:
        raise ValueError("its best parameters are of another model")
    return Run(
        **numbers,
        best_params=best_params,
        carry=put_together(checkpoint.state["carry"], checkpoint.tensors),
        window=window,
        history=history_of(checkpoint.tensors["history"].tobytes()),
    )
