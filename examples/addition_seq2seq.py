"""Sums as texts: "57+8" goes in, "65" comes out, through one vector of fixed size.

Two old tricks beside the plain pair of encoder and decoder: to read the question from its end, so
that its beginning is closer to the answer's (Sutskever, Vinyals and Le 2014), and to show the
encoder's last state to every step of the decoder, not only to the first (Cho et al. 2014, "peek").
All three have nearly the same number of parameters. Figure: sums that are right in every digit,
decoded freely, on questions that were not trained on.
"""

from time import perf_counter

import numpy as np

from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from _translator import exact, fit, texts
from fastrnn.data import Vocabulary
from fastrnn.models import Seq2Seq
from fastrnn.plot import bars
from toys import pairs

SYMBOLS = "0123456789+"
KINDS = {  # who peeks has wider inputs; the others get more hidden units for it
    "plain": (156, {}),
    "reversed": (156, {"reverse_source": True}),
    "reversed + peek": (128, {"reverse_source": True, "peek": True}),
}


def made(kind, seed, symbols=SYMBOLS):
    """An untrained model of one kind."""
    letters = Vocabulary(list(symbols), level="character")
    hidden, options = KINDS[kind]
    return Seq2Seq(
        "lstm", letters, letters, hidden, embedding_size=16, bidirectional_encoder=False,
        rng=np.random.default_rng(seed), **options,
    )  # fmt: skip


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 1) -> None:
    """Sums as texts, without attention: plain, read backwards, and with peeking."""
    N, epochs, digits = (2_000, 4, 2) if quick else (20_000, 20, 3)
    questions, answers = pairs.addition(np.random.default_rng(0), N, digits=digits)
    cut, found = N * 9 // 10, {}
    print(f"{cut:,} sums to learn from, {N - cut:,} others; {epochs} epochs")
    for kind in KINDS:
        began, right = perf_counter(), []
        for seed in range(seeds):
            model = made(kind, seed)
            fit(model, questions[:cut], answers[:cut], epochs=epochs, seed=seed)
            right.append(exact(model, questions[cut:], answers[cut:]))
        found[kind] = right
        seconds = (perf_counter() - began) / seeds
        print(
            f"{kind:<16} {model.parameter_count:,} parameters   right sums "
            f"{spread(right)}   {seconds:.0f} s a run"
        )
    for question, answer in zip(questions[cut : cut + 3], texts(model, questions[cut : cut + 3])):
        print(f"  {question} = {answer}")
    title = (
        f"Sums of {digits} digits through one vector at equal parameters, {plural(seeds, 'seed')}"
    )
    figure = bars(found, title=title, xlabel=f"share of right sums after {epochs} epochs")
    save(figure, plot, "addition_seq2seq")


if __name__ == "__main__":
    standalone(run)
