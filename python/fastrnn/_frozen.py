"""Layers whose weights are int8 or bfloat16: which can be, what they keep, and their parts."""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from fastrnn import _core
from fastrnn._call import Part, core_cell, operands_of
from fastrnn._checks import FLOAT32, Array
from fastrnn._quantize import PRECISIONS, Matrix, checked_precision, finite, tensor

if TYPE_CHECKING:
    from fastrnn.cells import Spec
    from fastrnn.recurrent import Direction, Layer

L = TypeVar("L", bound="Layer")

VERSION = 1  # of what a file holds
MATRICES = ("w_ih", "w_hh")


class FrozenWeights(Mapping[str, Any]):
    """The weights of a quantised layer by name: matrices of fewer bits, and float32 vectors.

    Parameters
    ----------
    precision : {"int8", "bfloat16"}
    entries : mapping of str to Int8Rows, Bfloat16 or ndarray
        In the order of the layer's `params`.
    """

    def __init__(self, precision: str, entries: Mapping[str, Any]) -> None:
        self.precision = precision
        self._entries = dict(entries)
        self._ready: tuple[str, list[list[Part]]] | None = None

    @classmethod
    def of(
        cls, layer: "Layer", params: Mapping[str, Any], precision: str, prefix: str = ""
    ) -> Self:
        """Return the weights of a layer, rounded where they are not yet; errors have the prefix.

        Raises
        ------
        TypeError, ValueError
            As `Layer.quantize`.
        """
        refuse(layer, precision)
        if isinstance(params, FrozenWeights):
            raise ValueError(f"{layer!r} is quantised already")
        layer._weights.check_names(params)
        entries: dict[str, Any] = {}
        for direction in layer._weights.each():
            for argument, name in direction.names.items():
                if isinstance(params[name], Matrix):
                    entries[name] = params[name]
                    continue
                array = direction.check(name, params[name])
                if argument in rounded_weights(direction.spec, precision):
                    entries[name] = PRECISIONS[precision].of(prefix + name, array)
                    continue
                entries[name] = finite(prefix + name, array).copy()
        return cls(precision, entries)

    def filled(self, tensors: dict[str, Array], prefix: str = "") -> Self:
        """Return weights of the same names and shapes from a file's tensors, which are used up.

        Raises
        ------
        ValueError
            One is missing, or not as it must be.
        """
        entries = {
            name: filled(prefix + name, entry, tensors) for name, entry in self._entries.items()
        }
        for name, entry in entries.items():
            if not isinstance(entry, Matrix) and not np.isfinite(entry).all():
                raise ValueError(f"{prefix}{name} holds NaN or Inf")
        return type(self)(self.precision, entries)

    def __getitem__(self, name: str) -> Any:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_ready": None}  # packed anew for the CPU of the copy

    @property
    def nbytes(self) -> int:
        """Bytes of all weights."""
        return sum(entry.nbytes for entry in self._entries.values())

    def tensors(self) -> dict[str, Array]:
        """Return what a file holds of them."""
        return tensors_of(self._entries)

    def floats(self) -> dict[str, Array]:
        """Return fresh arrays of float32: what the weights stand for."""
        return {
            name: entry[:] if isinstance(entry, Matrix) else entry.copy()
            for name, entry in self._entries.items()
        }

    def parts(self, directions: "list[list[Direction]]") -> list[list[Part]]:
        """Return every layer and direction ready to run, packed once per instruction set."""
        ready, isa = self._ready, _core.isa()
        if ready is None or ready[0] != isa:
            parts = [[self._part(direction) for direction in layer] for layer in directions]
            ready = self._ready = isa, parts
        return ready[1]

    def _part(self, direction: "Direction") -> Part:
        given = [self._entries.get(name) for name in direction.in_order]
        return part_of(direction.spec, given, self.precision, direction.reverse)


def rounded_weights(spec: "Spec", precision: str) -> tuple[str, ...]:
    """Return which weights have fewer bits; the others stay float32."""
    if precision != "int8":
        return MATRICES
    return (*MATRICES, "w_hr", *(("w_peephole",) if spec.peephole == "full" else ()))


