"""The layers RNN, GRU and LSTM: many steps, many layers, both directions, weights by name.

A layer has options and weights, and says with which of them a call runs: packed ones, while nobody
else can edit the arrays. `_stack` runs it.
"""

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import cache
from itertools import chain
from sys import getrefcount
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, Unpack
from weakref import getweakrefcount

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastrnn import _core, init
from fastrnn import _stack as stack
from fastrnn._call import FOR_INFERENCE, PACKED, Part, core_cell
from fastrnn._checks import FLOAT32, Array, DType, exact, flag, generator, integer
from fastrnn._core import fits, same_items
from fastrnn._elsewhere import LAYER_ARGUMENTS, LAYER_ATTRIBUTES, hinted, missing
from fastrnn._frozen import FrozenWeights, quantized
from fastrnn._stack import LayerGrads, LayerTape, Noise, Stack, StateLayout
from fastrnn.cells import (
    WEIGHTS,
    GradientLimits,
    GRULayerOptions,
    GRUSpec,
    LSTMLayerOptions,
    LSTMSpec,
    Masks,
    Option,
    Peephole,
    RNNLayerOptions,
    RNNSpec,
    Spec,
    Squash,
    checked,
    float_type,
    layer_sizes,
    options_of,
    takes,
)
from fastrnn.runtime import backend
from fastrnn.stream import Stream

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["GRU", "LSTM", "RNN", "LayerGrads", "LayerTape"]

_absent = object()
_FIXED = ("input_size", "hidden_size", "num_layers", "dtype")  # of a layer, beside its options


class Direction:
    """Which weights one layer and direction has.

    Parameters
    ----------
    spec : Spec
    layer : int
    reverse : bool
    I, H, P : int
        Columns of x, units, and columns of h.
    bias : bool
    dtype : dtype
    bfloat16 : bool
        Its products are in bfloat16.

    Attributes
    ----------
    names : dict of str to str
        The names in a layer's `params` by the argument of the functions.
    shapes : dict of str to tuple
        By the name in `params`.
    """

    __slots__ = (
        "H", "I", "P", "_ordered", "_words", "bfloat16", "dtype", "in_order", "names", "reverse",
        "shapes", "spec",
    )  # fmt: skip

    def __init__(
        self, spec: Spec, layer: int, reverse: bool, I: int, H: int, P: int, bias: bool,
        dtype: DType, bfloat16: bool = False,
    ) -> None:  # fmt: skip
        self.spec, self.reverse, self.dtype, self.bfloat16 = spec, reverse, dtype, bfloat16
        self.I, self.H, self.P = I, H, P
        suffix = f"_l{layer}_reverse" if reverse else f"_l{layer}"
        weights = spec.weights(I, H, P, bias)
        self.names = {argument: WEIGHTS[argument] + suffix for argument in weights}
        self.in_order = tuple([self.names.get(argument, "") for argument in WEIGHTS])  # "": none
        self.shapes = {self.names[argument]: shape for argument, (_, shape) in weights.items()}
        self._ordered = [(name, self.shapes.get(name, ())) for name in self.in_order]
        self._words = {self.names[argument]: words for argument, (words, _) in weights.items()}

    def draw(self, rng: "Generator", forget_bias: float) -> Iterator[tuple[str, Array]]:
        """Yield (name, fresh array) for each weight, uniform in ±1/√H."""
        bound = self.H**-0.5
        for name, shape in self.shapes.items():
            if name == self.names.get("w_norm"):  # gains are 1, the shift of c is 0
                yield name, np.ones(shape, self.dtype) * (np.arange(shape[0]) != 9)[:, None]
                continue
            array = init.uniform(shape, bound, rng, self.dtype)
            if name == self.names.get("b_ih") and forget_bias:
                array[self.H : 2 * self.H] += forget_bias
            yield name, array

    def check(self, name: str, value: Any) -> Array:
        """Return the value of one weight as an array of the right shape and dtype."""
        return exact(
            name, value, self.shapes[name], self.dtype, self._words[name], self.spec.title, self.H,
            weight=True,
        )  # fmt: skip

    def part(self, params: Mapping[str, Any], packed: bool) -> Part:
        """Return the checked weights, or their packed form alone for the active instruction set.

        What params lacks is absent: w_ih, where x is the projected input.
        """
        arrays: list[Array | None] = []
        dtype = self.dtype
        for name, shape in self._ordered:
            value = params.get(name, _absent)
            if fits(value, shape, dtype):
                arrays.append(value)
            else:
                arrays.append(None if value is _absent else self.check(name, value))
        weights: Any = tuple(arrays)
        pack = None
        if packed:
            cell, _ = core_cell(self.spec)
            given = dict(zip(WEIGHTS, weights, strict=True))
            pack = _core.PackedWeights(cell, **given, bfloat16=self.bfloat16)
        columns = self.I if arrays[0] is not None else self.spec.G * self.H
        return Part(
            self.spec, core_cell(self.spec), PACKED if pack else weights, pack, dtype, columns,
            self.H, self.P, self.reverse, arrays[0] is None, bfloat16=self.bfloat16,
        )  # fmt: skip


class Ready(NamedTuple):
    """Packed weights; immutable, so that threads share it while another one is being built."""

    isa: str  # what they are packed for
    parts: list[list[Part]]


