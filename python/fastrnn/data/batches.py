"""Shuffled batches of sequences of similar length, so that little padding is computed."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn._checks import flag, integer
from fastrnn.data.loader import Loader, no_rows, philox

B = TypeVar("B")
Rows = NDArray[np.int64]
_POOL = 64  # batches whose sequences are sorted by length together


class Batch(NamedTuple):
    """A batch for the models with one input and one target: a tuple whose places have names.

    Attributes
    ----------
    x : ndarray, (T, N, I), or of int, (T, N)
        Vectors or symbols; (N, T, ·) for a model with ``batch_first=True``.
    targets : ndarray
        As the `loss` of the model describes them.
    lengths : ndarray of int or None, (N,)
        Steps that exist in each row; None: all T.
    weights : ndarray or None
        Weight of each target in the loss, (N,), or (T, N) for a model with targets at each step;
        None: all alike.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.data import Batch
    >>> x, targets = np.ones((5, 2, 3), np.float32), [0, 1]
    >>> Batch(x, targets, weights=[1.0, 0.5]).lengths is None
    True
    """

    x: Any
    targets: Any
    lengths: Any = None
    weights: Any = None


class PairBatch(NamedTuple):
    """Pairs of sequences for `fastrnn.models.Seq2Seq`; its `pairs` makes them.

    Attributes
    ----------
    x : ndarray of int, (S, N)
        The sources.
    targets : ndarray of int, (T, N)
        The targets, each with EOS at its end and without BOS.
    lengths, target_lengths : ndarray of int or None, (N,)
        None: sources have all S symbols, targets end at their first EOS.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.data import EOS, PairBatch
    >>> PairBatch(np.array([[4], [5]]), np.array([[6], [EOS]])).lengths is None
    True
    """

    x: Any
    targets: Any
    lengths: Any = None
    target_lengths: Any = None


class DialogueBatch(NamedTuple):
    """Dialogues for `fastrnn.models.HRED` and `VHRED`, with U turns in all.

    Attributes
    ----------
    tokens, lengths, turns : ndarray of int, (T, U), (U,) and (N,)
        As `pack_dialogues` returns them.
    targets : ndarray of bool or None, (U,)
        Which turns to predict; None: all but the first of each dialogue.
    speakers : ndarray of int or None, (U,)
        The speaker of each turn; None: speakers take turns.
    continued : bool or None
        Whether the dialogues continue those of the batch before, as in `HRED.segmented`; None: they
        are whole.
    weight : float
        Of the divergence, in the loss of `VHRED`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.data import DialogueBatch, pack_dialogues
    >>> packed = pack_dialogues([[[4, 5], [6], [7]]])
    >>> batch = DialogueBatch(*packed, targets=np.array([False, False, True]))
    >>> batch.turns, batch.speakers is None
    (array([3]), True)
    """

    tokens: Any
    lengths: Any
    turns: Any
    targets: Any = None
    speakers: Any = None
    continued: bool | None = None
    weight: Any = 1.0


class SentenceBatch(NamedTuple):
    """Sentences for `fastrnn.models.SequenceVAE`.

    Attributes
    ----------
    x : ndarray of int, (T, N)
        Their symbols, without BOS and EOS.
    lengths : ndarray of int, (N,)
    weight : float
        Of the divergence in the loss.

    Examples
    --------
    >>> from fastrnn.data import SentenceBatch, pad
    >>> SentenceBatch(*pad([[4, 5], [6]]), weight=0.5).weight
    0.5
    """

    x: Any
    lengths: Any
    weight: Any = 1.0


class Batches(Loader[B]):
    """Batches of row numbers, or of what `make` makes of them; see `batches`."""

    def __init__(
        self,
        lengths: ArrayLike,
        batch_size: int,
        *,
        seed: int = 0,
        bucket: bool = True,
        make: Callable[[Rows], B] | None = None,
    ) -> None:
        super().__init__(seed)
        array = np.asarray(lengths)
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
            raise ValueError(
                f"lengths must be integers of shape (n,), got {array.dtype} {array.shape}"
            )
        if array.size and array.min() < 0:
            raise ValueError(f"lengths must be at least 0, got {array.min()}")
        self.batch_size = integer("batch_size", batch_size, 1)
        self._lengths = array
        self._bucket = flag("bucket", bucket)
        self._make = make
        self._order: tuple[int, list[Rows]] = (-1, [])

    def __len__(self) -> int:
        return (len(self._lengths) + self.batch_size - 1) // self.batch_size

    def _get(self, epoch: int, batch: int) -> B:
        if self._order[0] != epoch:
            self._order = epoch, self._shuffled(epoch)
        rows = self._order[1][batch][self._share]
        if not len(rows):
            nothing: B = no_rows()
            return nothing
        made: Any = rows if self._make is None else self._make(rows)
        result: B = made
        return result

    def _shuffled(self, epoch: int) -> list[Rows]:
        """Return the batches of one epoch: shuffle, sort within pools, cut, shuffle the pieces."""
        rng = philox(self.seed, epoch)
        rows = rng.permutation(len(self._lengths)).astype(np.int64)
        N = self.batch_size
        if not self._bucket:
            return [rows[start : start + N] for start in range(0, len(rows), N)]
        cut: list[Rows] = []
        for start in range(0, len(rows), N * _POOL):
            pool = rows[start : start + N * _POOL]
            pool = pool[np.argsort(self._lengths[pool], kind="stable")]
            cut += [pool[i : i + N] for i in range(0, len(pool), N)]
        return [cut[i] for i in rng.permutation(len(cut))]


def batches(
    lengths: ArrayLike,
    batch_size: int,
    *,
    seed: int = 0,
    bucket: bool = True,
    make: Callable[[Rows], Any] | None = None,
) -> Batches[Any]:
    """Shuffle sequences anew in every epoch and cut them into batches of similar length.

    Parameters
    ----------
    lengths : array_like of int, (n,)
        Of all sequences.
    batch_size : int
        N; one batch of an epoch may be smaller, if n is no multiple of N.
    seed : int
        With the epoch, it decides the order.
    bucket : bool
        False: batches of any lengths.
    make : callable, optional
        Turns row numbers into the batch to give; default: the row numbers.

    Returns
    -------
    Batches
        ``for rows in batches(…)`` runs through one epoch, the next loop through the next one.
        `state_dict` and `load_state_dict` save and restore the position.

    Raises
    ------
    TypeError, ValueError
        lengths are no integers of shape (n,), or another argument breaks its rule.

    Notes
    -----
    Each epoch is shuffled, cut into pools of 64 batches, sorted by length within each pool, cut
    into batches, and these are shuffled. Every sequence comes once an epoch.

    A loss that is a mean over the symbols of a batch gives each symbol of a batch of short
    sequences more weight than one of a batch of long ones. A model whose probabilities shall be
    the frequencies of the data, whatever the length, needs ``bucket=False``: small talk taught in
    batches of similar length says short replies so often that the total variation is 0.18.

    Examples
    --------
    >>> from fastrnn.data import batches, pad
    >>> series = [[1, 2, 3], [4], [5, 6, 7], [8]]
    >>> lengths = [len(s) for s in series]
    >>> source = batches(lengths, 2, make=lambda rows: pad([series[i] for i in rows]))
    >>> sorted(lengths.tolist() for x, lengths in source)
    [[1, 1], [3, 3]]
    >>> source.state_dict()
    {'epoch': 1, 'batch': 0, 'seed': 0, 'batches': 2}
    """
    return Batches(lengths, batch_size, seed=seed, bucket=bucket, make=make)
