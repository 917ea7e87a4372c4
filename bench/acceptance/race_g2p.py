"""Time to quality: spelling to sounds with attention beside an idiomatic program in PyTorch.

The standard split of CMUdict, words of the training part: a bidirectional LSTM encoder and an LSTM
decoder with additive attention, Adam, clipped at 5; first weights copied, batches in one order. The
other program packs the ragged sources and loops over LSTMCell and attention. The quality is the
share of words that the greedy search of either program gets right among words kept apart. Then
both translate the same words with a beam of 5.
"""

import sys
import time
from statistics import median
from typing import Any

import numpy as np

from bench.acceptance import _frame, _race
from bench.acceptance.g2p import FOLDER, by_hash, table
from bench.baselines import usable_cpus
from bench.torch_seq2seq import beam_search, translator_of, update
from fastrnn import set_num_threads
from fastrnn.data import Vocabulary
from fastrnn.models import Seq2Seq
from fastrnn.train import Adam, Trainer

HIDDEN, WORDS, N, RATE, NORM, KEPT, LONGEST = 128, 20_000, 64, 2e-3, 5.0, 200, 40
EVERY, UPDATES, FIGURE = 100, 1200, 0.3


class Task:
    """Pairs to learn from and to be judged by, as ids and as the batches of both programs."""

    def __init__(self, words: dict[str, list[str]], H: int, seed: int) -> None:
        letters = Vocabulary.from_texts(words, level="character")
        phones = Vocabulary.from_texts((p for ps in words.values() for p in ps), level="word")
        order = by_hash(list(words))
        self.kept = [letters.encode(word) for word in order[:KEPT]]
        self.right = [[phones.encode(p).tolist() for p in words[word]] for word in order[:KEPT]]
        pairs = [(word, spoken) for word in order[KEPT:] for spoken in words[word]]
        self.model = Seq2Seq(
            "lstm", letters, phones, H, embedding_size=H // 2, attention="additive",
            rng=np.random.default_rng(seed),
        )  # fmt: skip
        self.batches = self.model.pairs(*zip(*pairs, strict=True), N, seed=seed)

    def share(self, said: list[list[int]]) -> float:
        """How many of the words kept apart are said as one of their pronunciations."""
        hits = [row in right for row, right in zip(said, self.right, strict=True)]
        return float(np.mean(hits))


class FastRNN:
    """The model of the library, trained by its trainer."""

    def __init__(self, words: Any, hidden: int, seed: int, updates: int) -> None:
        del updates
        self._task = Task(words, hidden, seed)
        self._trainer = Trainer(
            self._task.model, Adam(RATE), max_norm=NORM, log_every=1, progress=False
        )

    def update(self, until: int) -> list[float]:
        done = self._trainer.updates
        records = self._trainer.fit(self._task.batches, updates=until).records
        return [record["loss"] for record in records if record["update"] > done]

    def quality(self) -> float:
        found = self._task.model.translate(self._task.kept, max_length=LONGEST, batch_size=KEPT)
        return self._task.share([each.tokens.tolist() for each in found])


class PyTorch:
    """The same with modules and a loop over the steps of the decoder."""

    def __init__(self, words: Any, hidden: int, seed: int, updates: int) -> None:
        del updates
        self._task = Task(words, hidden, seed)
        self._torch, self._module = translator_of(self._task.model)
        self._optimiser = self._torch.optim.Adam(self._module.parameters(), RATE, fused=True)
        self._batches, self._done = iter(self._task.batches), 0

    def update(self, until: int) -> list[float]:
        losses = []
        for _ in range(self._done, until):
            batch = next(self._batches, None)
            if batch is None:
                self._batches = iter(self._task.batches)
                batch = next(self._batches)
            losses.append(update(self._torch, self._module, self._optimiser, batch, NORM))
        self._done = until
        return losses

    def quality(self) -> float:
        return self._task.share(beam_search(self._torch, self._module, self._task.kept, 1, LONGEST))


def beams(bench: _frame.Frame, words: Any, hidden: int, threads: int, seed: int) -> None:
    """Time both programs on the same words with a beam of 5, in turns."""
    task = FastRNN(words, hidden, seed, 0)
    task.update(700)  # an untrained model's translations have no end
    model, kept = task._task.model, task._task.kept
    torch, module = translator_of(model)
    torch.set_num_threads(threads)
    set_num_threads(threads)
    turns: dict[str, list[tuple[float, float]]] = {"fastrnn": [], "torch": []}
    for _ in range(4):
        began = _clocks()
        ours = model.translate(kept, beam_size=5, max_length=LONGEST, batch_size=len(kept))
        turns["fastrnn"].append(_since(began))
        began = _clocks()
        theirs = beam_search(torch, module, kept, 5, LONGEST)
        turns["torch"].append(_since(began))
    same = [o.tokens.tolist() == t for o, t in zip(ours, theirs, strict=True)]
    bench.record("beam 5: the same translation as PyTorch's", seed, float(np.mean(same)))
    for k, word in enumerate(("faster", "less CPU time")):
        fast, slow = (median(turn[k] for turn in turns[who][1:]) for who in ("fastrnn", "torch"))
        bench.record(f"beam 5: times {word} than PyTorch", seed, slow / fast)


def _clocks() -> tuple[float, float]:
    """The time of the clock and of the CPU."""
    return time.perf_counter(), time.process_time()


def _since(began: tuple[float, float]) -> tuple[float, float]:
    now = _clocks()
    return now[0] - began[0], now[1] - began[1]


def measure(bench: _frame.Frame) -> None:
    """Race, then translate."""
    words = table(bench.read(f"{FOLDER}/g014b2b.train", lines=113_438))
    words = {word: words[word] for word in by_hash(list(words))[:WORDS]}
    bench.configuration = {
        "H": HIDDEN, "N": N, "rate": RATE, "updates": UPDATES, "words": len(words),
    }  # fmt: skip
    _race.report(
        bench, "LSTM", 2.5, __name__, ["FastRNN", "PyTorch"], updates=UPDATES, every=EVERY,
        figure=FIGURE, higher=True, given={"words": words, "hidden": HIDDEN},
    )  # fmt: skip
    for seed in bench.seeds:
        beams(bench, words, HIDDEN, bench.given.threads or usable_cpus(), seed)
    bench.gate("beam 5: times faster than PyTorch", at_least=5.0)


def main(argv: list[str] | None = None) -> int:
    """Run the bench."""
    return _race.main("race_g2p", __doc__, measure, argv)


if __name__ == "__main__":
    sys.exit(main())
