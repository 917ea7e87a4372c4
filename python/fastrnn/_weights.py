"""A layer's weights by name: checked once, and packed as long as nobody else can edit them."""

from collections.abc import Iterable, Iterator, Mapping
from operator import is_
from sys import getrefcount
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import getweakrefcount

import numpy as np

from fastrnn import _core, init
from fastrnn._call import PACKED, Part
from fastrnn._checks import Array, DType, exact
from fastrnn._core import fits
from fastrnn._frozen import FrozenWeights
from fastrnn.cells import WEIGHTS, Spec

if TYPE_CHECKING:
    from numpy.random import Generator

_absent = object()


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
        "H", "I", "P", "_words", "bfloat16", "dtype", "in_order", "names", "reverse", "shapes",
        "spec",
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
        dtype, shapes = self.dtype, self.shapes
        for name in self.in_order:
            value = params.get(name, _absent)
            if value is _absent:
                arrays.append(None)
            else:
                taken = fits(value, shapes[name], dtype)
                arrays.append(value if taken else self.check(name, value))
        weights: Any = tuple(arrays)
        pack = None
        if packed:
            cell = _core.Cell[self.spec.core]
            given = dict(zip(WEIGHTS, weights, strict=True))
            pack = _core.PackedWeights(cell, **given, bfloat16=self.bfloat16)
        columns = self.I if arrays[0] is not None else self.spec.G * self.H
        return Part(
            self.spec, PACKED if pack else weights, pack, dtype, columns, self.H, self.P,
            self.reverse, arrays[0] is None, bfloat16=self.bfloat16,
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
        self._checked: tuple[list[Array], list[list[Part]]] | None = None  # not packed

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
        params, names = self.params, self.names
        if isinstance(params, FrozenWeights):
            return params.parts(self.directions)
        if not packed and self._checked is not None:
            arrays, parts = self._checked
            # The same arrays as last time under the same names: nothing to check again.
            if list(params) == names and all(map(is_, params.values(), arrays)):
                return parts
        self.check_names(params)
        parts = self.build(params, packed)
        if not packed:
            taken = [w for layer in parts for part in layer for w in part.weights if w is not None]
            # Only what was taken as it is: an edit of what was converted would not be seen.
            same = list(params) == names and all(map(is_, params.values(), taken))
            self._checked = (taken, parts) if same else None
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
        if isinstance(params, FrozenWeights):
            return params.parts(self.directions)
        return [[d.part(params, packed) for d in layer] for layer in self.directions]
