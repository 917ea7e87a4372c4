"""A toy whose next symbol depends on the last two, and the truth about it by trying everything."""

from itertools import product
from typing import Any

import numpy as np

from fastrnn.decode import Rules

PAD, UNK, BOS, EOS = range(4)


class Toy:
    """Scores that a table gives for each source and the last two symbols."""

    def __init__(self, V: int, N: int, seed: int, scale: float = 2.0, dtype: Any = np.float64):
        rng = np.random.default_rng(seed)
        self.V, self.N = V, N
        self.table = (scale * rng.standard_normal((N, V, V, V))).astype(dtype)
        self.rows: list[int] = []  # how many sequences each step was called with

    @property
    def start(self) -> Any:
        return np.arange(self.N), np.zeros(self.N, int)

    def step(self, state: Any, parents: Any, tokens: Any) -> Any:
        self.rows.append(len(tokens))
        sources, last = (part[parents] for part in state)
        scores = self.table[sources, last, tokens]
        weights = np.stack([sources, tokens], axis=1).astype(float)
        return scores, (sources, tokens), weights

    def log_prob(self, source: int, tokens: Any, eos: bool = True) -> float:
        """ln p of a sequence, from the table in float64 alone."""
        total, before, last = 0.0, 0, BOS
        for token in [*tokens, *([EOS] if eos else [])]:
            scores = self.table[source, before, last].astype(np.float64)
            total += scores[token] - np.log(np.exp(scores - scores.max()).sum()) - scores.max()
            before, last = last, token
        return total

    def all(self, source: int, longest: int, allowed: Any = None) -> dict[tuple[int, ...], float]:
        """Every sequence of at most so many symbols with its log-probability."""
        symbols = [v for v in range(self.V) if v not in (PAD, UNK, BOS, EOS)]
        found = {}
        for length in range(longest + 1):
            for tokens in product(symbols, repeat=length):
                if allowed is None or allowed(tokens):
                    found[tokens] = self.log_prob(source, tokens)
        return found


def plain(step: Any) -> Any:
    """The step without its weights."""
    return lambda *arguments: step(*arguments)[:2]


def tuple_of(hypothesis: Any) -> tuple[int, ...]:
    return tuple(hypothesis.tokens.tolist())


ANYTHING = Rules()
