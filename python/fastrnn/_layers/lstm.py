"""LSTM: the layer, its options and what they mean."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from fastrnn import _options
from fastrnn._calls import kinds
from fastrnn._calls.choices import GATES, LSTM_ACTIVATIONS, Squash, lstm_choices
from fastrnn._checks import flag
from fastrnn._elsewhere import LAYER_ARGUMENTS, hinted
from fastrnn._layers.layer import Layer

if TYPE_CHECKING:
    from numpy.random import Generator


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
    peephole : bool or "full"
        The gates see the cell state, by diagonal weights `weight_peephole` (3, H) in order i f o,
        or by whole matrices (3·H, H): i and f see c(t − 1), o sees c(t).
    activations : tuple of str
        ONNX's f, g, h, of the gates, the candidate and the cell's output; as `fastrnn.lstm`.
    input_forget : bool
        Couple the two gates: f = 1 − i.
    gates : str
        The gates that exist, letters of "ifo"; one that does not is the constant 1.
    forget_bias : float
        Added to the forget rows of `bias_ih` at the start, and then only.
    dtype : dtype
        float32 or float64, of weights and all arrays.
    rng : numpy.random.Generator or None
        Where the first weights come from, uniform in ±1/√H; None: fresh entropy.
    recurrent_dropout : float
        Probability of dropping a unit of h on its way into the recurrent product, the same units at
        every step of a sequence; `forward` with ``training=True`` only.
    zoneout : float, or two for h and c
        Probability that a unit of h, and of c, stays as it was, drawn anew at every step;
        without training that part of them stays.
    weight_drop : float
        Probability of dropping a weight of `weight_hh`, once a call; training only.
    clip : float or None
        What the activations are applied to is first limited to ±clip.
    truncate, clip_step : int, float or None
        What `backward` and `apply` do unless they are told otherwise: cut the recurrent gradient
        every so many steps; limit the gradients by the pre-activations at each step.
    proj_size : int
        P, less than H: h is `weight_hr` (P, H) times the cell's output, and y, h and the columns of
        `weight_hh` are P. 0: no projection.
    layer_norm : bool
        Normalise W x and U h, and c where the output sees it; `weight_norm` (10, H) has the gains
        of W x and of U h, gate by gate, then gain and shift of c.

    Raises
    ------
    TypeError
        An option has the wrong type.
    ValueError
        An option has a value out of range, would have no effect, or does not go with another.
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
    between layers: W. Zaremba et al., "Recurrent Neural Network Regularization", 2014, section 3.2;
    layer normalisation: J. Ba, J. Kiros, G. Hinton, "Layer Normalization", 2016, equations 20 to
    22; cell, peepholes and projection: those of `fastrnn.lstm`; masks: those of `fastrnn.Masks`.

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

    @hinted(LAYER_ARGUMENTS)
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
        zoneout: float | tuple[float, float] = 0.0,
        bidirectional: bool = False,
        merge_mode: str = "concat",
        proj_size: int = 0,
        peephole: kinds.Peephole = False,
        layer_norm: bool = False,
        weight_drop: float = 0.0,
        clip: float | None = None,
        truncate: int | None = None,
        clip_step: float | None = None,
        activations: tuple[Squash, Squash, Squash] = LSTM_ACTIVATIONS,
        input_forget: bool = False,
        gates: str = GATES,
        forget_bias: float = 0.0,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
    ) -> None:
        self.layer_norm = flag("layer_norm", layer_norm)
        self.peephole = _options.peephole(peephole)
        self.proj_size = _options.proj_size(proj_size, hidden_size)
        self.clip = clip
        choices = lstm_choices(activations, gates, input_forget, clip)
        self.activations, self.gates, self.input_forget = choices[:3]
        kind = kinds.lstm(choices, self.peephole, general=self.proj_size > 0)
        super().__init__(
            kinds.normed(kind) if self.layer_norm else kind, input_size,
            hidden_size, num_layers, bias=bias, batch_first=batch_first,
            dropout=dropout, bidirectional=bidirectional, merge_mode=merge_mode,
            recurrent_dropout=recurrent_dropout, zoneout=zoneout, weight_drop=weight_drop,
            forget_bias=forget_bias, dtype=dtype, rng=rng, truncate=truncate, clip_step=clip_step,
            proj_size=self.proj_size,
        )  # fmt: skip
