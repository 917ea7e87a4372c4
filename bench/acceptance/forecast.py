"""The hourly series of the M4 competition, 48 hours ahead: one network, one configuration for all.

414 series of 700 to 960 values (--data names the folder with m4-hourly/). The configuration was
chosen on the 48 hours before the test part, which nothing but the figures has seen. MASE and sMAPE
are those of the competition, of the median of the samples; published: seasonal naive 1.193 and
13.91, ARIMA 0.943 and 14.1, the best hybrid 0.893 and 9.33, the competition's own RNN 3.05.
Beside it GluonTS' DeepAR, with the same sizes, lags, windows and number of updates.
"""

import csv
import logging
import sys
import tempfile
import warnings
from typing import Any

import numpy as np

from bench.acceptance import _frame
from fastrnn import metrics
from fastrnn.models import Forecaster
from fastrnn.train import Adam, schedule

HORIZON, SEASON, SAMPLES = 48, 24, 200
MODEL = {"cell": "lstm", "hidden_size": 64, "lags": (1, 24, 168), "context_length": 168}
BATCH, RATE, UPDATES = 64, 5e-3, 2500
LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


def series_of(text: str) -> list[np.ndarray]:
    """Series of a table: a name and the values of one a line; empty cells end it."""
    lines = list(csv.reader(text.splitlines()))[1:]
    return [np.array([float(cell) for cell in line[1:] if cell]) for line in lines]


def figures(train: list, test: list, medians: list) -> tuple[float, float]:
    """MASE and sMAPE of forecasts, the means over all series."""
    pairs = zip(test, medians, train, strict=True)
    mase = np.mean([metrics.mase(y, f, before, SEASON) for y, f, before in pairs])
    smape = np.mean([metrics.smape(y, f) for y, f in zip(test, medians, strict=True)])
    return float(mase), float(smape)


def own(train: list, updates: int, seed: int) -> list:
    """What Forecaster says of each series."""
    rng = np.random.default_rng(seed)
    model = Forecaster(**MODEL, rng=rng)
    model.fit(
        train, optimiser=Adam(schedule.cosine(RATE, updates)), batch_size=BATCH,
        steps=MODEL["context_length"] + HORIZON, updates=updates, rng=rng, progress=False,
    )  # fmt: skip
    return model.predict(HORIZON, SAMPLES, rng=rng)


def theirs(train: list, updates: int, seed: int) -> list:
    """What DeepAR of GluonTS says, with its own learning rate and its own schedule."""
    try:
        import pandas as pd
        import torch
        from gluonts.dataset.common import ListDataset
        from gluonts.torch import DeepAREstimator
    except ImportError as error:
        raise _frame.Skipped(f"{error.name} is not installed") from None
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002  what it draws from
    start, epoch = pd.Period("2015-01-01 00", "h"), 50
    data = ListDataset([{"start": start, "target": part} for part in train], freq="h")
    for name in ("lightning", "lightning.pytorch", "pytorch_lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = {
            "max_epochs": -(-updates // epoch), "default_root_dir": folder, "logger": False,
            "enable_progress_bar": False, "enable_model_summary": False,
        }  # fmt: skip
        model = DeepAREstimator(
            freq="h", prediction_length=HORIZON, context_length=MODEL["context_length"],
            num_layers=1, hidden_size=MODEL["hidden_size"], lags_seq=list(MODEL["lags"]),
            time_features=[], dropout_rate=0.0, batch_size=BATCH, num_batches_per_epoch=epoch,
            num_parallel_samples=SAMPLES, trainer_kwargs=trainer,
        ).train(data)  # fmt: skip
        return list(model.predict(data))


SIDES: dict[str, Any] = {"fastrnn": own, "GluonTS": theirs}


def measure(frame: _frame.Frame) -> None:
    """Learn the training part, forecast the test part, both sides in turns."""
    train = series_of(frame.read("m4-hourly/Hourly-train.csv", lines=415))
    test = series_of(frame.read("m4-hourly/Hourly-test.csv", lines=415))
    naive = [before[len(before) - SEASON + np.arange(HORIZON) % SEASON] for before in train]
    mase, smape = figures(train, test, naive)
    frame.record("seasonal naive: MASE", 0, mase)
    frame.record("seasonal naive: sMAPE", 0, smape)
    updates = frame.given.updates
    frame.configuration = {**MODEL, "N": BATCH, "rate": RATE, "updates": updates}
    for seed in frame.seeds:
        errors, seconds = {}, {}
        for side in frame.given.sides:
            with frame.part(side):
                with frame.run(side, seed, updates=updates) as note:
                    found = SIDES[side](train, updates, seed)
                seconds[side] = note["cpu_seconds"]
                medians = [forecast.quantile(0.5) for forecast in found]
                errors[side], smape = figures(train, test, medians)
                frame.record(f"{side}: MASE", seed, errors[side])
                frame.record(f"{side}: sMAPE", seed, smape)
                for level in LEVELS:
                    below = [y <= f.quantile(level) for y, f in zip(test, found, strict=True)]
                    off = abs(float(np.mean(below)) - level)
                    frame.record(f"{side}: share below the quantile {level}: off by", seed, off)
        if len(errors) == 2:
            worse = errors["fastrnn"] - errors["GluonTS"]
            frame.record("MASE above GluonTS'", seed, worse)
            ratio = seconds["GluonTS"] / seconds["fastrnn"]
            frame.record("processor time of GluonTS to fastrnn", seed, ratio)
    frame.gate("fastrnn: MASE", at_most=1.0)
    frame.gate("fastrnn: sMAPE", at_most=11.5)
    for level in LEVELS:
        frame.gate(f"fastrnn: share below the quantile {level}: off by", at_most=0.03)
    frame.gate("MASE above GluonTS'", at_most=0.0)
    frame.gate("processor time of GluonTS to fastrnn", at_least=3.0)


def main(argv: list[str] | None = None) -> int:
    """Run the bench."""
    parser = _frame.options("forecast", __doc__)
    parser.add_argument("--updates", type=int, default=UPDATES, help=f"default: {UPDATES}")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES)
    return _frame.main("forecast", __doc__, measure, argv=argv, budget=300, parser=parser)


if __name__ == "__main__":
    sys.exit(main())
