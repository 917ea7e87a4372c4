"""Why: the bench says how much faster dialogue models are than the same program in PyTorch, which
is worth something only if it is the same: losses and gradients of both must agree.
"""

from typing import Any

import numpy as np
import pytest

from fastrnn import ops
from fastrnn.data import pack_dialogues
from fastrnn.models import HRED, VHRED

pytest.importorskip("torch", reason="PyTorch, the other program, is not installed")

V = 12


@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("kind", ["hred", "vhred"])
def test_the_same_loss_and_gradient(kind: str, pack: bool, rng: Any) -> None:
    from bench.acceptance._torch_dialogue import TorchDialogue

    own = np.random.default_rng(1)
    model: Any = HRED("gru", V, 6, context_size=5, rng=own)
    if kind == "vhred":
        model = VHRED("gru", V, 6, 3, context_size=5, word_drop=0.4, rng=own)
    shape = [[2, 3, 1], [3, 4], [1, 2, 2, 4]]
    talks = [[rng.integers(4, V, n) for n in turns] for turns in shape]
    batch = pack_dialogues([*talks, talks[0]])  # equal turns, which only one of them reads once
    talk = TorchDialogue(model, pack)
    nats, kl, d = talk.parts(batch, np.random.default_rng(5), 0.4 if kind == "vhred" else 0.0)
    loss = (nats + 0.3 * kl) / d.symbols
    loss.backward()
    given = (*batch, 0.3) if kind == "vhred" else batch
    found, grads = ops.value_and_grad(model.loss)(model.params, given, np.random.default_rng(5))
    assert np.isclose(found, loss.item(), rtol=1e-5)
    for name in ("embedding", "encoder", "context"):
        for path, weight in talk.modules[name].named_parameters():
            np.testing.assert_allclose(
                grads[name][path], weight.grad.numpy(), rtol=1e-3, atol=1e-6, err_msg=path
            )
    into = talk.modules["decoder"].weight_ih_l0.grad.numpy()
    theirs = np.split(into, [model._reader.layer.input_size], axis=1)
    ours = grads["decoder"]["rnn"]["weight_ih_l0"], grads["decoder"]["condition"]["weight"]
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)


def test_what_it_has_learned_comes_back(rng: Any) -> None:
    from bench.acceptance._torch_dialogue import TorchDialogue

    model = HRED("gru", V, 6, context_size=5, rng=np.random.default_rng(1))
    shape = [[2, 3, 1], [3, 4]]
    batch = pack_dialogues([[rng.integers(4, V, n) for n in turns] for turns in shape])
    talk = TorchDialogue(model, True)
    with talk.torch.no_grad():
        for weight in talk.weights:
            weight.add_(0.1)
    before = model.nats(batch)
    talk.give_back(model)
    with talk.torch.no_grad():
        nats, _, _ = talk.parts(batch, rng, 0.0)
    assert not np.isclose(before.sum(), float(nats), rtol=1e-3)
    assert np.isclose(model.nats(batch).sum(), float(nats), rtol=1e-5)
