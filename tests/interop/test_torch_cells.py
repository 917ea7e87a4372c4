"""Why: who loops over steps, changes a whole model or trains under autocast must get from us what
torch.nn gives: numbers, gradients, dtypes and the same parameter objects.
"""

import copy
import warnings
from typing import Any

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what PyTorch warns about at import is not ours
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    import fastrnn.torch
    from fastrnn.torch import convert, revert

CELLS = ["LSTMCell", "GRUCell", "RNNCell"]
MODULES = ["LSTM", "GRU", "RNN"]
each_cell = pytest.mark.parametrize("name", CELLS)


def pair(name: str, *sizes: int, **options: Any) -> tuple[Any, Any]:
    torch.manual_seed(5)
    there = getattr(torch.nn, name)(*sizes, **options)
    here = getattr(fastrnn.torch, name)(*sizes, **options)
    here.load_state_dict(there.state_dict())
    return there, here


def tensors(result: Any) -> list[Any]:
    """All tensors of a result, flat."""
    if isinstance(result, tuple | list):
        return [t for each in result for t in tensors(each)]
    return [result]


@each_cell
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [(), (1,), (5,)], ids=str)
@pytest.mark.parametrize("state", [True, False])
def test_a_loop_of_cells_is_torch_nn(name: str, bias: bool, rows: Any, state: bool) -> None:
    pairs = pair(name, 3, 17, bias=bias, dtype=torch.float64)
    rng = np.random.default_rng(2)
    x = [torch.tensor(rng.normal(size=(*rows, 3)), requires_grad=True) for _ in range(4)]
    h0 = [torch.tensor(rng.normal(size=(*rows, 17)), requires_grad=True) for _ in range(2)]
    found = []
    for cell in pairs:
        h: Any = None
        if state:
            h = tuple(h0) if name == "LSTMCell" else h0[0]
        total: Any = 0
        for x_t in x:
            h = cell(x_t, h)
            total = total + sum((s * s).sum() for s in tensors(h))
        wanted = [*cell.parameters(), *x, *(h0[: len(tensors(h))] if state else [])]
        found.append([*tensors(h), *torch.autograd.grad(total, wanted)])
    for there, here in zip(*found, strict=True):
        assert here.shape == there.shape
        torch.testing.assert_close(here, there, rtol=1e-11, atol=1e-12)


def test_the_relu_cell_is_torch_nn() -> None:
    there, here = pair("RNNCell", 3, 4, nonlinearity="relu", dtype=torch.float64)
    x = torch.tensor(np.random.default_rng(0).normal(size=(5, 3)))
    torch.testing.assert_close(here(x), there(x))


@pytest.mark.filterwarnings("ignore:.torch.jit")  # PyTorch's own, about its future
@each_cell
def test_a_cell_is_refused_in_words(name: str) -> None:
    cell = getattr(fastrnn.torch, name)(3, 4)
    x = torch.ones(2, 3)
    for given, error, words in (
        (torch.ones(2, 5), ValueError, "input_size = 3"),
        (torch.ones(1, 2, 3), ValueError, "input must be"),
        (x.double(), TypeError, "weight_ih"),
        (x.long(), TypeError, "input must be float"),
        ([1.0], TypeError, "input must be a Tensor"),
    ):
        with pytest.raises(error, match=words):
            cell(given)
    wrong: Any = torch.ones(3, 4)
    with pytest.raises(ValueError, match="hx"):
        cell(x, (wrong, wrong) if name == "LSTMCell" else wrong)
    with pytest.raises(NotImplementedError, match="scripted"):
        torch.jit.trace(cell, (x,))
    with pytest.raises(NotImplementedError, match="scripted"):
        torch.jit.script(cell)


