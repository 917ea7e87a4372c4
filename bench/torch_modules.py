"""The modules of an idiomatic PyTorch program for one of our models, with the model's weights."""

import warnings
from typing import Any


def modules_of(model: Any) -> tuple[Any, dict[str, Any], list[Any]]:
    """Return PyTorch, its modules by the names of the model's parts, and all their weights.

    Parameters
    ----------
    model : LanguageModel, SequenceClassifier or SequenceTagger
        Of one layer, in one direction or both, with a bias; its weights are copied.

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
    sizes = (params["rnn"][name].shape[1] for name in ("weight_ih_l0", "weight_hh_l0"))
    both = "weight_ih_l0_reverse" in params["rnn"]
    layer = getattr(nn, model.config["cell"].upper())(*sizes, bidirectional=both)
    modules = {"rnn": layer, "out": nn.Linear(*out.shape[::-1])}
    if "embedding" in params:
        modules["embedding"] = nn.Embedding(*params["embedding"]["weight"].shape)
    for name, module in modules.items():
        state = {key: torch.from_numpy(array.copy()) for key, array in params[name].items()}
        module.load_state_dict(state)
    return torch, modules, [weight for m in modules.values() for weight in m.parameters()]
