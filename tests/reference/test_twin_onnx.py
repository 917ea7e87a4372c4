"""The twins' forward against somebody else's: the NumPy evaluators of the ONNX project.

They know neither our gate orders nor our flags, so a swapped gate, a bias on the wrong side of the
reset gate or a peephole on the wrong state shows. Weights are random, since constant ones cannot
tell gates apart. The evaluators ignore lengths, so a ragged row is run alone and cut to its length.
"""

from typing import Any

import numpy as np
import onnx
import pytest
from helpers.cases import CELLS, Case, Problem, draw
from helpers.pairwise import pairwise
from helpers.tolerances import FORWARD, assert_close
from helpers.twins import forward, inputs
from onnx.reference import ReferenceEvaluator

# Our blocks of H rows in ONNX's order: LSTM i o f c and P i o f, GRU z r h.
ROWS = {"rnn": [0], "lstm": [0, 3, 1, 2], "gru": [1, 0, 2]}
PEEPHOLE_ROWS = [0, 2, 1]
ATTRIBUTES = {
    "rnn_tanh": {},
    "rnn_linear": {"activations": ["Affine"], "activation_alpha": [1.0], "activation_beta": [0.0]},
    "lstm": {},
    "lstm_peephole": {},
    "gru_after": {"linear_before_reset": 1},
    "gru_before": {"linear_before_reset": 0},
}
GRID = pairwise(
    {
        "T": (1, 2, 5, 7),
        "N": (1, 2, 5, 8),
        "I": (1, 2, 5, 7),
        "H": (1, 2, 5, 7, 8),
        "lengths": ("none", "ragged"),
        "reverse": (False, True),
        "batch_first": (False, True),
        "bias": ("both", "ih", "hh", "none"),
        "state": ("given", "none"),
    }
)
INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")


def evaluate(problem: Problem, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Y, Y_h and Y_c of a model of one node."""
    case = problem.case
    attributes: dict[str, Any] = dict(ATTRIBUTES[case.cell], hidden_size=case.H)
    attributes |= {"direction": "reverse" if case.reverse else "forward"}
    attributes |= {"layout": int(case.batch_first)}
    outputs = ["Y", "Y_h", "Y_c"] if case.spec.cell_state else ["Y", "Y_h"]
    slots = [name if name in feeds else "" for name in INPUTS]
    slots = slots if case.spec.cell_state else slots[:6]
    node = onnx.helper.make_node(case.spec.family.upper(), slots, outputs, **attributes)
    tensors = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, None)
        for name in (*feeds, *outputs)
    ]
    graph = onnx.helper.make_graph([node], "one_node", tensors[: len(feeds)], tensors[len(feeds) :])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 22)])
    return ReferenceEvaluator(model).run(None, feeds)


def blocks(array: np.ndarray, order: list[int]) -> np.ndarray:
    """The blocks of H rows in another order."""
    return np.concatenate([np.split(array, len(order))[k] for k in order])


def by_onnx(problem: Problem) -> dict[str, np.ndarray]:
    """y, h_n and c_n of a problem without lengths, time-major."""
    case, order = problem.case, ROWS[problem.case.spec.family]
    feeds = {"W": blocks(problem.w_ih, order)[None], "R": blocks(problem.w_hh, order)[None]}
    if case.bias != "none":
        both = [
            np.zeros(case.spec.gates * case.H) if b is None else b
            for b in (problem.b_ih, problem.b_hh)
        ]
        feeds["B"] = np.concatenate([blocks(b, order) for b in both])[None]
    if problem.w_peephole is not None:
        feeds["P"] = problem.w_peephole[PEEPHOLE_ROWS].reshape(1, -1)
    swapped = {"X": problem.x}
    if problem.h0 is not None:
        swapped["initial_h"] = problem.h0[None]
    if problem.c0 is not None:
        swapped["initial_c"] = problem.c0[None]
    if case.batch_first:
        swapped = {name: array.swapaxes(0, 1) for name, array in swapped.items()}
    y, *states = evaluate(problem, feeds | swapped)
    if case.batch_first:  # (N, T, 1, H) and (N, 1, H)
        y, states = y.transpose(1, 2, 0, 3), [state.swapaxes(0, 1) for state in states]
    return dict(zip(("y", "h_n", "c_n"), (y[:, 0], *(s[0] for s in states)), strict=False))


def row_by_row(problem: Problem) -> dict[str, np.ndarray]:
    """The same of a ragged problem: each row alone, cut to its length."""
    found = []
    for n, length in enumerate(problem.lengths):
        row = problem.rows([n])
        outputs = {"y": np.zeros_like(row.dy), "h_n": row.h0, "c_n": row.c0}
        if length:
            cut = by_onnx(row.replace(x=row.x[:length], lengths=None))
            outputs["y"][:length] = cut["y"]
            outputs |= {name: cut[name] for name in cut if name != "y"}
        found.append(outputs)
    names = ("y", "h_n", "c_n") if problem.case.spec.cell_state else ("y", "h_n")
    zeros = np.zeros((1, problem.case.H))
    axis = {"y": 1, "h_n": 0, "c_n": 0}
    return {
        name: np.concatenate([zeros if f[name] is None else f[name] for f in found], axis[name])
        for name in names
    }


@pytest.mark.check(35)
@pytest.mark.parametrize("case", [Case(c, **row) for c in ATTRIBUTES for row in GRID], ids=str)
def test_forward_equals_the_onnx_evaluator(case: Case) -> None:
    problem = draw(case)
    expected = by_onnx(problem) if problem.lengths is None else row_by_row(problem)
    outputs = forward(problem, inputs(problem))
    assert outputs.keys() == expected.keys()
    for name, output in outputs.items():
        assert_close(name, output, expected[name], FORWARD[np.dtype(np.float64)])


def test_only_what_the_evaluators_lack_is_left_out() -> None:
    general = {cell for cell, spec in CELLS.items() if spec.general}  # they know no activations
    assert set(CELLS) - set(ATTRIBUTES) - general == {"rnn_relu", "rnn_sigmoid"}