class Model(torch.nn.Module):
    """Recurrent modules at several depths, and a class of the user's own."""

    class Own(torch.nn.GRU):
        """A user's class, which may compute in its own way."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = torch.nn.LSTM(3, 4, num_layers=2, batch_first=True)
        self.parts = torch.nn.ModuleList([torch.nn.GRU(4, 5), torch.nn.RNN(5, 4)])
        self.cell = torch.nn.LSTMCell(4, 4)
        self.own = Model.Own(3, 4)
        self.out = torch.nn.Linear(4, 1)

    def forward(self, x: Any) -> Any:
        y, _ = self.encoder(x)
        for part in self.parts:
            y, _ = part(y)
        h, _ = self.cell(y[:, -1])
        return self.out(h)


def test_convert_changes_every_module_and_keeps_every_parameter() -> None:
    torch.manual_seed(1)
    model = Model()
    there = copy.deepcopy(model)
    parameters = dict(model.named_parameters())
    optimiser = torch.optim.Adam(model.parameters(), 0.05)
    rival = torch.optim.Adam(there.parameters(), 0.05)
    assert convert(model) is model
    assert type(model.encoder) is fastrnn.torch.LSTM
    assert [type(part) for part in model.parts] == [fastrnn.torch.GRU, fastrnn.torch.RNN]
    assert type(model.cell) is fastrnn.torch.LSTMCell
    assert type(model.own) is Model.Own
    assert all(p is parameters[name] for name, p in model.named_parameters())
    x = torch.randn(6, 5, 3)
    for _ in range(5):
        for each, step in ((model, optimiser), (there, rival)):
            step.zero_grad()
            (each(x) ** 2).mean().backward()
            step.step()
    torch.testing.assert_close(model(x), there(x), rtol=1e-4, atol=1e-5)
    assert revert(model) is model
    assert type(model.encoder) is torch.nn.LSTM
    assert type(model.cell) is torch.nn.LSTMCell
    torch.testing.assert_close(model(x), there(x), rtol=1e-4, atol=1e-5)


def test_convert_of_a_module_itself_and_what_it_refuses() -> None:
    assert type(convert(torch.nn.GRU(3, 4))) is fastrnn.torch.GRU
    model = torch.nn.Sequential(torch.nn.GRU(3, 4), torch.nn.LSTM(3, 4, dtype=torch.bfloat16))
    with pytest.raises(TypeError, match=r"1\.weight_ih_l0 must be float32 or float64"):
        convert(model)
    assert type(model[0]) is torch.nn.GRU  # nothing has been changed
    with pytest.raises(ValueError, match="on the CPU"):
        convert(torch.nn.GRU(3, 4, device="meta"))
    for change in (convert, revert):
        with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
            change({"rnn": torch.nn.GRU(3, 4)})


@pytest.mark.parametrize("name", MODULES + CELLS)
@pytest.mark.parametrize("given", [torch.float32, torch.bfloat16], ids=str)
def test_autocast_gives_the_dtypes_of_torch_nn(name: str, given: Any) -> None:
    there, here = pair(name, 3, 8)
    x = torch.tensor(np.random.default_rng(1).normal(size=(5, 2, 3)), dtype=given)
    x = x[0] if name in CELLS else x
    with torch.autocast("cpu", dtype=torch.bfloat16):
        results = [tensors(module(x)) for module in (there, here)]
    for a, b in zip(*results, strict=True):
        assert b.dtype is a.dtype
        torch.testing.assert_close(b.float(), a.float(), rtol=0.03, atol=0.03)
    sum(t.float().sum() for t in results[1]).backward()
    assert all(p.grad is not None and p.grad.dtype is torch.float32 for p in here.parameters())


@pytest.mark.parametrize("name", MODULES)
def test_autocast_computes_in_bfloat16(name: str) -> None:
    """As `compute_dtype` does, forward and back."""
    _, here = pair(name, 3, 8)
    options = {"nonlinearity": here.nonlinearity} if name == "RNN" else {}
    layer = getattr(fastrnn, name)(3, 8, compute_dtype="bfloat16", **options)
    layer.load_state_dict(here.state_dict())
    x = np.random.default_rng(1).standard_normal((5, 2, 3)).astype(np.float32)
    wanted, _, tape = layer.forward(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, _ = here(torch.from_numpy(x))
    assert torch.equal(y.detach(), torch.from_numpy(wanted.copy()).to(y.dtype))
    y.float().sum().backward()
    grads = layer.backward(tape, np.ones_like(wanted)).params
    for key, parameter in here.named_parameters():
        np.testing.assert_array_equal(parameter.grad.numpy(), grads[key])
    with torch.autocast("cpu", dtype=torch.float16):
        z, _ = here(torch.from_numpy(x))
    assert not torch.equal(z.float(), y.float())


def test_autocast_takes_states_and_packed_sequences_of_16_bits() -> None:
    there, here = pair("LSTM", 3, 8)
    x = torch.nn.utils.rnn.pack_sequence([torch.ones(4, 3), torch.ones(2, 3)])
    state = (torch.ones(1, 2, 8).bfloat16(), torch.ones(1, 2, 8).bfloat16())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        a, b = there(x.to(torch.bfloat16), state), here(x.to(torch.bfloat16), state)
    assert a[0].data.dtype is b[0].data.dtype is torch.bfloat16
    torch.testing.assert_close(b[0].data.float(), a[0].data.float(), rtol=0.03, atol=0.03)


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_autocast_takes_packed_sequences(name: str) -> None:
    there, here = pair(name, 3, 8)
    x = torch.nn.utils.rnn.pack_sequence([torch.ones(4, 3)])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        a, b = there(x), here(x)
    assert a[0].data.dtype is b[0].data.dtype
    torch.testing.assert_close(b[0].data.float(), a[0].data.float(), rtol=0.03, atol=0.03)


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell"])
def test_autocast_leaves_float64_alone(name: str) -> None:
    there, here = (module.double() for module in pair(name, 3, 8))
    x = torch.ones(2, 3, dtype=torch.float64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        a, b = there(x)[0], here(x)[0]
    assert a.dtype is b.dtype is torch.float64
    torch.testing.assert_close(b, a)


@pytest.mark.filterwarnings("ignore:.*torch.ao", "ignore:torch.quantize")  # PyTorch's own
def test_quantisation_is_refused_until_the_model_is_reverted() -> None:
    from torch.ao.quantization import quantize_dynamic

    model = torch.nn.Sequential(fastrnn.torch.LSTM(3, 4))
    with pytest.raises(NotImplementedError, match="revert"):
        quantize_dynamic(model, {fastrnn.torch.LSTM}, dtype=torch.qint8)
    with pytest.warns(UserWarning, match="leaves this LSTM"):
        quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
    done = quantize_dynamic(revert(model), {torch.nn.LSTM}, dtype=torch.qint8)
    assert "quantized" in type(done[0]).__module__
    with pytest.raises(TypeError, match="0 is quantised by PyTorch"):
        fastrnn.torch.convert(done)
    with pytest.raises(TypeError, match="that PyTorch has quantised"):
        fastrnn.LSTM.from_torch(done[0])