def _references(owner: Any) -> list[int]:
    """Return how many references there are to the dict of weights, and to each of them."""
    return [getrefcount(owner.params), *map(getrefcount, owner.params.values())]


# Where only the owner has the dict, and only the dict has an array.
_ALONE = _references(SimpleNamespace(params={"": np.zeros(1)}))


def _own(array: Any) -> bool:
    """Return whether the memory is the array's own, so that whoever edits it has the array."""
    return type(array) is np.ndarray and array.flags.owndata and not getweakrefcount(array)


class Weights:
    """The arrays of all layers and directions, and what a call runs with.

    Attributes
    ----------
    directions : list of list of Direction
        For each layer its directions.
    params : dict of str to ndarray, or FrozenWeights
        As `Layer.params`; ask `lend` for what goes out of the layer.
    names : list of str
    lent : bool
        Somebody may have references to the arrays.
    """

    __slots__ = ("_checked", "_ready", "directions", "lent", "names", "params")

    def __init__(self, directions: list[list[Direction]], params: Any) -> None:
        self.directions, self.params = directions, params
        self.names = [name for direction in self.each() for name in direction.shapes]
        self.lent = True
        self._ready: Ready | None = None  # means nothing while they are lent
        self._checked: tuple[dict[str, Array], list[list[Part]]] | None = None  # not packed

    def __reduce__(self) -> Any:
        self.lent = True  # a copy has the same arrays; packed ones are made anew in it
        return Weights, (self.directions, self.params)

    def each(self) -> list[Direction]:
        """Return every layer and direction in the order of the states."""
        return [direction for layer in self.directions for direction in layer]

    @property
    def precision(self) -> str | None:
        """That of quantised weights."""
        return self.params.precision if type(self.params) is FrozenWeights else None

    def lend(self) -> Any:
        """Return `params` to somebody who may edit them."""
        # In this order: a call in another thread that looks in between finds the reference.
        params = self.params
        self.lent = True
        return params

    def replace(self, params: Any) -> None:
        """Take others, which somebody may have, in their place."""
        self.params = params
        self.lent = True

    def parts(self, packed: bool) -> list[list[Part]]:
        """Return every layer and direction ready to run; packed, if wanted and if nobody edits."""
        if not packed or type(self.params) is FrozenWeights:
            return self.own(packed)
        if self.lent:
            self._take_back()
            if self.lent:
                return self.own(packed=False)
        ready, isa = self._ready, _core.isa()
        if ready is None or ready.isa != isa:
            ready = self._ready = Ready(isa, self.own(packed=True))
        return ready.parts

    def _take_back(self) -> None:
        """End the time for which the arrays are lent, if nobody has them any more."""
        self._ready = self._checked = None
        self.lent = False  # before the look: whoever asks for them from now on sets it again
        owner, *arrays = _references(self)
        alone = owner == _ALONE[0] and arrays == _ALONE[1:] * len(arrays)
        if not (alone and type(self.params) is dict and all(map(_own, self.params.values()))):
            self.lent = True

    def frozen(self, copied: bool) -> list[list[Part]]:
        """Return packed parts, which no edit reaches; with copies of the weights, if wanted."""
        if self.precision is not None:
            return self.own(packed=True)
        if not copied:
            parts = self.parts(packed=True)
            return parts if parts[0][0].packed else self.own(packed=True)
        params = {name: np.array(array) for name, array in self.params.items()}
        packed, plain = self.build(params, packed=True), self.build(params, packed=False)
        return [
            [one._replace(weights=other.weights) for one, other in zip(*layer, strict=True)]
            for layer in zip(packed, plain, strict=True)
        ]

    def own(self, packed: bool) -> list[list[Part]]:
        """Return every layer and direction with the weights that `params` has now."""
        params, checked = self.params, self._checked
        # The same arrays as last time under the same names: nothing to check again.
        if not packed and checked is not None and same_items(params, checked[0]):
            return checked[1]
        if type(params) is FrozenWeights:
            return params.parts(self.directions)
        self.check_names(params)
        parts = self.build(params, packed)
        if not packed:
            taken = [w for layer in parts for part in layer for w in part.weights if w is not None]
            # Only what was taken as it is: an edit of what was converted would not be seen.
            before = dict(zip(self.names, taken, strict=False))
            self._checked = (before, parts) if same_items(params, before) else None
        return parts

    def check_names(self, params: Iterable[str], names: list[str] | None = None) -> None:
        """Refuse weights of other names than these, or than all."""
        names = self.names if names is None else names
        if list(params) == names:
            return
        absent, extra = sorted({*names} - {*params}), sorted({*params} - {*names})
        if absent or extra:
            raise ValueError(f"params lacks {absent} and has {extra} too many")

    def build(self, params: Mapping[str, Any], packed: bool) -> list[list[Part]]:
        """Return every layer and direction with these weights, checked."""
        if type(params) is FrozenWeights:
            return params.parts(self.directions)
        return [[d.part(params, packed) for d in layer] for layer in self.directions]


