"""SequenceClassifier: one label for a whole sequence of vectors or symbols."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastrnn.models._parts.labels import Labels
from fastrnn.models._parts.model import unpack
from fastrnn.models._parts.pooling import POOLINGS, last, pool

if TYPE_CHECKING:
    from numpy.random import Generator


class SequenceClassifier(Labels):
    """A recurrent layer, pooling over its steps, and a linear layer with softmax.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn"}
    classes : int
        C, how many labels there are.
    hidden_size : int or sequence of int
        H, or one for each layer.
    input_size : int or None
        I, for sequences of vectors.
    vocab : int, Vocabulary or None
        V, for sequences of symbols; exactly one of the two is given.
    embedding_size : int or None
        E, for symbols; None: H.
    num_layers, bidirectional, merge_mode
        As `fastrnn.LSTM`.
    pooling : {"last", "mean", "max"}
        Features of a sequence: each direction's final state, or mean or largest output of the
        steps that exist.
    dropout : float
        Probability of dropping a feature, and an output between two layers, while learning.
    dtype : dtype
        float32 or float64.
    rng : numpy.random.Generator or None
        Where the first weights come from; None: fresh entropy.
    **layer_options
        More options of the layer: `forget_bias`, `peephole`, `reset_after`, `nonlinearity`, `bias`,
        `truncate`, `clip_step` (norm clipping cannot help a gradient that overflows on its way).

    Attributes
    ----------
    params : dict
        ``"rnn"`` with the names of `fastrnn.LSTM.params`, ``"out"`` with weight (C, W) and bias
        (C,), and for symbols ``"embedding"`` with weight (V, E).

    Raises
    ------
    TypeError, ValueError
        An option has the wrong type, is out of range, or unknown.

    Notes
    -----
    Rows may have any lengths, and padding is never read. What is predicted for a row does not
    depend on the others of its batch, on its place or on the padding, bit for bit.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.models import SequenceClassifier
    >>> model = SequenceClassifier(
    ...     "gru", 3, 8, input_size=2, bidirectional=True, pooling="mean",
    ...     rng=np.random.default_rng(0),
    ... )
    >>> x, lengths = np.ones((5, 4, 2), np.float32), [5, 1, 3, 2]
    >>> model.predict_proba(x, lengths).shape, model.predict(x, lengths).shape
    ((4, 3), (4,))
    >>> float(model.loss(model.params, (x, [0, 1, 2, 0], lengths))) > 0
    True
    """

    def __init__(
        self,
        cell: str,
        classes: int,
        hidden_size: int | Sequence[int],
        *,
        input_size: int | None = None,
        vocab: Any = None,
        embedding_size: int | None = None,
        num_layers: int = 1,
        bidirectional: bool = False,
        merge_mode: str = "concat",
        pooling: str = "last",
        dropout: float = 0.0,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
        **layer_options: Any,
    ) -> None:
        if pooling not in POOLINGS:
            raise ValueError(f"pooling must be one of {POOLINGS}, got {pooling!r}")
        self._pooling = pooling
        super().__init__(
            cell, classes, hidden_size, {"pooling": pooling}, input_size=input_size, vocab=vocab,
            embedding_size=embedding_size, num_layers=num_layers, bidirectional=bidirectional,
            merge_mode=merge_mode, dropout=dropout, dtype=dtype, rng=rng,
            layer_options=layer_options,
        )  # fmt: skip

    def terms(self, batch: Any) -> int:
        """Return how many rows a batch holds, of which its loss is the mean.

        Parameters
        ----------
        batch : tuple
            As `loss` takes it.

        Returns
        -------
        int
        """
        return int(np.shape(unpack(batch)[1])[0])

    def _scores(
        self, params: Mapping[str, Any], x: Any, lengths: Any, rng: Any, learning: bool
    ) -> tuple[Any, NDArray[np.bool_]]:
        x, steps, exists = self._reader.enter(x, lengths)
        y, state = self._reader(params, x, lengths=lengths, rng=rng, learning=learning)
        if self._pooling == "last":
            features = last(self._reader.layer, state)
        else:
            features = pool(self._pooling, y, steps, exists)
        return self._top(params, features, rng), np.ones(len(steps), np.bool_)
