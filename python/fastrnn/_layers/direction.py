"""One layer and direction: the names and shapes of its weights, drawn, checked and packed."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrnn import _core, init
from fastrnn._calls.call import PACKED
from fastrnn._calls.kinds import Kind
from fastrnn._calls.tape import NAMES
from fastrnn._checks import Array, DType, exact
from fastrnn._layers.part import Part

if TYPE_CHECKING:
    from numpy.random import Generator

_ndarray = np.ndarray
_absent = object()

# The function argument, and the name that PyTorch gives it in a layer.
_TORCH = {
    "w_ih": "weight_ih",
    "w_hh": "weight_hh",
    "b_ih": "bias_ih",
    "b_hh": "bias_hh",
    "w_peephole": "weight_peephole",
    "w_hr": "weight_hr",
    "w_norm": "weight_norm",
}


class Direction:
    """Which weights one layer and direction has.

    Parameters
    ----------
    kind : Kind
    layer : int
    reverse : bool
    input_size, hidden_size, proj_size : int
        proj_size is 0 without projection.
    bias : bool
    dtype : dtype
    """

    __slots__ = (
        "_symbols", "arguments", "dtype", "hidden_size", "in_order", "kind", "names", "output_size",
        "reverse", "shapes",
    )  # fmt: skip

    def __init__(
        self,
        kind: Kind,
        layer: int,
        reverse: bool,
        input_size: int,
        hidden_size: int,
        proj_size: int,
        bias: bool,
        dtype: DType,
    ) -> None:
        rows = kind.gates * hidden_size
        shapes: dict[str, tuple[int, ...]] = {
            "w_ih": (rows, input_size),
            "w_hh": (rows, proj_size or hidden_size),
        }
        if bias:
            shapes |= {"b_ih": (rows,), "b_hh": (rows,)}
        full = kind.peephole == "full"
        if kind.peephole:
            shapes["w_peephole"] = (3 * hidden_size if full else 3, hidden_size)
        if proj_size:
            shapes["w_hr"] = (proj_size, hidden_size)
        if kind.layer_norm:
            shapes["w_norm"] = (2 * kind.gates + 2 * kind.cell_state, hidden_size)
        suffix = f"_l{layer}_reverse" if reverse else f"_l{layer}"
        self.kind = kind
        self.reverse = reverse
        self.hidden_size = hidden_size
        self.output_size = proj_size or hidden_size
        self.dtype = dtype
        self.names = {name: _TORCH[name] + suffix for name in shapes}  # argument: name in params
        self.arguments = list(shapes)
        # As the functions take them; "" is none.
        self.in_order = tuple([self.names.get(name, "") for name in NAMES])
        self.shapes = {self.names[name]: shape for name, shape in shapes.items()}
        rows_in_words = "H" if kind.gates == 1 else f"{kind.gates}·H"
        letter = "P" if proj_size else "H"
        words = {"w_ih": f"({rows_in_words}, I)", "w_hh": f"({rows_in_words}, {letter})"}
        words |= {"w_peephole": "(3·H, H)" if full else "(3, H)", "w_hr": "(P, H)"}
        words["w_norm"] = f"({2 * kind.gates + 2 * kind.cell_state}, H)"
        self._symbols = {
            self.names[name]: words.get(name, f"({rows_in_words},)") for name in shapes
        }

    def draw(self, rng: "Generator", forget_bias: float) -> Iterator[tuple[str, Array]]:
        """Yield (name, fresh array) for each weight, uniform in ±1/√H."""
        bound = self.hidden_size**-0.5
        for name, shape in self.shapes.items():
            if name == self.names.get("w_norm"):  # gains are 1, the shift of c is 0
                yield name, np.ones(shape, self.dtype) * (np.arange(shape[0]) != 9)[:, None]
                continue
            array = init.uniform(shape, bound, rng, self.dtype)
            if name == self.names.get("b_ih") and forget_bias:
                array[self.hidden_size : 2 * self.hidden_size] += forget_bias
            yield name, array

    def check(self, name: str, value: Any) -> Array:
        """Return the value of one weight as an array of the right shape and dtype."""
        return exact(
            name, value, self.shapes[name], self.dtype, self._symbols[name], self.kind.title,
            self.hidden_size, weight=True,
        )  # fmt: skip

    def part(self, params: Mapping[str, Any], packed: bool) -> Part:
        """Return the checked weights, or their packed form alone for the active instruction set.

        What params lacks is absent: w_ih, where x is the projected input.
        """
        found: list[Array | None] = []
        dtype, shapes = self.dtype, self.shapes
        for name in self.in_order:
            value = params.get(name, _absent)
            if value is _absent:
                found.append(None)
            elif (  # what needs no conversion; `check` takes as long for one weight
                type(value) is _ndarray
                and value.dtype is dtype
                and value.shape == shapes[name]
                and value.flags.aligned
            ):
                found.append(value)
            else:
                found.append(self.check(name, value))
        weights: Any = tuple(found)
        pack = _core.PackedWeights(self.kind.core, *weights) if packed else None
        return Part(
            self.kind, self.reverse, self.hidden_size, self.output_size, self.dtype,
            PACKED if pack else weights, pack,
        )  # fmt: skip
