"""A character language model: LSTM-256, GRU-256 and a tanh network.

tinyshakespeare, the last tenth kept for the test, 32 streams of 64 steps, as examples/char_lm.py;
the test text is read as 32 streams with the state carried. Beside it a source of known entropy, and
whether letters are drawn with the probabilities that the model gives them. The settings of the
longer run were chosen on the ninth tenth, with the first eight to learn from.
"""

import sys

import numpy as np

import char_lm as example
import fastrnn
from bench.acceptance import _frame
from fastrnn.data import BOS, EOS, PAD, UNK, Vocabulary
from fastrnn.models import LanguageModel

HIDDEN = 256
RUNS = {
    "lstm": {"epochs": 7},
    "gru": {"epochs": 7},
    "rnn": {"epochs": 7, "rate": 2e-3},
    "lstm longer": {"epochs": 40, "decay": 0.2, "dropout": 0.15, "weight_drop": 0.1},
}
BUDGETS = {"lstm longer": 600}  # seconds; the others have the usual two minutes
DRAWS, P_LEAST = 100_000, 0.001


def measure(frame: _frame.Frame) -> None:
    """Train each of the runs."""
    for seed in frame.seeds:
        nats, entropy = example.markov(seed)
        frame.record("Markov source: nats above the entropy", seed, nats - entropy)
    frame.gate("Markov source: nats above the entropy", at_most=0.02)
    text = frame.read("tinyshakespeare/input.txt", lines=40_000)
    letters = Vocabulary.from_texts([text], level="character")
    ids, names = letters.encode(text), frame.given.runs
    parts = ids[: int(0.9 * len(ids))], ids[int(0.9 * len(ids)) :]
    frame.configuration = {"H": HIDDEN, "N": example.N, **{name: RUNS[name] for name in names}}
    for seed in frame.seeds:
        nats = {}
        for name in names:
            with frame.run(name, seed, budget=BUDGETS.get(name)) as note:
                model, (nats[name], reset), _ = example.fit(
                    name.split()[0], *parts, letters, HIDDEN, seed=seed, progress=False,
                    **RUNS[name],
                )  # fmt: skip
                note["parameters"] = model.parameter_count
            frame.record(f"{name}: nats a character", seed, nats[name])
            frame.record(f"{name}: nats more with the state reset", seed, reset - nats[name])
            if name == "lstm":
                frame.record("drawn letters: p of chi-squared", seed, drawn(model, ids[0], seed))
                frame.samples[f"seed {seed}"] = model.generate(
                    "ROMEO:\n", 300, temperature=0.8, rng=np.random.default_rng(seed)
                )
        for other in ("gru", "rnn"):
            if {other, "lstm"} <= nats.keys():
                frame.record(f"{other}: nats more than lstm", seed, nats[other] - nats["lstm"])
    frame.gate("lstm: nats a character", at_most=1.50)
    frame.gate("lstm longer: nats a character", at_most=1.45)
    frame.gate("gru: nats more than lstm", at_most=0.03)
    frame.gate("rnn: nats more than lstm", at_least=0.05)
    frame.gate("lstm: nats more with the state reset", at_least=0.0)
    frame.gate("drawn letters: p of chi-squared", at_least=P_LEAST)


def drawn(model: LanguageModel, letter: int, seed: int) -> float:
    """Return the p-value of DRAWS letters after `letter` against softmax(scores / temperature)."""
    from scipy.stats import chisquare

    own, temperature = model.params, 0.8
    x = own["embedding"]["weight"][[[letter]]]
    h = fastrnn.lstm(x, *own["rnn"].values())[1][0]
    z = (own["out"]["weight"] @ h[0] + own["out"]["bias"]).astype(float) / temperature
    z[[PAD, UNK, BOS]] = -np.inf  # never drawn
    p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
    rng, found = np.random.default_rng(seed), np.zeros(len(p))
    for _ in range(DRAWS):
        ids = model.generate(np.array([letter]), 1, temperature=temperature, rng=rng)
        found[ids[0] if len(ids) else EOS] += 1
    often = p * DRAWS >= 5
    counts, expected = (np.append(v[often], v[~often].sum()) for v in (found, p * DRAWS))
    return float(chisquare(counts[expected > 0], expected[expected > 0]).pvalue)


def main(argv: list[str] | None = None) -> int:
    """Run the bench."""
    parser = _frame.options("char_lm", __doc__)
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS))
    return _frame.main("char_lm", __doc__, measure, argv=argv, parser=parser)


if __name__ == "__main__":
    sys.exit(main())
