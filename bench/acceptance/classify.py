"""Five published sets of series through RNNClassifier, beside the same network in skorch.

JapaneseVowels, BasicMotions, GunPoint, ArrowHead and ItalyPowerDemand, as the package aeon carries
them; --data names a folder with its wheel. One setting for all: an LSTM of 64 units, Adam at 1e-3,
32 a batch, 100 epochs, clipped at 1, channels standardised by the training part, forget bias 1, and
equal numbers of updates on both sides. The gate is on the means over the sets and seeds.
"""

import sys
from typing import Any

import numpy as np

from bench.acceptance import _frame
from bench.acceptance._published import member
from fastrnn.sklearn import RNNClassifier

SETS = ("JapaneseVowels", "BasicMotions", "GunPoint", "ArrowHead", "ItalyPowerDemand")
HIDDEN, RATE, N, EPOCHS = 64, 1e-3, 32, 100


def parse(content: bytes) -> tuple[list[np.ndarray], np.ndarray]:
    """Series (T_n, d) and labels of a .ts file: channels by colons, values by commas."""
    series, labels = [], []
    for line in content.decode().partition("@data")[2].split():
        *channels, label = line.split(":")
        series.append(np.array([channel.split(",") for channel in channels], np.float32).T)
        labels.append(label)
    return series, np.array(labels)


def own(series: list, labels: Any, test: list, seed: int, epochs: int) -> np.ndarray:
    """What RNNClassifier answers."""
    model = RNNClassifier(
        hidden_size=HIDDEN, learning_rate=RATE, batch_size=N, max_epochs=epochs, standardize=True,
        early_stopping=False, random_state=seed,
    )  # fmt: skip
    return model.fit(series, labels).predict(test)


def theirs(series: list, labels: Any, test: list, seed: int, epochs: int) -> np.ndarray:
    """What the same network in skorch answers, its sequences packed."""
    try:
        import torch
        from skorch import NeuralNetClassifier
        from skorch.callbacks import GradientNormClipping
    except ImportError as error:
        raise _frame.Skipped(f"{error.name} is not installed") from None

    class Network(torch.nn.Module):
        def __init__(self, channels: int, classes: int) -> None:
            super().__init__()
            self.rnn = torch.nn.LSTM(channels, HIDDEN, batch_first=True)
            with torch.no_grad():
                self.rnn.bias_ih_l0[HIDDEN : 2 * HIDDEN] += 1
            self.out = torch.nn.Linear(HIDDEN, classes)

        def forward(self, x: Any, lengths: Any) -> Any:
            pack = torch.nn.utils.rnn.pack_padded_sequence
            _, (h, _) = self.rnn(pack(x, lengths, batch_first=True, enforce_sorted=False))
            return self.out(h[-1])

    steps = np.concatenate(series)
    center, scale = steps.mean(axis=0), steps.std(axis=0)
    longest = max(len(part) for part in [*series, *test])

    def padded(parts: list) -> dict[str, Any]:
        x = np.zeros((len(parts), longest, parts[0].shape[1]), np.float32)
        for row, part in zip(x, parts, strict=True):
            row[: len(part)] = (part - center) / scale
        return {"x": x, "lengths": np.array([len(part) for part in parts])}

    torch.manual_seed(seed)
    classes, targets = np.unique(labels, return_inverse=True)
    model = NeuralNetClassifier(
        Network, module__channels=series[0].shape[1], module__classes=len(classes),
        criterion=torch.nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=RATE, batch_size=N,
        max_epochs=epochs, iterator_train__shuffle=True, train_split=None, verbose=0,
        callbacks=[GradientNormClipping(1.0)],
    )  # fmt: skip
    model.fit(padded(series), targets)
    return classes[model.predict(padded(test))]


SIDES = {"fastrnn": own, "skorch": theirs}


def measure(frame: _frame.Frame) -> None:
    """Train both sides in turns on every set."""
    epochs = frame.given.epochs
    frame.configuration = {"H": HIDDEN, "rate": RATE, "N": N, "epochs": epochs}
    sets = {}
    for name in frame.given.sets:
        path = f"aeon/datasets/data/{name}/{name}_{{}}.ts"
        sets[name] = [parse(member(frame, "aeon", path.format(p))) for p in ("TRAIN", "TEST")]
    for seed in frame.seeds:
        seconds, right = dict.fromkeys(SIDES, 0.0), {side: [] for side in SIDES}
        for name, ((series, labels), (test, wanted)) in sets.items():
            for side, answers in SIDES.items():
                with frame.part(side):
                    with frame.run(f"{name}, {side}", seed) as note:
                        found = answers(series, labels, test, seed, epochs)
                    seconds[side] += note["cpu_seconds"]
                    right[side].append(float((found == wanted).mean()))
                    frame.record(f"{name}, {side}: accuracy", seed, right[side][-1])
        frame.record("fastrnn: mean accuracy", seed, float(np.mean(right["fastrnn"])))
        if right["skorch"]:
            gain = np.mean(right["fastrnn"]) - np.mean(right["skorch"])
            frame.record("mean accuracy above skorch's", seed, float(gain))
            ratio = seconds["skorch"] / seconds["fastrnn"]
            frame.record("processor time of skorch to fastrnn", seed, ratio)
    frame.gate("mean accuracy above skorch's", at_least=-0.01)
    frame.gate("processor time of skorch to fastrnn", at_least=3.0)


def main(argv: list[str] | None = None) -> int:
    """Run the bench."""
    parser = _frame.options("classify", __doc__)
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"default: {EPOCHS}")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    return _frame.main("classify", __doc__, measure, argv=argv, budget=60, parser=parser)


if __name__ == "__main__":
    sys.exit(main())
