"""The optimisers: SGD, Adam, AdamW, RMSprop and Adagrad, with PyTorch's names and defaults.

Each is a rule of the core, which goes once over all arrays of an update, and a twin in
`fastrnn.reference`. docs/maths/optimisers.md has the formulas.
"""

from collections.abc import Callable, Mapping
from math import sqrt
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from fastrnn import _core
from fastrnn._call import twins
from fastrnn._checks import Array, flag, integer, number
from fastrnn._row_gradient import RowGradient
from fastrnn.runtime import backend, team
from fastrnn.train._trees import (
    alike,
    contiguous,
    flatten,
    gradients_of,
    kept_arrays,
    place,
    same_names,
    writable,
)

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimiser", "RMSprop"]

Schedule = Callable[[int], float]


class Numbers(NamedTuple):
    """What the core's rules take; which of them mean what stands in docs/maths/optimisers.md."""

    lr: float
    keep: float = 1.0  # an array is multiplied by it first
    decay: float = 0.0  # of the array, added to the gradient
    beta1: float = 0.0  # momentum, and the mean of the gradients
    beta2: float = 0.0  # the mean of their squares
    eps: float = 0.0
    root: float = 1.0  # the root of the mean square is multiplied by it


class Optimiser:
    """Base of the optimisers: `update` changes nested dicts of arrays in place.

    Parameters
    ----------
    lr : float or callable
        The learning rate, or a schedule of `fastrnn.train.schedule`.
    twin, rule : str, str
        Names of the update in `fastrnn.reference` and in the core.
    slots : tuple of str
        Names of the arrays that are kept beside each parameter array.
    options : dict of str to float or bool
        Everything else, as the twin in `fastrnn.reference` takes it.
    first : float
        What the kept arrays hold at first.

    Attributes
    ----------
    lr : float or callable
        May be set at any time. A schedule is called with the number of updates done so far.
    rate : float
        The learning rate of the next update.
    steps : int
        How many updates have been done.
    options : mapping
        How the optimiser was made; read-only.
    """

    def __init__(
        self,
        lr: float | Schedule,
        twin: str,
        rule: str,
        slots: tuple[str, ...],
        options: dict[str, Any],
        first: float = 0.0,
    ) -> None:
        self.lr = lr
        self.steps = 0
        self._options = options
        self._twin, self._rule, self._slots, self._first = twin, rule, slots, first
        # By the name of the parameter array, one array a slot; None until the first update.
        self._kept: dict[str, tuple[Array, ...]] | None = None

    def __repr__(self) -> str:
        options = "".join(f", {name}={value}" for name, value in self._options.items())
        return f"{type(self).__name__}({self._lr}{options})"

    @property
    def options(self) -> Mapping[str, Any]:
        """How the optimiser was made, beside its learning rate."""
        return MappingProxyType(self._options)

    @property
    def lr(self) -> float | Schedule:
        """The learning rate, or the schedule that gives it."""
        return self._lr

    @lr.setter
    def lr(self, value: float | Schedule) -> None:
        self._lr = value if callable(value) else number("lr", value, 0)

    @property
    def rate(self) -> float:
        """The learning rate of the next update."""
        if callable(self._lr):
            return number(f"the value of lr at step {self.steps}", self._lr(self.steps), 0)
        return self._lr

    def update(self, params: Mapping[str, Any], grads: Mapping[str, Any]) -> None:
        """Do one step: change the arrays of `params` in place, against the gradients `grads`.

        All arrays are changed by one team of threads. The result does not depend on its size, bit
        for bit.

        Parameters
        ----------
        params : nested dict of str to ndarray
            float32 or float64, also mixed; each C-contiguous, writable, apart from all others. The
            same names, shapes and dtypes at every step.
        grads : nested dict of str to ndarray
            The same names, shapes and dtypes; any strides. Left as they are. A `RowGradient` is
            the gradient of a table, as the whole array would be; or a lazy one, after which the
            rows that it lacks are as before, with their means and momentum.

        Raises
        ------
        TypeError, ValueError
            Something is wrong with an array, which the message names, or the schedule returned no
            proper number. Nothing has been changed then.

        Notes
        -----
        Subnormal numbers count as zero. Once it has begun, an update is not interrupted.

        Examples
        --------
        >>> import numpy as np
        >>> from fastrnn.train import SGD
        >>> params = {"out": {"bias": np.ones(2)}}
        >>> SGD(lr=0.5).update(params, {"out": {"bias": np.array([1.0, -1.0])}})
        >>> params
        {'out': {'bias': array([0.5, 1.5])}}
        """
        arrays = flatten("params", params)
        writable("params", arrays)
        gradients = gradients_of(arrays, grads)
        kept = self._kept_for(arrays)
        lr = self.rate
        before = self.steps, self._kept
        self.steps, self._kept = self.steps + 1, kept
        try:
            self._run(arrays, gradients, kept, lr)
        except (TypeError, ValueError, MemoryError):  # raised before the first change
            self.steps, self._kept = before
            raise

    def _run(
        self,
        arrays: dict[str, Array],
        gradients: list[Any],
        kept: dict[str, tuple[Array, ...]],
        lr: float,
    ) -> None:
        """Run the core, or the twin for as long as it is the backend."""
        if backend.get() == "core":
            _core.optim_update(
                self._rule,
                list(arrays),
                list(arrays.values()),
                [_for_core(gradient) for gradient in gradients],
                [kept[path] for path in arrays],
                self._numbers(lr),
                team.get(),
            )
            return
        twin, options = getattr(twins(), self._twin), self._twin_options(lr)
        for (path, array), given in zip(arrays.items(), gradients, strict=True):
            which: Any = ...
            gradient: Any = given
            if type(given) is RowGradient:
                which = given.rows if given.lazy else ...
                gradient = given.values if given.lazy else given.dense()
            state = dict(zip(self._slots, kept[path], strict=True))
            now = {slot: beside[which] for slot, beside in state.items()}
            array[which], after = twin(array[which], gradient, now, **options)
            for slot, each in after.items():
                state[slot][which] = each

    def _numbers(self, lr: float) -> Numbers:
        """Return what the core needs for step number `steps`, counted from 1."""
        raise NotImplementedError

    def _twin_options(self, lr: float) -> dict[str, Any]:
        """Return what the twin needs for it."""
        return {"lr": lr, **self._options}

    def _kept_for(self, arrays: dict[str, Array]) -> dict[str, tuple[Array, ...]]:
        """Return the arrays kept beside `arrays`, made if this is the first update."""
        if self._kept is None:
            return {
                path: tuple(np.full(array.shape, self._first, array.dtype) for _ in self._slots)
                for path, array in arrays.items()
            }
        same_names("params", arrays, "the updates before", self._kept)
        if self._slots:
            for path, beside in self._kept.items():
                array, first = arrays[path], beside[0]
                if array.shape != first.shape or array.dtype is not first.dtype:
                    alike(place("params", path), array, f"its {self._slots[0]}", first)
        return self._kept

    def state_dict(self) -> dict[str, Array]:
        """Return copies of all that the next updates depend on, beside params, grads and options.

        Returns
        -------
        dict of str to ndarray
            ``step``, an integer; ``lr``, or what a schedule with a `state_dict` of its own keeps
            as ``lr.…``; and each kept array as ``slot.name``, with PyTorch's names of the slots.

        Examples
        --------
        >>> import numpy as np
        >>> from fastrnn.train import Adam
        >>> adam = Adam(lr=0.01)
        >>> adam.update({"w": np.ones(2)}, {"w": np.ones(2)})
        >>> list(adam.state_dict())
        ['step', 'lr', 'exp_avg.w', 'exp_avg_sq.w']
        """
        state: dict[str, Array] = {"step": np.array(self.steps, np.int64)}
        if not callable(self._lr):
            state["lr"] = np.array(self._lr)
        elif hasattr(self._lr, "state_dict"):
            state |= {f"lr.{name}": np.array(a) for name, a in self._lr.state_dict().items()}
        for k, slot in enumerate(self._slots):
            for path, beside in (self._kept or {}).items():
                state[f"{slot}.{path}"] = beside[k].copy()
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a state that an optimiser of the same kind and options has saved.

        Parameters
        ----------
        state_dict : mapping of str to array_like
            What `state_dict` returned. Every name must belong here and none may be missing; the
            arrays must fit those of the updates before, or else those of the next one.

        Raises
        ------
        TypeError
            state_dict is no mapping, or an entry is no number or float array.
        ValueError
            A name is missing or too many, or a shape does not fit. Nothing has been changed then.

        Examples
        --------
        >>> from fastrnn.train import Adam
        >>> old, new = Adam(lr=0.1), Adam()
        >>> new.load_state_dict(old.state_dict())
        >>> new.lr
        0.1
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict must be a mapping, got {type(state_dict).__name__}")
        entries = dict(state_dict)
        if "step" not in entries:
            raise ValueError("state_dict lacks 'step'")
        steps = integer("state_dict['step']", np.asarray(entries.pop("step"))[()], 0)
        lr = self._lr_in(entries)
        kept = kept_arrays(entries, self._slots)
        if self._slots and steps > 0 and not kept:
            raise ValueError(f"state_dict lacks all arrays of {', '.join(self._slots)}")
        if kept and self._kept is not None:
            same_names("state_dict", kept, "the updates before", self._kept)
            for path, beside in kept.items():
                alike(f"state_dict[{path!r}]", beside[0], "the updates before", self._kept[path][0])
        self._set_lr(lr)
        self.steps, self._kept = steps, kept or None

    def _lr_in(self, entries: dict[str, Any]) -> dict[str, Any]:
        """Take from `entries` what belongs to the learning rate; a number has the name ''."""
        if not callable(self._lr):
            if "lr" not in entries:
                raise ValueError("state_dict lacks 'lr', which is a number here and no schedule")
            value = np.asarray(entries.pop("lr"))[()]
            return {"": number("state_dict['lr']", value, 0)}
        if not hasattr(self._lr, "load_state_dict"):
            return {}
        names = [name for name in entries if name.startswith("lr.")]
        return {name.removeprefix("lr."): entries.pop(name) for name in names}

    def _set_lr(self, state: dict[str, Any]) -> None:
        if not callable(self._lr):
            self._lr = state[""]
        elif hasattr(self._lr, "load_state_dict"):
            self._lr.load_state_dict(state)


