"""From scores to symbols: what is likely, a draw from it, and whole sequences by beam or by chance.

The searches know no model. They call a step function, ``step(state, parents, tokens)``, which feeds
one symbol to each of M sequences and returns what may follow it:

- ``state`` is what the step before returned, at first what the search was called with; the search
  never looks into it. At first it has one row for each of the N sources.
- ``parents``, (M,) of int: the row of that state that each sequence goes on from. M changes from
  step to step, as do the places of the sequences.
- ``tokens``, (M,) of int: the symbol to feed; BOS at first.

It returns ``(scores, state)`` or ``(scores, state, weights)``: the scores before the softmax,
(M, V), its new state with M rows, and the attention weights, (M, S). Scores stay as they are,
unless `beam_search` is told that it may write into them.
"""

from fastrnn.decode._beam import beam_search, greedy
from fastrnn.decode._results import Hypothesis
from fastrnn.decode._rules import Rules
from fastrnn.decode._sampling import draw, probabilities, sample

__all__ = ["Hypothesis", "Rules", "beam_search", "draw", "greedy", "probabilities", "sample"]
