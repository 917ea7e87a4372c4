"""The hourly series of the M4 competition, 48 hours ahead: one network, one configuration for all.

414 series of 700 to 960 values (--data names the folder with m4-hourly/). The configuration was
chosen on the 48 hours before the test part, which nothing but the figures has seen. MASE and sMAPE
are those of the competition, of the median of the samples; published: seasonal naive 1.193 and
13.91, ARIMA 0.943 and 14.1, the best hybrid 0.893 and 9.33, the competition's own RNN 3.05.
"""

import csv
import sys

import numpy as np

from bench.acceptance import _frame
from fastrnn import metrics
from fastrnn.models import Forecaster
from fastrnn.train import Adam, schedule

HORIZON, SEASON, SAMPLES = 48, 24, 200
MODEL = {"cell": "lstm", "hidden_size": 64, "lags": (1, 24, 168), "context_length": 168}
BATCH, RATE, UPDATES = 64, 3e-3, 2500
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


def measure(frame: _frame.Frame) -> None:
    """Learn the training part, forecast the test part."""
    train = series_of(frame.read("m4-hourly/Hourly-train.csv", lines=415))
    test = series_of(frame.read("m4-hourly/Hourly-test.csv", lines=415))
    naive = [before[len(before) - SEASON + np.arange(HORIZON) % SEASON] for before in train]
    mase, smape = figures(train, test, naive)
    frame.record("seasonal naive: MASE", 0, mase)
    frame.record("seasonal naive: sMAPE", 0, smape)
    updates = frame.given.updates
    frame.configuration = {**MODEL, "N": BATCH, "rate": RATE, "updates": updates}
    for seed in frame.seeds:
        rng = np.random.default_rng(seed)
        with frame.run("Forecaster", seed, updates=updates):
            model = Forecaster(**MODEL, rng=rng)
            model.fit(
                train, optimiser=Adam(schedule.cosine(RATE, updates)), batch_size=BATCH,
                steps=MODEL["context_length"] + HORIZON, updates=updates, rng=rng,
            )  # fmt: skip
            found = model.predict(HORIZON, SAMPLES, rng=rng)
        mase, smape = figures(train, test, [forecast.quantile(0.5) for forecast in found])
        frame.record("MASE", seed, mase)
        frame.record("sMAPE", seed, smape)
        for level in LEVELS:
            below = [y <= f.quantile(level) for y, f in zip(test, found, strict=True)]
            off = abs(float(np.mean(below)) - level)
            frame.record(f"share below the quantile {level}: off by", seed, off)
    frame.gate("MASE", at_most=1.0)
    frame.gate("sMAPE", at_most=11.5)
    for level in LEVELS:
        frame.gate(f"share below the quantile {level}: off by", at_most=0.03)


def main(argv: list[str] | None = None) -> int:
    """Run the bench."""
    parser = _frame.options("forecast", __doc__)
    parser.add_argument("--updates", type=int, default=UPDATES, help=f"default: {UPDATES}")
    return _frame.main("forecast", __doc__, measure, argv=argv, budget=300, parser=parser)


if __name__ == "__main__":
    sys.exit(main())
