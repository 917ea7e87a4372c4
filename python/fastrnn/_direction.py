"""The weights of one layer and direction: named, checked, and packed once for inference."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fastrnn import _core, init
from fastrnn._checks import Array, DType, exact
from fastrnn._kinds import Kind
from fastrnn._tape import Weights

if TYPE_CHECKING:
    from numpy.random import Generator

# The function argument, and the name that PyTorch gives it in a layer.
_TORCH = {
    "w_ih": "weight_ih",
    "w_hh": "weight_hh",
    "b_ih": "bias_ih",
    "b_hh": "bias_hh",
    "w_peephole": "weight_peephole",
}


class Ready(NamedTuple):
    """Checked weights; immutable, so that threads may share it while another is being built."""

    given: tuple[Any, ...]  # the objects in params, to see that they are still the same
    weights: Weights
    packed: _core.PackedWeights | None


class Direction:
    """One layer and direction: which weights it has, and the checked and packed form of them.

    Parameters
    ----------
    kind : Kind
    layer : int
    reverse : bool
    input_size, hidden_size : int
    bias : bool
    dtype : dtype
    """

    __slots__ = ("_ready", "dtype", "hidden_size", "kind", "names", "reverse", "shapes")

    def __init__(
        self,
        kind: Kind,
        layer: int,
        reverse: bool,
        input_size: int,
        hidden_size: int,
        bias: bool,
        dtype: DType,
    ) -> None:
        rows = kind.gates * hidden_size
        shapes: dict[str, tuple[int, ...]] = {
            "w_ih": (rows, input_size),
            "w_hh": (rows, hidden_size),
        }
        if bias:
            shapes |= {"b_ih": (rows,), "b_hh": (rows,)}
        if kind.peephole:
            shapes["w_peephole"] = (3, hidden_size)
        suffix = f"_l{layer}_reverse" if reverse else f"_l{layer}"
        self.kind = kind
        self.reverse = reverse
        self.hidden_size = hidden_size
        self.dtype = dtype
        self.names = {name: _TORCH[name] + suffix for name in shapes}  # argument: name in params
        self.shapes = {self.names[name]: shape for name, shape in shapes.items()}
        self._ready: Ready | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__ if name != "_ready"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self._ready = None

    def draw(self, rng: "Generator", forget_bias: float) -> Iterator[tuple[str, Array]]:
        """Yield (name, fresh array) for each weight, uniform in ±1/√H."""
        bound = self.hidden_size**-0.5
        for name, shape in self.shapes.items():
            array = init.uniform(shape, bound, rng, self.dtype)
            if name == self.names.get("b_ih") and forget_bias:
                array[self.hidden_size : 2 * self.hidden_size] += forget_bias
            yield name, array

    def check(self, name: str, value: Any) -> Array:
        """Return the value of one weight as an array of the right shape and dtype."""
        shape = self.shapes[name]
        G = self.kind.gates
        rows = "H" if G == 1 else f"{G}·H"
        symbols = {
            "weight_ih": f"({rows}, I)", "weight_hh": f"({rows}, H)", "weight_peephole": "(3, H)",
        }.get(name.partition("_l")[0], f"({rows},)")  # fmt: skip
        title, H = self.kind.title, self.hidden_size
        return exact(name, value, shape, self.dtype, symbols, title, H, weight=True)

    def weights(self, params: Mapping[str, Any]) -> Weights:
        """Return the weights in the order of a call, checked again only if params changed."""
        return self._current(params).weights

    def packed(self, params: Mapping[str, Any]) -> _core.PackedWeights:
        """Return the weights packed for the active instruction set, built if necessary."""
        ready = self._current(params)
        if ready.packed is None or ready.packed.isa != _core.isa():
            packed = _core.PackedWeights(self.kind.core, *ready.weights)
            self._ready = ready._replace(packed=packed)
            return packed
        return ready.packed

    def forget(self) -> None:
        """Drop the packed form; the next use builds it from what params holds then."""
        self._ready = None

    def _current(self, params: Mapping[str, Any]) -> Ready:
        ready = self._ready
        if ready is not None:
            for name, given in zip(self.shapes, ready.given, strict=True):
                if params.get(name) is not given:
                    break
            else:
                return ready
        absent = [name for name in self.shapes if name not in params]
        if absent:
            raise ValueError(f"params lacks {', '.join(absent)}")
        checked = {name: self.check(torch, params[torch]) for name, torch in self.names.items()}
        weights = (
            checked["w_ih"], checked["w_hh"], checked.get("b_ih"), checked.get("b_hh"),
            checked.get("w_peephole"),
        )  # fmt: skip
        ready = Ready(tuple(params[name] for name in self.shapes), weights, None)
        self._ready = ready
        return ready
