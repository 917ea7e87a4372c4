"""Why: the twin and the kernel have one author. PyTorch's cells, in a loop that anybody would
write, must give the same results and gradients, in double precision.
"""

from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from helpers.decoders import draw_decoder, run_decoder

from fastrnn import ops

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


def decode(given: dict[str, Any], cell: str, score: str, query: str) -> list[Any]:
    """Outputs, contexts and weights, rows first, and the state."""
    x, memory = given["x"], given["memory"]
    step = torch.gru_cell if cell == "gru" else torch.lstm_cell
    weights = [given[name] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]

    def attend(h: Any) -> tuple[Any, Any]:
        if score == "additive":
            keys = memory @ given["weight_key"].T + given["bias_key"]
            e = torch.tanh(keys + h @ given["weight_query"].T) @ given["vector"]
        else:
            q = h @ given["weight_general"].T if score == "general" else h
            e = torch.einsum("snc,nc->sn", memory, q)
        a = torch.softmax(e.T, dim=1)
        return torch.einsum("ns,snc->nc", a, memory), a

    h, c = given["h0"], given.get("c0")
    fed, results = given.get("fed0"), []
    for x_t in x:
        if query == "previous":
            context, a = attend(h)
            fed = context
        joined = torch.cat([x_t, fed], dim=1)
        if cell == "gru":
            h = step(joined, h, *weights)
        else:
            h, c = step(joined, (h, c), *weights)
        if query == "current":
            context, a = attend(h)
        both = torch.cat([h, context], dim=1)
        output = torch.tanh(both @ given["weight_output"].T + given["bias_output"])
        fed = output
        results.append((output, context, a))
    stacked = [torch.stack([r[k] for r in results], dim=1) for k in range(3)]
    state = [h] if cell == "gru" else [h, c]
    return [*stacked, *state, *([fed] if query == "current" else [])]


@pytest.mark.parametrize("query", ["previous", "current"])
@pytest.mark.parametrize("score", ["additive", "dot", "general"])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_pytorch_agrees(
    cell: str, score: str, query: str, isa: str, rng: np.random.Generator
) -> None:
    sizes = (5, 19, 19, 17, 11)
    arrays, options = draw_decoder(
        rng, 6, 3, 7, sizes, cell=cell, score=score, query=query, output=True
    )
    results = run_decoder(ops, arrays, options)
    given = {name: torch.from_numpy(a).requires_grad_() for name, a in arrays.items()}
    expected = decode(given, cell, score, query)
    g = [rng.normal(size=r.shape) for r in results]
    for a, e in zip(results, expected, strict=True):
        np.testing.assert_allclose(a, e.detach().numpy(), rtol=1e-10, atol=1e-12)

    def loss(arrays: Any) -> Any:
        parts = zip(g, run_decoder(ops, arrays, options), strict=True)
        return sum(anp.sum(weight * r) for weight, r in parts)

    found = autograd.grad(loss)(arrays)
    sum((torch.from_numpy(w) * r).sum() for w, r in zip(g, expected, strict=True)).backward()
    for name, tensor in given.items():
        want = tensor.grad.numpy()
        np.testing.assert_allclose(
            found[name], want, rtol=1e-9, atol=1e-10 * np.abs(want).max(), err_msg=name
        )
