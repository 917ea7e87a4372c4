"""``fastrnn generate``: a language model goes on with a text."""

import sys
from pathlib import Path

import numpy as np

from fastrnn.cli._opening import model_for


def run_generate(
    path: Path,
    *,
    prompt: str,
    length: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    seed: int | None,
) -> None:
    """Print the prompt and what the model makes of it; the parameters are the command's options."""
    model = model_for("generate", path)
    if model.vocabulary is None:
        raise ValueError(f"{path}: the model has no vocabulary, so it knows numbers and no text")
    text = model.generate(
        prompt,
        length,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        rng=np.random.default_rng(seed),
    )
    joint = "" if model.vocabulary.level == "character" else " "
    sys.stdout.write(f"{prompt}{joint}{text}\n")