def part_of(spec: "Spec", weights: Sequence[Any], precision: str, reverse: bool) -> Part:
    """Return one layer and direction ready to run; weights are in the order of `_call.Weights`."""
    kept: Any = tuple(weights)
    operands: Any = operands_of(kept)  # not kept: those of bfloat16 take twice its bytes
    int8 = precision == "int8"
    # The core's plain cells have one scale for h.
    cell, _ = core = core_cell(spec.with_masks() if int8 and not spec.bounded else spec)
    w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, w_norm = operands
    if int8:
        (w_ih, of_ih), (w_hh, of_hh) = w_ih, w_hh
        w_hr, of_hr = (None, None) if w_hr is None else w_hr
        of_peephole = None
        if isinstance(w_peephole, tuple):
            w_peephole, of_peephole = w_peephole
        packed = _core.PackedWeights(
            cell, w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr,
            scale_ih=of_ih, scale_hh=of_hh, scale_peephole=of_peephole, scale_hr=of_hr,
        )  # fmt: skip
    else:
        packed = _core.PackedWeights(
            cell, w_ih, w_hh, b_ih, b_hh, w_peephole, w_hr, w_norm, bfloat16=True
        )
    P = w_hh.shape[1]
    H = P if w_hr is None else w_hr.shape[1]
    return Part(
        spec, core, kept, packed, FLOAT32, weights[0].shape[1], H, P, reverse, False, precision
    )


def tensors_of(entries: Mapping[str, Any]) -> dict[str, Array]:
    """Return what a file holds of matrices and arrays."""
    tensors: dict[str, Array] = {}
    for name, entry in entries.items():
        tensors |= entry.tensors(name) if isinstance(entry, Matrix) else {name: entry}
    return tensors


def filled(name: str, entry: Any, tensors: dict[str, Array]) -> Any:
    """Return what is in the place of a matrix or an array from a file's tensors, used up.

    Raises
    ------
    ValueError
        It is missing, or not as it must be.
    """
    if not isinstance(entry, Matrix):
        array = tensor(name, entry.shape, entry.dtype, tensors)
        del tensors[name]
        return array
    made = type(entry).from_tensors(name, entry.shape, tensors)
    for used in made.tensors(name):
        del tensors[used]
    return made


def state_of(precision: str) -> dict[str, Any]:
    """Return what a file says of quantised weights beside their tensors."""
    return {"precision": precision, "version": VERSION}


def checked_state(state: Any) -> str:
    """Return the precision that a file names, or say that this version does not know it.

    Raises
    ------
    ValueError
        It was written by another version, or is no such state.
    """
    if not isinstance(state, Mapping):
        raise ValueError("what it has of its precision is no object")
    if state.get("version") != VERSION:
        raise ValueError(
            f"its quantised weights are of version {state.get('version')!r}, not {VERSION}"
        )
    return checked_precision(state.get("precision"))


def float32_bytes(tensors: Mapping[str, Array]) -> int:
    """Return how many bytes the numbers of a file take in float32, or as they are."""
    return sum(max(array.nbytes, 4 * array.size) for array in tensors.values())


def refuse(layer: "Layer", precision: str) -> None:
    """Refuse a layer that cannot have this precision.

    Raises
    ------
    TypeError
        It is not float32.
    ValueError
        It has an option that the kernels of this precision lack.
    """
    if layer.dtype != FLOAT32:
        raise TypeError(f"{layer!r} must be float32 to be quantised")
    if precision == "int8" and layer._spec.layer_norm:
        raise ValueError(
            f"{layer!r} cannot be quantised to int8: layer_norm is not supported with int8, but "
            "with bfloat16"
        )


def quantized(layer: L, precision: Any) -> L:
    """Return a layer with rounded weights; see `Layer.quantize`."""
    params = layer._weights.params
    return with_frozen(layer, FrozenWeights.of(layer, params, checked_precision(precision)))


def with_frozen(layer: L, weights: FrozenWeights) -> L:
    """Return the layer with these weights."""
    made = copy(layer)
    made._weights.replace(weights)
    return made
