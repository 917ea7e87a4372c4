"""Why: a forecast is believed. Its likelihoods must be those of the distributions, its samples
drawn from what the network says, its history the right one, and bad series refused by name.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from autograd import elementwise_grad
from helpers.tolerances import assert_same_bits

from fastrnn import metrics, ops, plot
from fastrnn.models import Forecaster, load
from fastrnn.models._forecast.likelihoods import LIKELIHOODS, log_gamma
from fastrnn.testing import gradcheck
from fastrnn.train import Adam

QUICK: dict[str, Any] = {"updates": 3, "progress": False}


def waves(n: int = 6, T: int = 160, m: int = 8, seed: int = 0) -> list[np.ndarray]:
    """Series with a season of m, of very different sizes and levels."""
    rng = np.random.default_rng(seed)
    sizes, levels = 10.0 ** rng.uniform(-2, 4, n), rng.normal(0, 5, n)
    t = np.arange(T)
    return [
        size * (level + np.sin(2 * np.pi * (t + k) / m) + 0.1 * rng.standard_normal(T))
        for k, (size, level) in enumerate(zip(sizes, levels, strict=True))
    ]


def model_of(**options: Any) -> Forecaster:
    given = {"lags": (1, 8), "context_length": 24, "rng": np.random.default_rng(0)}
    return Forecaster("gru", 8, **given | options)


def test_log_gamma_is_that_of_the_factorials() -> None:
    from math import lgamma

    x = np.concatenate([np.linspace(1e-3, 5, 50), np.linspace(5, 1e4, 50)])
    np.testing.assert_allclose(log_gamma(x), [lgamma(v) for v in x], rtol=1e-11, atol=1e-11)
    h = 1e-6
    slope = (log_gamma(x[5:] + h) - log_gamma(x[5:] - h)) / (2 * h)
    np.testing.assert_allclose(elementwise_grad(log_gamma)(x[5:]), slope, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["gaussian", "student_t"])
def test_densities_sum_to_one_and_draws_have_them(name: str, rng: Any) -> None:
    likelihood = LIKELIHOODS[name]
    o = np.array([0.3, 0.2, 1.0])[: likelihood.outputs]
    y = np.linspace(-400, 400, 400_001)
    rows = np.broadcast_to(o, (len(y), len(o)))
    density = np.exp(-likelihood.nll(rows, y, None, None))
    assert np.isclose(np.trapezoid(density, y), 1, atol=1e-4)
    drawn = likelihood.draw(rows[:100_000], None, None, rng)
    below = np.cumsum(density) * (y[1] - y[0])
    for q in (0.1, 0.5, 0.9):
        assert abs((drawn <= y[np.searchsorted(below, q)]).mean() - q) < 0.01


def test_counts_have_the_probabilities_of_the_negative_binomial(rng: Any) -> None:
    likelihood = LIKELIHOODS["negative_binomial"]
    o, y = np.array([0.5, 0.1]), np.arange(2000.0)
    rows = np.broadcast_to(o, (len(y), 2))
    p = np.exp(-likelihood.nll(rows, y, 7.0, None))
    assert np.isclose(p.sum(), 1, atol=1e-9)
    mean = 7 * np.log1p(np.exp(0.5))
    assert np.isclose(p @ y, mean, rtol=1e-5)
    alpha = 1e-3 + np.log1p(np.exp(0.1))
    assert np.isclose(p @ (y - mean) ** 2, mean + alpha * mean**2, rtol=1e-4)
    drawn = likelihood.draw(np.broadcast_to(o, (100_000, 2)), np.full(100_000, 7.0), None, rng)
    for k in (0, 5, 20):
        assert abs((drawn <= k).mean() - p[: k + 1].sum()) < 0.01


def test_the_pinball_loss_is_least_at_the_quantile_and_draws_lie_between(rng: Any) -> None:
    levels = np.array([0.1, 0.5, 0.9])
    likelihood, y = LIKELIHOODS["quantile"], rng.standard_normal(20_000)
    best = np.quantile(y, levels)
    loss = likelihood.nll(np.broadcast_to(best, (len(y), 3)), y, None, levels).mean()
    for k in range(3):
        other = best + 0.1 * np.eye(3)[k]
        worse = likelihood.nll(np.broadcast_to(other, (len(y), 3)), y, None, levels).mean()
        assert worse > loss
    drawn = likelihood.draw(np.broadcast_to(best, (100_000, 3)), None, levels, rng)
    np.testing.assert_allclose([(drawn <= b).mean() for b in best], levels, atol=0.01)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_gradients(likelihood: str, rng: Any) -> None:
    model = model_of(likelihood=likelihood, dtype=np.float64, levels=[0.2, 0.7])
    counts = likelihood == "negative_binomial"
    series = [rng.poisson(5.0, 40), rng.poisson(50.0, 15)] if counts else waves(2, 40)
    lengths, make = model.windows(series)
    assert len(lengths) == (12 if counts else 22)
    batch = make(np.array([0, 3, len(lengths) - 1]))

    def loss(**arrays: np.ndarray) -> Any:
        nested: dict[str, Any] = {}
        for path, array in arrays.items():
            top, _, inner = path.partition(".")
            nested.setdefault(top, {})[inner] = array
        return model.loss(nested, batch)

    _, grads = ops.value_and_grad(model.loss)(model.params, batch)
    flat = {f"{a}.{b}": v for a, d in model.params.items() for b, v in d.items()}
    found = {f"{a}.{b}": v for a, d in grads.items() for b, v in d.items()}
    gradcheck(loss, flat, found)


def test_windows_hold_what_was_before_each_value(rng: Any) -> None:
    series = [np.arange(1.0, 61), 100.0 + np.arange(7)]
    beside = [np.arange(60.0)[:, None], -np.arange(7.0)[:, None]]
    model = model_of(covariates=1, dtype=np.float64)
    lengths, make = model.windows(series, beside)
    assert lengths.tolist() == [30] * 31 + [7]
    x, targets, scale, here = make(np.array([11, 31]))
    assert here.tolist() == [30, 7]
    values = series[0][11:41]
    center = values[:24].mean()
    unit = np.abs(values[:24] - center).mean()
    np.testing.assert_allclose(targets[:, 0], (values - center) / unit)
    np.testing.assert_allclose(x[:, 0, 0], (series[0][10:40] - center) / unit)
    np.testing.assert_allclose(x[:, 0, 1], (series[0][3:33] - center) / unit)
    np.testing.assert_array_equal(x[:, 0, 2], np.arange(11, 41))
    assert x[0, 1].tolist() == [0, 0, 0]  # nothing was before the first value
    assert (x[:7, 1, 1] == 0).all()
    assert scale[0] == unit


def test_the_loss_counts_what_follows_the_context(rng: Any) -> None:
    """The center of a window knows the values of its context, so they teach a return to it."""
    series = [*waves(1, 40), *waves(1, 20)]
    model = model_of(dtype=np.float64)
    _, make = model.windows(series)
    for numbers, counted in ([0], np.arange(30) >= 24), ([11], np.ones(20, bool)):
        batch = make(np.array(numbers))
        before = model.loss(model.params, batch)
        moves = []
        for t in range(len(batch.targets)):
            targets = batch.targets.copy()
            targets[t] += 1
            moves.append(model.loss(model.params, batch._replace(targets=targets)) != before)
        np.testing.assert_array_equal(moves, counted)
        assert model.tokens(batch) == counted.sum()


def test_samples_are_those_of_one_series_after_the_other(rng: Any) -> None:
    """Many samples side by side, and the network called anew on all that was drawn so far."""
    model = model_of(dtype=np.float64, likelihood="quantile", levels=[0.5])  # no chance at all
    series = waves(3)
    model.fit(series, **QUICK)
    for values, forecast in zip(series, model.predict(4, samples=2), strict=True):
        context = values[-24:]
        center = context.mean()
        unit = np.abs(context - center).mean()
        known = list((values - center) / unit)
        for _ in range(4):
            end = len(known)
            start = len(values) - 24
            x = np.array([[known[t - 1], known[t - 8]] for t in range(start, end + 1)])[:, None]
            y, _ = model._reader(model.params, x)
            o = model._likelihood_params(model.params, y, x, None)
            known.append(float(o[-1, 0, 0]))
        expected = center + unit * np.array(known[len(values) :])
        np.testing.assert_allclose(forecast.samples, [expected, expected], rtol=1e-9)


def test_a_season_is_learned_over_series_of_any_size() -> None:
    series = waves(12, 200)
    model = model_of()
    model.fit(
        [each[:-16] for each in series], optimiser=Adam(0.01), updates=250, progress=False,
        rng=np.random.default_rng(1),
    )  # fmt: skip
    figures = model.backtest(series, 16, season=8, rng=np.random.default_rng(2))
    assert figures["mase"] < 0.95
    assert figures["mase"] < 0.9 * figures["naive_mase"]
    assert figures["crps"] < 0.75 * figures["naive_crps"]
    assert figures["smape"] < figures["naive_smape"]
    found = model.predict(16, series=[s[:-16] for s in series], rng=np.random.default_rng(3))
    inside = [
        ((s[-16:] >= f.quantile(0.1)) & (s[-16:] <= f.quantile(0.9))).mean()
        for s, f in zip(series, found, strict=True)
    ]
    assert 0.65 < np.mean(inside) < 0.95


def test_covariates_that_are_known_ahead_are_used() -> None:
    rng = np.random.default_rng(0)
    beside = rng.integers(0, 2, (400, 1)).astype(float)
    series = 5 * beside[:, 0] + 0.1 * rng.standard_normal(400)
    model = model_of(covariates=1)
    model.fit(series[:380], beside[:380], Adam(0.02), updates=150, progress=False, rng=rng)
    forecast = model.predict(20, covariates=beside, rng=rng)
    assert np.abs(forecast.mean - series[380:]).max() < 2.5
    with pytest.raises(ValueError, match="end before the horizon: it has 380 values and 21"):
        model.predict(21, covariates=beside)


def test_counts_stay_counts() -> None:
    rng = np.random.default_rng(0)
    series = [rng.poisson(3.0, 100), rng.poisson(40.0, 90)]
    model = model_of(likelihood="negative_binomial")
    model.fit(series, optimiser=Adam(0.01), updates=60, progress=False, rng=rng)
    low, high = model.predict(10, 400, rng=rng)
    for forecast, mean in ((low, 3), (high, 40)):
        assert (forecast.samples == np.floor(forecast.samples)).all()
        assert (forecast.samples >= 0).all()
        assert abs(forecast.mean.mean() / mean - 1) < 0.3
    with pytest.raises(ValueError, match="series 0 must be counts"):
        model.predict(3, series=[0.5, 1.0])


def test_pandas_series_go_on_with_their_index() -> None:
    pd = pytest.importorskip("pandas")
    hours = pd.date_range("2024-02-28 20:00", periods=60, freq="h")
    frame = pd.DataFrame({"a": waves(1, 60)[0], "b": np.arange(60)}, index=hours)
    model = model_of()
    model.fit(frame, **QUICK)
    first, second = model.predict(5)
    assert (first.name, second.name) == ("a", "b")
    assert first.index.equals(pd.date_range("2024-03-02 08:00", periods=5, freq="h"))
    one = model.predict(3, series=frame["a"].set_axis(range(10, 130, 2)))
    assert one.index.tolist() == [130, 132, 134]
    periods = frame["a"].set_axis(pd.period_range("2020-01", periods=60, freq="M"))
    assert str(model.predict(2, series=periods).index[-1]) == "2025-02"
    with pytest.raises(ValueError, match="series 'a' must have an index without doubles"):
        model.fit(frame.set_axis([hours[0], *hours[:-1]]), **QUICK)
    uneven = frame["a"].set_axis([*hours[:-1], hours[-1] + pd.Timedelta(days=1)])
    with pytest.raises(ValueError, match="series 'a' must have an index with equal steps"):
        model.predict(2, series=uneven)


def test_a_file_keeps_the_model_and_not_the_series(tmp_path: Path) -> None:
    model = model_of(lags=[1, 3])
    history = model.fit(waves(2), **QUICK)
    assert history.records[-1]["update"] == 3
    model.save(tmp_path / "model")
    back = load(tmp_path / "model")
    assert back.config == model.config
    again, first = (
        m.predict(4, 3, series=waves(1)[0], rng=np.random.default_rng(0)) for m in (back, model)
    )
    assert_same_bits("samples", again.samples, first.samples)
    with pytest.raises(ValueError, match="series must be given to a model that has learned none"):
        back.predict(4)


def test_series_do_not_depend_on_each_other_nor_on_the_parts(monkeypatch: Any) -> None:
    from fastrnn.models import forecaster

    model = model_of(likelihood="quantile", levels=[0.5])
    series = [*waves(4), waves(1)[0][:5], np.full(30, 2.0)]
    model.fit(series, **QUICK)
    whole = [each.samples for each in model.predict(6, 2)]
    alone = [model.predict(6, 2, series=each).samples for each in series]
    monkeypatch.setattr(forecaster, "_ROWS", 4)
    parts = [each.samples for each in model.predict(6, 2)]
    for k, samples in enumerate(whole):
        np.testing.assert_allclose(alone[k], samples, rtol=1e-6, err_msg=f"alone {k}")
        np.testing.assert_allclose(parts[k], samples, rtol=1e-6, err_msg=f"parts {k}")
    assert np.isfinite(whole).all()  # the short one and the constant one, too


def test_metrics_of_forecasts() -> None:
    rng = np.random.default_rng(0)
    history, actual, naive = rng.normal(size=50), rng.normal(size=6), rng.normal(size=6)
    unit = np.abs(history[4:] - history[:-4]).mean()
    assert np.isclose(metrics.mase(actual, naive, history, 4), np.abs(actual - naive).mean() / unit)
    assert metrics.smape([0, 1], [0, -1]) == 100
    assert np.isclose(metrics.crps(actual, naive[None]), np.abs(actual - naive).mean())
    samples = rng.normal(size=(40, 6))
    pairs = np.abs(samples[:, None] - samples[None]).mean(axis=(0, 1))
    expected = (np.abs(samples - actual).mean(axis=0) - pairs / 2).mean()
    assert np.isclose(metrics.crps(actual, samples), expected)
    assert metrics.mase([1], [2], [3, 3, 3]) == np.inf
    for wrong in (
        lambda: metrics.mase([1], [2], [3], 1), lambda: metrics.smape([1], [1, 2]),
        lambda: metrics.crps([1], [1]), lambda: metrics.seasonal_error([], 1),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="must"):
            wrong()


def test_the_picture_shows_history_mean_and_bands() -> None:
    pytest.importorskip("matplotlib")
    model = model_of()
    series = waves(1)[0]
    model.fit(series, **QUICK)
    forecast = model.predict(6, 50)
    figure = plot.forecast(series, forecast, bands=(0.8,), actual=series[:6], last=30)
    before, mean, came = figure.axes[0].get_lines()
    np.testing.assert_array_equal(before.get_ydata(), series[-30:])
    np.testing.assert_array_equal(mean.get_ydata(), forecast.mean)
    np.testing.assert_array_equal(came.get_ydata(), series[:6])
    (band,) = figure.axes[0].collections
    edges = band.get_paths()[0].vertices[:, 1]
    assert np.isclose(edges.max(), forecast.quantile(0.9).max())
    for wrong in ({"bands": [1.0]}, {"actual": [1.0]}):
        with pytest.raises(ValueError, match="must"):
            plot.forecast(series, forecast, **wrong)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"likelihood": "cauchy"}, "likelihood must be one of"),
        ({"levels": [0.5, 0.2]}, "levels must lie within 0..1 and rise"),
        ({"lags": []}, "lags must be different numbers"),
        ({"lags": [1, 1]}, "lags must be different numbers"),
        ({"lags": [0]}, "lags must be at least 1"),
        ({"context_length": 0}, "context_length must be at least 1"),
        ({"covariates": -1}, "covariates must be at least 0"),
        ({"cell": "cnn"}, "cell must be one of"),
        ({"cell": [1]}, "cell must be one of"),
        ({"likelihood": [1]}, "likelihood must be one of"),
    ],
)
def test_bad_options(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Forecaster(options.pop("cell", "gru"), 4, **options)


@pytest.mark.parametrize("options", [{"lags": 12}, {"levels": 0.5}])
def test_options_that_are_lists(options: dict) -> None:
    with pytest.raises(TypeError, match=f"{next(iter(options))} must be a sequence"):
        Forecaster("gru", 4, **options)


def test_bad_series() -> None:
    model = model_of()
    series = waves(2)
    for wrong, error, message in (
        ([[1.0]], ValueError, "series 0 must have at least two values, got 1"),
        ([series[0], []], ValueError, "series 1 must have at least two values, got 0"),
        ([series[0], [1, np.nan, 2]], ValueError, "series 1 must be finite, got nan at 1"),
        (["a", "b"], TypeError, "series 0 must be numbers"),
        (np.ones((2, 3, 1)), ValueError, "shape"),
        ([], ValueError, "at least"),
    ):
        with pytest.raises(error, match=message):
            model.fit(wrong, **QUICK)
    model.fit(series, **QUICK)
    with pytest.raises(ValueError, match="horizon must be at least 1"):
        model.predict(0)
    with pytest.raises(TypeError, match="q must be a number or several, got 'median'"):
        model.predict(1, samples=1)[0].quantile("median")
    with pytest.raises(ValueError, match="made with covariates=0"):
        model.predict(1, covariates=np.ones((200, 1)))
    with pytest.raises(ValueError, match="series 0 must have at least"):
        model.backtest(series, 100, 2)
    beside = model_of(covariates=2)
    for wrong in (None, np.ones((160, 1)), np.ones(160), np.full((160, 2), np.nan)):
        with pytest.raises(ValueError, match="covariates"):
            beside.fit(series[0], wrong, **QUICK)
    with pytest.raises(ValueError, match="must lie in"):
        model.predict(2)[0].quantile(1.5)
