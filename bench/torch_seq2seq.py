"""An idiomatic PyTorch program for Seq2Seq with additive attention: modules, a loop over steps."""

import warnings
from typing import Any

import numpy as np

BOS, EOS = 2, 3


def translator_of(model: Any) -> tuple[Any, Any]:
    """Return PyTorch, and a module with the weights of a `Seq2Seq`.

    Parameters
    ----------
    model : Seq2Seq
        An LSTM of one layer with ``attention="additive"`` and its other options as they are by
        default; its weights are copied.

    Raises
    ------
    ModuleNotFoundError
        PyTorch is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
    V, E = zip(
        *(model.params[part]["embedding"]["weight"].shape for part in ("encoder", "decoder")),
        strict=True,
    )
    module = _translator(torch)(V, E[0], model.config["hidden_size"])
    arrays = _places(model.params).items()
    module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays})
    return torch, module


def give_back(module: Any, model: Any) -> None:
    """Copy the weights of a module of `translator_of` into the `Seq2Seq` that it was made of."""
    learned = module.state_dict()
    for name, array in _places(model.params).items():
        array[...] = learned[name].numpy()


def update(torch: Any, module: Any, optimiser: Any, batch: Any, max_norm: float) -> float:
    """Learn from a batch of `Seq2Seq.pairs`; return the loss, the mean over its symbols."""
    optimiser.zero_grad()
    loss = _loss(torch, module, batch)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(module.parameters(), max_norm)
    optimiser.step()
    return float(loss.item())


def loss_of(torch: Any, module: Any, batches: Any) -> float:
    """Return the mean of −ln p over all symbols of batches of `Seq2Seq.pairs`."""
    total, count = 0.0, 0
    with torch.no_grad():
        for batch in batches:
            symbols = int(batch[3].sum())
            total += float(_loss(torch, module, batch)) * symbols
            count += symbols
    return total / count


def _loss(torch: Any, module: Any, batch: Any) -> Any:
    """Return the mean of −ln p of a batch, the targets' padding left out."""
    x, targets, lengths, steps = (torch.from_numpy(part) for part in batch)
    x, targets = x.T, targets.T
    fed = torch.cat([torch.full((len(x), 1), BOS), targets[:, :-1]], 1)
    exists = torch.arange(targets.shape[1]) < steps[:, None]
    scores = module(x, lengths, fed)
    return torch.nn.functional.cross_entropy(scores[exists], targets[exists])


def _translator(torch: Any) -> Any:
    """Return the class of the whole model, which needs PyTorch for its base."""
    nn = torch.nn

    class Attention(nn.Module):  # type: ignore[misc,name-defined]
        """Bahdanau's score and the context."""

        def __init__(self, H: int, C: int) -> None:
            super().__init__()
            self.query, self.key = nn.Linear(H, H, bias=False), nn.Linear(C, H)
            self.vector = nn.Parameter(torch.empty(H))

        def forward(self, h: Any, keys: Any, memory: Any, mask: Any) -> Any:
            scores = torch.tanh(self.query(h)[:, None] + keys) @ self.vector
            weights = torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=1)
            return torch.bmm(weights[:, None], memory)[:, 0]

    class Translator(nn.Module):  # type: ignore[misc,name-defined]
        """Bidirectional encoder, attentive decoder."""

        def __init__(self, V: tuple[int, int], E: int, H: int) -> None:
            super().__init__()
            self.source, self.target = nn.Embedding(V[0], E), nn.Embedding(V[1], E)
            self.encoder = nn.LSTM(E, H, bidirectional=True, batch_first=True)
            self.bridge_h, self.bridge_c = nn.Linear(2 * H, H), nn.Linear(2 * H, H)
            self.attention = Attention(H, 2 * H)
            self.cell = nn.LSTMCell(E + 2 * H, H)
            self.mix, self.out = nn.Linear(3 * H, H), nn.Linear(H, V[1])

        def encode(self, x: Any, lengths: Any) -> Any:
            rnn = nn.utils.rnn
            packed = rnn.pack_padded_sequence(
                self.source(x), lengths, batch_first=True, enforce_sorted=False
            )
            y, (h, c) = self.encoder(packed)
            memory, _ = rnn.pad_packed_sequence(y, batch_first=True)
            mask = torch.arange(memory.shape[1]) < lengths[:, None]
            h = torch.tanh(self.bridge_h(torch.cat([h[0], h[1]], 1)))
            c = self.bridge_c(torch.cat([c[0], c[1]], 1))
            return (h, c), (self.attention.key(memory), memory, mask)

        def step(self, embedded: Any, state: Any, looks: Any) -> Any:
            context = self.attention(state[0], *looks)
            state = self.cell(torch.cat([embedded, context], 1), state)
            return torch.tanh(self.mix(torch.cat([state[0], context], 1))), state

        def forward(self, x: Any, lengths: Any, fed: Any) -> Any:
            state, looks = self.encode(x, lengths)
            embedded, features = self.target(fed), []
            for t in range(fed.shape[1]):
                y, state = self.step(embedded[:, t], state, looks)
                features.append(y)
            return self.out(torch.stack(features, 1))

    return Translator


