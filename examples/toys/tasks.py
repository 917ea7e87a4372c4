"""The classical tests of memory as generators: endless examples, each with the bound it is held to.

Sizes are arguments and every example comes from the `numpy.random.Generator` that is given.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]

REBER = "BTPSXVE"
# From each state of the grammar two ways on, as (symbol, next state); 5 is the end.
_REBER = (("T", 1, "P", 2), ("S", 1, "X", 3), ("T", 2, "V", 4), ("X", 2, "S", 5), ("P", 3, "V", 5))


class Sequences(NamedTuple):
    """Inputs with their targets, padded to the longest.

    Attributes
    ----------
    x : ndarray, (T, N) ids or (T, N, I) numbers
    targets : ndarray, (N,), (T, N) or (T, N, V)
    lengths : ndarray of int64, (N,)
    """

    x: NDArray[np.int64] | NDArray[np.float32]
    targets: NDArray[np.int64] | NDArray[np.float32]
    lengths: Ids


def adding(rng: np.random.Generator, N: int, T: int = 100) -> Sequences:
    """Add the two marked numbers of T, one in either half.

    x is (T, N, 2): a number in [0, 1), and 1 where it is marked; targets (N,) are the sums. Who
    always answers the mean, 1, is wrong by 1/6 in the mean square.

    References
    ----------
    Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997, section 5.4 (numbers in [−1, 1]).
    """
    x = np.zeros((T, N, 2), np.float32)
    x[..., 0] = rng.random((T, N))
    rows = np.arange(N)
    for low, high in ((0, T // 2), (T // 2, T)):
        x[rng.integers(low, high, N), rows, 1] = 1
    return Sequences(x, (x[..., 0] * x[..., 1]).sum(0), np.full(N, T))


def copy_memory(
    rng: np.random.Generator, N: int, lag: int = 50, length: int = 10, size: int = 8
) -> Sequences:
    """Repeat symbols after a pause.

    `length` symbols 1..size, `lag` − 1 blanks (0), the signal size + 1, `length` blanks; targets
    (T, N), T = lag + 2·length, are blank until the symbols have to come again. `copy_baseline` is
    what a network without memory reaches.

    References
    ----------
    Arjovsky et al., "Unitary evolution recurrent neural networks", 2016, section 5.1.
    """
    symbols = rng.integers(1, size + 1, (length, N))
    x = np.zeros((lag + 2 * length, N), np.int64)
    targets = np.zeros_like(x)
    x[:length] = targets[lag + length :] = symbols
    x[lag + length - 1] = size + 1
    return Sequences(x, targets, np.full(N, len(x)))


def copy_baseline(lag: int = 50, length: int = 10, size: int = 8) -> float:
    """Return the nats a step of who knows when the symbols come, but not which."""
    return float(length * np.log(size) / (lag + 2 * length))


def temporal_order(
    rng: np.random.Generator, N: int, T: int = 100, relevant: int = 2
) -> Sequences:
    """Tell in which order `relevant` symbols X or Y came, far apart in T to 1.1·T symbols.

    Ids are E = 0, B = 1, distractors a b c d = 2..5, X = 6, Y = 7. For T = 100 the places of two
    are drawn from 10..20 and 50..60, of three from 10..20, 33..43 and 66..76. targets (N,) are one
    of 2^relevant classes, all equally likely.

    References
    ----------
    Hochreiter and Schmidhuber, 1997, section 5.6, tasks 6a and 6b.
    """
    begins = {2: (0.1, 0.5), 3: (0.1, 0.33, 0.66)}[relevant]
    lengths = rng.integers(T, T + T // 10 + 1, N)
    x = rng.integers(2, 6, (int(lengths.max()), N))
    rows = np.arange(N)
    x[0] = 0
    x[lengths - 1, rows] = 1
    targets = np.zeros(N, np.int64)
    for begin in begins:
        second = rng.integers(0, 2, N)
        x[int(begin * T) + rng.integers(0, T // 10 + 1, N), rows] = 6 + second
        targets = 2 * targets + second
    x[np.arange(len(x))[:, None] >= lengths] = 0
    return Sequences(x, targets, lengths)


def _reber(rng: np.random.Generator) -> tuple[str, list[str]]:
    """Return a string of Reber's grammar and, for each of its symbols, what may come next."""
    text, following, state = "B", [], 0
    while state < 5:
        left, to_left, right, to_right = _REBER[state]
        following.append(left + right)
        went_left = rng.random() < 0.5
        text += left if went_left else right
        state = to_left if went_left else to_right
    return text + "E", [*following, "E", ""]


def embedded_reber_string(rng: np.random.Generator) -> tuple[str, list[str]]:
    """Return a string of the embedded Reber grammar, and what may follow each of its symbols.

    The last symbol but one is the second again, T or P: the only long dependence. After the last
    one comes the next string's B.

    References
    ----------
    Hochreiter and Schmidhuber, 1997, section 5.1, figure 4.
    """
    way = "TP"[int(rng.integers(2))]
    text, following = _reber(rng)
    following[-1] = way
    return f"B{way}{text}{way}E", ["TP", "B", *following, "E", "B"]


def embedded_reber(rng: np.random.Generator, N: int) -> Sequences:
    """N strings of the embedded Reber grammar.

    x (T, N) are ids into ``REBER``; targets (T, N, 7) are 1 for each symbol that may come next.
    """
    return _strings([embedded_reber_string(rng) for _ in range(N)])


