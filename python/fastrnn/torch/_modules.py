"""torch.nn's LSTM, GRU and RNN, computed by fastrnn: whole sequences, one node of the graph."""

import sys
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from fastrnn._checks import FLOAT32
from fastrnn.torch import _node
from fastrnn.torch._tensors import (
    DTYPES,
    PackedRows,
    autocast_dtype,
    check,
    full_precision,
    named_states,
    outside_of_compilers,
    refuse_quantisation,
)


class _Computed(torch.nn.RNNBase):
    """The part of a module that replaces PyTorch's computation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._engine(FLOAT32, False)  # refuses what is not supported, now rather than later

    def forward(self, input: Any, hx: Any = None) -> Any:  # noqa: A002  PyTorch's name
        """Run all layers over a batch of sequences.

        Parameters
        ----------
        input : Tensor or PackedSequence, (T, N, I)
            (N, T, I) with `batch_first`; (T, I) is one sequence, and results lose N.
        hx : Tensor, or a pair (h_0, c_0) for an LSTM, or None; (L·D, N, H)
            Initial states, zeros if None. (L·D, H) for one sequence.

        Returns
        -------
        output : Tensor or PackedSequence, (T, N, D·H)
            In the form of the input. Changed in place, it can no longer be differentiated.
        h_n : Tensor, or a pair (h_n, c_n) for an LSTM, (L·D, N, H)

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
        torch.compile leaves a call alone and goes on behind it. Under torch.autocast the results
        have the dtype that torch.nn gives them; those of an LSTM that it leaves in float32, of
        packed sequences of several lengths and as c_n with proj_size, have autocast's. Products are
        in bfloat16 where that is autocast's dtype, as with `compute_dtype` of `fastrnn.LSTM`; all
        others are in float32.
        """
        if torch.jit.is_tracing():  # the results would become constants
            raise NotImplementedError(_node.NO_OTHER_PROGRAM)
        compute: Any = _Computed._compute
        # Before somebody compiles there is no need to import the compiler, which takes seconds.
        if "torch._dynamo" in sys.modules:
            compute = outside_of_compilers(compute)
        lower = autocast_dtype(input)
        if lower is None:
            return compute(self, input, hx)
        y, state = compute(self, full_precision(input), full_precision(hx))
        to = input.data.dtype if self.mode == "GRU" else lower
        state = tuple(s.to(to) for s in state) if self.mode == "LSTM" else state.to(to)
        return y.to(to), state

    qconfig = refuse_quantisation

    def __prepare_scriptable__(self) -> Any:
        """Tell torch.jit.script, which asks here first, that it cannot translate this module."""
        raise NotImplementedError(_node.NO_OTHER_PROGRAM)

    def _compute(self, input: Any, hx: Any) -> Any:  # noqa: A002
        """Check the call, run it as one node, and give it back in the form it came."""
        packed = input if isinstance(input, PackedSequence) else None
        x = input if packed is None else packed.data
        layer, weights = self._ready(x)
        single = packed is None and x.dim() == 2
        if packed is not None:
            rows = PackedRows(packed.batch_sizes.numpy())
            N: int = rows.rows
        else:
            if x.dim() not in (2, 3):
                raise ValueError(f"input must be (T, N, I) or (T, I), got {tuple(x.shape)}")
            rows = None
            N = 1 if single else x.shape[0 if self.batch_first else 1]
            x = x.unsqueeze(1) if single else x
        if x.shape[-1] != self.input_size:
            raise ValueError(
                f"input must have I = input_size = {self.input_size} columns, got {x.shape[-1]}"
            )
        states = self._states(hx, N, single, x.dtype)
        if packed is not None and packed.sorted_indices is not None:
            states = [s if s is None else s.index_select(1, packed.sorted_indices) for s in states]
        seed = None
        if self.training and layer.dropout > 0:
            seed = int(torch.randint(2**62, ()))  # so that torch.manual_seed decides
        h0, c0 = states
        y, *final = _node.run(_node.Call(layer, rows, seed), x, h0, c0, weights)
        if packed is not None:
            back = packed.unsorted_indices
            final = final if back is None else [s.index_select(1, back) for s in final]
            y = PackedSequence(y, packed.batch_sizes, packed.sorted_indices, back)
        elif single:
            y, final = y.squeeze(1), [s.squeeze(1) for s in final]
        return y, tuple(final) if self.mode == "LSTM" else final[0]

    def _engine(self, dtype: Any, batch_first: bool) -> Any:
        """Return the layer that computes, which is shared by all modules of these options."""
        lower = dtype == FLOAT32 and autocast_dtype() is torch.bfloat16
        options = _node.Options(
            self.mode, self.input_size, self.hidden_size, self.num_layers, bool(self.bias),
            batch_first, float(self.dropout), bool(self.bidirectional), self.proj_size, dtype,
            "bfloat16" if lower else None,
        )  # fmt: skip
        return _node.engine(options)

    def _ready(self, x: Any) -> tuple[Any, tuple[Tensor, ...]]:
        """Return the layer that computes and the weights, once all of it can be computed here."""
        check("input", x, None)
        dtype = x.dtype
        layer = self._engine(DTYPES[dtype], bool(self.batch_first) and x.dim() == 3)
        weights = tuple(getattr(self, name) for name in layer._weights.names)
        for name, weight in zip(layer._weights.names, weights, strict=True):
            check(name, weight, dtype)
        return layer, weights

    def _states(self, hx: Any, N: int, single: bool, dtype: Any) -> list[Any]:
        """Return h_0 and c_0 as (L·D, N, ·), or None where there is none."""
        if hx is None:
            return [None, None]
        pair = self.mode == "LSTM"
        L, D = self.num_layers, 2 if self.bidirectional else 1
        result: list[Any] = []
        widths = (self.proj_size or self.hidden_size, self.hidden_size)
        for (name, state), width in zip(named_states(hx, pair, dtype), widths, strict=False):
            shape = (L * D, width) if single else (L * D, N, width)
            if tuple(state.shape) != shape:
                symbols = "(L·D, H)" if single else "(L·D, N, H)"
                raise ValueError(f"{name} must be {symbols} = {shape}, got {tuple(state.shape)}")
            result.append(state.unsqueeze(1) if single else state)
        return result if pair else [*result, None]


class LSTM(_Computed, torch.nn.LSTM):
    """torch.nn.LSTM on the CPU, computed by fastrnn.

    Parameters
    ----------
    *args, **kwargs
        As torch.nn.LSTM takes them.

    Raises
    ------
    ValueError
        An option is not supported.

    Notes
    -----
    Beyond torch.nn: T = 0 is legal. Dropout masks come from another stream of random numbers than
    PyTorch's, decided by ``torch.manual_seed``.

    Examples
    --------
    >>> import torch
    >>> import fastrnn.torch
    >>> there = torch.nn.LSTM(3, 4, num_layers=2)
    >>> here = fastrnn.torch.LSTM(3, 4, num_layers=2)
    >>> here.load_state_dict(there.state_dict())
    <All keys matched successfully>
    >>> x = torch.ones(5, 2, 3)
    >>> torch.allclose(here(x)[0], there(x)[0], atol=1e-6)
    True
    """


class GRU(_Computed, torch.nn.GRU):
    """torch.nn.GRU on the CPU, computed by fastrnn.

    Parameters
    ----------
    *args, **kwargs
        As torch.nn.GRU takes them.

    Examples
    --------
    >>> import torch
    >>> import fastrnn.torch
    >>> gru = fastrnn.torch.GRU(3, 4, batch_first=True)
    >>> output, h_n = gru(torch.ones(2, 5, 3))
    >>> output.shape, h_n.shape
    (torch.Size([2, 5, 4]), torch.Size([1, 2, 4]))
    """


class RNN(_Computed, torch.nn.RNN):
    """torch.nn.RNN on the CPU, computed by fastrnn.

    Parameters
    ----------
    *args, **kwargs
        As torch.nn.RNN takes them.

    Examples
    --------
    >>> import torch
    >>> import fastrnn.torch
    >>> rnn = fastrnn.torch.RNN(3, 4, nonlinearity="relu")
    >>> output, h_n = rnn(torch.ones(5, 3))
    >>> output.shape, h_n.shape
    (torch.Size([5, 4]), torch.Size([1, 4]))
    """
