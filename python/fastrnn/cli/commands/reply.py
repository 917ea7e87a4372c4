"""``fastrnn reply``: a conversation with a model, line by line."""

import sys
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from fastrnn import models
from fastrnn.cli._lines import as_text
from fastrnn.cli._opening import model_for
from fastrnn.data import plain_words


def run_reply(
    path: Path,
    *,
    max_length: int,
    beam: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    plain: bool,
    seed: int | None,
) -> None:
    """Answer each line of standard input; the parameters are the command's options.

    An empty line begins a new conversation, the end of the input ends the last one.
    """
    begin = _conversations(path)
    rng = np.random.default_rng(seed)
    interactive = sys.stdin.isatty()
    conversation = begin()
    if interactive:
        print("Say something. An empty line begins anew, Ctrl-D ends.")
    for number in count(1):
        if interactive:
            print("> ", end="", flush=True)
        line = as_text(sys.stdin.readline(), "standard input", number)
        if not line:
            break
        if not line.strip():
            conversation = begin()
            continue
        conversation.hear(plain_words(line) if plain else line.strip())
        reply = conversation.reply(
            max_length=max_length, temperature=temperature, top_k=top_k, top_p=top_p, rng=rng,
            **({"beam_size": beam} if beam > 1 else {}),
        )  # fmt: skip
        sys.stdout.write(f"{reply}\n")
        sys.stdout.flush()


def _conversations(path: Path) -> Callable[[], Any]:
    """Return what begins a conversation with the model of a file."""
    model = model_for("reply", path)
    begin: Callable[[], Any]
    if isinstance(model, models.Seq2Seq):
        texts = None not in (model.source_vocabulary, model.target_vocabulary)
        begin = partial(_LastTurn, model)
    else:
        texts, begin = model.vocabulary is not None, model.conversation
    if not texts:
        raise ValueError(f"{path}: the model has no vocabulary, so it knows numbers and no text")
    return begin


class _LastTurn:
    """A conversation with a Seq2Seq, which answers the last turn alone."""

    def __init__(self, model: models.Seq2Seq) -> None:
        self._model, self._turn = model, ""

    def hear(self, turn: str) -> None:
        self._turn = turn

    def reply(self, *, temperature: float, rng: np.random.Generator, **how: Any) -> Any:
        draws: dict[str, Any] = {}
        if temperature > 0:
            draws = {"temperature": temperature, "rng": rng}
        elif not how["top_k"] is how["top_p"] is None:
            raise ValueError("top_k and top_p need a temperature above 0: nothing is drawn at 0")
        return self._model.translate(self._turn, **draws, **how).text
