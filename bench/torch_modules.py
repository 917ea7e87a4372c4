"""The modules of an idiomatic PyTorch program for one of our models, with the model's weights."""

import warnings
from typing import Any


def modules_of(model: Any) -> tuple[Any, dict[str, Any], list[Any]]:
    """Return PyTorch, its modules by the names of the model's parts, and all their weights.

    Parameters
    ----------
    model : LanguageModel, SequenceClassifier or SequenceTagger
        Of one layer that reads in one direction, with a bias; its weights are copied.

    Raises
    ------
    ModuleNotFoundError
        PyTorch is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
    nn, params = torch.nn, model.params
    out = params["out"]["weight"]
    columns = params["rnn"]["weight_ih_l0"].shape[1]
    layer = getattr(nn, model.config["cell"].upper())(columns, out.shape[1])
    modules = {"rnn": layer, "out": nn.Linear(*out.shape[::-1])}
    if "embedding" in params:
        modules["embedding"] = nn.Embedding(*params["embedding"]["weight"].shape)
    for name, module in modules.items():
        state = {key: torch.from_numpy(array.copy()) for key, array in params[name].items()}
        module.load_state_dict(state)
    return torch, modules, [weight for m in modules.values() for weight in m.parameters()]
