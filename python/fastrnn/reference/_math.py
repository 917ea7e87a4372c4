"""The few formulas all twins share, written so that one text serves NumPy and autograd.numpy."""

import importlib
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.cells import NUMBERS, Squash

Array = NDArray[Any]


def array_module(*arrays: object) -> Any:
    """Return `autograd.numpy` while one of the arrays is being differentiated, else `numpy`.

    autograd is never imported for this: an array it traces can exist only once it is loaded.
    """
    extend = sys.modules.get("autograd.extend")
    if extend is not None and any(isinstance(array, extend.Box) for array in arrays):
        return importlib.import_module("autograd.numpy")
    return np


def as_array(array: Any, like: Any = None) -> Any:
    """Return a list as an array of the dtype of `like`; None, arrays, traced arrays unchanged."""
    if array is None or array_module(array) is not np:
        return array
    return np.asarray(array, like.dtype if like is not None and isinstance(array, list) else None)


def constant(array: Any) -> Any:
    """Return the plain value of what may be being differentiated: no gradient goes there."""
    extend = sys.modules.get("autograd.extend")
    while extend is not None and isinstance(array, extend.Box):
        array = array._value
    return array


def affine(xp: Any, x: Any, w: Any, b: Any) -> Any:
    """Return ``x·wᵀ + b``; a `w` or `b` of None is left out."""
    if hasattr(w, "of_x"):  # weights of fewer bits know what becomes of x
        product = w.of_x(x)
    elif w is None:
        product = x
    else:
        product = x @ xp.transpose(w)
    return product if b is None else product + b


def rows(array: Any) -> Any:
    """Return an array as (M, columns), M being the product of its leading axes."""
    return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])


def split_gates(array: Any, G: int) -> list[Any]:
    """Return the G blocks of H columns of a (N, G·H) array."""
    H = array.shape[-1] // G
    return [array[:, k * H : (k + 1) * H] for k in range(G)]


def masked_softmax(xp: Any, scores: Any, there: Array) -> Any:
    """Return the softmax over those that are there; zeros in a row where none is."""
    top = np.max(np.where(there, constant(scores), -np.inf), axis=1, keepdims=True, initial=-np.inf)
    top = np.where(np.isneginf(top), 0.0, top).astype(constant(scores).dtype)
    e = xp.where(there, xp.exp(xp.where(there, scores - top, 0.0)), 0.0)
    total = xp.sum(e, axis=1, keepdims=True)
    return e / xp.where(constant(total) == 0, 1.0, total)


def sigmoid(xp: Any, x: Any) -> Any:
    """Return ``1 / (1 + exp(-x))`` without overflow: 0 and 1 at ∓Inf, NaN at NaN.

    exp sees only ``-|x|``. It is spelled as a choice because autograd's ``abs`` is flat at 0.
    """
    e = xp.exp(xp.where(x < 0, x, -x))
    return xp.where(x < 0, e, 1.0) / (1.0 + e)


def sigmoid_backward(s: Array, ds: Array) -> Array:
    """Return the gradient by x of ``s = sigmoid(x)``: ``ds·s·(1 - s)``."""
    return ds * s * (1.0 - s)


def tanh_backward(y: Array, dy: Array) -> Array:
    """Return the gradient by x of ``y = tanh(x)``; ``1 - y²`` as a product keeps digits near ±1."""
    return dy * ((1.0 - y) * (1.0 + y))


def relu(xp: Any, x: Any) -> Any:
    """Return ``max(x, 0)`` with slope 0 at 0; this way round a NaN stays a NaN."""
    return xp.where(x <= 0, 0.0, x)


def relu_backward(y: Array, dy: Array) -> Array:
    """Return the gradient by x of ``y = relu(x)``."""
    return np.where(y <= 0, 0.0, dy)


def linear(_: Any, x: Any) -> Any:
    """Return x."""
    return x


def linear_backward(_: Array, dy: Array) -> Array:
    """Return dy."""
    return dy


def tanh(xp: Any, x: Any) -> Any:
    """Return ``tanh(x)``."""
    return xp.tanh(x)


def hard_sigmoid(xp: Any, x: Any, alpha: float, beta: float) -> Any:
    """Return ``alpha·x + beta`` within 0 and 1, slope 0 at both kinks; a NaN stays a NaN."""
    line = alpha * x + beta
    return xp.where(line <= 0, 0.0, xp.where(line >= 1, 1.0, line))


def hard_sigmoid_backward(y: Array, dy: Array, alpha: float, _: float) -> Array:
    """Return the gradient by x of ``y = hard_sigmoid(x)``."""
    return np.where((y <= 0) | (y >= 1), 0.0, alpha * dy)


def affine_of(_: Any, x: Any, alpha: float, beta: float) -> Any:
    """Return ``alpha·x + beta``."""
    return alpha * x + beta


def affine_of_backward(_: Array, dy: Array, alpha: float, __: float) -> Array:
    """Return ``alpha·dy``."""
    return alpha * dy


