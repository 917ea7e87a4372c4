"""Time to quality: HRED and VHRED beside the same programs in PyTorch, packed and padded.

HRED learns the slot dialogues of the bench `hred`; its quality is −ln p of the probe's answer,
which is 0 for who has heard everything. VHRED learns the mode dialogues of the bench `vhred`; its
quality is how far its bound is from the exact entropy. First weights, batches, noise and hidden
words are the same on both sides; clipped at 1, Adam at 5e-3, 2 threads.
"""

import sys
from typing import Any

import numpy as np

from bench.acceptance import _frame, hred, vhred
from bench.acceptance._dialogue import answers, packed, shuffled
from bench.acceptance._race import report
from bench.acceptance._torch_dialogue import TorchDialogue
from fastrnn.data import Vocabulary
from fastrnn.models import HRED, VHRED
from fastrnn.train import Adam, Trainer
from toys.dialogues import ModeDialogues, slot_dialogues

RATE, NORM, DROP, RISE = 5e-3, 1.0, 0.3, 600
TASKS = {  # name: updates, turns of each, the quality to reach, batch
    "HRED": (360, 20, 0.3, 100),
    "VHRED": (900, 50, 0.6, 100),
}


def task(name: str, seed: int) -> tuple[Any, Any, Any, float]:
    """Return an untrained model, batches to learn from, one to judge by, and what is best."""
    rng = np.random.default_rng(seed)
    said: Any = None
    best = 0.0
    if name == "HRED":
        talks = [one.turns for one in slot_dialogues(rng, 10_000)]
        kept = [one.turns for one in slot_dialogues(rng, 300)]
        said = answers
    else:
        source = ModeDialogues(np.random.default_rng(50 + seed), **vhred.MODES)
        talks, fresh = vhred.turns(source.draw(rng, 10_000)), source.draw(rng, 500)
        kept = vhred.turns(fresh)
        best = float(np.mean([vhred.nats_of(source, one) for one in fresh]))
    words = Vocabulary.from_texts((turn for talk in talks for turn in talk), level="word")
    learned = shuffled(talks, words, TASKS[name][3], seed, said)
    if name == "HRED":
        judged = packed(kept, words, lambda talk: [False] * (len(talk) - 1) + [True])
        model: Any = hred.slot_model(words, seed)
        assert isinstance(model, HRED)
        return model, learned, judged, best
    model = VHRED(
        "gru", words, vhred.SIZES["hidden"], vhred.SIZES["z"], word_drop=DROP, kl_schedule=RISE,
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    return model, learned, packed(kept, words), best


class FastRNN:
    """The model of the library, trained by its trainer."""

    def __init__(self, name: str, seed: int, updates: int) -> None:
        del updates
        self._model, source, self._judged, self._best = task(name, seed)
        self._latent = name == "VHRED"
        self._source = self._model.annealed(source) if self._latent else source
        self._trainer = Trainer(
            self._model, Adam(RATE), max_norm=NORM, log_every=1, progress=False,
            rng=np.random.default_rng(seed),
        )  # fmt: skip

    def update(self, until: int) -> list[float]:
        done = self._trainer.updates
        records = self._trainer.fit(self._source, updates=until).records
        return [record["loss"] for record in records if record["update"] > done]

    def quality(self) -> float:
        if self._latent:
            return (
                -self._model.elbo(self._judged, rng=np.random.default_rng(1))["elbo"] - self._best
            )
        return float(self._model.nats(self._judged).mean())


class Packed:
    """The same with modules and packed sequences."""

    pack = True

    def __init__(self, name: str, seed: int, updates: int) -> None:
        del updates
        model, self._source, self._judged, self._best = task(name, seed)
        self._talk, self._latent = TorchDialogue(model, self.pack), name == "VHRED"
        self._batches, self._done = iter(self._source), 0
        self._rng = np.random.default_rng(seed)
        self._optimiser = self._talk.torch.optim.Adam(self._talk.weights, RATE, fused=True)

    def update(self, until: int) -> list[float]:
        talk, losses = self._talk, []
        drop = DROP if self._latent else 0.0
        for k in range(self._done, until):
            batch = next(self._batches, None)
            if batch is None:
                self._batches = iter(self._source)
                batch = next(self._batches)
            self._optimiser.zero_grad()
            nats, kl, d = talk.parts(batch, self._rng, drop)
            loss = (nats + min(1.0, k / RISE) * kl) / d.symbols
            loss.backward()
            talk.torch.nn.utils.clip_grad_norm_(talk.weights, NORM)
            self._optimiser.step()
            losses.append(loss.item())
        self._done = until
        return losses

    def quality(self) -> float:
        with self._talk.torch.no_grad():
            nats, kl, d = self._talk.parts(self._judged, np.random.default_rng(1), 0.0)
        return float(nats + kl) / len(d.target_lengths) - self._best


class Padded(Packed):
    """The same, the decoder's padding computed and left out of the loss."""

    pack = False


def measure(frame: _frame.Frame) -> None:
    """Race both models against the faster of the two programs in PyTorch."""
    frame.configuration = {"rate": RATE, "word drop": DROP, "rise": RISE, "tasks": TASKS}
    for name in frame.given.models:
        updates, every, figure, _ = TASKS[name]
        report(
            frame, name, 2.5, __name__, ["FastRNN", "Packed", "Padded"], updates=updates,
            every=every, figure=figure, higher=False, given={"name": name},
        )  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Run the bench; of one model alone it writes a file of its own."""
    parser = _frame.options("race_dialogue", __doc__)
    parser.add_argument("--models", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--updates", type=int, default=None, help="default: the model's own")
    parser.add_argument("--figure", type=float, default=None, help="the quality to reach")
    asked = parser.parse_args(argv).models
    task = "-".join(["race_dialogue", *([] if asked == list(TASKS) else asked)])
    return _frame.main(task.lower(), __doc__, measure, argv=argv, parser=parser)


if __name__ == "__main__":
    sys.exit(main())
