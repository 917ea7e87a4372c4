"""A character language model: embedding, one LSTM layer, softmax over the next character.

The input of the LSTM is one of V characters, so its projection is a table of V rows: the table is
computed once an update and looked up for every character, instead of a product for every character.
"""

from math import log

import numpy as np
from numpy.typing import DTypeLike, NDArray

import fastrnn
from fastrnn.cli._softmax import cross_entropy
from fastrnn.cli.corpus import Tokens

Floats = NDArray[np.floating]
State = tuple[Floats, Floats]

# Steps of one evaluation call: the state is carried, so this only bounds memory.
_CHUNK = 4096


class CharLM:
    """Embedding (V, H), LSTM of H units, linear layer to V scores.

    Parameters
    ----------
    vocab_size : int
        V, the number of different characters.
    hidden_size : int
        H, units of the LSTM and size of the embedding.
    rng : numpy.random.Generator
        Draws the first weights: a normal embedding, the rest uniform in ±1/√H.
    dtype : dtype
        float32 for speed, float64 to check gradients.

    Attributes
    ----------
    parameters, gradient : ndarray, (P,)
        All weights in one vector, and their gradient as `learn` left it.
    weights, grads : dict of str to ndarray
        Views of the two vectors by name; LSTM names as in ``fastrnn.LSTM.params``.

    Notes
    -----
    With tokens k(t), embedding E, and the LSTM's equations behind `fastrnn.lstm`::

        table = E · w_ihᵀ                        (V, 4H), one product an update
        y     = lstm(table[k], w_ih=None, …)
        p     = softmax(y · w_outᵀ + b_out)      of the next character

    Backward, the gradient of the projected input is summed over the rows of each character:
    ``dtable = onehot(k)ᵀ · dx``, one product too, and from it ``dE = dtable · w_ih`` and
    ``dw_ih = dtableᵀ · E``.
    """

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        *,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        V, H = vocab_size, hidden_size
        bound = H**-0.5
        first = {
            "embedding": rng.standard_normal((V, H)),
            **fastrnn.LSTM(H, H, dtype=dtype, rng=rng).params,
            "weight_out": rng.uniform(-bound, bound, (V, H)),
            "bias_out": rng.uniform(-bound, bound, V),
        }
        self.vocab_size, self.hidden_size = V, H
        self.parameters = np.concatenate([w.ravel() for w in first.values()]).astype(dtype)
        self.gradient = np.zeros_like(self.parameters)
        shapes = {name: w.shape for name, w in first.items()}
        self._kept: object = None
        self.weights = _views(self.parameters, shapes)
        self.grads = _views(self.gradient, shapes)

    def learn(self, tokens: Tokens, targets: Tokens, state: State | None) -> tuple[float, State]:
        """Compute the loss of one chunk of streams and leave its gradient in `gradient`.

        Parameters
        ----------
        tokens, targets : ndarray of intp, (T, N)
            Characters, and the character after each.
        state : (h, c), each (N, H), or None
            Where the streams stand; None is the zero state. No gradient flows into it.

        Returns
        -------
        float
            Mean bits per character.
        (h, c)
            The state after the chunk.
        """
        w, grads = self.weights, self.grads
        table = w["embedding"] @ w["weight_ih_l0"].T
        y, state, tape = fastrnn.lstm_forward(
            np.take(table, tokens, axis=0),
            None,
            w["weight_hh_l0"],
            w["bias_ih_l0"],
            w["bias_hh_l0"],
            *(state or (None, None)),
        )
        features = y.reshape(-1, self.hidden_size)
        logits = features @ w["weight_out"].T
        logits += w["bias_out"]
        nats = cross_entropy(logits, targets.ravel(), gradient=True)
        np.matmul(logits.T, features, out=grads["weight_out"])
        np.sum(logits, axis=0, out=grads["bias_out"])
        lstm = fastrnn.lstm_backward(tape, (logits @ w["weight_out"]).reshape(y.shape))
        # A product with the one-hot matrix: numpy.add.at took five times as long, sorting and
        # numpy.add.reduceat twice (V = 103, T·N = 2048, 4H = 512; NumPy 2.4, two cores).
        onehot = (tokens.reshape(-1, 1) == np.arange(self.vocab_size)).astype(y.dtype)
        dtable = onehot.T @ lstm.x.reshape(len(onehot), -1)
        np.matmul(dtable, w["weight_ih_l0"], out=grads["embedding"])
        np.matmul(dtable.T, w["embedding"], out=grads["weight_ih_l0"])
        grads["weight_hh_l0"][...] = lstm.w_hh
        grads["bias_ih_l0"][...] = lstm.b_ih
        grads["bias_hh_l0"][...] = lstm.b_hh
        # Freed here, these 10 MB would go back to the system and come again page by page: an
        # update took 20 ms instead of 14 (glibc, two cores).
        self._kept = tape, lstm
        return nats / log(2), state

    def evaluate(self, tokens: Tokens) -> float:
        """Return the mean bits per character of `tokens`, (n,), read as one stream.

        The first character is given, each of the others is predicted from all before it.
        """
        w = self.weights
        table = w["embedding"] @ w["weight_ih_l0"].T
        state: State | tuple[None, None] = (None, None)
        nats = 0.0
        for start in range(0, len(tokens) - 1, _CHUNK):
            chunk = tokens[start : start + _CHUNK + 1]
            y, state = fastrnn.lstm(
                table[chunk[:-1], None],
                None,
                w["weight_hh_l0"],
                w["bias_ih_l0"],
                w["bias_hh_l0"],
                *state,
            )
            logits = y[:, 0] @ w["weight_out"].T
            logits += w["bias_out"]
            nats += cross_entropy(logits, chunk[1:], gradient=False) * (len(chunk) - 1)
        return nats / (len(tokens) - 1) / log(2)

    def sample(
        self, prompt: Tokens, length: int, *, temperature: float, rng: np.random.Generator
    ) -> Tokens:
        """Return `length` characters that continue `prompt`, drawn one after the other.

        Parameters
        ----------
        prompt : ndarray of intp, (n,), n ≥ 1
            What the model reads first.
        length : int
            How many characters to draw.
        temperature : float
            Divides the scores before the softmax; 0 takes the likeliest character every time.
        rng : numpy.random.Generator
            Draws the characters.
        """
        w, H = self.weights, self.hidden_size
        layer = fastrnn.LSTM(H, H, dtype=self.parameters.dtype)
        layer.load_state_dict({name: w[name] for name in layer.params})
        stream = layer.stream()
        y = stream.run(w["embedding"][prompt, None])[-1]
        tokens = np.empty(length, np.intp)
        for i in range(length):
            scores = (w["weight_out"] @ y[0] + w["bias_out"]).astype(np.float64)
            tokens[i] = _draw(scores, temperature, rng)
            stream.step(w["embedding"][tokens[i], None], out=y)
        return tokens


def _draw(scores: NDArray[np.float64], temperature: float, rng: np.random.Generator) -> int:
    """Draw an index with probabilities softmax(scores / temperature)."""
    if temperature == 0:
        return int(scores.argmax())
    # Gumbel's trick: the index of the largest of log p + Gumbel noise is distributed as p.
    return int(np.argmax(scores / temperature + rng.gumbel(size=len(scores))))


def _views(flat: Floats, shapes: dict[str, tuple[int, ...]]) -> dict[str, Floats]:
    """Return arrays of the given shapes that share the memory of `flat`, one after the other."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    pieces = np.split(flat, ends[:-1])
    return {name: p.reshape(shape) for (name, shape), p in zip(shapes.items(), pieces, strict=True)}
