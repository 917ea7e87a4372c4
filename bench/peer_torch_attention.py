"""A decoder with additive attention as an idiomatic PyTorch program: a loop over cell and score."""

import warnings
from typing import Any

import numpy as np


def torch_decoder(
    params: dict[str, np.ndarray], cell: str, threads: int
) -> tuple[Any, Any, list[Any]]:
    """Return PyTorch, ``run(x, memory) -> outputs, contexts, weights``, and all weights.

    Bahdanau's order: the score is of the state before the step, the context joins the input.

    Raises
    ------
    ModuleNotFoundError
        PyTorch is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
    torch.set_num_threads(threads)
    nn = torch.nn
    columns = params["weight_ih"].shape[1]
    H = params["weight_hh"].shape[1]
    A, C = params["weight_key"].shape

    def tensor(name: str) -> Any:
        return torch.from_numpy(params[name].copy())

    advance = (nn.GRUCell if cell == "gru" else nn.LSTMCell)(columns, H)
    query, key, score = nn.Linear(H, A, bias=False), nn.Linear(C, A), nn.Linear(A, 1, bias=False)
    advance.load_state_dict({n: tensor(n) for n in advance.state_dict()})
    query.load_state_dict({"weight": tensor("weight_query")})
    key.load_state_dict({"weight": tensor("weight_key"), "bias": tensor("bias_key")})
    score.load_state_dict({"weight": tensor("vector")[None]})

    def run(x: Any, memory: Any) -> tuple[Any, Any, Any]:
        memory = memory.transpose(0, 1)  # (N, S, C), as bmm wants it
        keys = key(memory)
        h = memory.new_zeros(x.shape[1], H)
        state = h if cell == "gru" else (h, torch.zeros_like(h))
        outputs, contexts, weights = [], [], []
        for x_t in x:
            energies = score(torch.tanh(query(h)[:, None] + keys))[:, :, 0]
            a = torch.softmax(energies, dim=1)
            context = torch.bmm(a[:, None], memory)[:, 0]
            state = advance(torch.cat([x_t, context], dim=1), state)
            h = state if cell == "gru" else state[0]
            outputs.append(h)
            contexts.append(context)
            weights.append(a)
        return torch.stack(outputs), torch.stack(contexts), torch.stack(weights)

    modules = (advance, query, key, score)
    return torch, run, [weight for m in modules for weight in m.parameters()]
