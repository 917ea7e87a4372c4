"""Time to quality: binary addition, one pair of numbers an update, beside modules of PyTorch.

16 units, tanh from Xavier's weights, a sigmoid output, E = ½ Σ_t (z_t − target_t)², plain gradient
descent at 0.1: what examples/binary_addition.py does with explicit gradients, and `nn.RNN` and
autograd on one thread and on two. The quality is the share of 2,000 sums of 32 bits that are right.
"""

import sys
from typing import Any

import numpy as np

import binary_addition as example
from bench.acceptance import _frame, _race

UPDATES, EVERY, FIGURE, GAIN, WIDTH = 10_000, 500, 0.99, 1.0, 8


class FastRNN:
    """The update of the example."""

    def __init__(self, seed: int, updates: int) -> None:
        rng = np.random.default_rng(seed)
        self._weights = example.first_weights(rng, GAIN)
        self._x, self._targets = example.pairs(rng, updates, WIDTH)
        self._done, self._seed = 0, seed

    def update(self, until: int) -> list[float]:
        losses = []
        for i in range(self._done, until):
            z = example.update(self._weights, "tanh", self._x[i], self._targets[i])
            losses.append(0.5 * float(((z - self._targets[i]) ** 2).sum()))
        self._done = until
        return losses

    def quality(self) -> float:
        return example.exact(np.random.default_rng(self._seed), self._weights, "tanh", 32)


class OneThread:
    """The same with modules and autograd."""

    threads = 1

    def __init__(self, seed: int, updates: int) -> None:
        import torch

        torch.set_num_threads(self.threads)
        rng = np.random.default_rng(seed)
        weights = example.first_weights(rng, GAIN)
        pairs = example.pairs(rng, updates, WIDTH)
        self._x, self._targets = map(torch.from_numpy, pairs)
        self._rnn = torch.nn.RNN(2, example.HIDDEN, bias=False)
        self._out = torch.nn.Linear(example.HIDDEN, 1, bias=False)
        own = [*self._rnn.parameters(), *self._out.parameters()]
        with torch.no_grad():
            for parameter, array in zip(own, weights, strict=True):
                parameter.copy_(torch.from_numpy(array).reshape(parameter.shape))
        self._parameters, self._torch, self._seed, self._done = own, torch, seed, 0
        self._optimiser = torch.optim.SGD(own, float(example.RATE))

    def update(self, until: int) -> list[float]:
        losses = []
        for i in range(self._done, until):
            self._optimiser.zero_grad()
            y, _ = self._rnn(self._x[i])
            z = self._torch.sigmoid(self._out(y)[:, 0])
            loss = 0.5 * ((z - self._targets[i]) ** 2).sum()
            loss.backward()
            self._optimiser.step()
            losses.append(loss.item())
        self._done = until
        return losses

    def quality(self) -> float:
        w_ih, w_hh, w_out = (p.detach().numpy() for p in self._parameters)
        rng = np.random.default_rng(self._seed)
        return example.exact(rng, [w_ih, w_hh, w_out[0]], "tanh", 32)


class TwoThreads(OneThread):
    """The same with a team."""

    threads = 2


def measure(frame: _frame.Frame) -> Any:
    """Race against the faster of the two teams of PyTorch."""
    frame.configuration = {"H": example.HIDDEN, "rate": float(example.RATE), "updates": UPDATES}
    _race.report(
        frame, "binary addition", 10.0, __name__, ["FastRNN", "OneThread", "TwoThreads"],
        updates=UPDATES, every=EVERY, figure=FIGURE, higher=True, given={},
    )  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Run the bench."""
    return _race.main("race_binary_addition", __doc__, measure, argv)


if __name__ == "__main__":
    sys.exit(main())
