"""One update of one array by each optimiser, in plain NumPy; docs/maths/optimisers.md derives them.

A function takes the array, its gradient and the state by name, changes none of them, and returns
the array and the state after the update, in the dtype of the array.
"""

from collections.abc import Mapping

import numpy as np

from fastrnn.reference._math import Array

State = dict[str, Array]


def sgd(
    param: Array,
    grad: Array,
    state: Mapping[str, Array],
    *,
    lr: float,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
) -> tuple[Array, State]:
    """Take one step of stochastic gradient descent; see `fastrnn.train.SGD`.

    Parameters
    ----------
    param, grad : ndarray
        An array of any shape, and the gradient of the loss by it.
    state : dict of str to ndarray
        ``momentum_buffer`` if momentum is not 0.
    lr, momentum, weight_decay : float
    nesterov : bool

    Returns
    -------
    param : ndarray
    state : dict of str to ndarray

    Notes
    -----
    ::

        g ← g + λ·θ        b ← µ·b + g        θ ← θ − η·b, nesterov: θ − η·(g + µ·b)

    References
    ----------
    Sutskever et al., "On the importance of initialization and momentum", 2013, equations 1 to 4.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> reference.sgd(np.array([1.0]), np.array([2.0]), {}, lr=0.25)
    (array([0.5]), {})
    """
    grad = _decayed(param, grad, weight_decay)
    if momentum == 0:
        return param - lr * grad, {}
    buffer = momentum * state["momentum_buffer"] + grad
    step = grad + momentum * buffer if nesterov else buffer
    return param - lr * step, {"momentum_buffer": buffer}


def adam(
    param: Array,
    grad: Array,
    state: Mapping[str, Array],
    *,
    step: int,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> tuple[Array, State]:
    """Take one step of Adam, or of AdamW if `decoupled`; see `fastrnn.train.Adam`.

    Parameters
    ----------
    param, grad : ndarray
        An array of any shape, and the gradient of the loss by it.
    state : dict of str to ndarray
        ``exp_avg`` and ``exp_avg_sq``, zeros before the first step.
    step : int
        The number of this step, from 1.
    lr : float
    betas : (float, float)
    eps, weight_decay : float
    decoupled : bool
        Shrink the array itself by the weight decay, not through the gradient.

    Returns
    -------
    param : ndarray
    state : dict of str to ndarray

    Notes
    -----
    ::

        g ← g + λ·θ, decoupled: θ ← (1 − η·λ)·θ
        m ← m + (1 − β1)·(g − m)            v ← β2·v + (1 − β2)·g²
        θ ← θ − η/(1 − β1ᵗ) · m / (√v / √(1 − β2ᵗ) + ε)

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1.
    Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> zeros = {"exp_avg": np.zeros(1), "exp_avg_sq": np.zeros(1)}
    >>> param, state = reference.adam(np.ones(1), np.array([5.0]), zeros, step=1, lr=0.5)
    >>> param.round(6), state["exp_avg"]
    (array([0.5]), array([0.5]))
    """
    beta1, beta2 = betas
    if decoupled:
        param = param * (1 - lr * weight_decay)
    else:
        grad = _decayed(param, grad, weight_decay)
    m = state["exp_avg"] + (1 - beta1) * (grad - state["exp_avg"])
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * grad**2
    root = np.sqrt(v) / (1 - beta2**step) ** 0.5 + eps
    return param - lr / (1 - beta1**step) * (m / root), {"exp_avg": m, "exp_avg_sq": v}


def rmsprop(
    param: Array,
    grad: Array,
    state: Mapping[str, Array],
    *,
    lr: float,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    centered: bool = False,
) -> tuple[Array, State]:
    """Take one step of RMSprop; see `fastrnn.train.RMSprop`.

    Parameters
    ----------
    param, grad : ndarray
        An array of any shape, and the gradient of the loss by it.
    state : dict of str to ndarray
        ``square_avg``, also ``momentum_buffer`` if momentum is not 0, and ``grad_avg`` if centered.
    lr, alpha, eps, weight_decay, momentum : float
    centered : bool

    Returns
    -------
    param : ndarray
    state : dict of str to ndarray

    Notes
    -----
    ::

        g ← g + λ·θ        v ← α·v + (1 − α)·g²        centered: a ← a + (1 − α)·(g − a)
        s = g / (√v + ε), centered: g / (√max(v − a², 0) + ε)
        momentum: b ← µ·b + s, and θ ← θ − η·b; without: θ ← θ − η·s

    References
    ----------
    Tieleman and Hinton, "Lecture 6.5: rmsprop", 2012.
    Graves, "Generating sequences with recurrent neural networks", 2013, equations 38 to 45, has
    the centered form with momentum.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> state = {"square_avg": np.zeros(1)}
    >>> param, state = reference.rmsprop(np.ones(1), np.array([2.0]), state, lr=0.01)
    >>> param.round(6), state["square_avg"].round(6)
    (array([0.9]), array([0.04]))
    """
    grad = _decayed(param, grad, weight_decay)
    square = alpha * state["square_avg"] + (1 - alpha) * grad**2
    after, variance = {"square_avg": square}, square
    if centered:
        mean = state["grad_avg"] + (1 - alpha) * (grad - state["grad_avg"])
        after["grad_avg"] = mean
        variance = np.maximum(square - mean**2, 0)
    step = grad / (np.sqrt(variance) + eps)
    if momentum != 0:
        step = after["momentum_buffer"] = momentum * state["momentum_buffer"] + step
    return param - lr * step, after


def adagrad(
    param: Array,
    grad: Array,
    state: Mapping[str, Array],
    *,
    lr: float,
    weight_decay: float = 0.0,
    eps: float = 1e-10,
) -> tuple[Array, State]:
    """Take one step of Adagrad; see `fastrnn.train.Adagrad`.

    Parameters
    ----------
    param, grad : ndarray
        An array of any shape, and the gradient of the loss by it.
    state : dict of str to ndarray
        ``sum``, of the squares so far.
    lr, weight_decay, eps : float

    Returns
    -------
    param : ndarray
    state : dict of str to ndarray

    Notes
    -----
    ::

        g ← g + λ·θ        s ← s + g²        θ ← θ − η · g / (√s + ε)

    References
    ----------
    Duchi, Hazan and Singer, "Adaptive subgradient methods", 2011, the diagonal form of figure 1.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> reference.adagrad(np.ones(1), np.array([3.0]), {"sum": np.array([16.0])}, lr=0.5)
    (array([0.7]), {'sum': array([25.])})
    """
    grad = _decayed(param, grad, weight_decay)
    total = state["sum"] + grad**2
    return param - lr * (grad / (np.sqrt(total) + eps)), {"sum": total}


def _decayed(param: Array, grad: Array, weight_decay: float) -> Array:
    """Return the gradient with that of ``λ/2·‖θ‖²`` added."""
    return grad + weight_decay * param if weight_decay != 0 else grad
