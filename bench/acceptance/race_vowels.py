"""Time to quality: ragged series of vowels beside the same program in PyTorch, packed and padded.

JapaneseVowels: 270 series of 12 channels and 7 to 29 frames, 32 a batch, one layer of 100 units,
Adam at 2e-3, clipped at 1; first weights copied. Batches are ragged, drawn from all series; in a
second race, reported only, they are of similar length, which spares a padded program its padding.
The quality is the share of right answers for every fifth series of the training set, kept apart.
"""

import sys
from typing import Any

import numpy as np

import speakers
from bench.acceptance import _frame, _race
from bench.acceptance._published import member
from bench.torch_modules import modules_of
from fastrnn.data import batches, pad
from fastrnn.models import SequenceClassifier
from fastrnn.train import Adam, Trainer

N, HIDDEN, RATE, NORM, EVERY, UPDATES, FIGURE = 32, 100, 2e-3, 1.0, 14, 420, 0.92


def _source(series: list[Any], labels: Any, seed: int, similar: bool) -> Any:
    """Return the ragged batches to learn from."""

    def make(rows: Any) -> Any:
        x, lengths = pad([series[i] for i in rows])
        return x, labels[rows], lengths

    return batches([len(s) for s in series], N, seed=seed, bucket=similar, make=make)


def _model(cell: str, seed: int) -> SequenceClassifier:
    return SequenceClassifier(cell, 9, HIDDEN, input_size=12, rng=np.random.default_rng(seed))


class FastRNN:
    """The model of the library, trained by its trainer."""

    def __init__(self, cell: str, data: Any, similar: bool, seed: int, updates: int) -> None:
        del updates
        series, labels, (judged, right) = data
        self._source, self._right = _source(series, labels, seed, similar), right
        self._judged, self._lengths = pad(judged)
        self._model = _model(cell, seed)
        self._trainer = Trainer(self._model, Adam(RATE), max_norm=NORM, log_every=1, progress=False)

    def update(self, until: int) -> list[float]:
        done = self._trainer.updates
        records = self._trainer.fit(self._source, updates=until).records
        return [record["loss"] for record in records if record["update"] > done]

    def quality(self) -> float:
        found = self._model.predict(self._judged, self._lengths)
        return float((found == self._right).mean())


class Packed:
    """The same with modules and packed sequences."""

    def __init__(self, cell: str, data: Any, similar: bool, seed: int, updates: int) -> None:
        del updates
        series, labels, (judged, self._right) = data
        self._torch, self._modules, self._weights = modules_of(_model(cell, seed))
        self._source, self._judged = _source(series, labels, seed, similar), pad(judged)
        self._batches, self._done = iter(self._source), 0
        self._optimiser = self._torch.optim.Adam(self._weights, RATE, fused=True)

    def _last(self, x: Any, lengths: Any) -> Any:
        pack = self._torch.nn.utils.rnn.pack_padded_sequence
        _, state = self._modules["rnn"](pack(x, lengths, enforce_sorted=False))
        return (state[0] if isinstance(state, tuple) else state)[-1]

    def _scores(self, x: Any, lengths: Any) -> Any:
        from_numpy = self._torch.from_numpy
        return self._modules["out"](self._last(from_numpy(x), from_numpy(lengths)))

    def update(self, until: int) -> list[float]:
        nn, losses = self._torch.nn, []
        for _ in range(self._done, until):
            batch = next(self._batches, None)
            if batch is None:
                self._batches = iter(self._source)
                batch = next(self._batches)
            x, targets, lengths = batch
            self._optimiser.zero_grad()
            scores = self._scores(x, lengths)
            loss = nn.functional.cross_entropy(scores, self._torch.from_numpy(targets))
            loss.backward()
            nn.utils.clip_grad_norm_(self._weights, NORM)
            self._optimiser.step()
            losses.append(loss.item())
        self._done = until
        return losses

    def quality(self) -> float:
        with self._torch.no_grad():
            found = self._scores(*self._judged).argmax(1).numpy()
        return float((found == self._right).mean())


class Padded(Packed):
    """The same without packing: padding is computed, and the last frames are picked out."""

    def _last(self, x: Any, lengths: Any) -> Any:
        y, _ = self._modules["rnn"](x)
        return y[lengths - 1, self._torch.arange(len(lengths))]


def measure(frame: _frame.Frame) -> None:
    """Race the LSTM and the GRU against the faster of the two programs in PyTorch."""
    text = member(frame, "aeon", speakers.FILE.format("TRAIN"))
    series, labels = speakers.parse(text)
    judged = np.arange(len(series)) % 5 == 0
    learned, kept = ([s for s, j in zip(series, judged, strict=True) if j == w] for w in (0, 1))
    learned, kept = speakers.standardised(learned, kept)
    data = learned, labels[~judged], (kept, labels[judged])
    frame.configuration = {"N": N, "H": HIDDEN, "rate": RATE, "updates": UPDATES}
    for cell in ("lstm", "gru"):
        for similar, word in ((False, "ragged"), (True, "similar lengths")):
            _race.report(
                frame, f"{cell.upper()}, {word}", None if similar else 3.0, __name__,
                ["FastRNN", "Packed", "Padded"], updates=UPDATES, every=EVERY, figure=FIGURE,
                higher=True, given={"cell": cell, "data": data, "similar": similar},
            )  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Run the bench."""
    return _race.main("race_vowels", __doc__, measure, argv)


if __name__ == "__main__":
    sys.exit(main())
