"""Time to quality: a character language model of one layer beside the same program in PyTorch.

tinyshakespeare, 32 streams of 64 steps, H = E = 256, Adam from 5e-3 down in a line, clipped at 1,
the state carried; first weights copied, 2 threads. Nats are those of the first part of the last
tenth, read with the state carried.
"""

import sys
from typing import Any

import numpy as np

from bench.acceptance import _frame, _race
from bench.torch_modules import modules_of
from fastrnn.data import Vocabulary, contiguous_streams
from fastrnn.models import LanguageModel
from fastrnn.train import Adam, Trainer
from fastrnn.train.schedule import linear

N, T, HIDDEN, RATE, NORM, EVERY = 32, 64, 256, 5e-3, 1.0, 70
JUDGED = 40_000  # characters of a judgement
UPDATES, FIGURE = 980, 1.62  # two epochs; nats


def _sources(ids: Any) -> tuple[Any, Any]:
    """Return the streams to learn from, and those to judge by."""
    cut = int(0.9 * len(ids))
    return contiguous_streams(ids[:cut], N, T), contiguous_streams(ids[cut : cut + JUDGED], N, T)


def _model(cell: str, V: int, seed: int) -> LanguageModel:
    return LanguageModel(cell, V, HIDDEN, rng=np.random.default_rng(seed))


class FastRNN:
    """The model of the library, trained by its trainer."""

    def __init__(self, cell: str, ids: Any, V: int, seed: int, updates: int) -> None:
        self._streams, self._judged = _sources(ids)
        self._model = _model(cell, V, seed)
        rate = linear(RATE, RATE / 100, updates)
        self._trainer = Trainer(self._model, Adam(rate), max_norm=NORM, log_every=1, progress=False)

    def update(self, until: int) -> list[float]:
        done = self._trainer.updates
        records = self._trainer.fit(self._streams, updates=until).records
        return [record["loss"] for record in records if record["update"] > done]

    def quality(self) -> float:
        return self._model.evaluate(self._judged)["loss"]


class PyTorch:
    """The same with modules, a fused Adam and a cut state, as one writes it."""

    def __init__(self, cell: str, ids: Any, V: int, seed: int, updates: int) -> None:
        self._torch, self._modules, self._weights = modules_of(_model(cell, V, seed))
        self._streams, self._judged = _sources(ids)
        self._state, self._done = None, 0
        self._optimiser = self._torch.optim.Adam(self._weights, RATE, fused=True)
        self._rate = linear(RATE, RATE / 100, updates)
        self._batches = iter(self._streams)

    def _loss(self, batch: Any, state: Any) -> Any:
        x, targets = map(self._torch.from_numpy, batch)
        y, state = self._modules["rnn"](self._modules["embedding"](x), state)
        scores = self._modules["out"](y).flatten(0, 1)
        return self._torch.nn.functional.cross_entropy(scores, targets.flatten()), state

    def _next(self) -> Any:
        """Return the next batch; where the text begins anew, the state does as well."""
        batch = next(self._batches, None)
        if batch is None:
            self._batches, self._state = iter(self._streams), None
            batch = next(self._batches)
        return batch

    def update(self, until: int) -> list[float]:
        clip, losses = self._torch.nn.utils.clip_grad_norm_, []
        for done in range(self._done, until):
            self._optimiser.param_groups[0]["lr"] = self._rate(done)
            self._optimiser.zero_grad()
            loss, state = self._loss(self._next(), self._state)
            loss.backward()
            clip(self._weights, NORM)
            self._optimiser.step()
            lstm = isinstance(state, tuple)
            self._state = tuple(s.detach() for s in state) if lstm else state.detach()
            losses.append(loss.item())
        self._done = until
        return losses

    def quality(self) -> float:
        total, count, state = 0.0, 0, None
        with self._torch.no_grad():
            for batch in self._judged:
                loss, state = self._loss(batch, state)
                total += float(loss) * batch[0].size
                count += batch[0].size
        return total / count


def measure(frame: _frame.Frame) -> None:
    """Race the LSTM and the GRU."""
    text = frame.read("tinyshakespeare/input.txt", lines=40_000)
    letters = Vocabulary.from_texts([text], level="character")
    ids = letters.encode(text)
    frame.configuration = {"N": N, "T": T, "H": HIDDEN, "rate": RATE, "updates": UPDATES}
    for cell, times in (("lstm", 2.0), ("gru", 3.0)):
        _race.report(
            frame, cell.upper(), times, __name__, ["FastRNN", "PyTorch"], updates=UPDATES,
            every=EVERY, figure=FIGURE, higher=False,
            given={"cell": cell, "ids": ids, "V": len(letters)},
        )  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Run the bench."""
    return _race.main("race_char_lm", __doc__, measure, argv)


if __name__ == "__main__":
    sys.exit(main())
