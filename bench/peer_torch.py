"""PyTorch in eager mode: torch.nn.RNN, GRU and LSTM as its users call them."""

import importlib
from typing import Any

from bench.baselines import Peer, Prepared, Problem
from bench.cases import Array, Case


class Torch(Peer):
    """``torch.nn`` layers under ``inference_mode`` for forward, autograd for training.

    A ragged batch goes through ``pack_padded_sequence`` and back, as PyTorch's manual has it.
    """

    title = "PyTorch"
    packages = ("torch",)

    @classmethod
    def refusal(cls, case: Case) -> str | None:
        if case.kind.choices:
            return "torch.nn has no choice of gates or activations"
        if case.kind.options.get("peephole"):
            return "torch.nn.LSTM has no peepholes"
        if not case.kind.options.get("reset_after", True):
            return "torch.nn.GRU has no reset before"
        if case.cell in ("rnn_sigmoid", "rnn_linear"):
            return "torch.nn.RNN has tanh and relu only"
        return None

    def prepare(self, problem: Problem) -> Prepared:
        torch, layer = layer_of(problem)
        case = problem.case
        if case.stream:
            return _stream(torch, layer, problem)
        return trained_or_called(torch, layer, problem, getattr(torch, case.dtype))


def trained_or_called(torch: Any, layer: Any, problem: Problem, dtype: Any) -> Prepared:
    """Forward, or forward and backward, of a layer whose tensors have a dtype."""
    case = problem.case
    x = torch.from_numpy(problem.x).to(dtype).requires_grad_(case.training)
    dy = torch.from_numpy(problem.dy).to(dtype)
    call = _caller(torch, layer, problem)

    def forward() -> Any:
        with torch.inference_mode():
            return call(x)

    def training() -> Any:
        layer.zero_grad()
        x.grad = None
        y = call(x)
        y.backward(dy)
        return y

    def answer() -> dict[str, Array]:
        y = (training if case.training else forward)()
        found = {"y": y.detach()}
        if case.training:
            found["dx"] = x.grad
            found |= {f"d{k}": p.grad for k, p in layer.named_parameters()}
        to = getattr(torch, case.dtype)
        return {name: tensor.to(to).numpy() for name, tensor in found.items()}

    return Prepared(training if case.training else forward, answer)


def layer_of(problem: Problem) -> tuple[Any, Any]:
    """PyTorch with the case's number of threads, and its layer with the weights of a problem."""
    torch: Any = importlib.import_module("torch")
    case = problem.case
    torch.set_num_threads(case.threads)
    options = {k: v for k, v in case.kind.options.items() if k == "nonlinearity"}
    layer = getattr(torch.nn, case.kind.layer)(
        case.I,
        case.H,
        case.layers,
        bidirectional=case.bidirectional,
        dtype=getattr(torch, case.dtype),
        **options,
    )
    layer.load_state_dict({k: torch.from_numpy(v) for k, v in problem.weights.items()})
    return torch, layer


def _caller(torch: Any, layer: Any, problem: Problem) -> Any:
    """A function from x to y, through PackedSequence when the batch is ragged."""
    if problem.lengths is None:
        return lambda x: layer(x)[0]
    rnn = torch.nn.utils.rnn
    lengths = torch.from_numpy(problem.lengths)

    def packed(x: Any) -> Any:
        y, _ = layer(rnn.pack_padded_sequence(x, lengths, enforce_sorted=False))
        return rnn.pad_packed_sequence(y, total_length=problem.case.T)[0]

    return packed


def _stream(torch: Any, layer: Any, problem: Problem) -> Prepared:
    """One step a call, the state carried from call to call."""
    x = torch.from_numpy(problem.x)
    state: Any = None

    def step() -> Any:
        nonlocal state
        with torch.inference_mode():
            y, state = layer(x, state)
        return y

    def first_step() -> dict[str, Array]:
        nonlocal state
        state = None
        return {"y": step().numpy()}

    return Prepared(step, first_step)
