"""What runs one layer and direction: the kind of its cell, its sizes, its weights."""

from typing import NamedTuple

from fastrnn import _core
from fastrnn._calls.kinds import Kind
from fastrnn._calls.tape import Weights


class Part(NamedTuple):
    """One layer and direction, ready to run; packed weights are for inference."""

    kind: Kind
    reverse: bool
    hidden_size: int
    output_size: int  # columns of h
    weights: Weights
    packed: _core.PackedWeights | None
