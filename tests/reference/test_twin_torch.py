"""The twins against PyTorch in float64, whose conventions they claim: values and every gradient.

PyTorch has neither peepholes nor reset before nor length 0; ragged rows go through its packed
sequences, reverse through its second direction run alone.
"""

from typing import Any

import numpy as np
import pytest
from helpers.cases import Case, Problem, draw
from helpers.pairwise import pairwise
from helpers.tolerances import TORCH, assert_close
from helpers.twins import backward, forward, inputs

torch = pytest.importorskip("torch")

CELLS = ("rnn_tanh", "rnn_relu", "lstm", "gru_after")
GRID = pairwise(
    {
        "T": (1, 2, 5, 7),
        "N": (1, 2, 5, 8),
        "I": (1, 2, 5, 7),
        "H": (1, 2, 5, 7, 8),
        "lengths": ("none", "ragged"),
        "reverse": (False, True),
        "batch_first": (False, True),
        "bias": ("both", "none"),
        "state": ("given", "none"),
        "upstream": ("all", "dy", "state"),
    }
)
PARAMETERS = {
    "w_ih": "weight_ih_l0",
    "w_hh": "weight_hh_l0",
    "b_ih": "bias_ih_l0",
    "b_hh": "bias_hh_l0",
}


def module_of(problem: Problem) -> Any:
    """The layer with the problem's weights, under the same names."""
    case, spec = problem.case, problem.case.spec
    options = dict(spec.options) if spec.family == "rnn" else {}
    layer = getattr(torch.nn, spec.family.upper())(
        case.I, case.H, bias=case.bias == "both", dtype=torch.float64, **options
    )
    layer.load_state_dict(
        {
            theirs: torch.from_numpy(getattr(problem, ours))
            for ours, theirs in PARAMETERS.items()
            if getattr(problem, ours) is not None
        }
    )
    return layer


def flip(array: Any, lengths: np.ndarray) -> Any:
    """Each row's existing steps the other way round; its own inverse, differentiable."""
    rows = [
        torch.cat([array[:length, n].flip(0), array[length:, n]])
        for n, length in enumerate(lengths.tolist())
    ]
    return torch.stack(rows, dim=1)


def by_torch(problem: Problem) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Outputs and gradients of a problem whose lengths are at least 1."""
    case, lengths = problem.case, problem.row_lengths()
    layer = module_of(problem)
    given = inputs(problem)
    leaves = {
        name: torch.from_numpy(given[name]).requires_grad_()
        for name in ("x", "h0", "c0")
        if name in given
    }
    x = flip(leaves["x"], lengths) if case.reverse else leaves["x"]
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        x, torch.from_numpy(lengths), enforce_sorted=False
    )
    state = None
    if "h0" in leaves:
        initial = [leaves[name][None] for name in ("h0", "c0") if name in leaves]
        state = tuple(initial) if case.spec.cell_state else initial[0]
    y, state = layer(packed, state)
    y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, total_length=case.T)
    y = flip(y, lengths) if case.reverse else y
    finals = [s[0] for s in (state if case.spec.cell_state else (state,))]
    outputs = dict(zip(("y", "h_n", "c_n"), (y, *finals), strict=False))
    upstream = (problem.dy, problem.dh_n, problem.dc_n)
    pairs = zip(outputs.values(), upstream, strict=False)
    sum((out * torch.from_numpy(d)).sum() for out, d in pairs if d is not None).backward()
    gradients = {name: leaf.grad.numpy() for name, leaf in leaves.items()}
    for ours, theirs in PARAMETERS.items():
        if ours in given:
            gradients[ours] = getattr(layer, theirs).grad.numpy()
    return {name: output.detach().numpy() for name, output in outputs.items()}, gradients


@pytest.mark.parametrize("case", [Case(cell, **row) for cell in CELLS for row in GRID], ids=str)
def test_values_and_gradients_equal_torch(case: Case) -> None:
    problem = draw(case)
    if problem.lengths is not None:
        problem = problem.replace(lengths=np.maximum(problem.lengths, 1))
    outputs, gradients = by_torch(problem)
    mine = forward(problem, inputs(problem))
    assert mine.keys() == outputs.keys()
    for name, output in mine.items():
        assert_close(name, output, outputs[name], TORCH)
    mine = backward(problem)
    assert mine.keys() == gradients.keys()
    for name, gradient in mine.items():
        assert_close(f"d{name}", gradient, gradients[name], TORCH)
