"""VHRED: a latent code that decides what kind of reply is given, held to an exact entropy.

Mode dialogues have a known H(r | c): no bound may be better, and a good model comes near it. Greedy
decoding over codes drawn from the prior must say the modes as often as they are, where HRED says
one; and without a schedule and word dropout the posterior may collapse, which is shown.
"""

from typing import Any

import numpy as np

from bench.acceptance import _frame
from bench.acceptance._dialogue import packed, trained
from fastrnn import metrics
from fastrnn.data import Vocabulary
from fastrnn.models import HRED, VHRED
from toys.dialogues import ModeDialogue, ModeDialogues

MODES = {"contexts": 4, "modes": 8, "choices": 3, "skew": 0.7}
SIZES = {"talks": 12_000, "hidden": 96, "z": 4, "batch": 100, "epochs": 28, "lr": 5e-3}
# z and word_drop were chosen on the draws of seed 0; the committed result is of seeds 3, 4 and 5.
OTHERS = 10  # epochs of what is shown beside it, which learns faster
CURES = {"word_drop": 0.3, "kl_schedule": 600}
DRAWS, SETS = 200, 10  # of each context; figures are means over the sets
FRESH, IWAE = 500, 100


def turns(rows: list[ModeDialogue]) -> list[list[str]]:
    """Return context and reply of each."""
    return [[one.context, one.reply] for one in rows]


def bounds(frame: _frame.Frame, seed: int, name: str, model: VHRED, batch: Any, truth: Any) -> None:
    """Note the bounds on fresh data beside the exact entropies of the contexts they were for."""
    mode_entropy, entropy, error = truth
    parts = model.elbo(batch, samples=10, rng=np.random.default_rng(seed))
    frame.record(f"{name}: KL / H(mode)", seed, parts["kl"] / mode_entropy)
    frame.record(f"{name}: -ELBO - H(reply)", seed, -parts["elbo"] - entropy)
    if name == "VHRED":
        bound = -model.iwae(batch, IWAE, rng=np.random.default_rng(seed))
        frame.record(
            "VHRED: -IWAE-100 - H(reply) in standard errors", seed, (bound - entropy) / error
        )
        frame.record("VHRED: reconstruction", seed, parts["reconstruction"])
        frame.record("VHRED: KL", seed, parts["kl"])


def said_modes(
    frame: _frame.Frame, seed: int, model: Any, source: ModeDialogues, name: str, **how: Any
) -> None:
    """Note how many modes are said, how far from p(m | c), and how many replies are of none."""
    covered, distance, consistent = [], [], []
    for c in range(MODES["contexts"]):
        rng = np.random.default_rng(seed + c)
        for _ in range(SETS):
            replies = model.reply([source.context(c)], n=DRAWS, max_length=15, rng=rng, **how)
            found = [source.mode_of(reply) for reply in replies]
            modes = [m for m in found if m is not None]
            counts = np.bincount(modes, minlength=MODES["modes"])
            covered.append(metrics.mode_coverage(modes, MODES["modes"]))
            distance.append(metrics.total_variation(np.maximum(counts, 1e-9), source.p[c]))
            consistent.append(len(modes) / DRAWS)
        if c == 0 and seed == frame.seeds[0]:
            frame.samples[name] = replies[:8]
    frame.record(f"{name}: modes said", seed, float(np.mean(covered)))
    frame.record(f"{name}: total variation", seed, float(np.mean(distance)))
    frame.record(f"{name}: replies of one mode", seed, float(np.mean(consistent)))


def measure(frame: _frame.Frame) -> None:
    """All seeds: VHRED with its cures and without, and HRED."""
    frame.configuration |= {"modes": MODES, "sizes": SIZES, "cures": CURES, "draws": [SETS, DRAWS]}
    for seed in frame.seeds:
        source = ModeDialogues(np.random.default_rng(50 + seed), **MODES)
        rng = np.random.default_rng(seed)
        talks = turns(source.draw(rng, SIZES["talks"]))
        words = Vocabulary.from_texts((turn for talk in talks for turn in talk), level="word")
        fresh = source.draw(rng, FRESH)
        c = np.array([one.c for one in fresh])
        nats = np.array([nats_of(source, one) for one in fresh])
        # The entropy that these draws have: the bound's own noise is mostly that of the draws.
        truth = source.mode_entropy[c].mean(), nats.mean(), nats.std() / np.sqrt(FRESH)
        batch = packed(turns(fresh), words)
        for name, options in (("VHRED", CURES), ("without cures", {})):
            with frame.run(name, seed) as note:
                model = VHRED(
                    "gru", words, SIZES["hidden"], SIZES["z"], rng=np.random.default_rng(seed),
                    **options,
                )  # fmt: skip
                _train(model, talks, words, seed, SIZES["epochs"] if options else OTHERS)
                note["parameters"] = model.parameter_count
            bounds(frame, seed, name, model, batch, truth)
            said_modes(frame, seed, model, source, f"{name}, greedy over z")
        with frame.run("HRED", seed):
            plain = HRED("gru", words, SIZES["hidden"], rng=np.random.default_rng(seed))
            _train(plain, talks, words, seed, OTHERS)
        frame.record("HRED: -ln p - H(reply)", seed, float(plain.nats(batch).mean() - truth[1]))
        said_modes(frame, seed, plain, source, "HRED, greedy")
        said_modes(frame, seed, plain, source, "HRED, drawn", temperature=1.0)
    frame.gate("VHRED: KL / H(mode)", at_least=0.8)
    frame.gate("VHRED: -ELBO - H(reply)", at_most=0.2)
    frame.gate("VHRED: -IWAE-100 - H(reply) in standard errors", at_least=-3)
    frame.gate("VHRED, greedy over z: modes said", at_least=7)
    frame.gate("VHRED, greedy over z: total variation", at_most=0.12)
    frame.gate("VHRED, greedy over z: replies of one mode", at_least=0.97)
    frame.gate("HRED, greedy: modes said", at_most=1)


def nats_of(source: ModeDialogues, one: ModeDialogue) -> float:
    """Return −ln of the true probability of a reply, given its context."""
    noise = (source.lengths[one.mode] - 2) * np.log(source.choices)
    return float(noise - np.log(source.p[one.c, one.mode]))


def _train(model: Any, talks: Any, words: Vocabulary, seed: int, epochs: int) -> None:
    trained(
        model, talks, words, epochs=epochs, batch_size=SIZES["batch"], lr=SIZES["lr"],
        seed=seed, said=None,
    )  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Run the bench."""
    return _frame.main("vhred", __doc__, measure, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
