"""The models that commands are called with: where each lies, and which command is for its kind."""

from pathlib import Path
from typing import Any

from fastrnn import models
from fastrnn.io import CheckpointError
from fastrnn.models._parts.model import model_file

_COMMANDS: dict[str, tuple[type[models.Model], ...]] = {
    "generate": (models.LanguageModel,),
    "translate": (models.Seq2Seq,),
    "reply": (models.HRED, models.VHRED, models.Seq2Seq),
    "forecast": (models.Forecaster,),
    "predict": (
        models.SequenceClassifier,
        models.SequenceTagger,
        models.SequenceRegressor,
        models.Seq2Seq,
        models.LanguageModel,
    ),
    "evaluate": (models.Model,),
}


def model_for(command: str, path: Path) -> Any:
    """Return the model of a file or folder.

    Raises
    ------
    CheckpointError
        The file is damaged, or of a model that is for another command.
    """
    path = model_file(path)
    model = models.load(path)
    if not isinstance(model, _COMMANDS[command]):
        others = [each for each, kinds in _COMMANDS.items() if isinstance(model, kinds)]
        other = next((each for each in others if each != "evaluate"), None)  # that is for all
        kind = type(model).__name__
        hint = f"fastrnn {other} is for it" if other else f"load it in Python with {kind}.load"
        raise CheckpointError(path, f"it holds a {kind}, which cannot {command}", hint)
    return model
