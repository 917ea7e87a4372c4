"""Adam with decoupled weight decay on one flat vector, in plain NumPy and without temporaries.

A model whose parameters are views of one vector is updated in a dozen passes over memory that
stays in cache, however many arrays it has. `fastrnn.train` will replace this file.
"""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.floating]


def clip_norm(gradient: Vector, max_norm: float) -> float:
    """Scale `gradient` in place to a Euclidean norm of at most `max_norm`; return the old norm.

    Parameters
    ----------
    gradient : ndarray, (P,)
        The gradient of all parameters.
    max_norm : float
        The largest norm left alone.

    Raises
    ------
    FloatingPointError
        The norm is not finite: the training has diverged and no step would make sense.
    """
    norm = float(np.sqrt(np.dot(gradient, gradient)))
    if not np.isfinite(norm):
        raise FloatingPointError("the gradient is not finite; a lower learning rate may help")
    if norm > max_norm:
        gradient *= max_norm / norm
    return norm


class Adam:
    """Adam (AdamW if `weight_decay` is not 0) over one flat parameter vector.

    Parameters
    ----------
    parameters : ndarray, (P,)
        Updated in place by `step`.
    beta1, beta2 : float
        Decay of the running means of the gradient and of its square.
    epsilon : float
        Added to the root of the mean square.
    weight_decay : float
        Share of a parameter that a step with learning rate 1 would take away.

    Notes
    -----
    With m and v the running means and t the number of the step::

        m = β1·m + (1 − β1)·g            v = β2·v + (1 − β2)·g²
        θ = (1 − η·λ)·θ − η · (m / (1 − β1ᵗ)) / (√(v / (1 − β2ᵗ)) + ε)

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.
    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2.
    """

    def __init__(
        self,
        parameters: Vector,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self.parameters = parameters
        self.beta1, self.beta2 = beta1, beta2
        self.epsilon, self.weight_decay = epsilon, weight_decay
        self.steps = 0
        self._m = np.zeros_like(parameters)
        self._v = np.zeros_like(parameters)
        self._buffer = np.empty_like(parameters)

    def step(self, gradient: Vector, learning_rate: float) -> None:
        """Take one step against `gradient`, (P,), which is left as it is."""
        self.steps += 1
        m, v, buffer = self._m, self._v, self._buffer
        m *= self.beta1
        np.multiply(gradient, 1 - self.beta1, out=buffer)
        m += buffer
        v *= self.beta2
        np.multiply(gradient, gradient, out=buffer)
        buffer *= 1 - self.beta2
        v += buffer
        # The step is η/(1−β1ᵗ)·m / (√v/√(1−β2ᵗ) + ε): the corrections are numbers, not passes.
        np.sqrt(v, out=buffer)
        buffer *= (1 - self.beta2**self.steps) ** -0.5
        buffer += self.epsilon
        np.divide(m, buffer, out=buffer)
        buffer *= learning_rate / (1 - self.beta1**self.steps)
        if self.weight_decay:
            self.parameters *= 1 - learning_rate * self.weight_decay
        self.parameters -= buffer
