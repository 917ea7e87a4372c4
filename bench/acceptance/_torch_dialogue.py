"""HRED and VHRED as a user of PyTorch writes them: modules, packed sequences, autograd.

Which turn goes where is worked out by the same few lines of NumPy as in the library; weights,
batches, noise and hidden words are the same as well. Equal turns of a batch are read once by the
library; this program reads each of them, as programs do.
"""

import importlib
from typing import Any

import numpy as np

from fastrnn.data import BOS, EOS, PAD, UNK
from fastrnn.models._dialogue.dialogues import Dialogues, indexed


class TorchDialogue:
    """The modules, with the first weights of a model of the library.

    Parameters
    ----------
    model : HRED or VHRED
        A GRU without attention, ``decoder_input="every"``.
    pack : bool
        Whether the decoder's steps are packed, too; else its padding is computed.
    """

    def __init__(self, model: Any, pack: bool) -> None:
        torch: Any = importlib.import_module("torch")
        self.torch, self.pack, self.config = torch, pack, model.config
        self.vocab, self.latent = model._vocab, "prior" in model.params
        nn, p = torch.nn, model.params
        H, O = p["encoder"]["weight_hh_l0"].shape[1], p["decoder"]["rnn"]["weight_hh_l0"].shape[1]
        C = p["context"]["weight_hh_l0"].shape[1]
        E, K = p["embedding"]["weight"].shape[1], p["decoder"]["init"]["weight"].shape[1]
        both = "weight_ih_l0_reverse" in p["encoder"]
        self.modules = nn.ModuleDict({
            "embedding": nn.Embedding(self.vocab, E),
            "encoder": nn.GRU(E, H, bidirectional=both),
            "context": nn.GRU(H * (1 + both), C),
            "decoder": nn.GRU(E + K, O),
            "init": nn.Linear(K, O),
            "out": nn.Linear(O, self.vocab),
        })  # fmt: skip
        decoder = dict(p["decoder"]["rnn"])
        into = p["decoder"]["condition"]["weight"]
        decoder["weight_ih_l0"] = np.concatenate([decoder["weight_ih_l0"], into], axis=1)
        given = {
            **{name: p[name] for name in ("embedding", "encoder", "context")},
            "decoder": decoder, "init": p["decoder"]["init"], "out": p["decoder"]["out"],
        }  # fmt: skip
        for name in ("prior", "posterior") if self.latent else ():
            for part, weights in p[name].items():
                O2, I2 = weights["weight"].shape
                self.modules[f"{name}_{part}"] = nn.Linear(I2, O2)
                given[f"{name}_{part}"] = weights
        for name, weights in given.items():
            state = {key: torch.from_numpy(value.copy()) for key, value in weights.items()}
            self.modules[name].load_state_dict(state)
        self.weights = list(self.modules.parameters())

    def give_back(self, model: Any) -> None:
        """Copy what the modules have learned into the `HRED` that they were made of."""
        p, learned = model.params, {}
        for name, module in self.modules.items():
            learned[name] = {key: value.numpy() for key, value in module.state_dict().items()}
        inner, E = learned.pop("decoder"), p["embedding"]["weight"].shape[1]
        into = inner["weight_ih_l0"]
        inner["weight_ih_l0"], p["decoder"]["condition"]["weight"][...] = into[:, :E], into[:, E:]
        learned |= {"rnn": inner}
        for name, weights in learned.items():
            place = p if name in ("embedding", "encoder", "context") else p["decoder"]
            for key, value in weights.items():
                place[name][key][...] = value

    def _packed(self, x: Any, lengths: Any) -> Any:
        pack = self.torch.nn.utils.rnn.pack_padded_sequence
        return pack(x, self.torch.from_numpy(lengths), enforce_sorted=False)

    def _heads(self, name: str, x: Any) -> tuple[Any, Any]:
        hidden = self.torch.tanh(self.modules[f"{name}_hidden"](x))
        return self.modules[f"{name}_mu"](hidden), self.modules[f"{name}_logvar"](hidden)

    def parts(self, batch: Any, rng: Any, drop: float) -> tuple[Any, Any, Dialogues]:
        """Return −ln p of all that is said, the divergence (0 without a code), and the indices."""
        torch, nn = self.torch, self.torch.nn
        d = indexed(batch, self.vocab, self.latent, once=False)
        tensor = torch.from_numpy
        as_symbols = self.modules["embedding"](tensor(d.tokens))
        _, h = self.modules["encoder"](self._packed(as_symbols, d.lengths))
        vectors = torch.cat(list(h), dim=1)
        encoded = vectors[tensor(d.context_turns)]
        y, _ = self.modules["context"](self._packed(encoded, d.steps))
        y, _ = nn.utils.rnn.pad_packed_sequence(y)
        condition = y.reshape(-1, y.shape[2])[tensor(d.context_rows)]
        kl = 0.0
        if self.latent:
            prior_mu, prior_logvar = self._heads("prior", condition)
            seen = torch.cat([condition, vectors[tensor(d.target_turns)]], dim=1)
            mu, logvar = self._heads("posterior", seen)
            eps = tensor(rng.standard_normal(tuple(mu.shape)).astype(np.float32))
            z = mu + torch.exp(logvar / 2) * eps
            ratio = logvar - prior_logvar
            far = (mu - prior_mu) ** 2 * torch.exp(-prior_logvar)
            kl = 0.5 * (torch.exp(ratio) - 1 - ratio + far).sum()
            condition = torch.cat([condition, z], dim=1)
        return self._nats(d, condition, rng, drop), kl, d

    def _nats(self, d: Dialogues, condition: Any, rng: Any, drop: float) -> Any:
        torch, nn = self.torch, self.torch.nn
        T, P = d.targets.shape
        before = np.concatenate([np.full((1, P), BOS), d.targets])
        targets = np.concatenate([d.targets, np.full((1, P), PAD)])
        targets[d.target_lengths, np.arange(P)] = EOS
        if drop > 0:
            before[1:][rng.random((T, P)) < drop] = UNK
        everywhere = condition.expand(T + 1, *condition.shape)
        x = torch.cat([self.modules["embedding"](torch.from_numpy(before)), everywhere], dim=2)
        h0 = torch.tanh(self.modules["init"](condition))[None]
        labels = torch.from_numpy(targets)
        steps = d.target_lengths + 1
        if self.pack:
            y, _ = self.modules["decoder"](self._packed(x, steps), h0)
            scores, labels = self.modules["out"](y.data), self._packed(labels, steps).data
        else:
            y, _ = self.modules["decoder"](x, h0)
            scores = self.modules["out"](y).flatten(0, 1)
            labels = labels.flatten().masked_fill(
                torch.from_numpy(np.arange(T + 1)[:, None] >= steps).flatten(), -100
            )
        return nn.functional.cross_entropy(scores, labels, reduction="sum")
