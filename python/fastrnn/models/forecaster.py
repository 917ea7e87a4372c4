"""Forecaster: an autoregressive recurrent network over one or many series."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastrnn import metrics, ops
from fastrnn._checks import FLOAT64, Array, choice, generator, integer, items, number, probability
from fastrnn.data import batches
from fastrnn.models._forecast.likelihoods import LIKELIHOODS
from fastrnn.models._forecast.series import Forecast, Given, continued, covariates_of, given
from fastrnn.models._parts.model import Model
from fastrnn.models._parts.reader import Reader, linear_params, with_weights

if TYPE_CHECKING:
    from numpy.random import Generator

_LEVELS = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
# Samples that are drawn side by side, so few that their gates stay in the cache: the 414 series of
# M4 took 5.1 s of processor time with 2**14, and take 3.7.
_ROWS = 2**11


class Windows(NamedTuple):
    """Pieces of series, as a `Forecaster` learns from them.

    Attributes
    ----------
    x : ndarray, (T, N, I)
        What is known before each value: values at the lags, in units of the window, covariates.
    targets : ndarray of float64, (T, N)
        The values, in units of the window; counts as they are.
    scale : ndarray of float64, (N,)
        That unit.
    lengths : ndarray of int64, (N,)
    """

    x: Any
    targets: Any
    scale: Any
    lengths: Any


class Forecaster(Model):
    """Predict how series go on, as samples of what may come.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn"}
    hidden_size : int or sequence of int
        H, or one for each layer.
    num_layers : int
        As `fastrnn.LSTM`.
    context_length : int or None
        Steps that it looks back, and from which the unit of a series is taken; None: twice the
        longest lag, at least 48.
    likelihood : {"student_t", "gaussian", "negative_binomial", "quantile"}
        What it says of the next value; "negative_binomial" is for counts.
    levels : sequence of float
        Of the likelihood "quantile", within 0..1 and rising.
    lags : sequence of int
        How many steps back the values lie that it sees beside its state, such as (1, 24, 168) for
        hours that repeat by day and week.
    covariates : int
        C, numbers at each step that are known ahead, such as holidays.
    dropout : float
        Probability of dropping a feature, and an output between two layers, while learning.
    dtype : dtype
        float32 or float64.
    rng : numpy.random.Generator or None
        Where the first weights come from; None: fresh entropy.
    **layer_options
        More options of the layer: `forget_bias`, `peephole`, `reset_after`, `nonlinearity`, `bias`,
        `compute_dtype`, `truncate`, `clip_step`.

    Attributes
    ----------
    params : dict
        ``"rnn"`` with the names of `fastrnn.LSTM.params`, and ``"out"`` with weight (K, H + I) and
        bias (K,), by which state and input say what may come.

    Raises
    ------
    TypeError, ValueError
        An option has the wrong type, is out of range, or unknown.

    Notes
    -----
    One network learns all series. Each window of a series is centred by the mean of its context and
    divided by the mean absolute deviation there (counts are divided by the mean alone), so series
    of any size go together. The loss counts what follows the context, since the center would
    tell of values inside it (all values of a series that is no longer than the context). A
    forecast draws one value after the other, each from what the network says after the ones
    before; all samples of many series run side by side.

    References
    ----------
    D. Salinas, V. Flunkert, J. Gasthaus, "DeepAR: Probabilistic Forecasting with Autoregressive
    Recurrent Networks", 2017, sections 3.1 to 3.3.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.models import Forecaster
    >>> series = np.sin(np.arange(200) / 4) + 5
    >>> model = Forecaster("gru", 8, context_length=40, rng=np.random.default_rng(0))
    >>> history = model.fit(series, updates=30, progress=False, rng=np.random.default_rng(1))
    >>> forecast = model.predict(12, samples=50, rng=np.random.default_rng(2))
    >>> forecast.mean.shape, forecast.quantile(0.9).shape, forecast.samples.shape
    ((12,), (12,), (50, 12))
    """

    def __init__(
        self,
        cell: str,
        hidden_size: int | Sequence[int],
        *,
        num_layers: int = 1,
        context_length: int | None = None,
        likelihood: str = "student_t",
        levels: Sequence[float] = _LEVELS,
        lags: Sequence[int] = (1,),
        covariates: int = 0,
        dropout: float = 0.0,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
        **layer_options: Any,
    ) -> None:
        source = generator(rng)
        self._likelihood = LIKELIHOODS[choice("likelihood", likelihood, list(LIKELIHOODS))]
        self._levels = np.array([number("levels", q, 0, 1) for q in items("levels", levels)])
        if not len(self._levels) or self._levels[0] <= 0 or (np.diff(self._levels) <= 0).any():
            raise ValueError(f"levels must lie within 0..1 and rise, got {list(levels)}")
        self._lags = [integer("lags", lag, 1) for lag in items("lags", lags)]
        if not self._lags or len(set(self._lags)) < len(self._lags):
            raise ValueError(f"lags must be different numbers, at least one, got {list(lags)}")
        if context_length is None:
            context_length = max(48, 2 * max(self._lags))
        self._context = integer("context_length", context_length, 1)
        self._columns = integer("covariates", covariates, 0)
        self._dropout = probability("dropout", dropout)
        I = len(self._lags) + self._columns
        self._reader = Reader(
            cell, input_size=I, vocab=None, embedding_size=None, hidden_size=hidden_size,
            num_layers=num_layers, bidirectional=False, merge_mode="concat", dropout=dropout,
            dtype=dtype, rng=source, layer_options=layer_options,
        )  # fmt: skip
        self.dtype = self._reader.layer.dtype
        K = self._likelihood.outputs or len(self._levels)
        out = linear_params(K, self._reader.width + I, self.dtype, source)
        self.params = self._reader.params | {"out": out}
        sizes = list(hidden_size) if isinstance(hidden_size, Sequence) else hidden_size
        super().__init__(
            {"cell": cell, "hidden_size": sizes, "num_layers": num_layers,
             "context_length": self._context, "likelihood": likelihood,
             "levels": self._levels.tolist(), "lags": self._lags, "covariates": self._columns,
             "dropout": dropout, "dtype": self.dtype.name, **layer_options}
        )  # fmt: skip
        del self.config["vocab"]  # numbers have no symbols
        self._known: tuple[Given, Any] | None = None

    def tokens(self, batch: Windows) -> int:
        """Return how many values of a batch the loss counts.

        Parameters
        ----------
        batch : tuple
            As `loss` takes it.

        Returns
        -------
        int
        """
        return int(self._counted(len(batch[1]), batch[3]).sum())

    def loss(self, params: Mapping[str, Any], batch: Any, rng: "Generator | None" = None) -> Any:
        """Return the mean negative log-likelihood of values after the context, purely of params.

        Parameters
        ----------
        params : nested dict
            Of the names and shapes of `params`, which are not looked at.
        batch : tuple (x, targets, scale, lengths)
            What `windows` makes: x (T, N, I), targets (T, N), scale (N,), lengths (N,).
        rng : numpy.random.Generator or None
            Where dropout draws from; None: dropout does not act.

        Returns
        -------
        float, or what autograd traces as one
            In nats, in the units of the windows; of "quantile" twice the mean pinball loss.

        Raises
        ------
        TypeError, ValueError
            batch is no such tuple.
        """
        x, targets, scale, lengths = batch
        y, _ = self._reader(params, x, lengths=lengths, rng=rng, learning=True)
        counted = self._counted(len(x), lengths)
        first = counted.any(axis=1).argmax()
        y = anp.split(y, [first])[1]  # the gradient of y[first:] takes autograd twice as long
        x, targets, counted = x[first:], targets[first:], counted[first:]
        o = self._likelihood_params(params, y, x, rng)
        nll = self._likelihood.nll(o, targets, scale, self._levels)
        share = counted / max(1, counted.sum())
        return anp.sum(nll * share).astype(self.dtype)

    def _counted(self, T: int, lengths: Array) -> Array:
        """Return which values of windows (T, N) the loss counts.

        Those of the context do not count where others follow: their mean is the center of the
        window, so the first ones tell what the last ones must be, and a network that learns this
        forecasts a return to the mean that does not come.
        """
        t = np.arange(T)[:, None]
        counted: Array = (t < lengths) & ((t >= self._context) | (lengths <= self._context))
        return counted

    def _likelihood_params(self, params: Mapping[str, Any], y: Any, x: Any, rng: Any) -> Any:
        """Return the numbers that describe the next value, (…, K), in float64."""
        if rng is not None and self._dropout > 0:
            y = ops.dropout(y, self._dropout, rng=rng)
        features = anp.concatenate([y, x], axis=-1)
        return ops.linear(features, params["out"]["weight"], params["out"]["bias"]).astype(FLOAT64)

    def windows(
        self, series: Any, covariates: Any = None, *, steps: int | None = None
    ) -> tuple[NDArray[np.int64], Callable[[Any], Windows]]:
        """Return where windows of series begin, and what makes batches of them.

        Parameters
        ----------
        series, covariates
            As `fit` takes them.
        steps : int or None
            Values of a window; None: the context and a quarter more.

        Returns
        -------
        lengths : ndarray of int64, (M,)
            Values in each window; there is one for each place where a whole one begins, or one for
            a shorter series.
        make : callable
            Returns `Windows` of an array of their numbers, for `fastrnn.data.batches`.

        Raises
        ------
        TypeError, ValueError
            As `fit`.
        """
        known = given(series, counts=self._likelihood.counts)
        beside = covariates_of(covariates, known, self._columns, 0)
        L = self._context + max(1, self._context // 4) if steps is None else steps
        L = integer("steps", L, 2)
        lengths = np.array([len(values) for values in known.values])
        counts = np.maximum(lengths - L + 1, 1)
        ends = np.cumsum(counts)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        flat, flat_beside = np.concatenate(known.values), np.concatenate(beside)

        def make(numbers: Any) -> Windows:
            rows = np.searchsorted(ends, numbers, side="right")
            start = numbers - (ends - counts)[rows]
            here = np.minimum(lengths[rows] - start, L)
            T = int(here.max())
            t = np.arange(T)[:, None]
            place = start + np.minimum(t, here - 1)  # padding repeats the last value
            targets = flat[offsets[rows] + place]
            center, scale = self._unit(targets, np.minimum(here, self._context))
            x = self._features(flat, offsets[rows], place, center, scale)
            x = np.concatenate([x, flat_beside[offsets[rows] + place]], axis=2)
            if not self._likelihood.counts:
                targets = (targets - center) / scale
            return Windows(x.astype(self.dtype), targets, scale, here)

        return np.repeat(np.minimum(lengths, L), counts), make

    def _unit(self, values: Array, context: Any) -> tuple[Array, Array]:
        """Return center and scale of windows (T, N), from the first `context` (N,) values."""
        inside = np.arange(len(values))[:, None] < context
        mean = (values * inside).sum(axis=0) / context
        if self._likelihood.counts:
            return np.zeros_like(mean), np.where(mean > 0, mean, 1.0)
        spread = (np.abs(values - mean) * inside).sum(axis=0) / context
        # A constant stretch, but for rounding, has the unit 1.
        return mean, np.where(spread > 1e-9 * np.abs(mean), spread, 1.0)

    def _features(
        self, flat: Array, offset: Any, place: Any, center: Array, scale: Array
    ) -> Array:
        """Return the values at the lags before places (T, N), in units, 0 before the beginning."""
        result = np.zeros((*place.shape, len(self._lags)))
        for k, lag in enumerate(self._lags):
            there = place >= lag
            values = flat[np.where(there, offset + place - lag, 0)]
            result[..., k] = np.where(there, (values - center) / scale, 0)
        return result

    def fit(  # type: ignore[override]
        self,
        series: Any,
        covariates: Any = None,
        optimiser: Any = None,
        *,
        batch_size: int = 64,
        steps: int | None = None,
        max_norm: float | None = 10.0,
        rng: "Generator | None" = None,
        progress: bool = True,
        dist: Any = None,
        **limits: Any,
    ) -> Any:
        """Learn one or many series, from windows that begin anywhere in them.

        Parameters
        ----------
        series : array_like (T,) or (n, T); list of (T_i,); Series or DataFrame of pandas
            One series; or n of them, in a DataFrame a column each.
        covariates : array_like, (T, C), a list of such for several series, or None
            What is known at each step.
        optimiser : optimiser of `fastrnn.train`, or None
            None: Adam with its defaults.
        batch_size : int
            N, windows an update.
        steps : int or None
            As `windows`.
        max_norm : float or None
            Clip the gradient of all parameters to this norm.
        rng : numpy.random.Generator or None
            Where the order of windows and dropout come from; None: fresh entropy.
        progress : bool
            Show a bar on a terminal, else a line now and then.
        dist : fastrnn.distributed.Comm or None
            What `fastrnn.distributed.init` returns: the ranks that train together.
        **limits
            What `fastrnn.train.Trainer.fit` takes: epochs, updates or seconds, validation,
            patience, monitor. Without any of the first three: 1,000 updates.

        Returns
        -------
        fastrnn.train.History

        Raises
        ------
        TypeError, ValueError
            An argument breaks its rule; what is wrong with one series names it.
        FloatingPointError
            The loss or its gradient is not finite. The model is as after the last whole update.
        """
        lengths, make = self.windows(series, covariates, steps=steps)
        source = generator(rng)
        data = batches(
            lengths, batch_size, seed=int(source.integers(2**31)), make=make, bucket=False
        )
        if not {"epochs", "updates", "seconds"} & limits.keys():
            limits["updates"] = 1000
        history = super().fit(
            data, optimiser, max_norm=max_norm, rng=source, progress=progress, dist=dist, **limits
        )
        self._known = given(series, counts=self._likelihood.counts), covariates
        return history

    def evaluate(self, data: Iterable[Any]) -> dict[str, float]:
        """Return the mean loss of batches.

        Parameters
        ----------
        data : iterable of tuple
            As `loss` takes each.

        Returns
        -------
        dict
            ``"loss"``, the mean over all values that count.

        Raises
        ------
        ValueError
            There is no value in all batches.
        """
        total, count = 0.0, 0
        for batch in data:
            here = self.tokens(batch)
            # The class's own: of a quantised model `loss`, which is for training, is refused.
            total += here * float(type(self).loss(self, self.params, batch))
            count += here
        if not count:
            raise ValueError("data must hold at least one value, got none")
        return {"loss": total / count}

    def predict(
        self,
        horizon: int,
        samples: int = 200,
        *,
        series: Any = None,
        covariates: Any = None,
        rng: "Generator | None" = None,
    ) -> Any:
        """Return what may come after the end of each series.

        Parameters
        ----------
        horizon : int
            Steps to predict.
        samples : int
            S, ways to go on that are drawn for each series.
        series
            The history to go on from, as `fit` takes it; None: the one that was learned.
        covariates
            As `fit` takes them, `horizon` steps further; None where there are none.
        rng : numpy.random.Generator or None
            Where the samples are drawn from; None: fresh entropy.

        Returns
        -------
        Forecast, or list of Forecast for several series

        Raises
        ------
        TypeError, ValueError
            An argument breaks its rule, covariates end before the horizon, an index cannot be
            continued, or there is no history.
        """
        horizon, S = integer("horizon", horizon, 1), integer("samples", samples, 1)
        source = generator(rng)
        if series is not None:
            known = given(series, counts=self._likelihood.counts)
        elif self._known is not None:
            known = self._known[0]
        else:
            raise ValueError("series must be given to a model that has learned none since its load")
        beside = covariates_of(covariates, known, self._columns, horizon)
        places = [
            continued(name, index, horizon)
            for name, index in zip(known.names, known.indices, strict=True)
        ]
        drawn: list[Array] = []
        together = max(1, _ROWS // S)
        for start in range(0, len(known.values), together):
            part = slice(start, start + together)
            drawn += list(self._draw(known.values[part], beside[part], horizon, S, source))
        result = [
            Forecast(each, index, name)
            for each, index, name in zip(drawn, places, known.names, strict=True)
        ]
        return result[0] if known.one else result

    def _draw(
        self, values: list[Array], beside: list[Array], horizon: int, S: int, rng: "Generator"
    ) -> Array:
        """Return samples (n, S, horizon) of what comes after n series."""
        n, first, lags = len(values), max(self._lags), np.array(self._lags)
        lengths = np.array([min(len(part), self._context) for part in values])
        T = int(lengths.max())
        context = np.zeros((T, n))
        for k, part in enumerate(values):
            context[: lengths[k], k] = part[len(part) - lengths[k] :]
        center, scale = self._unit(context, lengths)
        offsets = np.concatenate([[0], np.cumsum([len(part) for part in values])[:-1]])
        flat = np.concatenate(values)
        sizes = np.array([len(part) for part in values])
        place = sizes - lengths + np.minimum(np.arange(T)[:, None], lengths - 1)
        x = self._features(flat, offsets, place, center, scale)
        known = [np.stack([part[p] for part, p in zip(beside, row, strict=True)]) for row in place]
        x = np.concatenate([x, np.stack(known)], axis=2).astype(self.dtype)
        layer = with_weights(self._reader.layer, self.params["rnn"])
        _, state = layer(x, lengths=lengths)
        # The last values in units, the newest last, and where the series is shorter 0.
        past = np.zeros((first + horizon, n * S))
        for k, part in enumerate(values):
            tail = (part[-first:] - center[k]) / scale[k]
            past[first - len(tail) : first, k * S : (k + 1) * S] = tail[:, None]
        stream = layer.stream(batch_size=n * S)
        stream.state = _repeated(state, S)
        ahead = [np.stack([part[size + t] for part, size in zip(beside, sizes, strict=True)])
                 for t in range(horizon)]  # fmt: skip
        wide = np.repeat(scale, S)
        for t in range(horizon):
            now = np.concatenate([past[first + t - lags].T, np.repeat(ahead[t], S, axis=0)], axis=1)
            now = now.astype(self.dtype)
            o = self._likelihood_params(self.params, stream.step(now), now, None)
            drawn = self._likelihood.draw(o, wide, self._levels, rng)
            past[first + t] = drawn / wide if self._likelihood.counts else drawn
        result = past[first:].T.reshape(n, S, horizon)
        whole: Array = center[:, None, None] + scale[:, None, None] * result
        return np.rint(whole) if self._likelihood.counts else whole

    def backtest(
        self,
        series: Any,
        horizon: int,
        windows: int = 1,
        *,
        season: int = 1,
        samples: int = 200,
        covariates: Any = None,
        rng: "Generator | None" = None,
    ) -> dict[str, float]:
        """Forecast the ends of series from what comes before them, and compare.

        The model is used as it is: fit it to what lies before the first window, if the figures
        shall be those of data that it has not seen.

        Parameters
        ----------
        series, covariates
            As `fit` takes them.
        horizon : int
            Steps of each forecast.
        windows : int
            How many forecasts of each series, one after the other, up to its end.
        season : int
            m, steps of a season, of the naive forecast and of the unit of MASE.
        samples, rng
            As `predict`.

        Returns
        -------
        dict
            ``"mase"`` and ``"smape"`` of the median, ``"crps"`` of the samples in the same units as
            MASE, all means over series and windows; the same of the seasonal naive forecast, which
            repeats the last season, as ``"naive_mase"``, ``"naive_smape"``, ``"naive_crps"``.
            Series whose history repeats itself exactly have no MASE and are left out of it.

        Raises
        ------
        TypeError, ValueError
            An argument breaks its rule, or a series is too short.
        """
        horizon, windows = integer("horizon", horizon, 1), integer("windows", windows, 1)
        m, source = integer("season", season, 1), generator(rng)
        known = given(series, counts=self._likelihood.counts)
        beside = covariates_of(covariates, known, self._columns, 0)
        needed = horizon * windows + m + 1
        for name, values in zip(known.names, known.values, strict=True):
            if len(values) < needed:
                raise ValueError(
                    f"series {name!r} must have at least {needed} values for {windows} windows of "
                    f"{horizon} after a season of {m}, got {len(values)}"
                )
        rows: dict[str, list[float]] = {}
        for w in range(windows, 0, -1):
            cuts = [len(values) - w * horizon for values in known.values]
            past = [values[:cut] for values, cut in zip(known.values, cuts, strict=True)]
            given_ahead = beside if self._columns else None
            result = self.predict(
                horizon, samples, series=past, covariates=given_ahead, rng=source
            )
            for values, cut, forecast in zip(known.values, cuts, result, strict=True):
                actual, before = values[cut : cut + horizon], values[:cut]
                naive = before[len(before) - m + np.arange(horizon) % m]
                unit = metrics.seasonal_error(before, m)
                for word, samples_of in (("", forecast.samples), ("naive_", naive[None])):
                    median = np.median(samples_of, axis=0)
                    rows.setdefault(f"{word}smape", []).append(metrics.smape(actual, median))
                    if unit > 0:
                        error = np.abs(actual - median).mean() / unit
                        rows.setdefault(f"{word}mase", []).append(error)
                        score = metrics.crps(actual, samples_of) / unit
                        rows.setdefault(f"{word}crps", []).append(score)
        names = ("mase", "smape", "crps", "naive_mase", "naive_smape", "naive_crps")
        return {name: float(np.mean(rows[name])) if name in rows else np.nan for name in names}


def _repeated(state: Any, times: int) -> Any:
    """Return a state with each of its rows so many times, side by side."""
    if isinstance(state, (tuple, list)):
        return type(state)(_repeated(part, times) for part in state)
    return np.repeat(state, times, axis=1)
