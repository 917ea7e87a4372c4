"""ONNX: the nodes RNN, GRU and LSTM of a file as things to run, to train and to write."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

import fastrnn
from fastrnn._call import NAMES, call
from fastrnn._checks import Array, integer
from fastrnn._frozen import MATRICES, FrozenWeights, part_of, with_frozen
from fastrnn._quantize import Int8Rows
from fastrnn.cells import SPECS, Spec
from fastrnn.io import _onnx_cell as cell
from fastrnn.io._assemble import assemble, blocks, family
from fastrnn.io._onnx_int8 import matrices

if TYPE_CHECKING:
    from fastrnn.recurrent import Layer

L = TypeVar("L", bound="Layer")


@dataclass(frozen=True, eq=False)
class OnnxNode:
    """A node RNN, GRU or LSTM with its weights.

    Attributes
    ----------
    name, op : str
        Of the node; op is ``"RNN"``, ``"GRU"`` or ``"LSTM"``.
    direction : str
        ``"forward"``, ``"reverse"`` or ``"bidirectional"``.
    layout : int
        0: x is (T, N, I); 1: (N, T, I), and states are (N, D, H).
    weights : list of dict
        For each direction what the functions take: ``w_ih``, ``w_hh``, ``b_ih``, …
    options : list of dict
        For each direction how the function is told its activations and the like.
    state : tuple of ndarray or None
        Initial states (h0, c0) that the file holds, in the node's layout.
    int8 : list of tuple, or None
        Of DynamicQuantizeLSTM: w_ih and w_hh of each direction as they are, int8 rows with scales,
        which the node computes with; `weights` holds what they stand for.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.io import OnnxNode
    >>> node = OnnxNode.make("GRU", np.ones((1, 12, 3)), np.ones((1, 12, 4)), direction="reverse")
    >>> y, h_n = node(np.ones((5, 2, 3)))
    >>> y.shape, h_n.shape
    ((5, 1, 2, 4), (1, 2, 4))
    """

    name: str
    op: str
    direction: str
    layout: int
    weights: list[dict[str, Array | None]]
    options: list[dict[str, Any]]
    state: tuple[Array | None, ...] = (None, None)
    int8: list[tuple[Int8Rows, Int8Rows]] | None = None

    @classmethod
    def make(
        cls,
        op: str,
        W: Any,
        R: Any,
        B: Any = None,
        P: Any = None,
        *,
        h0: Any = None,
        c0: Any = None,
        name: str = "",
        direction: str = "forward",
        layout: int = 0,
        hidden_size: int | None = None,
        clip: float | None = None,
        activations: Any = None,
        activation_alpha: Any = None,
        activation_beta: Any = None,
        input_forget: int = 0,
        linear_before_reset: int = 0,
        W_scale: Any = None,
        W_zero_point: Any = None,
        R_scale: Any = None,
        R_zero_point: Any = None,
    ) -> "OnnxNode":
        """Return a node with these inputs and attributes, which have ONNX's names.

        Parameters
        ----------
        op : {"RNN", "GRU", "LSTM"}
        W, R, B, P : array_like
            As ONNX has them: (D, G·H, I), (D, G·H, H), (D, 2·G·H) and (D, 3·H).
        h0, c0 : array_like or None
            Initial states that belong to the node.
        name, direction, layout, hidden_size, clip, activations, activation_alpha, activation_beta
            As ONNX has them.
        input_forget, linear_before_reset : int
            0 or 1; of LSTM and of GRU.
        W_scale, W_zero_point, R_scale, R_zero_point : array_like or None, (D,) or (D, 4·H)
            Of ONNX Runtime's DynamicQuantizeLSTM, whose W (D, I, 4·H) and R (D, H, 4·H) are int8 or
            uint8. Columns that are not within ±127 of their zero point are rounded anew.

        Raises
        ------
        TypeError
            An input is no array of float32 or float64, or not of the dtype of the others.
        ValueError
            A shape breaks its rule, or an attribute is unknown or not supported.
        """
        if op not in cell.ROWS:
            raise ValueError(f"op must be RNN, GRU or LSTM, got {op!r}")
        D = cell.directions(direction)
        layout = integer("layout", layout, 0, 1)
        flags = {"LSTM": ("input_forget", input_forget)}
        flags["GRU"] = ("linear_before_reset", linear_before_reset)
        for owner, (label, value) in flags.items():
            if integer(label, value, 0, 1) and op != owner:
                raise ValueError(f"{label} exists for {owner} only, got it for {op}")
        chosen = cell.activations(op, D, activations, activation_alpha, activation_beta)
        options: list[dict[str, Any]] = []
        for names in chosen:
            own: dict[str, Any] = {"clip": clip}
            if op == "RNN":
                own["nonlinearity"] = names[0]
            elif op == "GRU":
                own |= {"activations": names, "reset_after": bool(linear_before_reset)}
            else:
                own |= {"activations": names, "input_forget": bool(input_forget)}
            SPECS[op.lower()].of(own)  # refused here, rather than when the node is called
            options.append(own)
        int8 = None
        if W_scale is not None:
            if op != "LSTM":
                raise ValueError(f"W_scale exists for LSTM only, got it for {op}")
            pairs = ("W", W, W_scale, W_zero_point), ("R", R, R_scale, R_zero_point)
            of_x, of_h = (matrices(*given, D) for given in pairs)
            int8 = list(zip(of_x, of_h, strict=True))
            W, R = (np.stack([blocks(m[:], np.argsort(cell.ROWS["LSTM"]).tolist()) for m in each])
                    for each in (of_x, of_h))  # fmt: skip
        weights = cell.weights(op, D, W, R, B, P, hidden_size)
        cell.check_states({"h0": h0, "c0": c0}, layout, D, weights[0]["w_hh"])
        return cls(name, op, direction, layout, weights, options, (h0, c0), int8)

    def __call__(
        self, x: Any, lengths: Any = None, h0: Any = None, c0: Any = None
    ) -> tuple[Array, ...]:
        """Run the node.

        Parameters
        ----------
        x : array_like, (T, N, I)
            ONNX's X; (N, T, I) with layout 1.
        lengths : array_like of int or None, (N,)
            ONNX's sequence_lens.
        h0, c0 : array_like or None, (D, N, H)
            ONNX's initial_h and initial_c, (N, D, H) with layout 1; None: what the node holds, or
            zeros.

        Returns
        -------
        Y, Y_h, Y_c : ndarray
            (T, D, N, H), (D, N, H) and, of an LSTM, (D, N, H); with layout 1 (N, T, D, H) and
            (N, D, H).
        """
        function = getattr(fastrnn, self.op.lower())
        given = [
            own if state is None else state
            for own, state in zip(self.state, (h0, c0), strict=True)
        ]
        axis = self.layout
        outputs, finals = [], []
        for d, (weights, options) in enumerate(zip(self.weights, self.options, strict=True)):
            states = {
                key: None if state is None else np.take(np.asarray(state), d, axis=axis)
                for key, state in zip(("h0", "c0"), given, strict=True)
            }
            if self.op != "LSTM":
                del states["c0"]
            reverse = self.direction == "reverse" or d == 1
            if self.int8 is None:
                y, final = function(
                    x, **weights, **states, **options, lengths=lengths, batch_first=axis == 1,
                    reverse=reverse,
                )  # fmt: skip
            else:
                rest = [weights.get(name) for name in NAMES[2:]]
                part = part_of(self._spec(d), (*self.int8[d], *rest), "int8", reverse)
                y, *final = call(
                    part, x, states["h0"], states["c0"], lengths, axis == 1, None, keep=False
                )[:3]
            outputs.append(y)
            finals.append(final if self.op == "LSTM" else (final,))
        merged = [np.stack(parts, axis=axis) for parts in zip(*finals, strict=True)]
        return np.stack(outputs, axis=2 if axis else 1), *merged

    def layer(self, cls: type[L] | None = None) -> Any:
        """Return the node as a layer, which can be trained; initial states stay with the node.

        Parameters
        ----------
        cls : type or None
            A subclass of the layer; None: RNN, GRU or LSTM.

        Returns
        -------
        RNN, LSTM or GRU
            `batch_first` with layout 1; its states are (D, N, H) all the same. Of a node of int8 it
            is quantised.

        Raises
        ------
        ValueError
            The node runs backward only, or its directions differ in more than weights.
        """
        made: Any = getattr(fastrnn, self.op) if cls is None else cls
        if family(made) != self.op:
            raise TypeError(f"{made.__name__} cannot hold a node {self.op}")
        if self.direction == "reverse":
            raise ValueError("direction='reverse' is no layer; call the node, or reverse the input")
        if any(options != self.options[0] for options in self.options):
            raise ValueError(f"activations must be equal in both directions, got {self.options}")
        layer = assemble(
            made, self.weights, len(self.weights), batch_first=self.layout == 1, **self.options[0]
        )
        if self.int8 is None:
            return layer
        names = (d.names[matrix] for d in layer._weights.each() for matrix in MATRICES)
        exact = dict(zip(names, chain.from_iterable(self.int8), strict=True))
        return with_frozen(layer, FrozenWeights.of(layer, layer.params | exact, "int8"))

    def _spec(self, d: int) -> Spec:
        """Return the cell of one direction."""
        peephole = "w_peephole" in self.weights[d]
        return SPECS[self.op.lower()].of(self.options[d], peephole)


def load_onnx(
    source: str | os.PathLike[str] | bytes | Any, inputs: Mapping[str, Any] | None = None
) -> dict[str, OnnxNode]:
    """Read all nodes RNN, GRU, LSTM, and DynamicQuantizeLSTM of ONNX Runtime, of a model.

    Parameters
    ----------
    source : path, bytes, or onnx.ModelProto
        Tensors must be inside of it: files beside it are not opened.
    inputs : mapping of str to array_like, optional
        Weights and initial states that the graph takes as inputs, by the names of its tensors.

    Returns
    -------
    dict of str to OnnxNode
        By name, in the order of the graph. A node without one is called by its place: ``LSTM_2``.

    Raises
    ------
    ImportError
        The package onnx is missing.
    OSError
        The file could not be read.
    TypeError
        One of `inputs` is no array of float32 or float64, or not of the dtype of the others.
    ValueError
        It is no ONNX model; an attribute is unknown or not supported; or a weight is not in the
        file. The message names node and tensor.

    Examples
    --------
    >>> import fastrnn
    >>> fastrnn.GRU(3, 4, num_layers=2).to_onnx("gru.onnx")
    >>> list(fastrnn.io.load_onnx("gru.onnx"))
    ['GRU_l0', 'GRU_l1']
    """
    from fastrnn.io._onnx_read import nodes

    return {
        name: OnnxNode.make(op, name=name, **tensors, **attributes)
        for name, op, tensors, attributes in nodes(source, dict(inputs or {}))
    }
