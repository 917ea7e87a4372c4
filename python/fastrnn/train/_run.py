"""All that a training is besides its model and optimiser; into a checkpoint and back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np

from fastrnn._checks import Array, integer, number
from fastrnn.io import Checkpoint, CheckpointError
from fastrnn.train._position import Position
from fastrnn.train._trees import flatten, put_together, take_apart
from fastrnn.train.history import History, Window, history_of


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