class Layer:
    """The common part of `RNN`, `LSTM` and `GRU`; see there for the parameters.

    Attributes
    ----------
    params : dict of str to ndarray
        The weights under PyTorch's names: ``weight_ih_l0``, …, ``bias_hh_l1_reverse``. Edit them in
        place, or replace them, between calls: the next call sees it.
    input_size, hidden_size, num_layers, bias, dropout, bidirectional, merge_mode
        As given, like the other options of the class; to set one raises AttributeError, because the
        layer was made for it.
    batch_first : bool
        The one option that may be set later, too.
    dtype : dtype
        float32 or float64; it cannot be set, either.

    Notes
    -----
    Inference is fastest from weights in the order in which the kernels read them: packed. A layer
    keeps them packed only while nobody else can edit the arrays; else every call packs what they
    hold then.
    """

    _spec_type: ClassVar[type[Spec]]
    _options: ClassVar[dict[str, Option]]

    bias: bool
    dropout: float
    recurrent_dropout: float
    zoneout: float | tuple[float, float]
    weight_drop: float
    bidirectional: bool
    merge_mode: str
    truncate: int | None
    clip_step: float | None
    compute_dtype: str | None
    layer_norm: bool
    clip: float | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int,
        dtype: DTypeLike,
        rng: "Generator | None",
        options: Mapping[str, Any],
    ) -> None:
        self.input_size = integer("input_size", input_size, 0)
        sizes, listed = layer_sizes(hidden_size, num_layers)
        self.hidden_size = sizes if listed else sizes[0]
        self.num_layers = len(sizes)
        self.dtype = float_type(dtype)
        values = checked(self._options, options, type(self).__name__)
        forget_bias, P = values.pop("forget_bias", 0.0), values.get("proj_size", 0)
        batch_first = values.pop("batch_first")
        vars(self).update(values)
        chosen = {name: values[name] for name in self._spec_type.options}
        peephole = values.get("peephole", False)
        spec = self._spec_type.of(chosen, peephole, P > 0, self.layer_norm)
        self._agree(sizes, P, forget_bias, spec)
        zoneout = self.zoneout if isinstance(self.zoneout, tuple) else (self.zoneout,) * 2
        self._probabilities = stack.Probabilities(
            self.recurrent_dropout, zoneout[0], zoneout[1] * spec.cell_state, self.weight_drop
        )
        if peephole and self._probabilities.zoneout_c:
            raise ValueError(
                "zoneout of c is not supported together with peephole; give zoneout=(p, 0)"
            )
        spec = spec.with_masks() if any(self._probabilities[1:3]) else spec
        self._spec = spec
        widths = [P or H for H in sizes]
        D = 2 if self.bidirectional else 1
        layout = StateLayout(sizes, widths, D, listed, spec.cell_state, spec.title)
        merged = [stack.merged_width(self.merge_mode, D, width) for width in widths]
        bfloat16 = self.compute_dtype == "bfloat16"
        directions = [
            [
                Direction(spec, l, reverse, I, H, width, self.bias, self.dtype, bfloat16)
                for reverse in (False, True)[:D]
            ]
            for l, (I, H, width) in enumerate(
                zip([self.input_size, *merged], sizes, widths, strict=False)
            )
        ]
        source, params = generator(rng), dict[str, Array]()
        for direction in chain.from_iterable(directions):
            params |= direction.draw(source, forget_bias)
        self._stack = Stack(
            layout, Weights(directions, params), self._probabilities, self.dropout,
            GradientLimits(self.truncate, self.clip_step), self.input_size, self.dtype, batch_first,
            self.merge_mode,
        )  # fmt: skip

    def _agree(self, sizes: list[int], P: int, forget_bias: float, spec: Spec) -> None:
        """Refuse options that would have no effect, or that do not go together."""
        if P and min(sizes) <= P:
            raise ValueError(f"proj_size must be less than hidden_size = {min(sizes)}, got {P!r}")
        if self.dropout > 0 and len(sizes) == 1:
            raise ValueError(
                f"dropout acts between layers, and there is only one; got {self.dropout!r}"
            )
        if self.merge_mode != "concat" and not self.bidirectional:
            raise ValueError(f"merge_mode={self.merge_mode!r} needs bidirectional=True")
        if forget_bias != 0 and not self.bias:
            raise ValueError(f"forget_bias needs bias=True, got forget_bias={forget_bias!r}")
        if forget_bias != 0 and ("f" not in spec.gates or spec.input_forget):
            raise ValueError(
                "forget_bias needs a forget gate with a bias of its own, gates with 'f' and "
                f"input_forget=False, got forget_bias={forget_bias!r}"
            )
        if self.compute_dtype is not None and self.dtype != FLOAT32:
            raise ValueError(
                f"compute_dtype={self.compute_dtype!r} needs dtype=float32, got {self.dtype}"
            )
        if isinstance(self.zoneout, tuple) and not spec.cell_state:
            raise ValueError(f"zoneout must be a number, or two for an LSTM, got {self.zoneout!r}")

    # ---- calls ----

    @property
    def batch_first(self) -> bool:
        """Whether x and y are (N, T, ·)."""
        return self._stack.batch_first

    @batch_first.setter
    def batch_first(self, batch_first: bool) -> None:
        self._stack.batch_first = batch_first

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
        if masks is not None:
            self._check_trainable()
        own = self._stack
        # Weights that a mask multiplies cannot have been packed before.
        parts = own.weights.parts(masks is None and backend.get() == "core")
        noise = self._noise(None, masks) if masks is not None or own.zones else None
        y, state, _ = own.run(self, parts, x, state, lengths, False, None, noise)
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
        if training is not True:
            training = flag("training", training)
        own, dropout, noise = self._stack, None, None
        if own.drops or masks is not None or rng is not None:
            source = generator(rng) if rng is not None or training else None
            if training and source is not None and self.dropout > 0:
                dropout = stack.Dropout(self.dropout, source)
            noise = self._noise(source if training else None, masks)
        y, state, tape = own.run(
            self, own.weights.own(packed=False), x, state, lengths, True, dropout, noise
        )
        assert tape is not None  # it was to be kept
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
        if not isinstance(tape, LayerTape) or tape._owner is not self:
            self._check_trainable()
            if not isinstance(tape, LayerTape):
                raise TypeError(f"tape must be what forward returned, got {type(tape).__name__}")
            raise ValueError("tape must come from forward of this very layer")
        own = self._stack
        limits = own.limits
        if truncate is not None or clip_step is not None:
            limits = self._gradient_limits(truncate, clip_step)
        dx, state, params = own.back(tape, dy, dstate, limits)
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

    def apply(
        self,
        params: Mapping[str, Any],
        x: Any,
        state: Any = None,
        *,
        lengths: ArrayLike | None = None,
        rng: "Generator | None" = None,
        projected: bool = False,
        masks: Sequence[Masks] | None = None,
        truncate: int | None = None,
        clip_step: float | None = None,
    ) -> tuple[Any, Any]:
        """Run all layers with the given weights: a pure function, differentiable under autograd.

        It is one node of autograd, however many steps, layers and directions there are.

        Parameters
        ----------
        params : mapping of str to ndarray
            Weights with the names, shapes and dtype of `params`, which are not looked at.
        x, state, lengths
            As for a plain call; differentiable are x and the arrays of state.
        rng : numpy.random.Generator or None
            Where the masks come from, as in `forward`; None: no dropout acts, and zoneout does what
            is to be expected of it.
        projected : bool
            x is the product of the input and `input_weight`, without bias, (T, N, D·G·H). The
            weights in `input_weight` are not used, and may be absent.
        masks : sequence of Masks or None
            As in `forward`.
        truncate, clip_step : int, float or None
            As in `backward`.

        Returns
        -------
        y, state
            As for a plain call; y is read-only while something is being differentiated.

        Raises
        ------
        TypeError, ValueError, MemoryError
            As for a plain call; the names of params are not the layer's.
        NotImplementedError
            A second derivative is asked for, or forward mode.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> from autograd import grad
        >>> gru = fastrnn.GRU(3, 4, num_layers=2, bidirectional=True)
        >>> x = np.ones((5, 2, 3), np.float32)
        >>> grads = grad(lambda params: gru.apply(params, x, lengths=[5, 2])[0].sum())(gru.params)
        >>> grads["weight_hh_l1_reverse"].shape
        (12, 4)
        """
        self._check_trainable()
        return _autograd_side().apply(  # type: ignore[no-any-return]
            self, params, x, state, lengths=lengths, rng=rng, projected=projected, masks=masks,
            limits=self._gradient_limits(truncate, clip_step),
        )  # fmt: skip

    def quantize(self, precision: str) -> Self:
        """Return the layer for inference with weights of fewer bits: smaller, and faster.

        It is called like this one, with states, lengths and `stream`; `save` and `load`, copies and
        pickles keep it. It is frozen: it has its own weights, and no edit of this layer reaches it.

        Parameters
        ----------
        precision : {"int8", "bfloat16"}
            int8: each row of a matrix has a scale and integers -127..127, a quarter of the bytes;
            h has 127 levels, and x a scale in each row of each step. bfloat16: float32 with 8
            significant bits, half of the bytes.

        Returns
        -------
        RNN, LSTM or GRU
            Its `quantized` is the precision. `forward`, `backward`, `apply` and `params`, which are
            for training, raise TypeError; `state_dict`, `to_torch` and `to_keras` give in float32
            what its weights stand for.

        Raises
        ------
        TypeError
            The layer is not float32.
        ValueError
            There is no such precision, the layer is quantised already, or a weight holds NaN or
            Inf. For int8 also: the layer has layer normalisation, or a matrix has more than 133,144
            columns, of which 32 bits do not hold the sums of products.

        Notes
        -----
        Biases, diagonal peepholes, c, sums and activations stay float32. With int8 the sums of
        products are exact, so that the result of a row has the same bits in any batch, on any
        number of threads and in a stream. Where h stays within ±1, an initial h must do so, too;
        where it can leave them, by a projection or by activations such as relu, it has a scale in
        each row of each step, as x has. A row of x with NaN or Inf gives NaN from that step on, in
        that row.

        References
        ----------
        B. Jacob et al., "Quantization and Training of Neural Networks for Efficient
        Integer-Arithmetic-Only Inference", 2018, section 2.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> rng = np.random.default_rng(0)
        >>> lstm = fastrnn.LSTM(32, 128, rng=rng)
        >>> q = lstm.quantize("int8")
        >>> x = rng.standard_normal((20, 3, 32), dtype=np.float32)
        >>> bool(np.abs(q(x)[0] - lstm(x)[0]).max() < 0.01), round(lstm.nbytes / q.nbytes, 1)
        (True, 3.7)
        """
        return quantized(self, precision)

    @property
    def quantized(self) -> str | None:
        """The precision that `quantize` was given; None of a layer that can be trained."""
        return self._weights.precision

    @property
    def nbytes(self) -> int:
        """Bytes of the weights; the packed copy that inference reads takes as many again."""
        return sum(array.nbytes for array in self._weights.params.values())

    def _check_trainable(self) -> None:
        if self._weights.precision is not None:
            raise TypeError(FOR_INFERENCE)

    def input_weight(self, params: Mapping[str, Any]) -> Any:
        """Return W_ih of the bottom layer, what `apply` with a projected input goes without.

        Parameters
        ----------
        params : mapping of str to ndarray
            Weights with the names of `params`.

        Returns
        -------
        ndarray, (D·G·H, I)
            Both directions' weights, the forward one first; differentiable under autograd.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> gru = fastrnn.GRU(3, 4, bidirectional=True, dtype=np.float64)
        >>> x = np.ones((5, 2, 3))
        >>> projected = x @ gru.input_weight(gru.params).T
        >>> y, h_n = gru.apply(gru.params, projected, projected=True)
        >>> bool(np.allclose(y, gru(x)[0]))
        True
        """
        return _autograd_side().input_weight(self, params)

    # ---- weights ----

    @property
    def params(self) -> dict[str, Array]:
        """The weights under PyTorch's names, (G·H, I) and so on.

        You may replace entries, and edit arrays in place in any way: the next call sees it, and no
        other layer is touched. Do not edit while a call is running.

        Notes
        -----
        Inference is fastest from weights that are packed in the order in which the kernels read
        them. A layer keeps them packed as long as nothing outside of it refers to its arrays: this
        dict, an array, a view, a tensor that shares the memory, an optimiser that holds them, a
        tape. While something does, each call packs them anew, which takes longer than the rest of a
        call with few steps and rows; let go of them, copy the layer, or use `stream`. Writing
        through a bare address, which refers to nothing, is the one edit that cannot be seen.
        """
        self._check_trainable()
        params: dict[str, Array] = self._weights.lend()
        return params

    @params.setter
    def params(self, params: dict[str, Array]) -> None:
        self._check_trainable()
        if not isinstance(params, Mapping):
            raise TypeError(f"params must be a dict of arrays by name, got {type(params).__name__}")
        self._weights.replace(params)

    def __getstate__(self) -> dict[str, Any]:
        own = copy(self._stack)
        own.weights = copy(own.weights)  # copy.copy shares the arrays
        return self.__dict__ | {"_stack": own}

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of all weights by name, with PyTorch's names and shapes.

        Returns
        -------
        dict of str to ndarray

        Examples
        --------
        >>> import fastrnn
        >>> list(fastrnn.GRU(3, 4).state_dict())
        ['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0']
        """
        params = self._weights.params
        if isinstance(params, FrozenWeights):
            return params.floats()
        return {name: np.array(array) for name, array in params.items()}

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> tuple[list[str], list[str]]:
        """Replace the weights by copies of those in a dict; all of them, or none if one is wrong.

        Parameters
        ----------
        state_dict : mapping of str to array_like
            Also PyTorch's, tensors included. Each of the layer's dtype and of the right shape.
        strict : bool
            Refuse names that the layer lacks, and a dict that lacks names of the layer.

        Returns
        -------
        missing, unexpected : list of str
            Names that the dict lacks, and names that the layer lacks; empty when strict.

        Raises
        ------
        TypeError
            state_dict is no mapping, an entry is no array of the layer's dtype, or strict no bool.
        ValueError
            An entry has the wrong shape, or `strict` and the names differ.

        Examples
        --------
        >>> import fastrnn
        >>> a, b = fastrnn.GRU(3, 4), fastrnn.GRU(3, 4)
        >>> a.load_state_dict(b.state_dict())
        ([], [])
        >>> bool((a.params["weight_hh_l0"] == b.params["weight_hh_l0"]).all())
        True
        """
        self._check_trainable()
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"state_dict must be a mapping, got {type(state_dict).__name__}")
        owners = {name: one for one in self._weights.each() for name in one.shapes}
        missing = [name for name in owners if name not in state_dict]
        unexpected = [name for name in state_dict if name not in owners]
        if flag("strict", strict) and (missing or unexpected):
            raise ValueError(f"state_dict lacks {missing} and has {unexpected} too many")
        fresh = {
            name: np.array(direction.check(name, state_dict[name]), order="C")
            for name, direction in owners.items()
            if name in state_dict
        }
        self._weights.lend().update(fresh)
        return missing, unexpected

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Replace all weights by copies of those in a dict with the layer's names.

        Parameters
        ----------
        params : mapping of str to array_like
            The names, shapes and dtype of `params`.

        Raises
        ------
        TypeError, ValueError
            As `load_state_dict`, which this is with ``strict=True``.

        Examples
        --------
        >>> import fastrnn
        >>> rnn = fastrnn.RNN(3, 4)
        >>> rnn.set_params({name: 0.5 * array for name, array in rnn.params.items()})
        """
        self.load_state_dict(params)

    def repack(self) -> None:
        """Do nothing: every call sees the weights as they are, also after an edit in place.

        .. deprecated:: 0.1
            Leave it out; it goes in 0.3.

        Warns
        -----
        DeprecationWarning
            Always.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> rnn = fastrnn.RNN(3, 4, bias=False)
        >>> x = np.ones((2, 3), np.float32)
        >>> y, h_n = rnn(x)
        >>> rnn.params["weight_ih_l0"][:] = 0
        >>> bool((rnn(x)[0] == 0).all())
        True
        """
        warnings.warn(
            "repack has no effect, as a call sees the weights as they are: leave it out; "
            "it goes in version 0.3",
            DeprecationWarning, stacklevel=2,
        )  # fmt: skip

    # ---- files, and other programs ----

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write options and weights to one safetensors file; it is there whole, or the old one is.

        Parameters
        ----------
        path : path
            Replaced if it exists.

        Raises
        ------
        ImportError
            safetensors is missing; the message says how to get it.
        OSError
            The file could not be written; the old one is still there, unless the message says
            that only its folder could not be synced.
        TypeError, ValueError
            The weights do not fit the layer: they could not be read back.

        Examples
        --------
        >>> import fastrnn
        >>> fastrnn.GRU(3, 4, num_layers=2).save("gru.safetensors")
        >>> fastrnn.GRU.load("gru.safetensors")
        GRU(3, 4, num_layers=2, dtype=float32)
        """
        from fastrnn.io._layer_file import save_layer

        save_layer(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` of this class wrote.

        Parameters
        ----------
        path : path

        Returns
        -------
        RNN, LSTM or GRU
            One that computes the same, bit for bit.

        Raises
        ------
        fastrnn.CheckpointError
            The file is damaged, or holds something else than a layer of this class.
        ImportError
            safetensors is missing; the message says how to get it.
        OSError
            The file could not be read.

        Examples
        --------
        See `save`.
        """
        from fastrnn.io._layer_file import load_layer

        return load_layer(cls, path)

    @classmethod
    def from_torch(cls, module_or_state_dict: Any, prefix: str = "", **options: Any) -> Self:
        """Return a layer with PyTorch's weights.

        Parameters
        ----------
        module_or_state_dict : torch.nn.Module, mapping of str to array_like, or path
            A recurrent module or a cell, a model that holds one, its ``state_dict()``, or a
            safetensors file with one. Sizes, biases, directions and projection are read off.
        prefix : str
            What the names start with: ``"encoder.rnn"``. Every tensor under it must be a weight of
            this layer.
        **options
            What the class takes and weights do not say: `batch_first`, `dropout`, `nonlinearity`.
            A module says them itself. A `dtype` converts.

        Returns
        -------
        RNN, LSTM or GRU
            With copies of the weights.

        Raises
        ------
        TypeError
            It is nothing of that, holds another cell, or a tensor is not float32 or float64.
        ValueError
            A tensor is left over or missing, or has the wrong shape; the message names it.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> weights = fastrnn.GRU(3, 4, num_layers=2).state_dict()
        >>> model = {f"encoder.{name}": array for name, array in weights.items()}
        >>> fastrnn.GRU.from_torch(model, prefix="encoder")
        GRU(3, 4, num_layers=2, dtype=float32)
        """
        from fastrnn.io.torch import from_torch

        return from_torch(cls, module_or_state_dict, prefix, options)

    @classmethod
    def from_keras(
        cls,
        weights: Any,
        *,
        bidirectional: bool = False,
        bias: bool = True,
        activation: Squash = "tanh",
        recurrent_activation: Squash = "sigmoid",
        **options: Any,
    ) -> Self:
        """Return a layer with Keras' weights.

        Parameters
        ----------
        weights : list of array_like, or a layer of Keras
            What ``get_weights()`` returns: kernel, recurrent_kernel and bias of each layer and
            direction; lists of several layers one after the other. The bias says whether a GRU
            resets after the product, and a flat one of 8·H or 6·H numbers that the arrays are of
            CuDNNLSTM or CuDNNGRU, whose kernels hold each gate's matrix transposed. A layer, also
            in ``Bidirectional``, says all of the following itself.
        bidirectional : bool
            The second half of each layer's arrays is of the backward direction.
        bias : bool
            There are biases (``use_bias``).
        activation, recurrent_activation : str, or tuple (str, alpha, beta)
            sigmoid, tanh, relu, linear, elu, softsign, softplus, leaky_relu, or hard_sigmoid of
            Keras 1 and 2; that of Keras 3 is ``("hard_sigmoid", 1 / 6, 0.5)``.
        **options
            What the class takes besides: `batch_first`, `merge_mode`, `dtype`.

        Returns
        -------
        RNN, LSTM or GRU
            With copies of the weights. Time-major unless you ask for `batch_first`.

        Raises
        ------
        TypeError
            weights is no list, or an array is not float32 or float64.
        ValueError
            The number of arrays or a shape is wrong, or an option is not supported.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> weights = [np.ones((3, 16)), np.ones((4, 16)), np.zeros(16)]
        >>> fastrnn.LSTM.from_keras(weights, batch_first=True)
        LSTM(3, 4, batch_first=True, dtype=float64)
        """
        from fastrnn.io.keras import from_keras

        return from_keras(
            cls, weights, bidirectional, bias, activation, recurrent_activation, options
        )

    @classmethod
    def from_onnx(
        cls,
        W: ArrayLike,
        R: ArrayLike,
        B: ArrayLike | None = None,
        P: ArrayLike | None = None,
        **attributes: Any,
    ) -> Self:
        """Return a layer with the inputs of an ONNX node; `fastrnn.io.load_onnx` reads files.

        Parameters
        ----------
        W, R : array_like, (D, G·H, I) and (D, G·H, H)
        B, P : array_like or None, (D, 2·G·H) and (D, 3·H)
        **attributes
            ONNX's: direction, layout, hidden_size, clip, activations, activation_alpha,
            activation_beta, input_forget, linear_before_reset. What is not supported raises.

        Returns
        -------
        RNN, LSTM or GRU
            With copies of the weights; `batch_first` with layout 1.

        Raises
        ------
        TypeError
            An input is no array of float32 or float64, or an attribute is unknown.
        ValueError
            A shape breaks its rule, or an attribute has a value that a layer cannot have.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> fastrnn.GRU.from_onnx(np.ones((1, 12, 3)), np.ones((1, 12, 4)), linear_before_reset=1)
        GRU(3, 4, bias=False, dtype=float64)
        """
        from fastrnn.io._assemble import family
        from fastrnn.io.onnx import OnnxNode

        layer: Self = OnnxNode.make(family(cls), W, R, B, P, **attributes).layer(cls)
        return layer

    @classmethod
    def from_lasagne(cls, params: Any, *, prefix: str = "", **options: Any) -> tuple[Self, Any]:
        """Return a layer with one array for each gate, and its learned initial state.

        Parameters
        ----------
        params : mapping of str to array_like
            ``W_in_to_ingate`` (I, H), ``W_hid_to_ingate`` (H, H), ``b_ingate`` (H,),
            ``W_cell_to_ingate`` (H,) and the like under Lasagne's names, and ``hid_init``,
            ``cell_init`` (1, H). Peepholes, biases and initial states may be absent. Of a GRU
            h' = z∘n + (1 − z)∘h, as Lasagne has it.
        prefix : str
            What the names start with.
        **options
            What the class takes besides: `activations`, `nonlinearity` (Lasagne's own is relu),
            `batch_first`, `dtype`.

        Returns
        -------
        layer : RNN, LSTM or GRU
        state : ndarray, (1, 1, H), or a pair of them, or None
            The initial state of one row; ``numpy.broadcast_to`` makes it that of N.

        Raises
        ------
        TypeError
            params is no mapping, or an array is not float32 or float64.
        ValueError
            A name is missing or unknown, or a shape is wrong.

        Examples
        --------
        >>> import numpy as np
        >>> import fastrnn
        >>> params = {"W_in_to_hid": np.ones((3, 4)), "W_hid_to_hid": np.ones((4, 4))}
        >>> fastrnn.RNN.from_lasagne(params | {"hid_init": np.ones((1, 4))}, nonlinearity="relu")
        (RNN(3, 4, bias=False, nonlinearity='relu', dtype=float64), array([[[1., 1., 1., 1.]]]))
        """
        from fastrnn.io.lasagne import from_lasagne

        return from_lasagne(cls, params, prefix, options)

    def to_torch(self) -> Any:
        """Return PyTorch's module with copies of the weights.

        Returns
        -------
        torch.nn.RNN, torch.nn.GRU or torch.nn.LSTM

        Raises
        ------
        ImportError
            PyTorch is missing.
        ValueError
            The layer has an option that PyTorch's modules lack.

        Examples
        --------
        >>> import fastrnn
        >>> fastrnn.GRU(3, 4).to_torch()  # doctest: +SKIP
        GRU(3, 4)
        """
        from fastrnn.io.torch import to_torch

        return to_torch(self)

    def to_keras(self) -> list[Array]:
        """Return the arrays that a layer of Keras takes by ``set_weights``.

        Returns
        -------
        list of ndarray
            kernel, recurrent_kernel and bias of each layer and direction, one after the other. A
            GRU with `reset_after` has a bias (2, 3·H); else both biases are added.

        Raises
        ------
        ValueError
            The layer has weights that Keras' layers lack.

        Examples
        --------
        >>> import fastrnn
        >>> [array.shape for array in fastrnn.GRU(3, 4).to_keras()]
        [(3, 12), (4, 12), (2, 12)]
        """
        from fastrnn.io.keras import to_keras

        return to_keras(self)

    def to_onnx(
        self, path: str | os.PathLike[str], *, state: bool = False, lengths: bool = False
    ) -> None:
        """Write the layer as an ONNX model, for inference.

        The model takes ``x`` in the layer's layout and gives ``y``, ``h_n`` and, of an LSTM,
        ``c_n``; of layers that differ in size ``h_n_l0``, ``h_n_l1``, …. T and N are free.

        Parameters
        ----------
        path : path
            Replaced if it exists.
        state : bool
            Take the initial states as ``h0`` and ``c0``, too.
        lengths : bool
            Take ``lengths`` (N,), int32, too.

        Raises
        ------
        ImportError
            The package onnx is missing.
        OSError
            The file could not be written; the old one is still there, unless the message says
            that only its folder could not be synced.
        TypeError, ValueError
            The layer has an option that ONNX lacks, or weights that do not fit it.

        Examples
        --------
        >>> import fastrnn
        >>> fastrnn.LSTM(3, 4, num_layers=2, bidirectional=True).to_onnx("lstm.onnx", state=True)
        """
        from fastrnn.io._onnx_write import write

        self._weights.own(packed=False)  # what does not fit is named
        write(self, path, flag("state", state), flag("lengths", lengths))

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__.get("_stack")
        if own is not None and name in own.weights.names:
            raise missing(self, name, {name: f"it is params[{name!r}]"})
        raise missing(self, name, LAYER_ATTRIBUTES)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__ and (name in self._options or name in _FIXED):
            raise AttributeError(
                f"{name} of a layer cannot be set once it is made: make another "
                f"{type(self).__name__} with it, and give it the weights with load_state_dict"
            )
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        words = [f"{self.input_size}, {self.hidden_size}"]
        if self.num_layers != 1:
            words.append(f"num_layers={self.num_layers}")
        for name, option in self._options.items():
            if getattr(self, name, option.default) != option.default:
                words.append(f"{name}={getattr(self, name)!r}")
        if self.quantized is not None:
            words.append(f"quantized={self.quantized!r}")
        return f"{type(self).__name__}({', '.join(words)}, dtype={self.dtype})"

    # ---- what a call is made of ----

    @property
    def _weights(self) -> Weights:
        return self._stack.weights

    def _noise(self, rng: "Generator | None", masks: Any = None) -> Noise | None:
        """Return what acts in one call: masks as given, drawn from rng, or what to expect."""
        if masks is not None:
            count = len(self._weights.each())
            if not isinstance(masks, (list, tuple)) or len(masks) != count:
                raise ValueError(
                    f"masks must be a list of {count} Masks, one per layer and direction, "
                    f"got {masks!r:.80}"
                )
            return Noise(self._probabilities, None, masks)
        active = any(self._probabilities) if rng is not None else any(self._probabilities[1:3])
        return Noise(self._probabilities, rng) if active else None

    def _gradient_limits(self, truncate: Any, clip_step: Any) -> GradientLimits:
        """Return what acts on the gradients of one way back: as given, else as the layer says."""
        if truncate is None and clip_step is None:
            return self._stack.limits
        given = GradientLimits.of(truncate, clip_step)
        return GradientLimits(
            self.truncate if truncate is None else given.truncate,
            self.clip_step if clip_step is None else given.clip_step,
        )


