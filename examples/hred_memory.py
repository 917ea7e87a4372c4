"""What is my name? A dialogue model that hears all turns, and one that hears the last turn alone.

Somebody says a name, asks a few other things, and asks for the name some exchanges later; another
name may have been said before it. Whoever has heard the last turn alone is right in 1 of 16. Both
models learn from the same dialogues in as many epochs, none of which waits longer than 3 exchanges;
they are asked after up to 10.
"""

from time import perf_counter

import numpy as np

from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from fastrnn.data import DialogueBatch, Vocabulary, batches, pack_dialogues
from fastrnn.models import HRED
from fastrnn.plot import curves
from fastrnn.train import Adam
from fastrnn.train.schedule import cosine
from toys.dialogues import slot_bounds, slot_dialogues

LAGS = range(1, 11)


def answers_of(talks, words):
    """A batch whose targets are every second turn, the answers."""
    targets = np.concatenate([np.arange(len(talk)) % 2 == 1 for talk in talks])
    packed = pack_dialogues([[words.encode(turn) for turn in talk] for talk in talks])
    return DialogueBatch(*packed, targets)


def train(talks, words, *, epochs, batch_size, seed, hidden=96):
    """Return a model that has learned what is answered in these dialogues."""
    model = HRED("gru", words, hidden, embedding_size=32, rng=np.random.default_rng(seed))
    make = lambda rows: answers_of([talks[i] for i in rows], words)  # noqa: E731
    source = batches([len(talk) for talk in talks], batch_size, seed=seed, make=make)
    adam = Adam(lr=cosine(5e-3, epochs * len(source), 1e-4))
    model.fit(source, adam, max_norm=1.0, epochs=epochs, progress=False)
    return model


def right(model, dialogues, turns=None):
    """The share of dialogues whose last turn is predicted right, given the turns before it."""
    start = None if turns is None else -1 - turns
    replies = model.replies([one.turns[start:-1] for one in dialogues], max_length=12)
    return np.mean([reply == one.turns[-1] for reply, one in zip(replies, dialogues)])


def run(quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 2) -> None:
    """What was said many turns ago: HRED beside a model of the last turn alone."""
    seeds, n, epochs, size, most = (1, 4000, 8, 50, 2) if quick else (seeds, 8000, 10, 80, 3)
    share, _ = slot_bounds()
    shares, alone = [], []
    for seed in range(seeds):
        rng, began = np.random.default_rng(seed), perf_counter()
        talks = [one.turns for one in slot_dialogues(rng, n, lag=(1, most), longest=most + 2)]
        words = Vocabulary.from_texts([turn for talk in talks for turn in talk], level="word")
        model = train(talks, words, epochs=epochs, batch_size=size, seed=seed)
        seconds = perf_counter() - began
        pairs = [talk[k : k + 2] for talk in talks for k in range(0, len(talk), 2)]
        short = train(pairs, words, epochs=epochs, batch_size=5 * size, seed=seed)
        fresh = {lag: slot_dialogues(rng, 500, lag=lag, longest=max(8, lag + 2)) for lag in LAGS}
        shares.append([right(model, fresh[lag]) for lag in LAGS])
        alone.append([right(short, fresh[lag], turns=1) for lag in LAGS])
        print(f"seed {seed}: trained on {n:,} dialogues of lags 1 to {most} in {seconds:.1f} s")
    print(f"right answers; chance is {share:.4f}\nlag    all turns         last turn alone")
    for lag, heard, last in zip(LAGS, np.transpose(shares), np.transpose(alone)):
        unseen = "   longer than any in training" if lag > most else ""
        print(f"{lag:>3}    {spread(heard, 3)}     {spread(last, 3)}{unseen}")
    talk = model.conversation()
    for turn in ("my name is anna .", "do you like music ?", "what is my name ?"):
        talk.hear(turn)
        print(f"  > {turn}\n  {talk.reply(max_length=12)}")
    figure = curves(
        {"all turns": shares, "last turn alone": alone}, x=LAGS,
        title=f"A name said exchanges ago, trained on lags up to {most}, {plural(seeds, 'seed')}",
        levels={"chance": share}, xlabel="lag, exchanges", ylabel="share of right answers",
    )  # fmt: skip
    save(figure, plot, "hred_memory")


if __name__ == "__main__":
    standalone(run)
