"""What a training run of a layer leaves, and what its backward returns."""

from dataclasses import dataclass, field
from typing import Any

from fastrnn._calls.tape import Tape
from fastrnn._checks import Array


@dataclass(slots=True)
class Record:
    """The inside of a `LayerTape`, filled from the bottom layer up.

    Attributes
    ----------
    tapes : list of Tape
        One per layer and direction.
    outputs : list of list of ndarray
        For each layer what each direction put out, (T, N, H).
    masks : list of ndarray or None
        For each layer, True where dropout kept its merged output; None: no dropout there.
    projected : bool
        x was the projected input of the bottom layer, a block of G·H columns per direction.
    """

    tapes: list[Tape] = field(default_factory=list)
    outputs: list[list[Array]] = field(default_factory=list)
    masks: list[Array | None] = field(default_factory=list)
    projected: bool = False


class LayerTape:
    """What `forward` of a layer leaves for one `backward` of the same layer.

    It keeps x, the weights, the initial state and y by reference: do not change them in place
    before. Backward uses it up and frees what it holds.

    Attributes
    ----------
    tapes : tuple of Tape
        One per layer and direction, in the order of the states; for their ``gates`` and ``c``.
    nbytes : int
        Bytes of its own memory, without the arrays that it refers to; 0 once used.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> gru = fastrnn.GRU(3, 4, num_layers=2)
    >>> y, h_n, tape = gru.forward(np.zeros((5, 2, 3), np.float32))
    >>> [t.gates.shape for t in tape.tapes]
    [(5, 2, 3, 4), (5, 2, 3, 4)]
    """

    __slots__ = ("_box", "_owner", "layout", "tapes")

    def __init__(
        self, owner: object, record: Record, layout: tuple[bool, int, int, bool, bool]
    ) -> None:
        self._owner = owner
        self._box = [record]  # pop() lets exactly one of several threads have it
        self.layout = layout  # one sequence?, T, N, was there an h0?, a c0?
        self.tapes = tuple(record.tapes)
        for tape in self.tapes:
            tape.set_layout(layout[0], False)
            tape.set_states(None, None)  # the layer has them in a form of its own

    @property
    def nbytes(self) -> int:
        """Bytes of its own memory, without the arrays that it refers to; 0 once used."""
        masks = [mask for record in self._box for mask in record.masks if mask is not None]
        return sum(tape.nbytes for tape in self.tapes) + sum(mask.nbytes for mask in masks)

    def check(self, owner: object) -> None:
        """Raise ValueError unless this layer made the tape and nobody has used it."""
        if self._owner is not owner:
            raise ValueError("tape must come from forward of this very layer")
        if not self._box:
            raise ValueError(
                "tape: it has been used, and a tape serves one backward; call forward again"
            )

    def take(self) -> Record:
        """Return the record to exactly one caller, ever."""
        try:
            return self._box.pop()
        except IndexError:
            self.check(self._owner)  # another thread was faster; this raises
            raise


@dataclass(frozen=True, eq=False)
class LayerGrads:
    """The gradients that `backward` of a layer returns; no two arrays share memory.

    Attributes
    ----------
    x : ndarray
        In the shape of x.
    state : ndarray, tuple, list or None
        By the initial state, in the form of the layer's states; None where none was given.
    params : dict of str to ndarray
        The keys and shapes of the layer's `params`.

    Examples
    --------
    >>> import numpy as np
    >>> import fastrnn
    >>> gru = fastrnn.GRU(3, 4)
    >>> y, h_n, tape = gru.forward(np.zeros((5, 2, 3), np.float32))
    >>> grads = gru.backward(tape, dy=np.ones_like(y))
    >>> grads.x.shape, grads.state, grads.params["weight_hh_l0"].shape
    ((5, 2, 3), None, (12, 4))
    """

    x: Array
    state: Any
    params: dict[str, Array]
