"""Why: "change one import" holds only if everything that a training loop can see stays the same.

Skipped where PyTorch is not installed. Float64 to 1e-10 and float32 to 2e-5 on random modules, in
padded and packed form, outputs, final states and every gradient.
"""

import copy
import io
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from helpers.tolerances import TORCH_MODULES

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what PyTorch warns about at import is not ours
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from helpers import torch_modules

    import fastrnn.torch

CELLS = ("LSTM", "GRU", "RNN")
QUICK, LONG = 48, 640


@pytest.mark.filterwarnings("ignore:LSTM with projections")  # PyTorch's word on its own speed
def test_random_modules_equal_torch_nn(long: bool) -> None:
    for seed in range(LONG if long else QUICK):
        c = torch_modules.draw(seed)
        for dtype, most in TORCH_MODULES.items():
            error = torch_modules.worst(c, getattr(torch, dtype))
            assert error <= most, f"{c} {dtype}: {error:.3g}"


def test_the_comparison_sees_a_swapped_gate() -> None:
    """A positive control."""
    c = torch_modules.draw(0)
    there, here = torch_modules.pair(c, torch.float64)
    fed = torch_modules.feed(c, torch.float64)
    with torch.no_grad():
        here.weight_hh_l0.copy_(here.weight_hh_l0.roll(c.H, 0))
    a, b = torch_modules.run(there, c, fed), torch_modules.run(here, c, fed)
    assert np.abs(a["output 0"] - b["output 0"]).max() > 1e-3


def module(cell: str = "LSTM", **options) -> torch.nn.Module:
    torch.manual_seed(0)
    return getattr(fastrnn.torch, cell)(3, 5, **{"num_layers": 2, **options})


@pytest.mark.parametrize("cell", CELLS)
def test_a_module_is_a_torch_module(cell: str) -> None:
    torch.manual_seed(1)
    here = getattr(fastrnn.torch, cell)(3, 5, 2, bidirectional=True)
    torch.manual_seed(1)
    there = getattr(torch.nn, cell)(3, 5, 2, bidirectional=True)
    assert isinstance(here, getattr(torch.nn, cell))
    assert repr(here) == repr(there)
    for name, weight in there.state_dict().items():
        assert torch.equal(weight, here.state_dict()[name])  # the same first weights, too
    there.load_state_dict(here.state_dict())


@pytest.mark.parametrize("cell", CELLS)
def test_copies_compute_the_same_and_are_apart(cell: str) -> None:
    here, x = module(cell), torch.ones(4, 2, 3)
    here(x)[0].sum().backward()
    buffer = io.BytesIO()
    torch.save(here, buffer)
    buffer.seek(0)
    copies = [
        copy.deepcopy(here),
        pickle.loads(pickle.dumps(here)),
        torch.load(buffer, weights_only=False),
    ]
    for other in copies:
        assert torch.equal(other(x)[0], here(x)[0])
        with torch.no_grad():
            other.weight_ih_l0.zero_()
        assert not torch.equal(other(x)[0], here(x)[0])


def test_without_gradients_there_is_no_graph() -> None:
    here, x = module(), torch.ones(4, 2, 3)
    for context in (torch.no_grad, torch.inference_mode):
        with context():
            assert here(x)[0].grad_fn is None
    assert torch.equal(here(x)[0], here.requires_grad_(False)(x)[0])
    assert here(x)[0].grad_fn is None
    assert here(x.clone().requires_grad_())[0].grad_fn is not None


@pytest.mark.parametrize("form", ["padded", "packed"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_training_loop_goes_the_same_way(cell: str, form: str) -> None:
    torch.manual_seed(3)
    there = getattr(torch.nn, cell)(3, 5, 2, dtype=torch.float64)
    here = getattr(fastrnn.torch, cell)(3, 5, 2, dtype=torch.float64)
    here.load_state_dict(there.state_dict())
    x, losses = torch.randn(6, 4, 3, dtype=torch.float64), []
    fed = torch.nn.utils.rnn.pack_padded_sequence(x, [6, 5, 3, 1]) if form == "packed" else x
    for trained in (there, here):
        optimiser = torch.optim.Adam(trained.parameters(), lr=0.05)
        steps = []
        for _ in range(15):
            optimiser.zero_grad()
            y = trained(fed)[0]
            loss = ((y.data if form == "packed" else y) - 0.3).square().mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained.parameters(), 0.5)
            optimiser.step()
            steps.append(loss.item())
        losses.append(steps)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-9)
    assert losses[0][-1] < 0.8 * losses[0][0]


def test_a_graph_can_be_kept_and_used_again() -> None:
    """A tape serves one backward, so a second one makes it again, with the same dropout masks."""
    here, x = module(dropout=0.5), torch.ones(4, 2, 3, requires_grad=True)
    y, _ = here(x)
    wanted = [x, *here.parameters()]
    first = torch.autograd.grad(y.sum(), wanted, retain_graph=True)
    second = torch.autograd.grad(y.sum(), wanted)
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)


def test_dropout_is_decided_by_the_seed_and_acts_in_training_only() -> None:
    here, x = module(dropout=0.5), torch.ones(4, 2, 3)
    outputs = []
    for seed in (7, 7, 8):
        torch.manual_seed(seed)
        outputs.append(here(x)[0])
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])
    plain = fastrnn.torch.LSTM(3, 5, 2)
    plain.load_state_dict(here.state_dict())
    assert torch.equal(here.eval()(x)[0], plain(x)[0])


