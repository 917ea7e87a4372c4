"""Symbols drawn one after the other from a stream, each of them the next input."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastrnn import decode
from fastrnn._checks import Array
from fastrnn.data import BOS, EOS, PAD, UNK

if TYPE_CHECKING:
    from numpy.random import Generator

    from fastrnn.stream import Stream

Ids = NDArray[np.int64]


def continued(
    stream: "Stream",
    embedding: Array,
    scores_of: Callable[[Array], Array],
    tokens: Ids,
    n: int,
    specials: bool,
    rng: "Generator",
    **options: Any,
) -> Ids:
    """Return at most n symbols after `tokens`; with specials PAD, UNK and BOS never, EOS ends."""
    y = stream.run(embedding[tokens])[-1]
    drawn = np.empty(n, np.int64)
    for i in range(n):
        scores = scores_of(y)
        if specials:
            scores[[PAD, UNK, BOS]] = -np.inf
        drawn[i] = decode.sample(scores, rng=rng, **options)
        if specials and drawn[i] == EOS:
            return drawn[:i]
        y = stream.step(embedding[drawn[i]])
    return drawn
