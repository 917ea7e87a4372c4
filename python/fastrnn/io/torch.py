"""PyTorch's weights: modules, state dicts and safetensors files, whole models by prefix."""

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from fastrnn.cells import WEIGHTS
from fastrnn.io._assemble import GATES, array, assemble, family, refuse
from fastrnn.io.checkpoint import load_weights

if TYPE_CHECKING:
    from fastrnn.recurrent import Layer

L = TypeVar("L", bound="Layer")

_ARGUMENTS = {name: argument for argument, name in WEIGHTS.items()}
_NAME = re.compile(rf"({'|'.join(_ARGUMENTS)})_l(\d+)(_reverse)?")
_CELL = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")  # of LSTMCell and its like
_MODES = {"LSTM": "LSTM", "GRU": "GRU", "RNN_TANH": "RNN", "RNN_RELU": "RNN"}


def from_torch(cls: type[L], source: Any, prefix: str, options: dict[str, Any]) -> L:
    """Return a layer with the weights of a module, a state dict or a safetensors file."""
    if not isinstance(prefix, str):
        raise TypeError(f"prefix must be a str, got {prefix!r}")
    prefix = prefix + "." if prefix and not prefix.endswith(".") else prefix
    if isinstance(source, (str, os.PathLike)):
        state: Mapping[str, Any] = load_weights(source)
    elif isinstance(source, Mapping):
        state = source
    elif callable(getattr(source, "state_dict", None)):
        state = source.state_dict()
        if any(name.startswith(prefix + "_all_weight_values") for name in state):
            raise TypeError(
                f"{cls.__name__}.from_torch cannot read a module that PyTorch has quantised: give "
                "the one that it was made of, and call quantize('int8') of the result"
            )
        options = _options_of(cls, source, prefix, options)
    else:
        raise TypeError(
            "module_or_state_dict must be a module, a mapping of tensors or the path of a "
            f"safetensors file, got {type(source).__name__}"
        )
    result: dict[tuple[int, bool], dict[str, Any]] = {}
    unused = []
    for name, value in state.items():
        if not name.startswith(prefix):
            continue
        rest = name[len(prefix) :]
        parts = _NAME.fullmatch(rest + "_l0" if rest in _CELL else rest)
        if parts is None:
            unused.append(name)
            continue
        place = int(parts[2]), parts[3] is not None
        result.setdefault(place, {})[_ARGUMENTS[parts[1]]] = _checked(name, value)
    if unused or not result:
        raise ValueError(_lost(cls, state, prefix, unused))
    D = 2 if any(reverse for _, reverse in result) else 1
    places = [(l, d == 1) for l in range(len(result) // D) for d in range(D)]
    if sorted(result) != places:
        raise ValueError(
            f"state_dict holds weights of the layers and directions {sorted(result)}, which are "
            f"not a whole stack"
        )
    for place in places:
        _complete(cls, prefix, place, result[place], result[places[0]])
    return assemble(cls, [result[place] for place in places], D, **options)


def _checked(name: str, value: Any) -> Any:
    return array(name, value, (None,) if "bias" in name else (None, None), "(G·H, ·)")


def _complete(
    cls: "type[Layer]", prefix: str, place: tuple[int, bool], weights: Mapping[str, Any],
    first: Mapping[str, Any],
) -> None:  # fmt: skip
    """Refuse a layer that lacks what the first one has, or whose rows are not G·H."""
    suffix = f"_l{place[0]}" + ("_reverse" if place[1] else "")
    wanted = {"w_ih", "w_hh"} | set(first)
    if wanted != set(weights):
        odd = sorted(prefix + WEIGHTS[a] + suffix for a in wanted ^ set(weights))
        raise ValueError(f"state_dict has {odd} in some layers and directions, and not in others")
    rows, columns = weights["w_hh"].shape
    G = GATES[family(cls)]
    columns = weights["w_hr"].shape[1] if "w_hr" in weights else columns
    if rows != G * columns:
        raise ValueError(
            f"{prefix}weight_hh{suffix} must have shape ({'' if G == 1 else f'{G}·'}H, H) for "
            f"{cls.__name__}, got {weights['w_hh'].shape}"
        )


def _lost(cls: "type[Layer]", state: Mapping[str, Any], prefix: str, unused: list[str]) -> str:
    """Say what is left over, or that nothing is there, and which prefixes would do."""
    heads = {name.rpartition(".")[0] for name in state if _NAME.fullmatch(name.rpartition(".")[2])}
    hint = f"; recurrent weights are under the prefixes {sorted(heads)}" if heads - {""} else ""
    where = f" under {prefix!r}" if prefix else ""
    if unused:
        return f"state_dict{where} has {unused}, which are no weights of {cls.__name__}{hint}"
    return f"state_dict has no weights of {cls.__name__}{where}{hint}"


def _options_of(
    cls: "type[Layer]", module: Any, prefix: str, options: dict[str, Any]
) -> dict[str, Any]:
    """Return the options of the module that the prefix names, if it is one of torch.nn's."""
    if prefix:
        module = module.get_submodule(prefix[:-1])
    mode = getattr(module, "mode", None)
    if mode is None:
        return options
    if _MODES.get(mode) != family(cls):
        raise TypeError(f"{cls.__name__}.from_torch cannot read a module of mode {mode}")
    own = {"batch_first": module.batch_first}
    if module.num_layers > 1:
        own["dropout"] = module.dropout
    if mode.startswith("RNN_"):
        own["nonlinearity"] = mode[4:].lower()
    return own | options


def to_torch(layer: "Layer") -> Any:
    """Return torch.nn's module with a copy of the layer's weights."""
    try:
        import torch
    except ImportError as error:
        raise ImportError("to_torch needs PyTorch: pip install torch gives it to you") from error
    name = family(type(layer))
    options: dict[str, Any] = {}
    if name == "RNN":
        options["nonlinearity"] = getattr(layer, "nonlinearity", None)
        if options["nonlinearity"] not in ("tanh", "relu"):
            nonlinearity = options["nonlinearity"]
            raise ValueError(f"torch.nn.RNN has nonlinearity tanh and relu, got {nonlinearity!r}")
    refuse(
        layer, f"torch.nn.{name}", "bias", "batch_first", "dropout", "bidirectional", "proj_size",
        "nonlinearity", "truncate", "clip_step", "compute_dtype", training=True,
    )  # fmt: skip
    if not isinstance(layer.hidden_size, int):
        raise ValueError(f"torch.nn.{name} has one hidden_size, got {layer.hidden_size}")
    if getattr(layer, "proj_size", 0):
        options["proj_size"] = getattr(layer, "proj_size", 0)
    module = getattr(torch.nn, name)(
        layer.input_size, layer.hidden_size, layer.num_layers, bias=layer.bias,
        batch_first=layer.batch_first, dropout=layer.dropout, bidirectional=layer.bidirectional,
        dtype=getattr(torch, layer.dtype.name), **options,
    )  # fmt: skip
    copies = {key: torch.from_numpy(value) for key, value in layer.state_dict().items()}
    module.load_state_dict(copies)
    return module