def _for_core(gradient: Any) -> Any:
    """Return a gradient as the core takes it."""
    if type(gradient) is not RowGradient:
        return gradient
    return gradient.rows, contiguous(gradient.values), gradient.lazy


class SGD(Optimiser):
    """Stochastic gradient descent, with momentum if you like.

    Parameters
    ----------
    lr : float or callable
        Learning rate η, or a schedule: a function of the number of updates done so far.
    momentum : float
        µ, how much of the last step goes into the next.
    weight_decay : float
        λ, adds ``λ·θ`` to the gradient.
    nesterov : bool
        Look ahead by one step of momentum, which then may not be 0.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        A number is negative or not finite, or nesterov is given without momentum.

    References
    ----------
    Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013,
    equations 1 to 4, in the form in which η multiplies the buffer.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.train import SGD
    >>> params = {"w": np.zeros(1)}
    >>> sgd = SGD(lr=0.1, momentum=0.5)
    >>> for _ in range(3):
    ...     sgd.update(params, {"w": np.array([-1.0])})
    >>> params["w"].round(6)  # 0.1·(1 + 1.5 + 1.75)
    array([0.425])
    """

    def __init__(
        self,
        lr: float | Schedule = 1e-3,
        *,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        options = {
            "momentum": number("momentum", momentum, 0),
            "weight_decay": number("weight_decay", weight_decay, 0),
            "nesterov": flag("nesterov", nesterov),
        }
        if nesterov and momentum == 0:
            raise ValueError("nesterov must come with a momentum, got momentum=0")
        rule = "sgd_nesterov" if nesterov else "sgd_momentum" if momentum else "sgd"
        super().__init__(lr, "sgd", rule, ("momentum_buffer",) if momentum else (), options)

    def _numbers(self, lr: float) -> Numbers:
        options = self._options
        return Numbers(lr, decay=options["weight_decay"], beta1=options["momentum"])


class Adam(Optimiser):
    """Adam: every element moves by its mean gradient in units of the gradient's root mean square.

    Parameters
    ----------
    lr : float or callable
        Learning rate η, or a schedule: a function of the number of updates done so far.
    betas : (float, float)
        β1 and β2, how much of the running means of g and of g² is kept in a step.
    eps : float
        ε, added to the root.
    weight_decay : float
        λ, adds ``λ·θ`` to the gradient. `AdamW` decays the arrays themselves.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        A number is negative or not finite, or a beta is not below 1.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.train import Adam
    >>> params = {"w": np.array([1.0, -1.0])}
    >>> Adam(lr=0.1).update(params, {"w": np.array([5.0, 1e-3])})
    >>> params["w"].round(3)
    array([ 0.9, -1.1])
    """

    _decoupled = False

    def __init__(
        self,
        lr: float | Schedule = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise TypeError(f"betas must be a pair of numbers, got {betas!r}")
        options = {
            "betas": tuple(number(f"betas[{k}]", beta, 0, 1) for k, beta in enumerate(betas)),
            "eps": number("eps", eps, 0),
            "weight_decay": number("weight_decay", weight_decay, 0),
        }
        super().__init__(lr, "adam", "adam", ("exp_avg", "exp_avg_sq"), options)

    def _numbers(self, lr: float) -> Numbers:
        options = self._options
        (beta1, beta2), decay = options["betas"], options["weight_decay"]
        return Numbers(
            lr / (1 - beta1**self.steps),
            keep=1 - lr * decay if self._decoupled else 1.0,
            decay=0.0 if self._decoupled else decay,
            beta1=beta1,
            beta2=beta2,
            eps=options["eps"],
            root=1 / sqrt(1 - beta2**self.steps),
        )

    def _twin_options(self, lr: float) -> dict[str, Any]:
        return {"step": self.steps, "decoupled": self._decoupled, **super()._twin_options(lr)}


class AdamW(Adam):
    """Adam whose weight decay shrinks the arrays themselves, untouched by the gradient's scale.

    Parameters
    ----------
    lr : float or callable
        Learning rate η, or a schedule: a function of the number of updates done so far.
    betas : (float, float)
        β1 and β2, how much of the running means of g and of g² is kept in a step.
    eps : float
        ε, added to the root.
    weight_decay : float
        λ: an update multiplies every array by ``1 − η·λ`` first.

    Raises
    ------
    TypeError, ValueError
        As `Adam`.

    References
    ----------
    Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.train import AdamW
    >>> params = {"w": np.array([1.0])}
    >>> AdamW(lr=0.1, weight_decay=0.5).update(params, {"w": np.zeros(1)})
    >>> params["w"]
    array([0.95])
    """

    _decoupled = True

    def __init__(
        self,
        lr: float | Schedule = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(lr, betas=betas, eps=eps, weight_decay=weight_decay)


class RMSprop(Optimiser):
    """RMSprop: every element moves by its gradient in units of the gradient's root mean square.

    Parameters
    ----------
    lr : float or callable
        Learning rate η, or a schedule: a function of the number of updates done so far.
    alpha : float
        α, how much of the running mean of g² is kept in a step.
    eps : float
        ε, added to the root.
    weight_decay : float
        λ, adds ``λ·θ`` to the gradient.
    momentum : float
        µ, how much of the last step goes into the next.
    centered : bool
        Divide by the gradient's standard deviation instead, from a running mean of g as well.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        A number is negative or not finite, or alpha is not below 1.

    References
    ----------
    Tieleman and Hinton, "Lecture 6.5: rmsprop", 2012. Graves, "Generating sequences with recurrent
    neural networks", 2013, equations 38 to 45, is centered with momentum.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.train import RMSprop
    >>> params = {"w": np.array([1.0])}
    >>> RMSprop(lr=0.01).update(params, {"w": np.array([2.0])})
    >>> params["w"].round(6)
    array([0.9])
    """

    def __init__(
        self,
        lr: float | Schedule = 1e-2,
        *,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        options = {
            "alpha": number("alpha", alpha, 0, 1),
            "eps": number("eps", eps, 0),
            "weight_decay": number("weight_decay", weight_decay, 0),
            "momentum": number("momentum", momentum, 0),
            "centered": flag("centered", centered),
        }
        slots, rule = ["square_avg"], "rmsprop"
        if centered:
            slots, rule = [*slots, "grad_avg"], rule + "_centered"
        if momentum:
            slots, rule = [*slots, "momentum_buffer"], rule + "_momentum"
        super().__init__(lr, "rmsprop", rule, tuple(slots), options)

    def _numbers(self, lr: float) -> Numbers:
        options = self._options
        return Numbers(
            lr,
            decay=options["weight_decay"],
            beta1=options["momentum"],
            beta2=options["alpha"],
            eps=options["eps"],
        )


class Adagrad(Optimiser):
    """Adagrad: every element moves by its gradient over the root of the sum of all its squares.

    Parameters
    ----------
    lr : float or callable
        Learning rate η, or a schedule: a function of the number of updates done so far.
    lr_decay : float
        The rate of update t, counted from 0, is ``η/(1 + t·lr_decay)``.
    weight_decay : float
        λ, adds ``λ·θ`` to the gradient.
    initial_accumulator_value : float
        What the sums start from.
    eps : float
        ε, added to the root.

    Raises
    ------
    TypeError
        An argument is of the wrong type.
    ValueError
        A number is negative or not finite.

    References
    ----------
    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization", 2011, the diagonal form of figure 1.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.train import Adagrad
    >>> params = {"w": np.array([1.0])}
    >>> adagrad = Adagrad(lr=0.5)
    >>> for _ in range(4):
    ...     adagrad.update(params, {"w": np.array([3.0])})
    >>> params["w"].round(3)  # 1 - 0.5·(1/√1 + 1/√2 + 1/√3 + 1/√4)
    array([-0.392])
    """

    def __init__(
        self,
        lr: float | Schedule = 1e-2,
        *,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        first = number("initial_accumulator_value", initial_accumulator_value, 0)
        options = {
            "lr_decay": number("lr_decay", lr_decay, 0),
            "weight_decay": number("weight_decay", weight_decay, 0),
            "initial_accumulator_value": first,
            "eps": number("eps", eps, 0),
        }
        super().__init__(lr, "adagrad", "adagrad", ("sum",), options, first)

    def _lr_now(self, lr: float) -> float:
        return lr / (1 + (self.steps - 1) * float(self._options["lr_decay"]))

    def _numbers(self, lr: float) -> Numbers:
        options = self._options
        return Numbers(self._lr_now(lr), decay=options["weight_decay"], eps=options["eps"])

    def _twin_options(self, lr: float) -> dict[str, Any]:
        wanted = {name: self._options[name] for name in ("weight_decay", "eps")}
        return {"lr": self._lr_now(lr), **wanted}
