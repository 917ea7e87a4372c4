"""How good an answer is: matches, edits, brackets, BLEU, diversity, perplexity, forecasts."""

from fastrnn.metrics.answers import bracket_f1, edit_distance, error_rate, exact_match
from fastrnn.metrics.distributions import distinct, mode_coverage, perplexity, total_variation
from fastrnn.metrics.forecasts import crps, mase, seasonal_error, smape
from fastrnn.metrics.similarity import embedding_similarity
from fastrnn.metrics.texts import bleu, chrf

__all__ = [
    "bleu",
    "bracket_f1",
    "chrf",
    "crps",
    "distinct",
    "edit_distance",
    "embedding_similarity",
    "error_rate",
    "exact_match",
    "mase",
    "mode_coverage",
    "perplexity",
    "seasonal_error",
    "smape",
    "total_variation",
]
