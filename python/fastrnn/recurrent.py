"""The layers: many steps, many layers, both directions, weights under PyTorch's names."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from fastrnn import _kinds
from fastrnn._checks import flag, unsupported
from fastrnn._layer import Layer
from fastrnn._record import LayerGrads, LayerTape
from fastrnn._rnn import kind_of

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["GRU", "LSTM", "RNN", "LayerGrads", "LayerTape"]


class LSTM(Layer):
    """A stack of LSTM layers, in one or both directions.

    Parameters
    ----------
    input_size : int
        I.
    hidden_size : int or sequence of int
        H, or one for each layer; `num_layers` may then be left out, and states are lists.
    num_layers : int
    bias : bool
        Have `bias_ih` and `bias_hh`.
    batch_first : bool
        x and y are (N, T, ·); states are not changed by it.
    dropout : float
        Probability of dropping an output between two layers; `forward` with ``training=True`` only.
    bidirectional : bool
        A second set of weights walks each sequence from its last step to its first.
    merge_mode : {"concat", "sum", "mul", "ave"}
        How both directions' outputs become one, after every layer.
    peephole : bool
        The gates see the cell state, by diagonal weights `weight_peephole` (3, H) in order i f o.
    forget_bias : float
        Added to the forget rows of `bias_ih` at the start, and then only.
    dtype : dtype
        float32 or float64, of weights and all arrays.
    rng : numpy.random.Generator or None
        Where the first weights come from, uniform in ±1/√H; None: fresh entropy.
    recurrent_dropout, zoneout, proj_size, layer_norm
        Not supported yet: anything but the default raises.

    Raises
    ------
    TypeError
        An option has the wrong type.
    ValueError
        An option has a value out of range, would have no effect, or is not supported yet.
    MemoryError
        The weights do not fit.

    See Also
    --------
    fastrnn.lstm : one layer and direction with explicit arrays; has the equations.

    Notes
    -----
    With ``hidden_size=H`` states are a pair h, c of (L·D, N, H) each, in the order l0, l0_reverse,
    l1, …. A layer may be called from many threads while nobody changes its weights.

    References
    ----------
    M. Schuster, K. Paliwal, "Bidirectional Recurrent Neural Networks", 1997, section II; dropout
    between layers: W. Zaremba et al., "Recurrent Neural Network Regularization", 2014, section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> rng = np.random.default_rng(0)
    >>> lstm = fastrnn.LSTM(10, 20, num_layers=2, bidirectional=True, rng=rng)
    >>> x = rng.standard_normal((7, 3, 10), dtype=np.float32)
    >>> y, (h_n, c_n) = lstm(x, lengths=[7, 5, 2])
    >>> y.shape, h_n.shape
    ((7, 3, 40), (4, 3, 20))
    >>> y, state, tape = lstm.forward(x)
    >>> lstm.backward(tape, dy=np.ones_like(y)).params["weight_ih_l0"].shape
    (80, 10)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        *,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        bidirectional: bool = False,
        merge_mode: str = "concat",
        proj_size: int = 0,
        peephole: bool = False,
        layer_norm: bool = False,
        forget_bias: float = 0.0,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
    ) -> None:
        unsupported("recurrent_dropout", recurrent_dropout, 0.0)
        unsupported("zoneout", zoneout, 0.0)
        unsupported("proj_size", proj_size, 0)
        unsupported("layer_norm", layer_norm, False)
        self.peephole = flag("peephole", peephole)
        super().__init__(
            _kinds.LSTM_PEEPHOLE if self.peephole else _kinds.LSTM,
            input_size, hidden_size, num_layers, bias=bias, batch_first=batch_first,
            dropout=dropout, bidirectional=bidirectional, merge_mode=merge_mode,
            forget_bias=forget_bias, dtype=dtype, rng=rng,
        )  # fmt: skip


