"""How good an answer is: exact matches, edits, brackets, BLEU, diversity, modes, perplexity."""

from fastrnn.metrics.answers import bracket_f1, edit_distance, error_rate, exact_match
from fastrnn.metrics.distributions import distinct, mode_coverage, perplexity, total_variation
from fastrnn.metrics.similarity import embedding_similarity
from fastrnn.metrics.texts import bleu, chrf

__all__ = [
    "bleu",
    "bracket_f1",
    "chrf",
    "distinct",
    "edit_distance",
    "embedding_similarity",
    "error_rate",
    "exact_match",
    "mode_coverage",
    "perplexity",
    "total_variation",
]
