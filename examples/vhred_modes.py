"""One question, eight kinds of answer: where a latent code decides what kind of reply is given.

A reply is of one of 8 kinds, with known probabilities given the question. Greedy decoding of a
model without a code gives one reply; over codes drawn from the prior it gives the kinds as often as
they are. The bound on ln p is held to the entropy of the replies, which is known exactly.
"""

from time import perf_counter

import numpy as np

from _script import Plot, Quick, Seeds, save, standalone
from fastrnn import metrics
from fastrnn.data import Vocabulary, batches, pack_dialogues
from fastrnn.models import HRED, VHRED
from fastrnn.plot import latent_map
from fastrnn.train import Adam
from fastrnn.train.schedule import cosine
from toys.dialogues import ModeDialogues

CURES = {"word_drop": 0.3, "kl_schedule": 600}


def packed(rows, words):
    """A batch of questions and replies."""
    return pack_dialogues([[words.encode(turn) for turn in one[:2]] for one in rows])


def train(model, rows, words, *, epochs, seed):
    """Return the model, trained."""
    make = lambda chosen: packed([rows[i] for i in chosen], words)  # noqa: E731
    source = batches(np.ones(len(rows), int), 100, seed=seed, make=make)
    adam = Adam(lr=cosine(5e-3, epochs * len(source), 1e-4))
    model.fit(
        source, adam, max_norm=1.0, epochs=epochs, progress=False, rng=np.random.default_rng(seed)
    )
    return model


def measured(model, source, c, **how):
    """How many kinds 200 replies are of, and how far from p(kind | question)."""
    replies = model.reply([source.context(c)], n=200, max_length=15, **how)
    modes = [mode for mode in map(source.mode_of, replies) if mode is not None]
    M = source.p.shape[1]
    counts = np.bincount(modes, minlength=M) + 1e-9
    return metrics.mode_coverage(modes, M), metrics.total_variation(counts, source.p[c]), replies


def run(quick: Quick = False, plot: Plot = None, seeds: Seeds = 2) -> None:
    """A latent code that decides the kind of a reply: bounds, kinds, and a collapse."""
    seeds, n, epochs = (1, 6000, 12) if quick else (seeds, 12_000, 20)
    for seed in range(seeds):
        source, rng = ModeDialogues(np.random.default_rng(50 + seed)), np.random.default_rng(seed)
        rows, fresh = source.draw(rng, n), source.draw(rng, 500)
        words = Vocabulary.from_texts([turn for one in rows for turn in one[:2]], level="word")
        c = [one.c for one in fresh]
        truth, kinds = source.entropy[c].mean(), source.mode_entropy[c].mean()
        print(f"seed {seed}: H(reply) {truth:.3f} nats, of which the kind has {kinds:.3f}")
        for name, options in (("VHRED", CURES), ("VHRED without cures", {}), ("HRED", None)):
            began, own = perf_counter(), np.random.default_rng(seed)
            if options is None:
                model = HRED("gru", words, 96, rng=own)
            else:
                model = VHRED("gru", words, 96, 4, rng=own, **options)
            train(model, rows, words, epochs=epochs, seed=seed)
            modes, distance, replies = measured(model, source, 0, rng=own)
            seconds, batch = perf_counter() - began, packed(fresh, words)
            if options is None:
                parts = f"-ln p {model.nats(batch).mean():.3f}"
            else:
                found = model.elbo(batch, samples=5, rng=own)
                parts = f"-bound {-found['elbo']:.3f}, of which KL {found['kl']:.3f}"
            print(
                f"  {name:<20}{parts}; greedy replies are of {modes} of 8 kinds, "
                f"{distance:.3f} from their shares; {seconds:.1f} s"
            )
            if name == "VHRED":
                print("    " + "\n    ".join(replies[:3]))
                codes = model.encode(batch)[0]
    if plot is not None:
        figure = latent_map(codes, [one.mode for one in fresh], title="codes by kind of reply")
        save(figure, plot, "vhred_modes")


if __name__ == "__main__":
    standalone(run)
