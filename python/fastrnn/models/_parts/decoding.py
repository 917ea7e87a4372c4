"""Generating with a decoder: the likeliest symbols, or drawn ones."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastrnn import decode
from fastrnn._checks import integer, number
from fastrnn.models._parts.decoder import Decoder, Memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.random import Generator

Ids = NDArray[np.int64]

_OF_THE_SEARCH = ("beam_size", "length_penalty", "alpha", "word_penalty")


def decoded(
    decoder: Decoder,
    params: "Mapping[str, Any]",
    condition: Any,
    memory: Memory | None,
    rng: "Generator",
    *,
    max_length: int = 50,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_length: int = 0,
    block_ngram_repeat: int = 0,
    **search: Any,
) -> list[Ids]:
    """Return one row of symbols for each condition (N, K), without EOS.

    Parameters
    ----------
    params : mapping
        Of the whole model: ``"decoder"`` and ``"embedding"``.
    temperature : float
        0: what `fastrnn.decode.beam_search` finds; else draws.
    min_length, block_ngram_repeat
        As `fastrnn.decode.Rules`.
    **search
        beam_size, length_penalty, alpha and word_penalty of the search; refused with draws.
    """
    if unknown := sorted(set(search) - set(_OF_THE_SEARCH)):
        raise TypeError(f"{unknown} are no options; of the search are {list(_OF_THE_SEARCH)}")
    own, embedding, N = params["decoder"], params["embedding"]["weight"], len(condition)
    rules = decode.Rules(min_length=min_length, block_ngram_repeat=block_ngram_repeat)
    most = integer("max_length", max_length, 1)

    def step(state: Any, parents: Ids, tokens: Ids) -> tuple[Any, Any]:
        condition, memory, inner = state
        if len(parents) != len(condition) or (parents != np.arange(len(condition))).any():
            condition, inner = condition[parents], decoder.rows(inner, parents)
            if memory is not None:
                memory = Memory(memory.vectors[:, parents], memory.lengths[parents])
        scores, inner = decoder.step(own, embedding, condition, memory, inner, tokens)
        return scores, (condition, memory, inner)

    start = condition, memory, decoder.state(own, condition)
    if number("temperature", temperature, 0) == 0:
        if top_k is not None or top_p is not None:
            raise ValueError("top_k and top_p need a temperature above 0: nothing is drawn at 0")
        search = {"beam_size": 1} | search | {"overwrite_scores": True}
        hypotheses = decode.beam_search(step, start, N, max_length=most, rules=rules, **search)
    elif search:
        raise ValueError(f"{sorted(search)} need the temperature 0: draws search for nothing")
    else:
        hypotheses = decode.draw(
            step, start, N, max_length=most, rules=rules, temperature=temperature, top_k=top_k,
            top_p=top_p, rng=rng,
        )  # fmt: skip
    return [best.tokens for best, *_ in hypotheses]
