"""Why: PyTorch's weights, gate order and return values are the convention this package promises.

Skipped where PyTorch is not installed. Float64, forward and every gradient, both directions,
padded and packed; PyTorch refuses length 0, so here lengths start at 1.
"""

import dataclasses
import warnings

import numpy as np
import pytest
from helpers.cases import Case, Problem, draw
from helpers.runners import Results, run_core, run_functions
from helpers.tolerances import TORCH, assert_close

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what PyTorch warns about at import is not ours
    torch = pytest.importorskip("torch")

MODULES = {
    "rnn_tanh": ("RNN", {"nonlinearity": "tanh"}),
    "rnn_relu": ("RNN", {"nonlinearity": "relu"}),
    "lstm": ("LSTM", {}),
    "gru_after": ("GRU", {}),
}
NAMES = {"w_ih": "weight_ih", "w_hh": "weight_hh", "b_ih": "bias_ih", "b_hh": "bias_hh"}
SHAPES = [
    {"T": 7, "N": 5, "I": 6, "H": 17},
    {"T": 1, "N": 1, "I": 1, "H": 1},
    {"T": 19, "N": 2, "I": 33, "H": 8},
    {"T": 6, "N": 9, "I": 5, "H": 33, "bias": "none"},
]


def no_empty_rows(problem: Problem) -> Problem:
    """The problem with lengths of at least 1."""
    if problem.lengths is None:
        return problem
    return problem.replace(lengths=np.maximum(problem.lengths, 1))


def run_torch(problem: Problem) -> Results:
    """One direction of a torch module; the backward one is half of a bidirectional module."""
    case, spec = problem.case, problem.case.spec
    kind, options = MODULES[case.cell]
    bias = problem.b_ih is not None
    module = getattr(torch.nn, kind)(
        case.I, case.H, bias=bias, bidirectional=case.reverse, dtype=torch.float64, **options
    )
    suffix = "_l0_reverse" if case.reverse else "_l0"
    weights = {k: getattr(module, v + suffix) for k, v in NAMES.items() if bias or k[0] == "w"}
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(torch.from_numpy(getattr(problem, name)))
    leaves = {
        name: torch.from_numpy(array.copy()).requires_grad_()
        for name, array in problem.floats().items()
        if name in ("x", "h0", "c0")
    }
    half = slice(-case.H, None)
    y, state = _call(module, problem, leaves)
    y, states = y[..., half], [s[-1] for s in (state if spec.cell_state else (state,))]
    upstream = [problem.dy, problem.dh_n, problem.dc_n]
    outputs = [y, *states]
    sum((o * torch.from_numpy(d)).sum() for o, d in zip(outputs, upstream, strict=False)).backward()
    results = dict(zip(("y", "h_n", "c_n"), (o.detach().numpy() for o in outputs), strict=False))
    grads = {**leaves, **weights}
    return results | {f"d{name}": leaf.grad.numpy() for name, leaf in grads.items()}


def _call(module, problem: Problem, leaves: dict):
    case = problem.case

    def state(name: str):
        leaf = leaves[name][None]
        return torch.cat([torch.zeros_like(leaf), leaf]) if case.reverse else leaf

    given = (state("h0"), state("c0")) if case.spec.cell_state else state("h0")
    if problem.lengths is None:
        return module(leaves["x"], given)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        leaves["x"], torch.from_numpy(problem.lengths), enforce_sorted=False
    )
    y, state_n = module(packed, given)
    return torch.nn.utils.rnn.pad_packed_sequence(y, total_length=case.T)[0], state_n


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("lengths", ["none", "ragged"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"T{s['T']}H{s['H']}")
@pytest.mark.parametrize("cell", MODULES)
def test_equals_pytorch(cell: str, shape: dict, lengths: str, reverse: bool, isa: str) -> None:
    case = Case(cell, **shape, lengths=lengths, reverse=reverse)
    problem = no_empty_rows(draw(case))
    expected = run_torch(problem)
    for actual in (run_core(problem, threads=2), run_functions(problem)):
        assert set(actual) == set(expected)
        for name, array in actual.items():
            assert_close(f"{isa} {name}", array, expected[name], TORCH)


def test_the_reverse_direction_is_seen() -> None:
    """A positive control: the two directions differ, so that agreement above means something."""
    case = Case("lstm", T=7, N=5, I=6, H=17)
    forward = run_torch(draw(case))
    backward = run_torch(draw(case).replace(case=dataclasses.replace(case, reverse=True)))
    assert not np.allclose(forward["y"], backward["y"], atol=1e-3)