@cache
def _autograd_side() -> Any:
    """Return the module that needs autograd; an import statement in each call would take 1 us."""
    from fastrnn.ops import _layer

    return _layer


@takes(RNNLayerOptions)
class RNN(Layer):
    """A stack of simple (Elman) RNN layers, in one or both directions.

    Parameters
    ----------
    input_size : int
        I.
    hidden_size : int or sequence of int
        H, or one for each layer; `num_layers` may then be left out, and states are lists.
    num_layers : int
    **options
    dtype : dtype
        float32 or float64, of weights and all arrays.
    rng : numpy.random.Generator or None
        Where the first weights come from, uniform in ±1/√H; None: fresh entropy.

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

    _spec_type = RNNSpec
    _options = options_of(RNNLayerOptions)

    nonlinearity: Squash

    @hinted(LAYER_ARGUMENTS)
    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        *,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
        **options: Unpack[RNNLayerOptions],
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, dtype, rng, options)


@takes(GRULayerOptions)
class GRU(Layer):
    """A stack of GRU layers, in one or both directions.

    Parameters
    ----------
    input_size : int
        I.
    hidden_size : int or sequence of int
        H, or one for each layer; `num_layers` may then be left out, and states are lists.
    num_layers : int
    **options
    dtype : dtype
        float32 or float64, of weights and all arrays.
    rng : numpy.random.Generator or None
        Where the first weights come from, uniform in ±1/√H; None: fresh entropy.

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

    _spec_type = GRUSpec
    _options = options_of(GRULayerOptions)

    reset_after: bool
    activations: tuple[Squash, Squash]

    @hinted(LAYER_ARGUMENTS)
    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        *,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
        **options: Unpack[GRULayerOptions],
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, dtype, rng, options)


@takes(LSTMLayerOptions)
class LSTM(Layer):
    """A stack of LSTM layers, in one or both directions.

    Parameters
    ----------
    input_size : int
        I.
    hidden_size : int or sequence of int
        H, or one for each layer; `num_layers` may then be left out, and states are lists.
    num_layers : int
    **options
    dtype : dtype
        float32 or float64, of weights and all arrays.
    rng : numpy.random.Generator or None
        Where the first weights come from, uniform in ±1/√H; None: fresh entropy.

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

    _spec_type = LSTMSpec
    _options = options_of(LSTMLayerOptions)

    activations: tuple[Squash, Squash, Squash]
    gates: str
    input_forget: bool
    peephole: Peephole
    proj_size: int

    @hinted(LAYER_ARGUMENTS)
    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        *,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
        **options: Unpack[LSTMLayerOptions],
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, dtype, rng, options)