class GRU(Layer):
    """A stack of GRU layers, in one or both directions.

    Parameters
    ----------
    input_size : int
        I.
    hidden_size : int or sequence of int
        H, or one for each layer; `num_layers` may then be left out, and states are lists.
    num_layers : int
    bias : bool
        Have `bias_ih` and `bias_hh`.
    batch_first : bool
        x and y are (N, T, ·); states are not changed by it.
    dropout : float
        Probability of dropping an output between two layers; `forward` with ``training=True`` only.
    bidirectional : bool
        A second set of weights walks each sequence from its last step to its first.
    merge_mode : {"concat", "sum", "mul", "ave"}
        How both directions' outputs become one, after every layer.
    reset_after : bool
        Apply the reset gate after the recurrent product (PyTorch), or before it.
    dtype : dtype
        float32 or float64, of weights and all arrays.
    rng : numpy.random.Generator or None
        Where the first weights come from, uniform in ±1/√H; None: fresh entropy.
    recurrent_dropout, zoneout, layer_norm
        Not supported yet: anything but the default raises.

    Raises
    ------
    TypeError
        An option has the wrong type.
    ValueError
        An option has a value out of range, would have no effect, or is not supported yet.
    MemoryError
        The weights do not fit.

    See Also
    --------
    fastrnn.gru : one layer and direction with explicit arrays; has the equations.

    References
    ----------
    K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical
    Machine Translation", 2014, section 2.3.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> gru = fastrnn.GRU(10, [20, 30], rng=np.random.default_rng(0))
    >>> y, (h_0, h_1) = gru(np.zeros((7, 3, 10), np.float32))
    >>> y.shape, h_0.shape, h_1.shape
    ((7, 3, 30), (1, 3, 20), (1, 3, 30))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        *,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        bidirectional: bool = False,
        merge_mode: str = "concat",
        layer_norm: bool = False,
        reset_after: bool = True,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
    ) -> None:
        unsupported("recurrent_dropout", recurrent_dropout, 0.0)
        unsupported("zoneout", zoneout, 0.0)
        unsupported("layer_norm", layer_norm, False)
        self.reset_after = flag("reset_after", reset_after)
        super().__init__(
            _kinds.GRU[self.reset_after],
            input_size, hidden_size, num_layers, bias=bias, batch_first=batch_first,
            dropout=dropout, bidirectional=bidirectional, merge_mode=merge_mode, forget_bias=0.0,
            dtype=dtype, rng=rng,
        )  # fmt: skip


class RNN(Layer):
    """A stack of simple (Elman) RNN layers, in one or both directions.

    Parameters
    ----------
    input_size : int
        I.
    hidden_size : int or sequence of int
        H, or one for each layer; `num_layers` may then be left out, and states are lists.
    num_layers : int
    nonlinearity : {"tanh", "relu", "sigmoid", "linear"}
    bias : bool
        Have `bias_ih` and `bias_hh`.
    batch_first : bool
        x and y are (N, T, ·); states are not changed by it.
    dropout : float
        Probability of dropping an output between two layers; `forward` with ``training=True`` only.
    bidirectional : bool
        A second set of weights walks each sequence from its last step to its first.
    merge_mode : {"concat", "sum", "mul", "ave"}
        How both directions' outputs become one, after every layer.
    dtype : dtype
        float32 or float64, of weights and all arrays.
    rng : numpy.random.Generator or None
        Where the first weights come from, uniform in ±1/√H; None: fresh entropy.
    recurrent_dropout, zoneout, layer_norm
        Not supported yet: anything but the default raises.

    Raises
    ------
    TypeError
        An option has the wrong type.
    ValueError
        An option has a value out of range, would have no effect, or is not supported yet.
    MemoryError
        The weights do not fit.

    See Also
    --------
    fastrnn.rnn : one layer and direction with explicit arrays; has the equation.

    References
    ----------
    J. Elman, "Finding Structure in Time", 1990.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> rnn = fastrnn.RNN(10, 20, bidirectional=True, merge_mode="sum", nonlinearity="relu")
    >>> y, h_n = rnn(np.zeros((7, 3, 10), np.float32))
    >>> y.shape, h_n.shape
    ((7, 3, 20), (2, 3, 20))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        *,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        bidirectional: bool = False,
        merge_mode: str = "concat",
        layer_norm: bool = False,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
    ) -> None:
        unsupported("recurrent_dropout", recurrent_dropout, 0.0)
        unsupported("zoneout", zoneout, 0.0)
        unsupported("layer_norm", layer_norm, False)
        kind = kind_of(nonlinearity)
        self.nonlinearity = nonlinearity
        super().__init__(
            kind, input_size, hidden_size, num_layers, bias=bias, batch_first=batch_first,
            dropout=dropout, bidirectional=bidirectional, merge_mode=merge_mode, forget_bias=0.0,
            dtype=dtype, rng=rng,
        )  # fmt: skip
