"""Dates in three spellings become ISO 8601, and the attention shows where each digit came from.

In 10/31/90 the month comes first, in 1990-10-31 the year: a map that is merely diagonal is wrong.
So, beside dates that are right in every character, a number is given to the picture: the share of
attention that the digits of year, month and day pay to their own field (Bahdanau, Cho and Bengio
2015). Without attention the same number of parameters has to pass through one vector.
"""

from time import perf_counter

import numpy as np

import fastrnn.plot
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from _translator import as_many, exact, fit
from fastrnn.data import Vocabulary
from fastrnn.models import Seq2Seq
from toys import pairs

KINDS = ("attention", "none")


def made(kind, sources, targets, seed, hidden=128):
    """An untrained model of one kind that knows the letters of these texts."""
    letters = [Vocabulary.from_texts(texts, level="character") for texts in (sources, targets)]

    def make(hidden, score=None):
        return Seq2Seq(
            "lstm", *letters, hidden, embedding_size=32, attention=score,
            query="current" if score else "previous",  # the map is sharper: it knows what it writes
            rng=np.random.default_rng(seed),
        )  # fmt: skip

    attentive = make(hidden, "additive")
    return attentive if kind == "attention" else as_many(make, attentive.parameter_count)


def own_field(model, sources):
    """How much of the attention of year, month and day goes to their own digits, on average.

    Of dates like 10/31/90, and as a dict by field.
    """
    short = [text for text in sources if pairs.short_date_fields(text)]
    shares = {"year": [], "month": [], "day": []}
    for text, found in zip(short, model.translate(short, return_attention=True)):
        for name, field in pairs.short_date_fields(text).items():
            rows = found.attention[field.target]
            if len(rows):
                shares[name].append(rows[:, field.source].sum(1).mean())
    return {name: float(np.mean(values)) for name, values in shares.items()}


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 1) -> None:
    """Dates in three spellings: attention finds year, month and day."""
    N, epochs = (2_000, 4) if quick else (20_000, 4)
    texts, answers = pairs.dates(np.random.default_rng(0), N)
    cut, errors = N * 9 // 10, {}
    seen = set(texts[:cut])
    fresh = [i for i in range(cut, N) if texts[i] not in seen]
    asked, wanted = [texts[i] for i in fresh], [answers[i] for i in fresh]
    print(f"{cut:,} dates to learn from, {len(fresh):,} that are not among them; {epochs} epochs")
    for kind in KINDS:
        began, right = perf_counter(), []
        for seed in range(seeds):
            model = made(kind, texts, answers, seed)
            fit(model, texts[:cut], answers[:cut], epochs=epochs, seed=seed)
            right.append(exact(model, asked, wanted))
            if kind == "attention" and seed == 0:
                shares, attentive = own_field(model, asked), model
        errors["with attention" if kind == "attention" else "without"] = 1 - np.array(right)
        print(
            f"{kind:<10} {model.parameter_count:,} parameters   right dates "
            f"{spread(right)}   "
            f"{(perf_counter() - began) / seeds:.0f} s a run"
        )
    told = ", ".join(f"{name} {share:.3f}" for name, share in shares.items())
    print(f"attention of seed 0 on the own field of M/D/YY: {told}")
    title = f"Dates after {epochs} epochs at equal parameters, {plural(seeds, 'seed')}"
    save(
        fastrnn.plot.bars(errors, title=title, xlabel="share of wrong dates"), plot, "dates_errors"
    )
    text = next(text for text in asked if pairs.short_date_fields(text))
    found = attentive.translate(text, return_attention=True)
    title = f"Where the digits of {found.text} come from"
    figure = fastrnn.plot.attention(found.attention, list(text), list(found.text), title=title)
    save(figure, plot, "dates_attention")


if __name__ == "__main__":
    standalone(run)
