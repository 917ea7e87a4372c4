"""Why: the speed of Seq2Seq is measured beside a program in PyTorch with its weights. Both must be
the same model, and that program, which shares no line with ours, is one more judge of it.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastrnn import ops
from fastrnn.models import Seq2Seq

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
sys.path.append(str(Path(__file__).parents[2]))  # the bench is not installed
twin = pytest.importorskip("bench.torch_seq2seq", reason="the source tree is not here")

V, H = 9, 12


@pytest.fixture
def model() -> Seq2Seq:
    return Seq2Seq(
        "lstm", V, V + 1, H, embedding_size=5, attention="additive", rng=np.random.default_rng(0)
    )


def test_loss_and_gradients_are_those_of_pytorch(model: Seq2Seq, rng: Any) -> None:
    sources = [rng.integers(4, V, n) for n in (5, 2, 7, 1)]
    targets = [rng.integers(4, V, n) for n in (3, 6, 0, 2)]
    batch = next(iter(model.pairs(sources, targets, 4)))
    value, grads = ops.value_and_grad(model.loss)(model.params, batch)
    _, module = twin.translator_of(model)
    x, answers, lengths, steps = (torch.from_numpy(part) for part in batch)
    x, answers = x.T, answers.T
    fed = torch.cat([torch.full((len(x), 1), 2), answers[:, :-1]], 1)
    exists = torch.arange(answers.shape[1]) < steps[:, None]
    loss = torch.nn.functional.cross_entropy(module(x, lengths, fed)[exists], answers[exists])
    loss.backward()
    assert np.isclose(value, loss.item(), rtol=1e-5)
    for ours, theirs in (
        (grads["encoder"]["rnn"]["weight_hh_l0"], module.encoder.weight_hh_l0),
        (grads["encoder"]["embedding"]["weight"], module.source.weight),
        (grads["encoder"]["bridge"]["weight_c_l0"], module.bridge_c.weight),
        (grads["decoder"]["attention"]["weight_key"], module.attention.key.weight),
        (grads["decoder"]["attention"]["weight_ih"], module.cell.weight_ih),
        (grads["out"]["weight"], module.out.weight),
    ):
        np.testing.assert_allclose(ours, theirs.grad.numpy(), rtol=2e-3, atol=1e-6)


def test_its_beam_search_finds_nothing_better(model: Seq2Seq, rng: Any) -> None:
    """Both with a beam of 4, and ours has the greedy path beside it."""
    sources = [rng.integers(4, V, n) for n in (5, 2, 7, 1, 6, 6)]
    _, module = twin.translator_of(model)
    theirs = twin.beam_search(torch, module, sources, 4, 8)
    equal = 0
    for source, ours, other in zip(
        sources, model.translate(sources, beam_size=4, max_length=8), theirs, strict=True
    ):
        answer = np.array([*other, 3])[:, None]
        nats = model.loss(model.params, (source[:, None], answer, None, [len(answer)]))
        assert ours.log_prob >= -float(nats) * len(answer) - 1e-4
        equal += ours.tokens.tolist() == other
    assert equal >= 4


def test_what_it_has_learned_comes_back(model: Seq2Seq, rng: Any) -> None:
    pairs = [[rng.integers(4, V, n) for n in rng.integers(1, 7, 8)] for _ in range(2)]
    batches = list(model.pairs(*pairs, 3))
    before = model.evaluate(batches)["loss"]
    _, module = twin.translator_of(model)
    optimiser = torch.optim.SGD(module.parameters(), 0.5)
    for batch in batches:
        twin.update(torch, module, optimiser, batch, 5.0)
    assert model.evaluate(batches)["loss"] == before  # until then the weights are its own
    twin.give_back(module, model)
    after = model.evaluate(batches)["loss"]
    assert after < before - 0.01
    assert np.isclose(after, twin.loss_of(torch, module, batches), rtol=1e-5)
