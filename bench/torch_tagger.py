"""A SequenceTagger that learns in PyTorch: the same weights, batches and updates, by its modules.

Predictions are the library's, with the weights that PyTorch learned: what may differ is learning
alone. It tells whether a figure is out of reach for the model or for us.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from bench.torch_modules import modules_of
from fastrnn import get_num_threads
from fastrnn.models import SequenceTagger
from fastrnn.train import History

LOGGED = 100  # updates that a record is the mean of, as of the Trainer


class TorchTagger(SequenceTagger):
    """The model of the library, whose `fit` is a program in PyTorch."""

    _program: "_Program | None" = None

    def fit(  # type: ignore[override]
        self, data: Iterable[Any], optimiser: Any, *, max_norm: float, epochs: int, **_: Any
    ) -> History:
        """Learn; a second call goes on, Adam's moments and all."""
        if self._program is None:
            self._program = _Program(self)
        losses = [
            self._program.update(*batch, optimiser.lr, max_norm)
            for _ in range(epochs)
            for batch in data
        ]
        self._program.copy_to(self.params)
        means = [np.mean(losses[i : i + LOGGED]) for i in range(0, len(losses), LOGGED)]
        return History([{"update": i * LOGGED, "loss": float(m)} for i, m in enumerate(means, 1)])


class _Program:
    """Packed sequences, modules, dropout of PyTorch's own generator, a fused Adam."""

    def __init__(self, model: SequenceTagger) -> None:
        self._torch, self._modules, self._weights = modules_of(model)
        self._torch.set_num_threads(get_num_threads())
        self._torch.manual_seed(int(self._weights[0].detach().abs().sum() * 1e3))
        self._optimiser = self._torch.optim.Adam(self._weights, fused=True)
        self._dropout, self._done = model.config["dropout"], 0

    def update(self, x: Any, targets: Any, lengths: Any, lr: Any, max_norm: float) -> float:
        """Make one update, and return its loss before."""
        torch = self._torch
        functional, rnn = torch.nn.functional, torch.nn.utils.rnn
        x, targets, lengths = map(torch.as_tensor, (x, targets, lengths))
        if "embedding" in self._modules:
            x = self._modules["embedding"](x)
        packed = rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        right = rnn.pack_padded_sequence(targets, lengths, enforce_sorted=False).data
        y, _ = self._modules["rnn"](packed)
        scores = self._modules["out"](functional.dropout(y.data, self._dropout))
        loss = functional.cross_entropy(scores, right)
        self._optimiser.param_groups[0]["lr"] = lr(self._done) if callable(lr) else lr
        self._optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._weights, max_norm)
        self._optimiser.step()
        self._done += 1
        return loss.item()

    def copy_to(self, params: dict[str, Any]) -> None:
        """Copy the weights into arrays of the same names."""
        for name, module in self._modules.items():
            for key, tensor in module.state_dict().items():
                params[name][key][...] = tensor.numpy()
