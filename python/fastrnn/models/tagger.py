"""SequenceTagger: one label for each step of a sequence of vectors or symbols."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastrnn.models._parts.labels import Labels

if TYPE_CHECKING:
    from numpy.random import Generator


class SequenceTagger(Labels):
    """A recurrent layer, and a linear layer with softmax on each of its steps.

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
        V, for sequences of characters, words or k-mers; exactly one of the two is given.
    embedding_size : int or None
        E, for symbols; None: H.
    num_layers, bidirectional, merge_mode
        As `fastrnn.LSTM`. Only with both directions does a label depend on later steps.
    dropout : float
        Probability of dropping a feature, and an output between two layers, while learning.
    batch_first : bool
        x is (N, T, ·), targets and predictions (N, T); the first two axes are never told apart by
        their sizes.
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
        `truncate`, `clip_step` (norm clipping cannot help a gradient that overflows on its way).

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

    References
    ----------
    M. Schuster, K. Paliwal, "Bidirectional Recurrent Neural Networks", 1997, section II.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.models import SequenceTagger
    >>> model = SequenceTagger("lstm", 3, 8, vocab=5, bidirectional=True,
    ...                        rng=np.random.default_rng(0))
    >>> tokens, lengths = np.array([[1, 4], [2, 0], [3, 0]]), [3, 1]
    >>> model.predict(tokens, lengths)[:, 1].tolist()[1:]
    [-1, -1]
    >>> float(model.loss(model.params, (tokens, np.zeros((3, 2), int), lengths))) > 0
    True
    """

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
            cell, classes, hidden_size, {}, input_size=input_size, vocab=vocab,
            embedding_size=embedding_size, num_layers=num_layers, bidirectional=bidirectional,
            merge_mode=merge_mode, pooling=None, dropout=dropout, batch_first=batch_first,
            class_weight=class_weight, input_center=input_center, input_scale=input_scale,
            dtype=dtype, rng=rng, layer_options=layer_options,
        )  # fmt: skip
