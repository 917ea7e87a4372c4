"""torch.nn's LSTMCell, GRUCell and RNNCell, computed by fastrnn: one step is one node."""

import sys
from typing import Any

import torch
from torch import Tensor

from fastrnn._checks import FLOAT32
from fastrnn.torch import _node
from fastrnn.torch._tensors import (
    DTYPES,
    autocast_dtype,
    check,
    full_precision,
    named_states,
    outside_of_compilers,
    refuse_quantisation,
)


class _Computed(torch.nn.RNNCellBase):
    """The part of a cell that replaces PyTorch's computation."""

    _mode: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._engine(FLOAT32)  # refuses what is not supported, now rather than later

    def forward(self, input: Any, hx: Any = None) -> Any:  # noqa: A002  PyTorch's name
        """Take one step.

        Parameters
        ----------
        input : Tensor, (N, I)
            (I,) is one row, and results lose N.
        hx : Tensor, or a pair (h_0, c_0) for an LSTM, or None; (N, H)
            The state before the step, zeros if None.

        Returns
        -------
        Tensor, or a pair (h_1, c_1) for an LSTM, (N, H)

        Raises
        ------
        TypeError
            A tensor is not float32 or float64, is sparse, or has another dtype than the weights.
        ValueError
            A shape breaks its rule, or a tensor is not on the CPU.
        NotImplementedError
            The call is traced, exported, or transformed by torch.func; from backward: a second
            derivative is asked for.

        Notes
        -----
        Under torch.autocast the results have the dtype that torch.nn gives them, and are computed
        in float32.
        """
        if torch.jit.is_tracing():  # the results would become constants
            raise NotImplementedError(_node.NO_OTHER_PROGRAM)
        compute: Any = _Computed._compute
        if "torch._dynamo" in sys.modules:
            compute = outside_of_compilers(compute)
        lower = autocast_dtype(input)
        if lower is None:
            return compute(self, input, hx)
        state = compute(self, full_precision(input), full_precision(hx))
        to = lower if self._mode == "RNN" else input.dtype
        return tuple(s.to(to) for s in state) if self._mode == "LSTM" else state.to(to)

    qconfig = refuse_quantisation

    def __prepare_scriptable__(self) -> Any:
        """Tell torch.jit.script, which asks here first, that it cannot translate this module."""
        raise NotImplementedError(_node.NO_OTHER_PROGRAM)

    def _compute(self, input: Any, hx: Any) -> Any:  # noqa: A002
        check("input", input, None)
        if input.dim() not in (1, 2) or input.shape[-1] != self.input_size:
            raise ValueError(
                f"input must be (N, I) or (I,) with I = input_size = {self.input_size}, "
                f"got {tuple(input.shape)}"
            )
        single = input.dim() == 1
        x = input.reshape(1, -1, self.input_size)
        layer = self._engine(DTYPES[input.dtype])
        weights = []
        for name in layer._weights.names:
            weight = getattr(self, name.removesuffix("_l0"))
            check(name.removesuffix("_l0"), weight, input.dtype)
            weights.append(weight)
        h0, c0 = self._states(hx, x.shape[1], single, input.dtype)
        _, *after = _node.run(_node.Call(layer, None, None), x, h0, c0, tuple(weights))
        after = [state[0, 0] if single else state[0] for state in after]
        return after[0] if len(after) == 1 else tuple(after)

    def _engine(self, dtype: Any) -> Any:
        """Return the layer that computes, which is shared by all cells of these options."""
        mode = self._mode
        if mode == "RNN":
            mode = f"RNN_{self.nonlinearity}".upper()
        options = _node.Options(
            mode, self.input_size, self.hidden_size, 1, bool(self.bias), False, 0.0, False, 0, dtype
        )
        return _node.engine(options)

    def _states(self, hx: Any, N: int, single: bool, dtype: Any) -> list[Tensor | None]:
        """Return h_0 and c_0 as (1, N, H), or None where there is none."""
        if hx is None:
            return [None, None]
        pair = self._mode == "LSTM"
        shape = (self.hidden_size,) if single else (N, self.hidden_size)
        result: list[Tensor | None] = []
        for name, state in named_states(hx, pair, dtype):
            if tuple(state.shape) != shape:
                symbols = "(H,)" if single else "(N, H)"
                raise ValueError(f"{name} must be {symbols} = {shape}, got {tuple(state.shape)}")
            result.append(state.reshape(1, N, self.hidden_size))
        return result if pair else [*result, None]


class LSTMCell(_Computed, torch.nn.LSTMCell):
    """torch.nn.LSTMCell on the CPU, computed by fastrnn.

    A whole sequence is much faster in one call of `fastrnn.torch.LSTM`, which has the same weights
    under names that end in ``_l0``.

    Parameters
    ----------
    *args, **kwargs
        As torch.nn.LSTMCell takes them.

    Examples
    --------
    >>> import torch
    >>> import fastrnn.torch
    >>> cell = fastrnn.torch.LSTMCell(3, 4)
    >>> h, c = cell(torch.ones(2, 3))
    >>> h, c = cell(torch.ones(2, 3), (h, c))
    >>> h.shape, c.shape
    (torch.Size([2, 4]), torch.Size([2, 4]))
    """

    _mode = "LSTM"


class GRUCell(_Computed, torch.nn.GRUCell):
    """torch.nn.GRUCell on the CPU, computed by fastrnn.

    Parameters
    ----------
    *args, **kwargs
        As torch.nn.GRUCell takes them.

    Examples
    --------
    >>> import torch
    >>> import fastrnn.torch
    >>> fastrnn.torch.GRUCell(3, 4)(torch.ones(2, 3)).shape
    torch.Size([2, 4])
    """

    _mode = "GRU"


class RNNCell(_Computed, torch.nn.RNNCell):
    """torch.nn.RNNCell on the CPU, computed by fastrnn.

    Parameters
    ----------
    *args, **kwargs
        As torch.nn.RNNCell takes them.

    Examples
    --------
    >>> import torch
    >>> import fastrnn.torch
    >>> fastrnn.torch.RNNCell(3, 4, nonlinearity="relu")(torch.ones(2, 3)).shape
    torch.Size([2, 4])
    """

    _mode = "RNN"
