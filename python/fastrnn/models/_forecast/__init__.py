"""Parts of `Forecaster`: what series are, what a likelihood says of the next value, forecasts."""
