"""Why: an embedding is a one-hot product, and h = act(W·E·w + U·h + b) is what the books write."""

import numpy as np
import pytest

import fastrnn
from fastrnn import ops
from fastrnn.data import one_hot

ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda v: np.maximum(v, 0),
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
}


@pytest.mark.parametrize("nonlinearity", ACTIVATIONS)
def test_encoder_over_one_hot_words_is_embedding_and_rnn(nonlinearity: str) -> None:
    rng = np.random.default_rng(0)
    V, E, H, T, N = 11, 5, 7, 9, 3
    table, W = rng.standard_normal((V, E)), rng.standard_normal((H, E))
    U, b = 0.5 * rng.standard_normal((H, H)), rng.standard_normal(H)
    words = rng.integers(0, V, (T, N))
    h, states = np.zeros((N, H)), []
    for w in one_hot(words, V, np.float64):
        h = ACTIVATIONS[nonlinearity](w @ table @ W.T + h @ U.T + b)
        states.append(h)
    x = ops.embedding(table, words)
    y, _ = fastrnn.rnn(x, W, U, b, nonlinearity=nonlinearity)
    np.testing.assert_allclose(y, states, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(x, one_hot(words, V, np.float64) @ table, rtol=1e-15)
