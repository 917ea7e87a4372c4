"""LanguageModel: the next symbol of a text, its state carried from chunk to chunk."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastrnn import decode, ops
from fastrnn._checks import Array, flag, generator, integer, items, probability
from fastrnn.data import BOS, EOS, PAD, UNK
from fastrnn.metrics import perplexity
from fastrnn.models._parts.model import Model, size_of, unpack
from fastrnn.models._parts.output import OutputLoss
from fastrnn.models._parts.reader import (
    NOTHING,
    Reader,
    labels,
    linear_params,
    mean_of,
    with_weights,
)
from fastrnn.models._parts.symbols import as_symbols

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


class LanguageModel(Model):
    """Embedding, a recurrent layer, and a linear layer with softmax over the next symbol.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn"}
    vocab : int or Vocabulary
        V. With a Vocabulary, texts may be given and come back as strings.
    hidden_size : int or sequence of int
        H, or one for each layer.
    embedding_size : int or None
        E; None: H of the first layer.
    num_layers : int
    dropout : float
        Probability of dropping an output of each layer, while learning.
    loss : {"full", "sampled"}
        What `loss` is while learning, that is with an rng: the whole softmax, or with many symbols
        `fastrnn.ops.sampled_softmax`. An update then changes the rows of tables that the batch or
        the sample has, and leaves the others alone. `evaluate` and generation take all symbols.
    num_samples : int or None
        How many symbols are drawn for a batch; None: 2,048.
    proposal : {"log_uniform", "uniform"} or None
        Symbol k is drawn in proportion to ``ln(1 + 1/(k + 1))``, which None means, too: a
        Vocabulary has the most frequent words first; or all are drawn alike.
    tied : bool
        The embedding's weight is the output layer's too; E must then be H of the last layer.
    dtype : dtype
        float32 or float64.
    rng : numpy.random.Generator or None
        Where the first weights come from; None: fresh entropy.
    **layer_options
        More options of the layer: `forget_bias`, `peephole`, `reset_after`, `nonlinearity`, `bias`,
        `compute_dtype`, `truncate`, `clip_step` (norm clipping cannot help a gradient that
        overflows on its way).

    Attributes
    ----------
    params : dict
        ``"embedding"`` with weight (V, E), ``"rnn"`` with the names of `fastrnn.LSTM.params`, and
        ``"out"`` with weight (V, H), unless it is tied, and bias (V,).

    Raises
    ------
    TypeError, ValueError
        An option has the wrong type, is out of range, or unknown.

    References
    ----------
    T. Mikolov et al., "Recurrent neural network based language model", 2010; dropout: W. Zaremba
    et al., "Recurrent Neural Network Regularization", 2014, section 3.2; tied weights: O. Press,
    L. Wolf, "Using the Output Embedding to Improve Language Models", 2017, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.data import Vocabulary, contiguous_streams
    >>> from fastrnn.models import LanguageModel
    >>> text = "the cat sat on the mat. " * 20
    >>> letters = Vocabulary.from_texts([text], level="character")
    >>> model = LanguageModel("gru", letters, 16, tied=True, rng=np.random.default_rng(0))
    >>> data = contiguous_streams(letters.encode(text), N=4, T=20)
    >>> bool(abs(model.evaluate(data)["bits"] - np.log2(len(letters))) < 2)
    True
    >>> text = model.generate("the ", 10, rng=np.random.default_rng(0))
    >>> len(text) <= 10
    True
    """

    _batches_of_data = (
        "fastrnn.data.contiguous_streams(vocabulary.encode(text), N=…, T=…) makes batches of a text"
    )

    def __init__(
        self,
        cell: str,
        vocab: Any,
        hidden_size: int | Sequence[int],
        *,
        embedding_size: int | None = None,
        num_layers: int = 1,
        dropout: float = 0.0,
        loss: str = "full",
        num_samples: int | None = None,
        proposal: str | None = None,
        tied: bool = False,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
        **layer_options: Any,
    ) -> None:
        source, V = generator(rng), size_of(vocab)
        self._vocab = V
        self._output = OutputLoss(V, loss, num_samples, proposal)
        self._table_rows = self._output.table_rows
        self._dropout, self._tied = probability("dropout", dropout), flag("tied", tied)
        self._reader = Reader(
            cell, input_size=None, vocab=V, embedding_size=embedding_size,
            hidden_size=hidden_size, num_layers=num_layers, bidirectional=False,
            merge_mode="concat", dropout=dropout, dtype=dtype, rng=source,
            layer_options=layer_options,
        )  # fmt: skip
        self.dtype = self._reader.layer.dtype
        E, H = self._reader.layer.input_size, self._reader.width
        out = linear_params(V, H, self.dtype, source)
        if self._tied:
            if E != H:
                raise ValueError(
                    f"tied needs embedding_size to be H of the last layer, {H}, got {E}"
                )
            # As the output layer's weight: the embedding's wider spread would make the first
            # scores far too sure.
            self._reader.params["embedding"]["weight"] = out.pop("weight")
        self.params = self._reader.params | {"out": out}
        sizes = list(hidden_size) if isinstance(hidden_size, Sequence) else hidden_size
        super().__init__(
            {"cell": cell, "hidden_size": sizes, "embedding_size": embedding_size,
             "num_layers": num_layers, "dropout": dropout, **self._output.config, "tied": tied,
             "dtype": self.dtype.name, **layer_options},
            vocab,
        )  # fmt: skip

    def loss(self, params: Mapping[str, Any], batch: Any, rng: "Generator | None" = None) -> Any:
        """Return the mean of −ln p of the targets, from the zero state: a pure function of params.

        Parameters
        ----------
        params, batch, rng
            As `loss_with_state`.

        Returns
        -------
        float, or what autograd traces as one

        Raises
        ------
        TypeError, ValueError
            As `loss_with_state`.
        """
        return self.loss_with_state(params, batch, None, rng)[0]

    def loss_with_state(
        self,
        params: Mapping[str, Any],
        batch: Any,
        state: Any = None,
        rng: "Generator | None" = None,
    ) -> tuple[Any, Any]:
        """Return the mean of −ln p of the targets in nats, and the state to carry on with.

        Parameters
        ----------
        params : nested dict
            Of the names and shapes of `params`, which are not looked at.
        batch : tuple (x, targets) or (x, targets, lengths)
            x and targets of int, (T, N), in 0..V−1: symbols, and the one after each. Beyond the
            lengths nothing is read.
        state : what a call before returned, or None
            Where the rows of the batch stand; None: zero. While autograd differentiates, pass
            plain arrays to cut the gradient here (truncated backpropagation through time).
        rng : numpy.random.Generator or None
            Where dropout and the sample are drawn from; None: dropout does not act, and all symbols
            take part.

        Returns
        -------
        loss : float, or what autograd traces as one
        state
            After the last step of each row, in the form of the layer's states.

        Raises
        ------
        TypeError, ValueError
            A part of batch has the wrong type, shape, or a value out of range.
        """
        nats, _, state = self._nats(params, batch, state, rng, learning=True)
        return nats, state

    def _nats(
        self, params: Mapping[str, Any], batch: Any, state: Any, rng: Any, learning: bool
    ) -> tuple[Any, int, Any]:
        """Return the mean nats of a batch, how many targets it has, and the state after it."""
        x, targets, lengths, weights = unpack(batch)
        if weights is not None:
            raise ValueError("a batch of a language model has no weights: all symbols count alike")
        x, _, exists = self._reader.enter(x, lengths)
        targets = labels("targets", targets, exists, self._vocab, NOTHING)
        y, state = self._reader(params, x, state, lengths=lengths, rng=rng, learning=learning)
        nats = self._output(
            self._features(y, rng), *self._out(params), targets, reduction=mean_of(targets), rng=rng
        )
        return nats, int(exists.sum()), state

    def _features(self, y: Any, rng: Any) -> Any:
        """Return what the output layer sees of the layer's outputs."""
        return ops.dropout(y, self._dropout, rng=rng) if rng is not None and self._dropout else y

    def _out(self, params: Mapping[str, Any]) -> tuple[Any, Any]:
        """Return weight and bias of the output layer."""
        weight = params["embedding"]["weight"] if self._tied else params["out"]["weight"]
        return weight, params["out"]["bias"]

    def _scores(self, y: Array) -> Array:
        """Return the scores before the softmax, (…, V), of the layer's outputs."""
        return ops.linear(y, *self._out(self.params))

    def to_onnx(
        self, path: str | os.PathLike[str], *, state: bool = False, lengths: bool = False
    ) -> None:
        """Write the model as an ONNX graph, for inference.

        The graph takes symbols ``x`` (T, N), int64, and gives ``scores`` (T, N, V) of what follows
        each, before the softmax; then the final states ``h_n`` and, of an LSTM, ``c_n``. T and N
        are free.

        Parameters
        ----------
        path : path
            Replaced if it exists.
        state : bool
            Take the initial states as ``h0`` and ``c0``, too: so a text is continued.
        lengths : bool
            Take ``lengths`` (N,), int32 of at least 1, too.

        Raises
        ------
        ImportError
            The package onnx is missing; the message says how to get it.
        OSError
            The file could not be written; the old one is still there, unless the message says
            that only its folder could not be synced.
        ValueError
            The layer has an option that ONNX lacks.

        Examples
        --------
        >>> from fastrnn.models import LanguageModel
        >>> LanguageModel("gru", 10, 4).to_onnx("lm.onnx", state=True)
        """
        from fastrnn.io._onnx_models import Top, write_model

        params, embedding = self.params, self.params["embedding"]["weight"]
        layer = with_weights(self._reader.layer, params["rnn"])
        top = Top(layer, embedding, *self._out(params))
        write_model(top, path, flag("state", state), flag("lengths", lengths))

    def evaluate(self, data: Iterable[Any], *, carry: bool = True) -> dict[str, float]:
        """Measure how well the model predicts texts.

        Parameters
        ----------
        data : iterable of tuple
            Batches as `loss_with_state` takes them, such as one epoch of
            `fastrnn.data.contiguous_streams`.
        carry : bool
            Each batch goes on where the one before ended, unless they are of
            `fastrnn.data.windows`; False: each starts from the zero state.

        Returns
        -------
        dict
            ``"loss"``, the mean of −ln p over all symbols, in nats; ``"bits"``, that of −log₂ p;
            ``"perplexity"``, exp of the loss.

        Raises
        ------
        TypeError, ValueError
            As `loss_with_state`; there is no symbol in all batches.
        """
        total, count, state = 0.0, 0, None
        carry = flag("carry", carry) and bool(getattr(data, "carries", True))
        for batch in items("data", data):
            nats, here, state = self._nats(
                self.params, batch, state if carry else None, None, learning=False
            )
            total += float(nats) * here
            count += here
        if count == 0:
            raise ValueError("data must hold at least one symbol to predict, got none")
        nats = total / count
        return {"loss": nats, "bits": nats / log(2), "perplexity": perplexity(nats)}

    def generate(
        self,
        prompt: str | ArrayLike,
        n: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        rng: "Generator | None" = None,
    ) -> Any:
        """Continue a text, one symbol drawn after the other.

        Parameters
        ----------
        prompt : str, or array_like of int, (m,)
            What the model reads first, at least one symbol; a string needs a Vocabulary.
        n : int
            The most symbols to draw. With a Vocabulary the text ends before a drawn EOS.
        temperature, top_k, top_p
            As `fastrnn.decode.probabilities`.
        rng : numpy.random.Generator or None
            One number is drawn from it for each symbol; None: fresh entropy.

        Returns
        -------
        str, or ndarray of int64, (n,)
            As the prompt was. With a Vocabulary PAD, UNK and BOS are never drawn.

        Raises
        ------
        TypeError, ValueError
            prompt holds no symbol, or one outside of 0..V−1, or an option breaks its rule.
        """
        tokens = as_symbols("prompt", prompt, self.vocabulary, self._vocab, least=1)
        layer = with_weights(self._reader.layer, self.params["rnn"])
        embedding = self.params["embedding"]["weight"]
        drawn = continued(
            layer.stream(), embedding, self._scores, tokens,
            integer("n", n, 0), self.vocabulary is not None, generator(rng),
            temperature=temperature, top_k=top_k, top_p=top_p,
        )  # fmt: skip
        if isinstance(prompt, str) and self.vocabulary is not None:
            return self.vocabulary.decode(drawn)
        return drawn
