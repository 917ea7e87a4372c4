"""Learning rates that change: each is a function of the number of updates done so far.

Give one to an optimiser as ``lr``, or call it yourself. Any function of your own will do as well.
`warmup` and `chain` make a schedule of others.
"""

from collections.abc import Callable
from math import cos, pi, sqrt

from fastrnn._checks import integer, number
from fastrnn.train._plateau import ReduceOnPlateau

Schedule = Callable[[int], float]

__all__ = [
    "ReduceOnPlateau",
    "Schedule",
    "chain",
    "constant",
    "cosine",
    "exponential",
    "inverse_sqrt",
    "linear",
    "step_decay",
    "warmup",
]


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
    lr = number("lr", lr, 0)
    return lambda _: lr


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
    return lambda step: lr * gamma ** (step // every)


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
    return lambda step: lr * gamma**step


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
    return lambda step: lr + (last - lr) * min(step / steps, 1.0)


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
    return lambda step: last + (lr - last) * (1 + cos(pi * min(step / steps, 1.0))) / 2


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
    return lambda step: lr * sqrt(steps / max(step, steps))


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
    return lambda step: inner(step) * min((step + 1) / (steps + 1), 1.0)


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
    return lambda step: one(step) if step < steps else two(step - steps)


def _as_schedule(name: str, value: float | Schedule) -> Schedule:
    return value if callable(value) else constant(number(name, value, 0))
