"""SequenceClassifier: one label for a whole sequence of vectors or symbols."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastrnn.models._parts.labels import Labels

if TYPE_CHECKING:
    from numpy.random import Generator


class SequenceClassifier(Labels):
    """A recurrent layer, pooling over its steps, and a linear layer with softmax.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn"}
    classes : int or sequence of str
        C, how many labels there are; or their names, which are kept in the file of the model.
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
    batch_first : bool
        x is (N, T, ·); the first two axes are never told apart by their sizes.
    class_weight : sequence of C numbers, or None
        How much each label counts in the loss; None: all alike.
    input_center, input_scale : sequence of I numbers, a number, or None
        The layer reads ``(x − input_center) / input_scale``, such as the mean and the standard
        deviation of what it learns from, computed in the precision of x.
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
        ``"rnn"`` with the names of `fastrnn.LSTM.params`, ``"out"`` with weight (C, W) and bias
        (C,), and for symbols ``"embedding"`` with weight (V, E).
    labels : tuple of str or None
        The names of the labels, where the model was given names.

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

    _batches_of_data = "fastrnn.sklearn takes arrays X and y: RNNClassifier().fit(X, y)"

    def __init__(
        self,
        cell: str,
        classes: int | Sequence[str],
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
        batch_first: bool = False,
        class_weight: Sequence[float] | None = None,
        input_center: ArrayLike | None = None,
        input_scale: ArrayLike | None = None,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
        **layer_options: Any,
    ) -> None:
        super().__init__(
            cell, classes, hidden_size, {"pooling": pooling}, input_size=input_size, vocab=vocab,
            embedding_size=embedding_size, num_layers=num_layers, bidirectional=bidirectional,
            merge_mode=merge_mode, pooling=pooling, dropout=dropout, batch_first=batch_first,
            class_weight=class_weight, input_center=input_center, input_scale=input_scale,
            dtype=dtype, rng=rng, layer_options=layer_options,
        )  # fmt: skip
