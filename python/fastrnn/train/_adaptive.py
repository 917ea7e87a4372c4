"""RMSprop and Adagrad: steps in units of the root of a mean, or of a sum, of squared gradients."""

from typing import Any

from fastrnn._checks import flag, number
from fastrnn.train._optimiser import Numbers, Optimiser, Schedule


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
