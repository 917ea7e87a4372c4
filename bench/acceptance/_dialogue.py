"""What the benches of dialogues share: texts into batches, a training, CamRest676 in turns."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fastrnn.data import Vocabulary, batches, pack_dialogues, plain_words
from fastrnn.train import Adam
from fastrnn.train.schedule import cosine

Talk = Sequence[str]
CAMREST = "camrest/CamRest676.json"


def packed(
    talks: Sequence[Talk], words: Vocabulary, said: Callable[[Talk], list[bool]] | None = None
) -> tuple[Any, ...]:
    """Return a batch of dialogues; `said` tells which turns of one are to be said."""
    return coded(talks, [[words.encode(turn) for turn in talk] for talk in talks], said)


def coded(talks: Sequence[Talk], ids: Any, said: Any) -> tuple[Any, ...]:
    """Return the batch of dialogues whose symbols are there already."""
    batch = pack_dialogues(ids)
    if said is None:
        return batch
    return (*batch, np.array([flag for talk in talks for flag in said(talk)], bool))


def answers(talk: Talk) -> list[bool]:
    """Every second turn: what the answerer says."""
    return [k % 2 == 1 for k in range(len(talk))]


def trained(
    model: Any,
    talks: Sequence[Talk],
    words: Vocabulary,
    *,
    epochs: int,
    batch_size: int,
    lr: float,
    seed: int,
    said: Callable[[Talk], list[bool]] | None = answers,
    clip: float = 1.0,
) -> Any:
    """Train with Adam, its rate falling to 0 along a cosine."""
    source = shuffled(talks, words, batch_size, seed, said)
    rate = cosine(lr, epochs * len(source), lr / 50)
    model.fit(
        source,
        Adam(lr=rate),
        max_norm=clip,
        epochs=epochs,
        progress=False,
        rng=np.random.default_rng(seed),
    )
    return model


def shuffled(
    talks: Sequence[Talk], words: Vocabulary, batch_size: int, seed: int, said: Any
) -> Any:
    """Return shuffled batches of dialogues of like length."""
    ids = [[words.encode(turn) for turn in talk] for talk in talks]
    return batches(
        [len(talk) for talk in talks],
        batch_size,
        seed=seed,
        make=lambda rows: coded([talks[i] for i in rows], [ids[i] for i in rows], said),
    )


def in_parts(talks: Sequence[Talk], words: Vocabulary, said: Any, size: int = 200) -> Iterator[Any]:
    """Give batches of dialogues in order."""
    for k in range(0, len(talks), size):
        yield packed(talks[k : k + size], words, said)


def last_turn(talks: Sequence[Talk]) -> list[list[str]]:
    """Return each answer with the turn before it alone."""
    return [list(talk[k - 1 : k + 1]) for talk in talks for k in range(1, len(talk), 2)]


def camrest(text: str) -> list[list[str]]:
    """Return the dialogues of CamRest676 in turns of lower-case words, the user's first.

    Four lines of banner and one more stand before the JSON.
    """
    found = []
    for dialogue in json.loads(text[text.index("[") :]):
        talk: list[str] = []
        for exchange in dialogue["dial"]:
            talk += [exchange["usr"]["transcript"], exchange["sys"]["sent"]]
        found.append([plain_words(turn) for turn in talk])
    return found