def test_what_is_frozen_or_unused_gets_no_gradient() -> None:
    here, x = module(), torch.ones(4, 2, 3)
    here.weight_hh_l0.requires_grad_(False)
    _, (h_n, _) = here(x)
    h_n.sum().backward()
    assert here.weight_hh_l0.grad is None
    assert here.weight_ih_l0.grad.abs().sum() > 0


def test_memory_is_shared_both_ways() -> None:
    here, x = module(), torch.ones(4, 2, 3)
    y, _ = here(x)
    assert y.is_contiguous()
    with torch.no_grad():
        y.zero_()  # an ordinary tensor, which may be changed
    for name in ("weight_ih_l0", "weight_hh_l1"):
        here.weight_ih_l0.data.add_(1)  # an edit that PyTorch does not count is seen, too
        assert not torch.equal(here(x)[0], y), name


def test_a_change_in_place_before_backward_is_noticed() -> None:
    here, x = module(), torch.ones(4, 2, 3)
    for spoilt in ("y", "weight_hh_l0"):
        y, _ = here(x)
        loss = y.sum()
        with torch.no_grad():
            (y if spoilt == "y" else here.weight_hh_l0).mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


def test_second_derivatives_are_refused_and_asking_for_the_first_is_not() -> None:
    here, x = module(), torch.ones(4, 2, 3, requires_grad=True)
    (dx,) = torch.autograd.grad(here(x)[0].sum(), x, create_graph=True)
    assert torch.equal(dx, torch.autograd.grad(here(x)[0].sum(), x)[0])
    with pytest.raises(NotImplementedError, match="no second derivatives"):
        dx.square().sum().backward()
    for by in (x, next(here.parameters())):
        y, _ = here(x)
        (dx,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        with pytest.raises(NotImplementedError, match="no second derivatives"):
            torch.autograd.grad(dx.sum(), by, allow_unused=True)


def test_what_cannot_be_computed_is_refused_in_words() -> None:
    x = torch.ones(4, 2, 3)
    floats, states = r"input must be float32 or float64, got torch.", torch.zeros(2, 2, 5)
    cases = [
        (ValueError, "input must be on the CPU.*meta", lambda: module()(x.to("meta"))),
        (ValueError, "weight_ih_l0 must be on the CPU", lambda: module(device="meta")(x)),
        (TypeError, floats + "float16", lambda: module()(x.half())),
        (TypeError, floats + "int64", lambda: module()(x.long())),
        (TypeError, "input must be a dense tensor", lambda: module()(x.to_sparse())),
        (TypeError, "weight_ih_l0 must be torch.float64 as", lambda: module()(x.double())),
        (TypeError, "weight_ih_l0 must be torch.float32 as", lambda: module().double()(x)),
        (TypeError, "input must be a Tensor, got ndarray", lambda: module()(x.numpy())),
        (ValueError, "I = input_size = 3 columns, got 2", lambda: module()(x[..., :2])),
        (ValueError, r"input must be \(T, N, I\)", lambda: module()(x[0, 0])),
        (TypeError, "hx must be a pair", lambda: module()(x, states)),
        (ValueError, r"hx must be .* = \(2, 2, 5\)", lambda: module("GRU")(x, states[0])),
        (TypeError, "hx must be torch.float32", lambda: module("GRU")(x, states.double())),
    ]
    for error, words, call in cases:
        with pytest.raises(error, match=words):
            call()


@pytest.mark.filterwarnings("ignore")  # what is deprecated there
@pytest.mark.parametrize(
    "look",
    [
        lambda model, _: torch.jit.script(model),
        lambda model, x: torch.jit.trace(model, (x,)),
        lambda model, x: torch.export.export(model, (x,)),
        lambda model, x: torch.func.vmap(lambda row: model(row)[0])(x[None]),
        lambda model, x: torch.func.grad(lambda x: model(x)[0].sum())(x),
    ],
    ids=["script", "trace", "export", "vmap", "grad"],
)
def test_programs_that_look_into_a_call_are_refused(look: Any) -> None:
    """A trace without gradients would have held the results of one call as constants."""
    with torch.no_grad(), pytest.raises(NotImplementedError, match="load its state_dict into"):
        look(torch.nn.Sequential(torch.nn.Identity(), module("GRU")), torch.ones(4, 2, 3))


@pytest.mark.filterwarnings("ignore")  # the compiler has its own
def test_a_compiled_model_computes_the_same() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), module("GRU"))
    x = torch.ones(4, 2, 3)
    expected = model(x)[0]
    expected.sum().backward()
    gradient = model[1].weight_hh_l0.grad.clone()
    model.zero_grad()
    found = torch.compile(model, backend="eager")(x)[0]
    found.sum().backward()
    assert torch.equal(found, expected)
    assert torch.equal(model[1].weight_hh_l0.grad, gradient)


def test_no_steps_are_legal() -> None:
    y, h_n = module("GRU")(torch.zeros(0, 2, 3), torch.ones(2, 2, 5))
    assert y.shape == (0, 2, 5)
    assert torch.equal(h_n, torch.ones(2, 2, 5))
