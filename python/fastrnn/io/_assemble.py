"""Layers from another program's arrays: these give the sizes, and every one must be used."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fastrnn._checks import Array, DType, floats, leading
from fastrnn.cells import SPECS

if TYPE_CHECKING:
    from fastrnn.recurrent import Layer

L = TypeVar("L", bound="Layer")
GATES = {family.upper(): spec.G for family, spec in SPECS.items()}

# One layer and direction: the arguments of the functions and their arrays, None for what is absent.
Weights = Mapping[str, Any]


def family(cls: "type[Layer]") -> str:
    """Return ``RNN``, ``GRU`` or ``LSTM``, also of a subclass."""
    return cls._spec_type.family.upper()


def array(name: str, value: Any, shape: Sequence[int | None], symbols: str) -> Array:
    """Return value as an array of floats of this shape; None stands for any size.

    Raises
    ------
    TypeError
        It is no array of float32 or float64.
    ValueError
        It has another shape.
    """
    if getattr(value, "requires_grad", False):
        value = value.detach()  # a parameter of PyTorch
    array, _ = leading(name, value)
    fits = len(array.shape) == len(shape) and all(
        want is None or want == size for want, size in zip(shape, array.shape, strict=True)
    )
    if not fits:
        sizes = ", ".join("·" if size is None else str(size) for size in shape)
        comma = "," if len(shape) == 1 else ""
        raise ValueError(f"{name} must have shape {symbols} = ({sizes}{comma}), got {array.shape}")
    return array


def blocks(rows: Array, order: Sequence[int]) -> Array:
    """Return the equal blocks of the first axis in another order, one for each gate."""
    split = np.split(rows, len(order))
    return np.concatenate([split[k] for k in order])


def refuse(layer: "Layer", program: str, *knows: str, training: bool = False) -> None:
    """Raise ValueError for an option of the layer that the other program does not know.

    What acts in training alone need not be known, unless `training` says that it is handed over.
    """
    for name, option in layer._options.items():
        value = getattr(layer, name, option.default)
        if value == option.default or name in knows or (option.training and not training):
            continue
        raise ValueError(
            f"{program} has no {name}={value!r}; only {name}={option.default!r} can be handed over"
        )


def assemble(cls: type[L], each: Sequence[Weights], directions: int, **options: Any) -> L:
    """Return a layer with these weights.

    Parameters
    ----------
    cls : type
        RNN, GRU or LSTM, or a subclass.
    each : sequence of mapping
        The weights of every layer and direction, in the order of the states.
    directions : int
        D.
    **options
        What `cls` takes beside sizes, bias, peephole, projection and dtype, which the arrays say;
        a dtype among them converts the arrays.
    """
    G = GATES[family(cls)]
    dtype: DType | None = options.pop("dtype", None)
    if dtype is None:
        dtype = np.dtype(leading("w_hh", each[0]["w_hh"])[1])
        given: list[dict[str, Any]] = [_of_one_dtype(weights, dtype) for weights in each]
    else:
        given = [
            {name: None if a is None else np.asarray(a).astype(dtype) for name, a in w.items()}
            for w in each
        ]
    sizes = [weights["w_hh"].shape[0] // G for weights in given[::directions]]
    bias = any(w.get(name) is not None for w in given for name in ("b_ih", "b_hh"))
    peepholes = [w["w_peephole"] for w in given if w.get("w_peephole") is not None]
    if peepholes:
        options["peephole"] = True if all(len(rows) == 3 for rows in peepholes) else "full"
    if any(w.get("w_norm") is not None for w in given):
        options["layer_norm"] = True
    if any(w.get("w_hr") is not None for w in given):
        options["proj_size"] = given[0]["w_hh"].shape[1]
    hidden_size: Any = sizes[0] if len(set(sizes)) == 1 else sizes
    maker: Any = cls
    layer: L = maker(
        given[0]["w_ih"].shape[1],
        hidden_size,
        len(sizes),
        bias=bias,
        bidirectional=directions == 2,
        dtype=dtype,
        **options,
    )
    state = {}
    for direction, weights in zip(layer._weights.each(), given, strict=True):
        for argument, name in direction.names.items():
            array = weights.get(argument)
            state[name] = np.zeros(direction.shapes[name], dtype) if array is None else array
        extra = [key for key, a in weights.items() if a is not None and key not in direction.names]
        if extra:
            raise ValueError(f"{cls.__name__} has no place for {extra}")
    layer.load_state_dict(state)
    return layer


def _of_one_dtype(weights: Weights, dtype: DType) -> dict[str, Array | None]:
    return {
        name: None if value is None else floats(name, value, dtype)
        for name, value in weights.items()
    }
