"""``fastrnn reply``: a conversation with a model, line by line."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from fastrnn import models
from fastrnn.cli.train import MODEL_FILE


def run_reply(
    path: Path,
    *,
    max_length: int,
    beam: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    seed: int | None,
) -> None:
    """Answer each line of standard input; the parameters are the command's options.

    An empty line begins a new conversation, the end of the input ends the last one.
    """
    model: Any = models.load(path / MODEL_FILE if path.is_dir() else path)
    if not isinstance(model, (models.HRED, models.VHRED)):
        raise ValueError(f"{path}: it holds a {type(model).__name__}, which holds no conversation")
    if model.vocabulary is None:
        raise ValueError(f"{path}: the model has no vocabulary, so it knows numbers and no text")
    rng = np.random.default_rng(seed)
    asks = sys.stdin.isatty()
    talk = model.conversation()
    if asks:
        print("Say something. An empty line begins anew, Ctrl-D ends.")
    while True:
        if asks:
            print("> ", end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            break
        if not line.strip():
            talk = model.conversation()
            continue
        talk.hear(line.strip())
        said = talk.reply(
            max_length=max_length, temperature=temperature, top_k=top_k, top_p=top_p, rng=rng,
            **({"beam_size": beam} if beam > 1 else {}),
        )  # fmt: skip
        sys.stdout.write(f"{said}\n")
        sys.stdout.flush()