def _places(params: Any) -> dict[str, Any]:
    """Return the model's own arrays under the names of the modules."""
    encoder, bridge = params["encoder"], params["encoder"]["bridge"]
    attention = params["decoder"]["attention"]
    return {
        "source.weight": encoder["embedding"]["weight"],
        "target.weight": params["decoder"]["embedding"]["weight"],
        **{f"encoder.{name}": array for name, array in encoder["rnn"].items()},
        **{
            f"bridge_{state}.{kind}": bridge[f"{kind}_{state}_l0"]
            for state in "hc"
            for kind in ("weight", "bias")
        },
        "attention.query.weight": attention["weight_query"],
        "attention.key.weight": attention["weight_key"],
        "attention.key.bias": attention["bias_key"],
        "attention.vector": attention["vector"],
        **{
            f"cell.{name}": attention[name]
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        },
        "mix.weight": attention["weight_output"],
        "mix.bias": attention["bias_output"],
        "out.weight": params["out"]["weight"],
        "out.bias": params["out"]["bias"],
    }


def beam_search(torch: Any, module: Any, rows: Any, K: int, longest: int) -> list[list[int]]:
    """Return the best sequence of each source, batched as translation toolkits do it.

    A beam that has ended goes on with EOS at no cost, so that it competes with the others.
    """
    with torch.no_grad():
        lengths = torch.tensor([len(row) for row in rows])
        x = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
        state, looks = module.encode(x, lengths)
        N = len(rows)
        state = tuple(part.repeat_interleave(K, 0) for part in state)
        looks = tuple(part.repeat_interleave(K, 0) for part in looks)
        totals = torch.full((N, K), -torch.inf)
        totals[:, 0] = 0
        last, ended = torch.full((N * K,), BOS), torch.zeros(N * K, dtype=torch.bool)
        written = torch.empty((N * K, 0), dtype=torch.long)
        first = torch.arange(N)[:, None] * K
        for _ in range(longest):
            y, state = module.step(module.target(last), state, looks)
            p = torch.log_softmax(module.out(y), 1)
            p[:, :EOS] = -torch.inf
            p[ended] = -torch.inf
            p[ended, EOS] = 0
            V = p.shape[1]
            totals, places = (totals[:, :, None] + p.view(N, K, V)).view(N, K * V).topk(K, dim=1)
            parents = (first + places // V).view(-1)
            last = (places % V).view(-1)
            state = tuple(part[parents] for part in state)
            written = torch.cat([written[parents], last[:, None]], 1)
            ended = ended[parents] | (last == EOS)
            if ended.view(N, K)[:, 0].all():  # nothing that goes on can become better
                break
        best = written.view(N, K, -1)[:, 0].tolist()
    return [row[: row.index(EOS)] if EOS in row else row for row in best]
