"""Learning rates that change: each is a function of the number of updates done so far.

Give one to an optimiser as ``lr``, or call it yourself. Any function of your own will do as well.
`warmup` and `chain` make a schedule of others; `follow` lets one count epochs, seconds or percent
of the work in place of updates.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import cos, inf, pi, sqrt
from typing import Any

import numpy as np

from fastrnn._checks import Array, integer, number

__all__ = [
    "ReduceOnPlateau",
    "Schedule",
    "chain",
    "constant",
    "cosine",
    "exponential",
    "follow",
    "inverse_sqrt",
    "linear",
    "step_decay",
    "warmup",
]

Schedule = Callable[[int], float]

FOLLOWED = ("epochs", "seconds", "percent")

_RULES: dict[str, Callable[..., float]] = {
    "constant": lambda _, lr: lr,
    "step_decay": lambda step, lr, every, gamma: lr * gamma ** (step // every),
    "exponential": lambda step, lr, gamma: lr * gamma**step,
    "linear": lambda step, lr, last, steps: lr + (last - lr) * min(step / steps, 1.0),
    "cosine": lambda step, lr, steps, last: (
        last + (lr - last) * (1 + cos(pi * min(step / steps, 1.0))) / 2
    ),
    "inverse_sqrt": lambda step, lr, steps: lr * sqrt(steps / max(step, steps)),
    "warmup": lambda step, schedule, steps: (
        schedule(step) * min((step + 1) / (steps + 1), 1.0)
    ),
    "chain": lambda step, first, steps, then: first(step) if step < steps else then(step - steps),
}


@dataclass(repr=False)
class _Rule:
    """A rule by its name with its settings: it pickles, and prints as the call that made it."""

    name: str
    settings: dict[str, Any]

    def __call__(self, step: float) -> float:
        return _RULES[self.name](step, **self.settings)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"{self.name}({settings})"

    def _parts(self, method: str) -> dict[str, Any]:
        """Return by setting the schedules inside that have this method."""
        return {name: part for name, part in self.settings.items() if hasattr(part, method)}

    def progress(self, **done: float) -> None:
        """Tell the schedules inside how far the training is."""
        for part in self._parts("progress").values():
            part.progress(**done)

    def observe(self, loss: float) -> None:
        """Tell the schedules inside a loss."""
        for part in self._parts("observe").values():
            part.observe(loss)

    def state_dict(self) -> dict[str, Array]:
        """Return what the schedules inside remember, by ``setting.name``."""
        return {
            f"{setting}.{name}": array
            for setting, part in self._parts("state_dict").items()
            for name, array in part.state_dict().items()
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        parts = self._parts("load_state_dict")
        extra = [name for name in state_dict if name.partition(".")[0] not in parts]
        if extra:
            raise ValueError(f"state_dict has {extra[0]!r}, which {self.name} does not remember")
        for setting, part in parts.items():
            prefix = f"{setting}."
            own = {k.removeprefix(prefix): v for k, v in state_dict.items() if k.startswith(prefix)}
            part.load_state_dict(own)


@dataclass(repr=False)
class _Follow(_Rule):
    """A schedule that is given something else than the number of updates."""

    done: dict[str, float] = field(default_factory=dict)

    def __call__(self, _: float) -> float:
        what = self.settings["what"]
        if what not in self.done:
            raise ValueError(
                f"this learning rate follows {what}, which a Trainer tells it before each update; "
                f"without one call its progress({what}=...)"
            )
        return float(self.settings["schedule"](self.done[what]))

    def progress(self, **done: float) -> None:
        """Take note of how far the training is, and tell the schedule inside."""
        self.done = done
        super().progress(**done)


def constant(lr: float) -> Schedule:
    """Return the schedule that is always `lr`; for `chain`, since a number is a learning rate too.

    Parameters
    ----------
    lr : float

    Returns
    -------
    callable

    Examples
    --------
    >>> from fastrnn.train import schedule
    >>> schedule.constant(0.1)(1000)
    0.1
    """
    return _Rule("constant", {"lr": number("lr", lr, 0)})


def step_decay(lr: float, every: int, gamma: float = 0.1) -> Schedule:
    """Return ``lr · gamma^(step // every)``.

    Parameters
    ----------
    lr : float
        At first.
    every : int
        Updates between two falls.
    gamma : float
        Factor of a fall.

    Returns
    -------
    callable

    Examples
    --------
    >>> from fastrnn.train import schedule
    >>> lr = schedule.step_decay(1.0, every=10, gamma=0.5)
    >>> lr(9), lr(10), lr(20)
    (1.0, 0.5, 0.25)
    """
    lr, gamma = number("lr", lr, 0), number("gamma", gamma, 0)
    every = integer("every", every, 1)
    return _Rule("step_decay", {"lr": lr, "every": every, "gamma": gamma})


def exponential(lr: float, gamma: float) -> Schedule:
    """Return ``lr · gamma^step``.

    Parameters
    ----------
    lr : float
        At first.
    gamma : float
        Factor from one update to the next.

    Returns
    -------
    callable

    Examples
    --------
    >>> from fastrnn.train import schedule
    >>> schedule.exponential(1.0, 0.5)(3)
    0.125
    """
    lr, gamma = number("lr", lr, 0), number("gamma", gamma, 0)
    return _Rule("exponential", {"lr": lr, "gamma": gamma})


def linear(lr: float, last: float, steps: int) -> Schedule:
    """Return the line from `lr` to `last`, which it reaches after `steps` updates and keeps.

    Parameters
    ----------
    lr, last : float
    steps : int

    Returns
    -------
    callable

    Examples
    --------
    >>> from fastrnn.train import schedule
    >>> lr = schedule.linear(1.0, 0.0, 4)
    >>> lr(0), lr(1), lr(4), lr(9)
    (1.0, 0.75, 0.0, 0.0)
    """
    lr, last = number("lr", lr, 0), number("last", last, 0)
    steps = integer("steps", steps, 1)
    return _Rule("linear", {"lr": lr, "last": last, "steps": steps})


def cosine(lr: float, steps: int, last: float = 0.0) -> Schedule:
    """Return half a cosine from `lr` to `last`, which it reaches after `steps` updates and keeps.

    Parameters
    ----------
    lr : float
        At first.
    steps : int
        Updates until the end.
    last : float
        At the end and after.

    Returns
    -------
    callable

    References
    ----------
    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017,
    equation 5, without the restarts.

    Examples
    --------
    >>> from fastrnn.train import schedule
    >>> lr = schedule.cosine(1.0, 10)
    >>> lr(0), round(lr(5), 12), lr(10), lr(99)
    (1.0, 0.5, 0.0, 0.0)
    """
    lr, last = number("lr", lr, 0), number("last", last, 0)
    steps = integer("steps", steps, 1)
    return _Rule("cosine", {"lr": lr, "steps": steps, "last": last})


def inverse_sqrt(lr: float, steps: int) -> Schedule:
    """Return ``lr · √(steps / max(step, steps))``: `lr` at first, then falling with the root.

    Parameters
    ----------
    lr : float
        Until `steps` updates are done.
    steps : int

    Returns
    -------
    callable

    References
    ----------
    Vaswani et al., "Attention is all you need", 2017, equation 3; put `warmup` around it.

    Examples
    --------
    >>> from fastrnn.train import schedule
    >>> lr = schedule.inverse_sqrt(1.0, 100)
    >>> lr(50), lr(400)
    (1.0, 0.5)
    """
    lr, steps = number("lr", lr, 0), integer("steps", steps, 1)
    return _Rule("inverse_sqrt", {"lr": lr, "steps": steps})


def warmup(schedule: float | Schedule, steps: int) -> Schedule:
    """Return a schedule times ``(step + 1)/(steps + 1)`` during its first `steps` updates.

    Parameters
    ----------
    schedule : float or callable
        What is warmed up; it counts from the beginning of the warm-up.
    steps : int

    Returns
    -------
    callable

    Examples
    --------
    >>> from fastrnn.train import schedule
    >>> lr = schedule.warmup(1.0, 3)
    >>> lr(0), lr(1), lr(2), lr(3)
    (0.25, 0.5, 0.75, 1.0)
    """
    inner, steps = _as_schedule("schedule", schedule), integer("steps", steps, 0)
    return _Rule("warmup", {"schedule": inner, "steps": steps})


def chain(first: float | Schedule, steps: int, then: float | Schedule) -> Schedule:
    """Return `first` for `steps` updates, and after them `then`, which counts from 0 again.

    Parameters
    ----------
    first, then : float or callable
    steps : int

    Returns
    -------
    callable

    Examples
    --------
    >>> from fastrnn.train import schedule
    >>> lr = schedule.chain(1.0, 100, schedule.exponential(1.0, 0.5))
    >>> lr(99), lr(100), lr(101)
    (1.0, 1.0, 0.5)
    """
    one, two = _as_schedule("first", first), _as_schedule("then", then)
    steps = integer("steps", steps, 0)
    return _Rule("chain", {"first": one, "steps": steps, "then": two})


def follow(what: str, schedule: float | Schedule) -> Schedule:
    """Return a schedule that counts something else than updates; a Trainer tells it how much.

    Parameters
    ----------
    what : {"epochs", "seconds", "percent"}
        Epochs done, with the part of the one that runs where data has a length; seconds of
        training, without validation and saving; or percent of the work that the limits of
        `Trainer.fit` allow, the nearest one deciding, so that ``fit(seconds=60)`` is at 50 when
        half a minute is up.
    schedule : float or callable
        What is given this number in place of that of the updates.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        what is none of the three; when it is called, nobody has told it how far the training is.

    Examples
    --------
    Constant for half of the time, then down in a line:

    >>> from fastrnn.train import schedule
    >>> lr = schedule.follow("percent", schedule.chain(0.1, 50, schedule.linear(0.1, 0.0, 50)))
    >>> lr.progress(percent=75.0)  # as a Trainer does it
    >>> lr(123)
    0.05
    """
    if what not in FOLLOWED:
        raise ValueError(f"what must be one of {FOLLOWED}, got {what!r}")
    return _Follow("follow", {"what": what, "schedule": _as_schedule("schedule", schedule)})


def _as_schedule(name: str, value: float | Schedule) -> Schedule:
    return value if callable(value) else constant(number(name, value, 0))


class ReduceOnPlateau:
    """A learning rate that falls when a loss has not become better for some time.

    Tell it every new loss by `observe`. What it remembers is part of the optimiser's `state_dict`.

    Parameters
    ----------
    lr : float
        At first.
    factor : float
        What the rate is multiplied by.
    patience : int
        How many losses in a row may be no better than the best one; the next one lowers the rate.
    threshold : float
        A loss is better if it is below ``best · (1 - threshold)``, or for a negative best below
        ``best · (1 + threshold)``.
    lowest : float
        The rate never falls below.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        A number is out of its range.

    Examples
    --------
    >>> from fastrnn.train import schedule
    >>> lr = schedule.ReduceOnPlateau(1.0, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     lr.observe(loss)
    >>> lr(0)
    0.5
    """

    def __init__(
        self,
        lr: float,
        *,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        lowest: float = 0.0,
    ) -> None:
        self._rate = number("lr", lr, 0)
        self._factor = number("factor", factor, 0, 1)
        self._patience = integer("patience", patience, 0)
        self._threshold = number("threshold", threshold, 0, 1)
        self._lowest = number("lowest", lowest, 0)
        self._best, self._bad = inf, 0

    def __call__(self, _: int) -> float:
        """Return the learning rate; the number of updates has no part in it."""
        return self._rate

    def observe(self, loss: float) -> None:
        """Take note of a loss, lower being better; NaN is no better than any.

        Parameters
        ----------
        loss : float

        Examples
        --------
        >>> from fastrnn.train import schedule
        >>> schedule.ReduceOnPlateau(0.1).observe(2.5)
        """
        loss = float(loss)
        if loss < self._best - self._threshold * abs(self._best if self._best < inf else 0.0):
            self._best, self._bad = loss, 0
            return
        self._bad += 1
        if self._bad > self._patience:
            self._rate = max(self._rate * self._factor, min(self._lowest, self._rate))
            self._bad = 0

    def state_dict(self) -> dict[str, Array]:
        """Return what `observe` has changed, by name: ``rate``, ``best``, ``bad``."""
        return {
            "rate": np.array(self._rate),
            "best": np.array(self._best),
            "bad": np.array(self._bad, np.int64),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned.

        Raises
        ------
        TypeError, ValueError
            A name is missing or too many, or an entry is no proper number. Nothing has been
            changed then.
        """
        if state_dict.keys() != {"rate", "best", "bad"}:
            raise ValueError(f"state_dict must have rate, best and bad, got {sorted(state_dict)}")
        rate, best, bad = (np.asarray(state_dict[name])[()] for name in ("rate", "best", "bad"))
        checked = number("rate", rate, 0), float(best), integer("bad", bad, 0)
        self._rate, self._best, self._bad = checked
