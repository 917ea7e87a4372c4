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

from bench.acceptance import _frame
from bench.acceptance._race import report
from bench.acceptance.g2p import FOLDER, by_hash, table
from bench.baselines import usable_cpus
from bench.torch_seq2seq import beam_search, translator_of
from fastrnn import set_num_threads
from fastrnn.data import Vocabulary
from fastrnn.models import Seq2Seq
from fastrnn.train import Adam, Trainer

N, RATE, NORM, KEPT, LONGEST = 64, 2e-3, 5.0, 200, 40


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
        torch, losses = self._torch, []
        for _ in range(self._done, until):
            batch = next(self._batches, None)
            if batch is None:
                self._batches = iter(self._task.batches)
                batch = next(self._batches)
            x, targets, lengths, steps = (torch.from_numpy(part) for part in batch)
            x, targets = x.T, targets.T
            fed = torch.cat([torch.full((len(x), 1), 2), targets[:, :-1]], 1)
            exists = torch.arange(targets.shape[1]) < steps[:, None]
            self._optimiser.zero_grad()
            scores = self._module(x, lengths, fed)
            loss = torch.nn.functional.cross_entropy(scores[exists], targets[exists])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self._module.parameters(), NORM)
            self._optimiser.step()
            losses.append(loss.item())
        self._done = until
        return losses

    def quality(self) -> float:
        return self._task.share(beam_search(self._torch, self._module, self._task.kept, 1, LONGEST))


def beams(bench: _frame.Frame, words: Any, hidden: int, threads: int, seed: int) -> None:
    """Time both programs on the same words with a beam of 5, in turns."""
    task = FastRNN(words, hidden, seed, 0)
    task.update(200)
    model, kept = task._task.model, task._task.kept
    torch, module = translator_of(model)
    torch.set_num_threads(threads)
    set_num_threads(threads)
    seconds: dict[str, list[float]] = {"fastrnn": [], "torch": []}
    for _ in range(4):
        began = time.perf_counter()
        ours = model.translate(kept, beam_size=5, max_length=LONGEST, batch_size=len(kept))
        middle = time.perf_counter()
        theirs = beam_search(torch, module, kept, 5, LONGEST)
        seconds["fastrnn"].append(middle - began)
        seconds["torch"].append(time.perf_counter() - middle)
    same = [o.tokens.tolist() == t for o, t in zip(ours, theirs, strict=True)]
    bench.record("beam 5: the same translation as PyTorch's", seed, float(np.mean(same)))
    ratio = median(seconds["torch"][1:]) / median(seconds["fastrnn"][1:])
    bench.record("beam 5: times faster than PyTorch", seed, ratio)


def measure(bench: _frame.Frame) -> None:
    """Race, then translate."""
    given = bench.given
    words = table(bench.read(f"{FOLDER}/g014b2b.train", lines=113_438))
    chosen = by_hash(list(words))[: given.words]
    words = {word: words[word] for word in chosen}
    bench.configuration = {
        "H": given.hidden, "N": N, "rate": RATE, "updates": given.updates, "words": len(words),
    }  # fmt: skip
    report(
        bench, "LSTM", 2.5, __name__, ["FastRNN", "PyTorch"], updates=given.updates,
        every=given.every, figure=given.figure, higher=True,
        options={"words": words, "hidden": given.hidden},
    )  # fmt: skip
    threads = given.threads or usable_cpus()
    for seed in bench.seeds:
        beams(bench, words, given.hidden, threads, seed)
    bench.gate("beam 5: times faster than PyTorch", at_least=5.0)


def main(argv: list[str] | None = None) -> int:
    """Run the bench."""
    parser = _frame.options("race_g2p", __doc__)
    parser.add_argument("--hidden", type=int, default=128, metavar="H")
    parser.add_argument("--words", type=int, default=20_000, metavar="N")
    parser.add_argument("--updates", type=int, default=1200)
    parser.add_argument("--every", type=int, default=100)
    parser.add_argument("--figure", type=float, default=0.3)
    return _frame.main("race_g2p", __doc__, measure, argv=argv, parser=parser, budget=600)


if __name__ == "__main__":
    sys.exit(main())
