"""convert and revert: every recurrent module of a model becomes ours, or torch.nn's again."""

from typing import TypeVar

from torch import nn

from fastrnn.torch._cells import GRUCell, LSTMCell, RNNCell
from fastrnn.torch._modules import GRU, LSTM, RNN
from fastrnn.torch._tensors import check

M = TypeVar("M", bound=nn.Module)

_OURS: dict[type[nn.Module], type[nn.Module]] = {
    nn.LSTM: LSTM,
    nn.GRU: GRU,
    nn.RNN: RNN,
    nn.LSTMCell: LSTMCell,
    nn.GRUCell: GRUCell,
    nn.RNNCell: RNNCell,
}
_QUANTISED = "torch.ao.nn.quantized.dynamic."  # where classes of the same names are
_THEIRS = {ours: theirs for theirs, ours in _OURS.items()}


def convert(model: M) -> M:
    """Let fastrnn compute every recurrent module of a model; its parameters stay the same objects.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place: each module that is exactly a torch.nn LSTM, GRU, RNN or one of their
        cells gets the class of the same name here. Optimisers, hooks and names of parameters stay
        good. Classes derived from them are left alone, since they may compute in their own way.

    Returns
    -------
    torch.nn.Module
        The same model.

    Raises
    ------
    TypeError
        model is no module, or a recurrent module is not float32 or float64, or is one that
        torch.ao.quantization.quantize_dynamic has made.
    ValueError
        A recurrent module is not on the CPU. Nothing has been changed then.

    Examples
    --------
    >>> import torch
    >>> import fastrnn.torch
    >>> model = torch.nn.ModuleDict({"rnn": torch.nn.LSTM(3, 4), "out": torch.nn.Linear(4, 2)})
    >>> type(fastrnn.torch.convert(model)["rnn"]).__module__.split(".")[0]
    'fastrnn'
    >>> type(fastrnn.torch.revert(model)["rnn"]) is torch.nn.LSTM
    True
    """
    recurrent = _named(model, _OURS)
    recurrent_names = {kind.__name__ for kind in _OURS}
    for name, module in model.named_modules():
        kind = type(module)
        if kind.__module__.startswith(_QUANTISED) and kind.__name__ in recurrent_names:
            raise TypeError(
                f"{name or 'model'} is quantised by PyTorch, so its weights are not what it was "
                "made of: convert the model before, or call quantize('int8') of a fastrnn layer"
            )
    for name, module in recurrent.items():
        for parameter, tensor in module.named_parameters():
            check(f"{name}.{parameter}".lstrip("."), tensor, None)
    for module in recurrent.values():
        module.__class__ = _OURS[type(module)]
    return model


def revert(model: M) -> M:
    """Let torch.nn compute again what `convert` changed, to export, script or quantise the model.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place; its parameters stay the same objects.

    Returns
    -------
    torch.nn.Module
        The same model.

    Raises
    ------
    TypeError
        model is no module.

    Examples
    --------
    >>> import fastrnn.torch
    >>> fastrnn.torch.revert(fastrnn.torch.GRU(3, 4)).__class__.__module__
    'torch.nn.modules.rnn'
    """
    for module in _named(model, _THEIRS).values():
        module.__class__ = _THEIRS[type(module)]
    return model


def _named(
    model: nn.Module, classes: dict[type[nn.Module], type[nn.Module]]
) -> dict[str, nn.Module]:
    """Return the modules of exactly these classes by their names in the model."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    return {name: module for name, module in model.named_modules() if type(module) in classes}
