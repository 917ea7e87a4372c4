"""Which tensors can be computed with, packed sequences, and what PyTorch does around a call."""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from fastrnn._checks import FLOAT32, FLOAT64, Array, allocate

DTYPES = {torch.float32: FLOAT32, torch.float64: FLOAT64}


@cache
def outside_of_compilers(compute: Callable[..., Any]) -> Any:
    """Return the computation such that torch.compile does not look into it."""
    return torch.compiler.disable(compute)


def check(name: str, tensor: Any, dtype: Any) -> None:
    """Refuse a tensor that cannot be computed with here; dtype is the one it must have, if any."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} must be a Tensor, got {type(tensor).__name__}")
    if tensor.device.type != "cpu":
        raise ValueError(
            f"{name} must be on the CPU, where fastrnn computes, got device {tensor.device}; "
            f"move it with to('cpu'), or use torch.nn for this module"
        )
    if tensor.layout is not torch.strided:
        raise TypeError(f"{name} must be a dense tensor, got {tensor.layout}")
    if tensor.dtype not in DTYPES:
        raise TypeError(f"{name} must be float32 or float64, got {tensor.dtype}")
    if dtype is not None and tensor.dtype is not dtype:
        raise TypeError(f"{name} must be {dtype} as the input is, got {tensor.dtype}")


def named_states(hx: Any, pair: bool, dtype: Any) -> list[tuple[str, Tensor]]:
    """Return h_0, or h_0 and c_0 of a pair, each with the name that an error calls it by."""
    if pair and (not isinstance(hx, tuple | list) or len(hx) != 2):
        raise TypeError(f"hx must be a pair (h_0, c_0), got {type(hx).__name__}")
    named = [(f"hx[{k}]", state) for k, state in enumerate(hx)] if pair else [("hx", hx)]
    for name, state in named:
        check(name, state, dtype)
    return named


def autocast_dtype(given: Any = None) -> torch.dtype | None:
    """Return the dtype of torch.autocast for the CPU, None where it is off or leaves the input
    alone, which it does to float64.
    """
    if not torch.is_autocast_enabled("cpu"):
        return None
    double = isinstance(given, Tensor | PackedSequence) and _dtype(given) is torch.float64
    return None if double else torch.get_autocast_dtype("cpu")


def full_precision(given: Any) -> Any:
    """Return the tensors of an input or a state, those of 16 bits as float32.

    Under torch.autocast the weights stay in float32, and so do all arrays here.
    """
    if isinstance(given, tuple | list) and not isinstance(given, PackedSequence):
        return tuple(full_precision(each) for each in given)
    if isinstance(given, Tensor | PackedSequence) and _dtype(given) in _HALF:
        return given.to(torch.float32)
    return given


_HALF = (torch.bfloat16, torch.float16)


def _dtype(given: Any) -> torch.dtype:
    dtype: torch.dtype = given.data.dtype
    return dtype


def _quantise(module: Any, value: Any) -> None:
    if value is not None:
        raise NotImplementedError(
            "fastrnn.torch has no quantised modules: call fastrnn.torch.revert(model) first, and "
            "PyTorch quantises torch.nn's; or take the weights out of PyTorch, for inference: "
            "fastrnn.LSTM.from_torch(module).quantize('int8')"
        )
    warnings.warn(
        f"PyTorch's quantisation leaves this {type(module).__name__} of fastrnn.torch as it is; "
        "call fastrnn.torch.revert(model) first if it is to be quantised",
        stacklevel=2,
    )


def _no_qconfig(_: Any) -> None:
    raise AttributeError("qconfig")


# torch.ao.quantization sets this attribute on every module that it looks at, and passes over the
# classes that it does not know: without a word, a model would stay as it was.
refuse_quantisation = property(_no_qconfig, _quantise, lambda _: None)


class PackedRows:
    """Which (t, n) of a padded (T, N, ·) each row of packed data is.

    Parameters
    ----------
    batch_sizes : ndarray of int, (T,)
        How many sequences have a step t; never rises, because the longest sequence comes first.

    Attributes
    ----------
    steps, rows : int
        T and N.
    lengths : ndarray of int64, (N,)
        Steps of each sequence; None where all have T.
    """

    __slots__ = ("_at", "lengths", "rows", "steps")

    def __init__(self, batch_sizes: Array) -> None:
        sizes = np.asarray(batch_sizes, np.int64)
        self.steps = len(sizes)
        self.rows = N = int(sizes[0])
        self.lengths: Array | None = None
        self._at: Array | None = None
        if sizes[-1] < N:
            # Sequence n has as many steps as there are sizes above n.
            self.lengths = np.searchsorted(-sizes, -np.arange(N), side="left").astype(np.int64)
            starts = np.cumsum(sizes) - sizes
            self._at = np.repeat(np.arange(self.steps) * N - starts, sizes)
            self._at += np.arange(len(self._at))

    def pad(self, data: Array) -> Array:
        """Return packed data as (T, N, ·); what no sequence has is not initialised."""
        width = data.shape[1]
        if self._at is None:
            return data.reshape(self.steps, self.rows, width)
        padded = allocate("a padded batch", (self.steps, self.rows, width), data.dtype)
        padded.reshape(-1, width)[self._at] = data
        return padded

    def pick(self, padded: Array) -> Array:
        """Return what the sequences have of a padded array as packed data, the inverse of `pad`."""
        flat = padded.reshape(-1, padded.shape[2])
        return flat if self._at is None else flat[self._at]
