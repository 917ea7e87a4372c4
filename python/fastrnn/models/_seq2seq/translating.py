"""What a trained encoder and decoder are for: translations, answers, and vectors of sources."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastrnn import decode
from fastrnn._checks import Array, flag, integer
from fastrnn.data import Vocabulary, pad
from fastrnn.decode import Hypothesis, Rules
from fastrnn.models._parts.symbols import as_symbols
from fastrnn.models._seq2seq.measures import MEASURES, checked_measures, measured
from fastrnn.models._seq2seq.options import constraints_of
from fastrnn.models._seq2seq.pairs import batched_pairs, check_sides, chunks

if TYPE_CHECKING:
    from numpy.random import Generator

Ids = NDArray[np.int64]

_MORE = 20  # the greatest length by default: twice the source's, and so much more


class Translating:
    """The part of `Seq2Seq` that uses what has been learned."""

    params: dict[str, Any]
    dtype: Any
    _vocabularies: dict[str, Vocabulary]
    _encoder: Any
    _decoder: Any
    _sizes: tuple[int, int]
    _scores: Any

    @property
    def source_vocabulary(self) -> Vocabulary | None:
        """What the source's symbols stand for, if the model was given it."""
        return self._vocabularies.get("source_vocab")

    @property
    def target_vocabulary(self) -> Vocabulary | None:
        """What the target's symbols stand for, if the model was given it."""
        return self._vocabularies.get("target_vocab")

    def pairs(
        self,
        sources: Sequence[Any],
        targets: Sequence[Any],
        batch_size: int,
        *,
        seed: int = 0,
        bucket: bool = True,
    ) -> Any:
        """Return shuffled batches of pairs of similar length, as `loss` takes them.

        Parameters
        ----------
        sources, targets : sequence of str, or of array_like of int
            Texts need the vocabulary of their side. EOS is put after each target.
        batch_size : int
            N.
        seed : int
            With the epoch it decides the order.
        bucket : bool
            False: batches of any lengths, for sources whose several targets shall be drawn as often
            as they stand there; see the notes of `fastrnn.data.batches`.

        Returns
        -------
        fastrnn.data.Batches

        Raises
        ------
        TypeError, ValueError
            One text instead of several, another number of targets than of sources, or a symbol out
            of range.
        """
        check_sides(sources, targets)
        return batched_pairs(
            [self._ids("source", source) for source in sources],
            [self._ids("target", target) for target in targets],
            batch_size,
            seed,
            bucket,
        )

    def encode(self, sources: Any) -> Array:
        """Return what the encoder's top layer ended with: one vector of fixed size a source.

        Parameters
        ----------
        sources : str, array_like of int (t,), or sequence of them

        Returns
        -------
        ndarray, (N, D·H), or (D·H,) for one source
            0 for an empty source.

        Raises
        ------
        TypeError, ValueError
            As `translate`.
        """
        rows, single = self._rows(sources)
        result = np.zeros((len(rows), self._encoder.vector_width), self.dtype)
        for chosen in chunks(rows, 64):
            result[chosen] = self._encoded([rows[n] for n in chosen]).vector
        return result[0] if single else result

    def translate(
        self,
        sources: Any,
        *,
        beam_size: int = 1,
        n_best: int = 1,
        length_penalty: str = "none",
        alpha: float = 0.6,
        word_penalty: float = 0.0,
        min_length: int = 0,
        max_length: int | None = None,
        block_ngram_repeat: int = 0,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        rng: "Generator | None" = None,
        constraint: Any = None,
        return_attention: bool = False,
        batch_size: int = 64,
    ) -> Any:
        """Translate: greedily, by beam search, or by drawing.

        Parameters
        ----------
        sources : str, array_like of int (t,), or sequence of them
            Texts need the source's vocabulary; what it does not know becomes UNK. An empty source
            has the empty translation, whatever the options.
        beam_size : int
            1: the likeliest symbol at every step. May exceed the number of symbols.
        n_best : int
            How many translations of each source: at most beam_size, or so many draws.
        length_penalty, alpha, word_penalty
            As `fastrnn.decode.beam_search`.
        min_length, block_ngram_repeat, constraint
            As `fastrnn.decode.Rules`.
        max_length : int or None
            The most symbols, without EOS; None: 20 more than twice those of the source, or
            min_length if that is more.
        temperature, top_k, top_p : number or None
            As `fastrnn.decode.probabilities`. If one of them or rng is given, symbols are drawn.
        rng : numpy.random.Generator or None
            Where draws come from; None: fresh entropy.
        return_attention : bool
            Keep how each symbol looked at the source, (t, S), S in the order of the source.
        batch_size : int
            How many sources go side by side; they do not change each other's translations.

        Returns
        -------
        Hypothesis, or list of them
            One for a single source, a list for a sequence of sources; with n_best above 1 a list
            of the best for each of them. ``.tokens``, ``.log_prob``, ``.score``, ``.attention``,
            and ``.text`` where there is the target's vocabulary.

        Raises
        ------
        TypeError, ValueError
            A source or an option breaks its rule; options that do not go together.

        References
        ----------
        As `fastrnn.decode.beam_search`.
        """
        rows, single = self._rows(sources)
        drawing = any(value is not None for value in (temperature, top_k, top_p, rng))
        if drawing and (beam_size != 1 or length_penalty != "none" or word_penalty != 0):
            raise ValueError("beam_size, length_penalty and word_penalty do not go with drawing")
        if flag("return_attention", return_attention) and not self._decoder.attends:
            raise ValueError("return_attention needs a model with attention")
        beams = integer("n_best", n_best, 1) if drawing else integer("beam_size", beam_size, 1)
        rules = Rules(min_length=min_length, block_ngram_repeat=block_ngram_repeat)
        options: dict[str, Any] = {"return_attention": return_attention}
        if drawing:
            options |= {
                "temperature": 1.0 if temperature is None else temperature, "top_k": top_k,
                "top_p": top_p, "rng": np.random.default_rng() if rng is None else rng,
                "samples": n_best,
            }  # fmt: skip
        else:
            options |= {
                "beam_size": beam_size, "n_best": n_best, "length_penalty": length_penalty,
                "alpha": alpha, "word_penalty": word_penalty, "overwrite_scores": True,
            }  # fmt: skip
        search = decode.draw if drawing else decode.beam_search
        result: list[Any] = [[self._empty()]] * len(rows)
        for chosen in chunks(rows, integer("batch_size", batch_size, 1)):
            here = [rows[n] for n in chosen]
            step, state = self._steps(here, beams)
            own = replace(rules, constraint=constraints_of(constraint, chosen, len(rows)))
            longest: Any = max_length
            if max_length is None:
                longest = [max(2 * len(row) + _MORE, min_length) for row in here]
            results = search(step, state, len(here), max_length=longest, rules=own, **options)
            for n, row, hypotheses in zip(chosen, here, results, strict=True):
                result[n] = [self._finished(hypothesis, len(row)) for hypothesis in hypotheses]
        results = result if n_best > 1 else [best[0] for best in result]
        return results[0] if single else results

    def score(
        self,
        sources: Sequence[Any],
        targets: Sequence[Any],
        measures: Sequence[str] = MEASURES,
        **options: Any,
    ) -> dict[str, float]:
        """Translate and compare with the right translations.

        Parameters
        ----------
        sources, targets : sequence of str, or of array_like of int
            As `pairs` takes them; of the targets texts are compared as they are, symbols by what
            they stand for where there is a Vocabulary.
        measures : sequence of {"exact_match", "wer", "cer", "bleu"}
            Share of translations that are right, errors by words and by characters, and BLEU
            (0..100; of words as the model writes them, of other texts by sacrebleu's rules).
            Without a Vocabulary the symbols are the words, and ``"cer"`` is the same as ``"wer"``.
        **options
            As `translate`: beam_size, length_penalty.

        Returns
        -------
        dict
            One figure for each measure, in their order.

        Raises
        ------
        ImportError
            BLEU is wanted and sacrebleu is missing; the message says how to get it.
        TypeError, ValueError
            As `translate`; an unknown measure; another number of targets than of sources, or none.
        """
        wanted = checked_measures(measures)
        check_sides(sources, targets)
        if options.get("n_best", 1) != 1:
            raise ValueError("score compares one translation of each source, so n_best must be 1")
        translations = self.translate([self._ids("source", each) for each in sources], **options)
        vocabulary = self.target_vocabulary
        right = [
            target if isinstance(target, str)
            else self._ids("target", target) if vocabulary is None
            else vocabulary.decode(self._ids("target", target))
            for target in targets
        ]  # fmt: skip
        texts = [each.tokens if vocabulary is None else each.text for each in translations]
        return measured(wanted, texts, right, vocabulary)

    def reply(self, text: str, **options: Any) -> str:
        """Answer one text with another: the text of `translate`.

        Parameters
        ----------
        text : str
        **options
            As `translate`.

        Returns
        -------
        str

        Raises
        ------
        TypeError
            text is no text, or the model lacks a vocabulary.
        ValueError
            As `translate`.
        """
        if not isinstance(text, str):
            raise TypeError(f"text must be a str, got {type(text).__name__}")
        if self.target_vocabulary is None:
            raise TypeError("the model was made without a Vocabulary of its answers")
        result = self.translate(text, **options)
        best: Hypothesis = result[0] if isinstance(result, list) else result
        return str(best.text)

    def _ids(self, side: str, value: Any) -> Ids:
        """Return the symbols of a text, or those that it holds already."""
        vocabulary = self._vocabularies.get(f"{side}_vocab")
        return as_symbols(side, value, vocabulary, self._sizes[side == "target"])

    def _rows(self, sources: Any) -> tuple[list[Ids], bool]:
        """Return the symbols of each source, and whether there is just one, not in a list."""
        if isinstance(sources, np.ndarray) and sources.ndim == 1 and sources.dtype.kind in "iu":
            single = True
        else:
            single = isinstance(sources, str) or (
                isinstance(sources, (list, tuple))
                and len(sources) > 0
                and all(isinstance(each, (int, np.integer)) for each in sources)
            )
        if isinstance(sources, bytes) or not isinstance(sources, Iterable):
            raise TypeError(
                f"sources must be a text, symbols, or a sequence of them, got {sources!r:.60}"
            )
        return [self._ids("source", each) for each in ([sources] if single else sources)], single

    def _encoded(self, rows: list[Ids]) -> Any:
        x, lengths = self._encoder.enter(*pad(rows))
        return self._encoder(self.params["encoder"], x, lengths)

    def _steps(self, rows: list[Ids], beams: int) -> tuple[Any, Any]:
        """Return a step function for a search with so many beams a source, and its first state."""
        encoded = self._encoded(rows)
        return self._decoder.search(  # type: ignore[no-any-return]
            self.params["decoder"], encoded, beams,
            lambda y, rows: self._scores(self.params, y, encoded.vector[rows]),
        )  # fmt: skip

    def _finished(self, hypothesis: Hypothesis, S: int) -> Hypothesis:
        """Return it with its text, and its attention in the order of the source."""
        vocabulary, attention = self.target_vocabulary, hypothesis.attention
        if attention is not None:
            attention = attention[:, :S]
            attention = attention[:, ::-1] if self._encoder.reverses else attention
        text = None if vocabulary is None else vocabulary.decode(hypothesis.tokens)
        return replace(hypothesis, text=text, attention=attention)

    def _empty(self) -> Hypothesis:
        text = None if self.target_vocabulary is None else ""
        return Hypothesis(np.empty(0, np.int64), 0.0, 0.0, True, None, text)
