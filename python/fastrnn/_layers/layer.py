"""What RNN, LSTM and GRU layers share: options, weights by name, and running the stack."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike, DTypeLike

from fastrnn import _options, init
from fastrnn._calls import kinds
from fastrnn._calls.choices import GATES, GRU_ACTIVATIONS, LSTM_ACTIVATIONS
from fastrnn._calls.kinds import Kind
from fastrnn._calls.masks import Masks
from fastrnn._checks import Array, flag, integer, number
from fastrnn._elsewhere import LAYER_ATTRIBUTES, missing
from fastrnn._layers import direct, merge, stack
from fastrnn._layers.direction import Direction
from fastrnn._layers.exchange import Exchanged
from fastrnn._layers.noise import chance
from fastrnn._layers.record import LayerGrads, LayerTape, Record
from fastrnn._layers.state import StateLayout
from fastrnn.runtime import backend
from fastrnn.stream import Stream

if TYPE_CHECKING:
    from numpy.random import Generator


class Layer(Exchanged):
    """The common part of `RNN`, `LSTM` and `GRU`; see there for the parameters.

    Attributes
    ----------
    params : dict of str to ndarray
        The weights under PyTorch's names: ``weight_ih_l0``, …, ``bias_hh_l1_reverse``. Edit them in
        place, or replace them, between calls: the next call sees it.
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, merge_mode
        As given; read them, do not set them.
    dtype : dtype
        float32 or float64.
    """

    def __init__(
        self,
        kind: Kind,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int,
        *,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        merge_mode: str,
        recurrent_dropout: float,
        zoneout: float | tuple[float, float],
        weight_drop: float,
        forget_bias: float,
        dtype: DTypeLike,
        rng: "Generator | None",
        truncate: int | None,
        clip_step: float | None,
        proj_size: int = 0,
    ) -> None:
        self.input_size = integer("input_size", input_size, 0)
        sizes, listed = _options.sizes(hidden_size, num_layers)
        self.hidden_size = sizes if listed else sizes[0]
        self.num_layers = len(sizes)
        self.bias = flag("bias", bias)
        self.batch_first = flag("batch_first", batch_first)
        self.bidirectional = flag("bidirectional", bidirectional)
        self.dropout = _options.dropout(dropout, self.num_layers)
        self.merge_mode = _options.merge_mode(merge_mode, self.bidirectional)
        self.dtype = _options.dtype(dtype)
        self.truncate, self.clip_step = _options.gradient_limits(truncate, clip_step)
        forget_bias = number("forget_bias", forget_bias)
        if forget_bias != 0 and not self.bias:
            raise ValueError(f"forget_bias needs bias=True, got forget_bias={forget_bias!r}")

        self.recurrent_dropout, self.zoneout = recurrent_dropout, zoneout
        self.weight_drop = weight_drop
        self._chance = chance(recurrent_dropout, zoneout, weight_drop, kind.cell_state)
        if kind.peephole and self._chance.zoneout_c:
            raise ValueError(
                "zoneout of c is not supported together with peephole; give zoneout=(p, 0)"
            )
        # Zoneout acts in every call; the rest acts in training and leaves inference plain.
        kind = kinds.general(kind) if any(self._chance[1:3]) else kind
        self._kind = kind
        widths = [proj_size or H for H in sizes]
        D = 2 if self.bidirectional else 1
        self._layout = StateLayout(sizes, widths, D, listed, kind.cell_state, kind.title)
        inputs = [self.input_size, *(merge.width(merge_mode, D, P) for P in widths)]
        self._directions = [
            [
                Direction(kind, layer, reverse, inputs[layer], H, proj_size, self.bias, self.dtype)
                for reverse in (False, True)[:D]
            ]
            for layer, H in enumerate(sizes)
        ]
        self._width = inputs[-1]
        source = init.generator(rng)
        super().__init__()
        for direction in self._each():
            self._params |= direction.draw(source, forget_bias)

    def __call__(
        self,
        x: ArrayLike,
        state: Any = None,
        *,
        lengths: ArrayLike | None = None,
        masks: Sequence[Masks] | None = None,
    ) -> tuple[Array, Any]:
        """Run all layers for inference; dropout does not act, and nothing is kept.

        Parameters
        ----------
        x : array_like, (T, N, I)
            (N, T, I) if the layer is `batch_first`; (T, I) is one sequence, and results lose N.
        state : array_like, or a pair (h, c) for an LSTM, or None
            Initial states (L·D, N, H), zeros if None; a list of (D, N, H_l) if `hidden_size` is a
            list. In the order l0, l0_reverse, l1, …
        lengths : array_like of int or None, (N,)
            Steps that exist in each row, 0..T in any order. Padding of x is never read.
        masks : sequence of Masks or None
            One per layer and direction in the order of the states: what `forward` gives for the
            same masks. None: no dropout acts, and zoneout does what is to be expected of it.

        Returns
        -------
        y : ndarray, (T, N, D·H)
            Outputs of the last layer, (T, N, H) unless `merge_mode` is ``"concat"``; 0 in padding.
        state
            Final states in the form of the initial ones.

        Raises
        ------
        TypeError
            An argument is no array, has another dtype than the layer, or is masked.
        ValueError
            A shape or a value breaks its rule.
        MemoryError
            The result does not fit.
        """
        # Weights that a mask multiplies cannot have been packed before.
        packed = backend.get() == "core" and masks is None
        parts = self._parts(packed=packed)
        noise = self._noise(None, masks)
        if packed and noise is None and len(parts) == len(parts[0]) == 1:
            found = direct.inference(self, parts[0][0], x, state, lengths)
            if found is not None:
                return found
        y, state, _ = self._run(x, state, lengths, parts, noise=noise)
        return y, state

    def forward(
        self,
        x: ArrayLike,
        state: Any = None,
        *,
        lengths: ArrayLike | None = None,
        training: bool = True,
        rng: "Generator | None" = None,
        masks: Sequence[Masks] | None = None,
    ) -> tuple[Array, Any, LayerTape]:
        """Run all layers and keep what `backward` needs.

        Parameters
        ----------
        x, state, lengths
            As for a plain call.
        training : bool
            Let dropout act between the layers, and recurrent dropout, zoneout and weight drop in
            them; without it zoneout does what is to be expected of it.
        rng : numpy.random.Generator or None
            Where the masks come from, drawn layer by layer, time-major; None: fresh entropy.
        masks : sequence of Masks or None
            One per layer and direction in the order of the states, in the place of drawn ones.

        Returns
        -------
        y : ndarray, (T, N, D·H)
            Read-only, because the tape refers to it.
        state
            As for a plain call.
        tape : LayerTape
            Serves one `backward`.

        Raises
        ------
        TypeError, ValueError, MemoryError
            As for a plain call; rng is no Generator.
        """
        training = flag("training", training)
        active = training and (self.dropout > 0 or any(self._chance))
        source = init.generator(rng) if active or rng is not None else None
        dropout = None
        if active and source is not None and self.dropout > 0:
            dropout = stack.Dropout(self.dropout, source)
        y, state, tape = self._run(
            x, state, lengths, self._parts(packed=False), Record(), dropout,
            self._noise(source if training else None, masks),
        )  # fmt: skip
        assert tape is not None  # there was a record
        return y, state, tape

    def backward(
        self,
        tape: LayerTape,
        dy: ArrayLike | None = None,
        dstate: Any = None,
        *,
        truncate: int | None = None,
        clip_step: float | None = None,
    ) -> LayerGrads:
        """Backpropagate through time and through all layers.

        Parameters
        ----------
        tape : LayerTape
            From `forward` of this layer; used up by this call.
        dy : array_like or None, in the shape of y
            Gradient of the loss by y, zeros if None; padding is never read.
        dstate : in the form of the final states, or None
            Gradient of the loss by them, zeros if None; for an LSTM a pair, either of them may be
            None.
        truncate : int or None
            Cut the recurrent gradient every so many steps of each direction; None: as the layer
            was made.
        clip_step : float or None
            Limit the gradients by the gates' pre-activations to ±clip_step at each step; None: as
            the layer was made.

        Returns
        -------
        LayerGrads
            ``.x``, ``.state`` (None where no initial state was given) and ``.params``.

        Raises
        ------
        TypeError
            tape is no LayerTape, or a gradient is no array of the layer's dtype.
        ValueError
            tape has been used or is another layer's, a gradient has the wrong shape, truncate is
            below 1, or clip_step is not above 0. The tape stays good for another try, unless it
            had been used.
        MemoryError
            The gradients do not fit; the tape is used up.
        """
        if not isinstance(tape, LayerTape):
            raise TypeError(f"tape must be what forward returned, got {type(tape).__name__}")
        limits = self._gradient_limits(truncate, clip_step)
        dx, state, params = self._back(tape, dy, dstate, limits)
        assert dx is not None  # it was wanted
        return LayerGrads(dx, state, params)

    def stream(self, batch_size: int = 1) -> Stream:
        """Return a stream over this layer: one step, or one chunk of steps, at a time.

        Parameters
        ----------
        batch_size : int
            N, how many sequences run side by side.

        Returns
        -------
        Stream
            It starts from zero states, and keeps the weights that the layer has now: it is frozen,
            and later edits of them do not reach it.

        Raises
        ------
        TypeError
            batch_size is no integer.
        ValueError
            batch_size is negative, or the layer is bidirectional.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> lstm = fastrnn.LSTM(3, 4)
        >>> x = np.ones((5, 3), np.float32)
        >>> s = lstm.stream()
        >>> steps = [s.step(x_t) for x_t in x]
        >>> bool((np.stack(steps) == lstm(x)[0]).all())
        True
        """
        return Stream(self, batch_size)

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__.get("_params", ()):
            raise missing(self, name, {name: f"it is params[{name!r}]"})
        raise missing(self, name, LAYER_ATTRIBUTES)

    def __repr__(self) -> str:
        words = [f"{self.input_size}, {self.hidden_size}"]
        plain: dict[str, Any] = {"num_layers": 1, "bias": True, "batch_first": False}
        plain |= {"dropout": 0.0, "recurrent_dropout": 0.0, "zoneout": 0.0, "weight_drop": 0.0}
        plain |= {"proj_size": 0, "peephole": False, "layer_norm": False, "clip": None}
        plain |= {"nonlinearity": "tanh", "reset_after": True, "gates": GATES}
        usual = LSTM_ACTIVATIONS if self._kind.cell_state else GRU_ACTIVATIONS
        plain |= {"input_forget": False, "activations": usual, "truncate": None, "clip_step": None}
        for name, default in (plain | {"bidirectional": False, "merge_mode": "concat"}).items():
            if getattr(self, name, default) != default:
                words.append(f"{name}={getattr(self, name)!r}")
        return f"{type(self).__name__}({', '.join(words)}, dtype={self.dtype})"
