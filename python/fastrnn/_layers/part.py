"""What runs one layer and direction: the kind of its cell, its sizes, its weights."""

from typing import NamedTuple

from fastrnn import _core
from fastrnn._calls.kinds import Kind
from fastrnn._calls.tape import Weights
from fastrnn._checks import DType


class Part(NamedTuple):
    """One layer and direction, ready to run.

    Weights are arrays, or packed for inference, or both; those that are not given are None.
    """

    kind: Kind
    reverse: bool
    hidden_size: int
    output_size: int  # columns of h
    dtype: DType
    weights: Weights
    packed: _core.PackedWeights | None

    @property
    def projected(self) -> bool:
        """Whether the input is a product by w_ih already."""
        return self.packed is None and self.weights[0] is None
