"""One question, eight kinds of answer: where a latent code decides what kind of reply is given.

A reply is of one of 8 kinds, with known probabilities given the question. The figures are how many
kinds 200 replies are of, and their total variation from those probabilities: a large divergence
alone proves nothing. HRED reaches both by drawing every word, at temperature 1; its likeliest reply
is always the same. VHRED draws one code and takes the likeliest words: what differs is the code.
The bound on ln p is held to the entropy of the replies, which is known exactly.
"""

from time import perf_counter

import numpy as np

from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn import metrics
from fastrnn.data import Vocabulary, batches, pack_dialogues
from fastrnn.models import HRED, VHRED
from fastrnn.plot import bars, latent_map
from fastrnn.train import Adam
from fastrnn.train.schedule import cosine
from toys.dialogues import ModeDialogues

CURES = {"word_drop": 0.3, "kl_schedule": (300, 500)}
KINDS, APART = "kinds among 200 replies", "total variation from the truth"
PLAN = {  # options of VHRED, None for HRED; how its replies are decoded
    "VHRED, a drawn code": (CURES, {}),
    "VHRED without cures": ({}, {}),
    "HRED, likeliest words": (None, {}),
    "HRED, drawn words": (None, {"temperature": 1.0}),
}


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


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 2) -> None:
    """A latent code that decides the kind of a reply: bounds, kinds, and a collapse."""
    seeds, n, epochs = (1, 4000, 18) if quick else (seeds, 8000, 12)
    found = {KINDS: {}, APART: {}}
    for seed in range(seeds):
        source, rng = ModeDialogues(np.random.default_rng(50 + seed)), np.random.default_rng(seed)
        rows, fresh = source.draw(rng, n), source.draw(rng, 500)
        words = Vocabulary.from_texts([turn for one in rows for turn in one[:2]], level="word")
        c = [one.c for one in fresh]
        truth, kinds = source.entropy[c].mean(), source.mode_entropy[c].mean()
        print(f"seed {seed}: H(reply) {truth:.3f} nats, of which the kind has {kinds:.3f}")
        batch, model = packed(fresh, words), None
        noise = np.abs(rng.multinomial(200, source.p[0], 999) / 200 - source.p[0]).sum(1).mean() / 2
        for name, (options, how) in PLAN.items():
            began, own = perf_counter(), np.random.default_rng(seed)
            if options is not None:
                model = VHRED("gru", words, 96, 4, rng=own, **options)
            elif not how:
                model = HRED("gru", words, 96, rng=own)
            if not how:  # else the last model says other words
                train(model, rows, words, epochs=epochs, seed=seed)
            said = [measured(model, source, k, rng=own, **how) for k in range(len(source.p))]
            modes, distance = (np.mean([one[k] for one in said]) for k in range(2))
            found[KINDS].setdefault(name, []).append(modes)
            found[APART].setdefault(name, []).append(distance)
            if options is None:
                parts = f"-ln p {model.nats(batch).mean():.3f}"
            else:
                bound = model.elbo(batch, samples=5, rng=own)
                parts = f"-bound {-bound['elbo']:.3f}, of which KL {bound['kl']:.3f}"
            print(
                f"  {name:<22} {modes:.1f} of 8 kinds, total variation {distance:.3f}; {parts}; "
                f"{perf_counter() - began:.1f} s"
            )
            if options is CURES:
                print("    " + "\n    ".join(said[0][2][:3]))
                codes = model.encode(batch)[0]
    print(f"200 draws from the truth itself have a total variation of {noise:.3f}")
    for name in PLAN:
        kinds, far = spread(found[KINDS][name], 1), spread(found[APART][name], 3)
        print(f"{name:<22} kinds {kinds}, total variation {far}")
    figure = bars(
        found, levels={KINDS: {"all": 8}, APART: {"200 draws from the truth": noise}},
        title=f"One question, eight kinds of answer, {plural(seeds, 'seed')}",
    )  # fmt: skip
    save(figure, plot, "vhred_modes")
    figure = latent_map(codes, [one.mode for one in fresh], title="VHRED's codes by kind of reply")
    save(figure, plot, "vhred_modes_codes")


if __name__ == "__main__":
    standalone(run)
