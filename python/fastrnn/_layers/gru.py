"""GRU: the layer, its options and what they mean."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from fastrnn._calls import kinds
from fastrnn._calls.choices import GRU_ACTIVATIONS, Squash, gru_choices
from fastrnn._checks import flag
from fastrnn._elsewhere import LAYER_ARGUMENTS, hinted
from fastrnn._layers.layer import Layer

if TYPE_CHECKING:
    from numpy.random import Generator


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
    activations : tuple of str
        ONNX's f and g, of the gates and of the candidate; as `fastrnn.gru`.
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
        Normalise W x and U h; `weight_norm` (6, H) has the gains of W x and of U h, gate by gate.

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
        zoneout: float = 0.0,
        bidirectional: bool = False,
        merge_mode: str = "concat",
        layer_norm: bool = False,
        weight_drop: float = 0.0,
        clip: float | None = None,
        truncate: int | None = None,
        clip_step: float | None = None,
        reset_after: bool = True,
        activations: tuple[Squash, Squash] = GRU_ACTIVATIONS,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
    ) -> None:
        self.layer_norm = flag("layer_norm", layer_norm)
        self.reset_after = flag("reset_after", reset_after)
        self.clip = clip
        choices = gru_choices(activations, clip)
        self.activations = choices.activations
        kind = kinds.gru(choices, self.reset_after)
        super().__init__(
            kinds.normed(kind) if self.layer_norm else kind,
            input_size, hidden_size, num_layers, bias=bias, batch_first=batch_first,
            dropout=dropout, bidirectional=bidirectional, merge_mode=merge_mode,
            recurrent_dropout=recurrent_dropout, zoneout=zoneout, weight_drop=weight_drop,
            forget_bias=0.0, dtype=dtype, rng=rng, truncate=truncate, clip_step=clip_step,
        )  # fmt: skip