def continual_reber(rng: np.random.Generator, N: int, T: int) -> Sequences:
    """N endless streams of embedded Reber strings without a gap, cut after T symbols.

    References
    ----------
    Gers et al., "Learning to forget", 2000, section 4.1.
    """
    rows = []
    for _ in range(N):
        text, following = "", list[str]()
        while len(text) < T:
            more, after = embedded_reber_string(rng)
            text += more
            following += after
        rows.append((text[:T], following[:T]))
    return _strings(rows)


def _strings(rows: list[tuple[str, list[str]]]) -> Sequences:
    """Turn strings over ``REBER`` and their successors into ids and targets."""
    lengths = np.array([len(text) for text, _ in rows])
    x = np.zeros((int(lengths.max()), len(rows)), np.int64)
    targets = np.zeros((*x.shape, len(REBER)), np.float32)
    places = {symbol: place for place, symbol in enumerate(REBER)}
    many = {symbols for _, following in rows for symbols in following}
    allowed = {symbols: [symbol in symbols for symbol in REBER] for symbols in many}
    for n, (text, following) in enumerate(rows):
        x[: len(text), n] = [places[symbol] for symbol in text]
        targets[: len(text), n] = [allowed[symbols] for symbols in following]
    return Sequences(x, targets, lengths)


def counting(counts: Ids | list[int], letters: int = 2) -> Sequences:
    """The strings aⁿbⁿ (two letters) or aⁿbⁿcⁿ (three), one for each n ≥ 1 of `counts`.

    Ids are the start S = 0, a = 1, b = 2 (c = 3), and the end as the last one; the input is
    S aⁿ bⁿ. targets (T, N, letters + 2) are 1 for each symbol that may come next: a or b while a's
    come, everything is certain after the first b.

    References
    ----------
    Gers and Schmidhuber, "LSTM recurrent networks learn simple context-free and context-sensitive
    languages", 2001.
    """
    n = np.asarray(counts)
    end = letters + 1
    lengths = 1 + letters * n
    step = np.arange(int(lengths.max()))[:, None]
    x = np.where(step < lengths, -(-step // n), 0)
    after = np.where(step < lengths, np.minimum(step // n + 1, end), 0)
    targets = np.zeros((*x.shape, letters + 2), np.float32)
    np.put_along_axis(targets, after[..., None], 1, axis=-1)
    targets[x == 1, 1] = targets[x == 1, 2] = 1  # another a, or the first b
    targets[step >= lengths] = 0
    return Sequences(x, targets, lengths)


def spike_delay(
    rng: np.random.Generator, N: int, T: int = 150, low: int = 30, high: int = 60
) -> Sequences:
    """Say at each spike how long ago the last one was.

    x (T, N, 1) is 1 at spikes whose delays are drawn from low..high, else 0. targets (T, N) are
    the delays at every spike after the first, scaled to 0..1 (0 for `low`), and −1 elsewhere.

    References
    ----------
    Gers et al., "Learning precise timing with LSTM recurrent networks", 2002, section 4.1.
    """
    x = np.zeros((T, N, 1), np.float32)
    targets = np.full((T, N), -1, np.float32)
    for n in range(N):
        delays = rng.integers(low, high + 1, T // low + 2)
        places = np.cumsum(delays) - rng.integers(1, delays[0] + 1)
        inside = places < T
        x[places[inside], n] = 1
        later = inside & (np.arange(len(places)) > 0)
        targets[places[later], n] = (delays[later] - low) / (high - low)
    return Sequences(x, targets, np.full(N, T))


def markov_chain(
    rng: np.random.Generator, size: int = 8, concentration: float = 0.3
) -> tuple[NDArray[np.float64], float]:
    """Draw the transition probabilities of a Markov source; return them and its entropy rate.

    Returns
    -------
    p : ndarray, (V, V)
        Row i: probabilities of what follows i; each row drawn from a Dirichlet distribution.
    float
        Σ π_i H(p_i) in nats, π the stationary distribution: no model predicts better.
    """
    p = rng.dirichlet(np.full(size, concentration), size)
    stationary = np.linalg.lstsq(
        np.vstack([p.T - np.eye(size), np.ones(size)]), np.append(np.zeros(size), 1), rcond=None
    )[0]
    rate = -np.sum(stationary[:, None] * p * np.log(np.maximum(p, 1e-300)))
    return p, float(rate)


def markov_source(rng: np.random.Generator, p: NDArray[np.float64], n: int) -> Ids:
    """Draw n ids, (n,), from the chain with these transition probabilities."""
    bounds = np.cumsum(p, axis=1)
    bounds[:, -1] = 1
    ids, state = np.empty(n, np.int64), int(rng.integers(len(p)))
    for place, u in enumerate(rng.random(n)):
        state = int(np.searchsorted(bounds[state], u, side="right"))
        ids[place] = state
    return ids


def future_echo(
    rng: np.random.Generator, N: int, T: int = 30, ahead: int = 3, size: int = 4
) -> Sequences:
    """Say which symbol will come `ahead` steps later.

    x (T, N) are independent ids; targets (T, N) are x[t + ahead], −1 in the last `ahead` steps.
    Who has not seen the future is right once in `size` times.
    """
    x = rng.integers(0, size, (T, N))
    targets = np.full_like(x, -1)
    targets[:-ahead] = x[ahead:]
    return Sequences(x, targets, np.full(N, T))
