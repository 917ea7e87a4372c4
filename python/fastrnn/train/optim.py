"""The optimisers: SGD, Adam, AdamW, RMSprop and Adagrad, with PyTorch's names and defaults.

Each is a rule of the core, which goes once over all arrays of an update, and a twin in
`fastrnn.reference`. docs/maths/optimisers.md has the formulas.
"""

from math import sqrt
from typing import Any

from fastrnn._checks import flag, number
from fastrnn.train._adaptive import Adagrad, RMSprop
from fastrnn.train._optimiser import Numbers, Optimiser, Schedule

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimiser", "RMSprop"]


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