def leaky_relu(xp: Any, x: Any, alpha: float, _: float) -> Any:
    """Return x, or ``alpha·x`` up to 0."""
    return xp.where(x > 0, x, alpha * x)


def leaky_relu_backward(y: Array, dy: Array, alpha: float, _: float) -> Array:
    """Return the gradient by x of ``y = leaky_relu(x)``; alpha at 0."""
    return np.where(y > 0, dy, alpha * dy)


def thresholded_relu(xp: Any, x: Any, alpha: float, _: float) -> Any:
    """Return x where it is above alpha, else 0."""
    return xp.where(x <= alpha, 0.0, x)


def thresholded_relu_backward(y: Array, dy: Array, *_: float) -> Array:
    """Return the gradient by x of ``y = thresholded_relu(x)``."""
    return np.where(y == 0, 0.0, dy)


def scaled_tanh(xp: Any, x: Any, alpha: float, beta: float) -> Any:
    """Return ``alpha·tanh(beta·x)``."""
    return alpha * xp.tanh(beta * x)


def scaled_tanh_backward(y: Array, dy: Array, alpha: float, beta: float) -> Array:
    """Return the gradient by x of ``y = scaled_tanh(x)``."""
    return alpha * beta * tanh_backward(y / alpha, dy)


def elu(xp: Any, x: Any, alpha: float, _: float) -> Any:
    """Return x, or ``alpha·(exp(x) - 1)`` up to 0."""
    return xp.where(x > 0, x, alpha * xp.expm1(xp.where(x > 0, 0.0, x)))


def elu_backward(y: Array, dy: Array, alpha: float, _: float) -> Array:
    """Return the gradient by x of ``y = elu(x)``; alpha at 0."""
    return np.where(y > 0, dy, dy * (y + alpha))


def softsign(xp: Any, x: Any) -> Any:
    """Return ``x / (1 + |x|)``, ±1 at ±Inf."""
    most = np.finfo(x.dtype).max
    x = xp.where(x > most, most, xp.where(x < -most, -most, x))
    return x / (1.0 + xp.where(x < 0, -x, x))


def softsign_backward(y: Array, dy: Array) -> Array:
    """Return the gradient by x of ``y = softsign(x)``."""
    return dy * (1.0 - np.abs(y)) ** 2


def softplus(xp: Any, x: Any) -> Any:
    """Return ``log(1 + exp(x))`` without overflow."""
    return xp.where(x > 0, x, 0.0) + xp.log1p(xp.exp(xp.where(x > 0, -x, x)))


def softplus_backward(y: Array, dy: Array) -> Array:
    """Return the gradient by x of ``y = softplus(x)``: sigmoid(x) is ``1 - exp(-y)``."""
    return dy * -np.expm1(-y)


Activation = tuple[Callable[..., Any], Callable[..., Array]]

# Forward takes xp and x, backward the value of forward and the gradient by it; then alpha and beta,
# where there are any.
ACTIVATIONS: dict[str, Activation] = {
    "tanh": (tanh, tanh_backward),
    "relu": (relu, relu_backward),
    "sigmoid": (sigmoid, sigmoid_backward),
    "linear": (linear, linear_backward),
    "hard_sigmoid": (hard_sigmoid, hard_sigmoid_backward),
    "affine": (affine_of, affine_of_backward),
    "leaky_relu": (leaky_relu, leaky_relu_backward),
    "thresholded_relu": (thresholded_relu, thresholded_relu_backward),
    "scaled_tanh": (scaled_tanh, scaled_tanh_backward),
    "elu": (elu, elu_backward),
    "softsign": (softsign, softsign_backward),
    "softplus": (softplus, softplus_backward),
}


def squash(chosen: Squash, clip: float = math.inf) -> Activation:
    """Return an activation and its backward, its argument limited to ±clip."""
    name = chosen if isinstance(chosen, str) else chosen[0]
    usual = (*NUMBERS[name], 0.0)[:2] if name in NUMBERS else ()
    numbers = usual if isinstance(chosen, str) else chosen[1:]
    f, f_backward = ACTIVATIONS[name]

    def forward(xp: Any, x: Any) -> Any:
        if clip < math.inf:
            x = xp.where(x <= -clip, -clip, xp.where(x >= clip, clip, x))
        return f(xp, x, *numbers)

    def backward(y: Array, dy: Array) -> Array:
        dx = f_backward(y, dy, *numbers)
        if clip == math.inf:
            return dx
        low, high = f(np, np.array([-clip, clip], y.dtype), *numbers)
        return np.where((y == low) | (y == high), 0.0, dx)

    return forward, backward


def limited(d: Array, clip_step: float | None) -> Array:
    """Return d within ±clip_step; NaN stays NaN."""
    if clip_step is None:
        return d
    limit = np.asarray(min(clip_step, np.finfo(d.dtype).max), d.dtype)
    return np.clip(d, -limit, limit)


def sum_outer(d: Array, a: Array) -> Array:
    """Return the sum over steps and rows of the outer products of d (T, N, R) and a (T, N, C)."""
    return np.tensordot(d, a, axes=((0, 1), (0, 1)))
