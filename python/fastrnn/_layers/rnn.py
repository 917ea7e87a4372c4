"""RNN: the layer, its options and what they mean."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from fastrnn._calls import kinds
from fastrnn._calls.choices import Squash
from fastrnn._calls.rnn import kind_of
from fastrnn._checks import flag
from fastrnn._elsewhere import LAYER_ARGUMENTS, hinted
from fastrnn._layers.layer import Layer

if TYPE_CHECKING:
    from numpy.random import Generator


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
    recurrent_dropout : float
        Probability of dropping a unit of h on its way into the recurrent product, the same units at
        every step of a sequence; `forward` with ``training=True`` only.
    zoneout : float
        Probability that a unit of h stays as it was, drawn anew at every step;
        without training that part of it stays.
    weight_drop : float
        Probability of dropping a weight of `weight_hh`, once a call; training only.
    clip : float or None
        What the activations are applied to is first limited to ±clip.
    truncate, clip_step : int, float or None
        What `backward` and `apply` do unless they are told otherwise: cut the recurrent gradient
        every so many steps; limit the gradients by the pre-activations at each step.
    layer_norm : bool
        Normalise W_ih x and W_hh h of every step, with gains `weight_norm` (2, H): those of W_ih x,
        then those of W_hh h.

    Raises
    ------
    TypeError
        An option has the wrong type.
    ValueError
        An option has a value out of range, or would have no effect.
    MemoryError
        The weights do not fit.

    See Also
    --------
    fastrnn.rnn : one layer and direction with explicit arrays; has the equation.

    References
    ----------
    J. Elman, "Finding Structure in Time", 1990; layer normalisation: J. Ba, J. Kiros, G. Hinton,
    "Layer Normalization", 2016, equation 4.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> rnn = fastrnn.RNN(10, 20, bidirectional=True, merge_mode="sum", nonlinearity="relu")
    >>> y, h_n = rnn(np.zeros((7, 3, 10), np.float32))
    >>> y.shape, h_n.shape
    ((7, 3, 20), (2, 3, 20))
    """

    @hinted(LAYER_ARGUMENTS)
    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        *,
        nonlinearity: Squash = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
        bidirectional: bool = False,
        merge_mode: str = "concat",
        layer_norm: bool = False,
        weight_drop: float = 0.0,
        clip: float | None = None,
        truncate: int | None = None,
        clip_step: float | None = None,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
    ) -> None:
        self.layer_norm = flag("layer_norm", layer_norm)
        kind = kind_of(nonlinearity, clip)
        self.clip = clip
        self.nonlinearity = nonlinearity
        super().__init__(
            kinds.normed(kind) if self.layer_norm else kind,
            input_size, hidden_size, num_layers, bias=bias, batch_first=batch_first,
            dropout=dropout, bidirectional=bidirectional, merge_mode=merge_mode,
            recurrent_dropout=recurrent_dropout, zoneout=zoneout, weight_drop=weight_drop,
            forget_bias=0.0, dtype=dtype, rng=rng, truncate=truncate, clip_step=clip_step,
        )  # fmt: skip
