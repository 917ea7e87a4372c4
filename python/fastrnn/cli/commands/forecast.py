"""``fastrnn forecast``: a table of series in, a table of what may come out."""

import csv
import io
from pathlib import Path
from typing import Annotated

import numpy as np
from typer import Argument, Option

from fastrnn._checks import Array
from fastrnn.io._files import atomic_write, not_utf8


def forecast(
    series: Annotated[
        Path,
        Argument(metavar="SERIES.csv", help="Names in the first row, then a row for each step."),
    ],
    horizon: Annotated[int, Option(min=1, metavar="H", help="Steps to predict.")],
    season: Annotated[
        list[int] | None,
        Option(min=1, metavar="M", help="Steps of a season; may be repeated: a day, a week."),
    ] = None,
    model: Annotated[Path | None, Option(metavar="FILE", help="Use this trained model.")] = None,
    save: Annotated[Path | None, Option(metavar="FILE", help="Save the trained model.")] = None,
    out: Annotated[
        Path | None, Option(metavar="FILE.csv", help="Write the table; default: print it.")
    ] = None,
    picture: Annotated[
        Path | None, Option(metavar="FILE.png", help="Picture of the first series.")
    ] = None,
    backtest: Annotated[
        bool,
        Option("--backtest", help="Hold out the last H steps and compare forecasts with them."),
    ] = False,
    quantile: Annotated[
        list[float] | None,
        Option(min=0.0, max=1.0, metavar="Q", help="Quantiles; default: 0.1, 0.5, 0.9."),
    ] = None,
    cell: Annotated[str, Option(help="lstm, gru or rnn.")] = "lstm",
    hidden: Annotated[int, Option(min=1, metavar="H", help="Hidden units.")] = 40,
    likelihood: Annotated[
        str, Option(help="student_t, gaussian, quantile; negative_binomial for counts.")
    ] = "student_t",
    updates: Annotated[int, Option(min=1, metavar="N", help="Training updates.")] = 1000,
    samples: Annotated[int, Option(min=1, metavar="S", help="Samples for each series.")] = 200,
    seed: Annotated[int, Option(min=0, metavar="K", help="Random seed.")] = 0,
) -> None:
    """Forecast time series: mean and quantiles of each step.

    An empty cell ends a series. A first column that holds no numbers is taken for dates and left
    out. With --backtest the last H steps are compared with a forecast from what comes before, and
    with the seasonal naive one, which repeats the last season.
    """
    from fastrnn import models

    names, values = read_series(series)
    rng = np.random.default_rng(seed)
    lags = sorted({1, *(season or [])})
    learned = [each[:-horizon] for each in values] if backtest else values
    short = [name for name, each in zip(names, learned, strict=True) if len(each) < 2]
    if short:
        raise ValueError(f"{series}: series {short[0]!r} is too short")
    if model is not None:
        loaded = models.load(model)
        if not isinstance(loaded, models.Forecaster):
            raise ValueError(f"{model}: it holds a {type(loaded).__name__}, which cannot forecast")
        forecaster = loaded
    else:
        forecaster = models.Forecaster(cell, hidden, lags=lags, likelihood=likelihood, rng=rng)
        # Where the table goes to the standard output, nothing else does.
        forecaster.fit(learned, updates=updates, rng=rng, progress=out is not None or backtest)
    if save is not None:
        forecaster.save(save)
    if backtest:
        m = min(season or [1])
        figures = forecaster.backtest(values, horizon, season=m, samples=samples, rng=rng)
        print("            MASE     sMAPE      CRPS")
        for title, word in (("forecast", ""), ("naive", "naive_")):
            row = [figures[word + name] for name in ("mase", "smape", "crps")]
            print(f"{title:<9}" + "".join(f"{value:>9.3f} " for value in row).rstrip())
        return
    answers = forecaster.predict(horizon, samples, series=values, rng=rng)
    levels = quantile or [0.1, 0.5, 0.9]
    rows = [["series", "step", "mean", *(f"q{level:g}" for level in levels)]]
    for name, answer in zip(names, answers, strict=True):
        columns = np.vstack([answer.mean, answer.quantile(levels)])
        rows += [
            [name, str(ahead), *(f"{value:.6g}" for value in row)]
            for ahead, row in enumerate(columns.transpose(), 1)
        ]
    if picture is not None:
        from fastrnn import plot

        plot.save(plot.forecast(values[0], answers[0], title=names[0]), picture)
    if out is None:
        print("\n".join(",".join(row) for row in rows))
        return
    table = io.StringIO(newline="")
    csv.writer(table, lineterminator="\n").writerows(rows)
    with atomic_write(out) as file:
        file.write(table.getvalue().encode())
    print(f"{len(names)} series, {horizon} steps each: {out}")


def read_series(path: Path) -> tuple[list[str], list[Array]]:
    """Return names and values of the columns of a table.

    Raises
    ------
    OSError, ValueError
        The file cannot be read, or is no such table; the message names the line.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        lines = [line for line in csv.reader(io.StringIO(text, newline="")) if line]
    except UnicodeDecodeError as error:
        raise ValueError(not_utf8(path, error)) from None
    except csv.Error as error:
        raise ValueError(f"{path}: it is no table: {error}") from None
    if len(lines) < 3:
        raise ValueError(f"{path}: a row of names and at least two rows of numbers are needed")
    names, rows = lines[0], lines[1:]
    for k, row in enumerate(rows):
        if len(row) > len(names):
            raise ValueError(f"{path}, line {k + 2}: {len(row)} cells for {len(names)} names")
    first = 0 if all(_is_number(row[0]) for row in rows if row[0].strip()) else 1
    if first == len(names):
        raise ValueError(f"{path}: no column holds numbers")
    loaded = []
    for column in range(first, len(names)):
        cells = [row[column].strip() if column < len(row) else "" for row in rows]
        size = next((k for k in range(len(cells), 0, -1) if cells[k - 1]), 0)
        for k, cell in enumerate(cells[:size]):
            if not _is_number(cell):
                raise ValueError(f"{path}, line {k + 2}: {names[column]!r} has {cell!r}, no number")
        loaded.append(np.array(cells[:size], np.float64))
    return names[first:], loaded


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False
