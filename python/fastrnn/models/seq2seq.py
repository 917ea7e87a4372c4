"""Seq2Seq and its encoder: one sequence of symbols to another one, with or without attention."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastrnn import decode, ops
from fastrnn._checks import Array, flag, generator, integer, probability
from fastrnn._checks import lengths as checked_lengths
from fastrnn.data import BOS, EOS, PAD, PairBatch, Vocabulary, pad
from fastrnn.decode import Hypothesis, Rules
from fastrnn.io._files import atomic_write
from fastrnn.metrics import perplexity
from fastrnn.models._parts.decoder import Start
from fastrnn.models._parts.model import Model
from fastrnn.models._parts.output import OutputLoss
from fastrnn.models._parts.reader import (
    NOTHING,
    Reader,
    labels,
    linear_params,
    mean_of,
    refuse_projection,
    with_weights,
)
from fastrnn.models._parts.symbols import as_symbols
from fastrnn.models._seq2seq.measures import MEASURES, checked_measures, measured
from fastrnn.models._seq2seq.pairs import batched_pairs, check_sides, chunks
from fastrnn.models._seq2seq.weights import (
    Plan,
    check_attention,
    constraints_of,
    decoder_of,
    out_params,
    plain,
    vocab_sizes,
)
from fastrnn.recurrent import Layer

if TYPE_CHECKING:
    from numpy.random import Generator

Ids = NDArray[np.int64]
_MORE = 20  # the greatest length by default: twice the source's, and so much more


class Seq2Seq(Model):
    """An encoder reads the source, a decoder writes the target symbol by symbol.

    Symbols 0..3 are PAD, UNK, BOS and EOS on both sides, as in `fastrnn.data.Vocabulary`.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn"}
    source_vocab, target_vocab : int or Vocabulary
        V of either side, at least 5. With a Vocabulary texts may be given and come back.
    hidden_size : int
        H, of each direction and layer of both sides.
    embedding_size : int or None
        E of both sides; None: H of either side.
    num_layers : int
        L, of both sides.
    decoder_size, decoder_layers : int or None
        H and L of the decoder, where they are others than the encoder's.
    bidirectional_encoder : bool
        The decoder's first states are then affine maps of what both directions ended with, for h
        with a tanh, and likewise with another `decoder_size`; otherwise they are the encoder's last
        states. With other `decoder_layers` the top layers of both sides belong together.
    attention : None, "additive", "dot" or "general"
        How the decoder's bottom layer looks at the outputs of the encoder's top layer. For "dot"
        those of the two directions are added, so that they have H columns, as the decoder's must.
    query : {"previous", "current"}
        Score from the decoder's state before the step (Bahdanau), or after it (Luong).
    input_feed : bool
        The cell reads the context; with ``query="current"`` the features of the step before.
    reverse_source : bool
        Read each source from its end.
    peek : bool
        What the encoder's top layer ended with joins the input of each step and its features.
    tied : bool
        The target's embedding is the output layer's weight, too; E must then be H.
    dropout : float
        Probability of dropping an output of the layers of both sides, while learning.
    embedding_dropout : float
        Probability of dropping a feature of an embedded symbol of either side, while learning.
    label_smoothing : float
        0..1: so much of each target is spread evenly over all symbols in `loss`.
    loss : {"full", "sampled"}
        What `loss` is while learning, that is with an rng: the whole softmax, or with many symbols
        `fastrnn.ops.sampled_softmax`. An update then changes the rows of tables that the batch or
        the sample has, and leaves the others alone. `evaluate` and generation take all symbols.
    num_samples : int or None
        How many symbols are drawn for a batch; None: 2,048.
    proposal : {"log_uniform", "uniform"} or None
        Symbol k is drawn in proportion to ``ln(1 + 1/(k + 1))``, which None means, too: a
        Vocabulary has the most frequent words first; or all are drawn alike.
    scheduled_sampling : float
        Probability of feeding a symbol that the model drew itself instead of the right one, while
        learning. The draws are made from a first run with the right ones.
    dtype : dtype
        float32 or float64.
    rng : numpy.random.Generator or None
        Where the first weights come from; None: fresh entropy.
    **layer_options
        More options of the layers: `forget_bias`, `peephole`, `reset_after`, `nonlinearity`,
        `bias`, `compute_dtype`, `truncate`, `clip_step`; with attention `forget_bias`, `truncate`
        and `clip_step` alone.

    Attributes
    ----------
    params : dict
        ``"encoder"`` with ``"embedding"``, ``"rnn"`` and perhaps ``"bridge"``; ``"decoder"`` with
        ``"embedding"``, and ``"rnn"`` or ``"attention"``; ``"out"`` with weight, unless it is
        tied, and bias.
    source_vocabulary, target_vocabulary : Vocabulary or None
    measures : tuple of str
        Figures of translations that `evaluate` can be asked for, and `fit` can monitor.

    Raises
    ------
    TypeError, ValueError
        An option has the wrong type, is out of range, unknown, or does not go with the others.

    References
    ----------
    I. Sutskever et al., "Sequence to Sequence Learning with Neural Networks", 2014; K. Cho et al.,
    "Learning Phrase Representations", 2014 (peek); D. Bahdanau et al., "Neural Machine Translation
    by Jointly Learning to Align and Translate", 2015; M. Luong et al., "Effective Approaches to
    Attention-based Neural Machine Translation", 2015; D. Duckworth et al., "Parallel Scheduled
    Sampling", 2019, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.data import Vocabulary
    >>> from fastrnn.models import Seq2Seq
    >>> from fastrnn.train import Adam
    >>> letters = Vocabulary.from_texts(["abc"], level="character")
    >>> model = Seq2Seq("gru", letters, letters, 16, attention="additive",
    ...                 rng=np.random.default_rng(0))
    >>> sources = ["a", "b", "c", "ab", "bc", "ca", "abc", "bca"]
    >>> data = model.pairs(sources, [text[::-1] for text in sources], 8)
    >>> history = model.fit(data, Adam(lr=0.02), epochs=120, progress=False)
    >>> model.translate("bca").text
    'acb'
    """

    dtype: Any
    measures = MEASURES
    _batches_of_data = "model.pairs(sources, targets, batch_size) makes batches of texts"

    def __init__(
        self,
        cell: str,
        source_vocab: Any,
        target_vocab: Any,
        hidden_size: int,
        *,
        embedding_size: int | None = None,
        num_layers: int = 1,
        decoder_size: int | None = None,
        decoder_layers: int | None = None,
        bidirectional_encoder: bool = True,
        attention: str | None = None,
        query: str = "previous",
        input_feed: bool = True,
        reverse_source: bool = False,
        peek: bool = False,
        tied: bool = False,
        dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        label_smoothing: float = 0.0,
        loss: str = "full",
        num_samples: int | None = None,
        proposal: str | None = None,
        scheduled_sampling: float = 0.0,
        dtype: DTypeLike = np.float32,
        rng: "Generator | None" = None,
        **layer_options: Any,
    ) -> None:
        source = generator(rng)
        H, L = integer("hidden_size", hidden_size, 1), integer("num_layers", num_layers, 1)
        both = flag("bidirectional_encoder", bidirectional_encoder)
        size = H if decoder_size is None else integer("decoder_size", decoder_size, 1)
        layers = L if decoder_layers is None else integer("decoder_layers", decoder_layers, 1)
        if attention == "dot" and size != H:
            raise ValueError(
                f"attention='dot' needs decoder_size to be hidden_size = {H}, got {size}; "
                "'general' and 'additive' do not"
            )
        self._dropout = probability("dropout", dropout)
        drop = probability("embedding_dropout", embedding_dropout)
        self._smoothing = probability("label_smoothing", label_smoothing)
        self._sampling = probability("scheduled_sampling", scheduled_sampling)
        self._peek, self._tied = flag("peek", peek), flag("tied", tied)
        check_attention(attention, query, input_feed)
        self._sizes = vocab_sizes(source_vocab, target_vocab)
        self._output = OutputLoss(self._sizes[1], loss, num_samples, proposal)
        self._output.refuse_smoothing(self._smoothing)
        self._table_rows = self._output.table_rows
        beside = self._join(
            cell, both, reverse_source,
            {"score": attention, "query": query, "input_feed": input_feed},
            {"hidden_size": H, "num_layers": L},
            {"hidden_size": size, "num_layers": layers},
            {"embedding_size": embedding_size, "dropout": dropout, "embedding_dropout": drop,
             "dtype": dtype, "rng": source, "layer_options": layer_options},
        )  # fmt: skip
        self.params = {
            "encoder": self._encoder.params,
            "decoder": self._decoder.params,
            "out": out_params(
                self._decoder, self._sizes[1], beside, self._tied, self.dtype, source
            ),
        }
        super().__init__(
            {"cell": cell, "hidden_size": H, "embedding_size": embedding_size, "num_layers": L,
             "decoder_size": decoder_size, "decoder_layers": decoder_layers,
             "bidirectional_encoder": both, "attention": attention, "query": query,
             "input_feed": input_feed, "reverse_source": reverse_source, "peek": peek,
             "tied": tied, "dropout": dropout, "embedding_dropout": drop,
             "label_smoothing": label_smoothing, **self._output.config,
             "scheduled_sampling": scheduled_sampling, "dtype": self.dtype.name, **layer_options},
            source_vocab=source_vocab, target_vocab=target_vocab,
        )  # fmt: skip

    def _join(
        self,
        cell: str,
        both: bool,
        reverse: bool,
        attention_options: Mapping[str, Any],
        reads: Mapping[str, Any],
        writes: Mapping[str, Any],
        shared: Mapping[str, Any],
    ) -> int:
        """Make encoder and decoder; return how many columns stand beside the decoder's input."""
        self._encoder = Encoder(
            cell, vocab=self._sizes[0], bidirectional=both, reverse=reverse,
            merge_mode="sum" if both and attention_options["score"] == "dot" else "concat",
            decoder_size=writes["hidden_size"], decoder_layers=writes["num_layers"],
            **reads, **shared,
        )  # fmt: skip
        self.dtype = self._encoder.dtype
        beside = self._encoder.vector_width if self._peek else 0
        plan = Plan(cell, self._sizes[1], beside=beside, **writes, **shared)
        self._decoder = decoder_of(plan, attention_options, self._encoder.width)
        return beside

    def loss(self, params: Mapping[str, Any], batch: Any, rng: "Generator | None" = None) -> Any:
        """Return the mean of −ln p of the target symbols in nats: a pure function of params.

        Parameters
        ----------
        params : nested dict
            Of the names and shapes of `params`, which are not looked at.
        batch : tuple (x, targets), (x, targets, lengths) or (x, targets, lengths, target_lengths)
            x of int, (S, N): the sources. targets of int, (T, N): the targets, each with EOS at
            its end and without BOS. lengths and target_lengths of int, (N,), in any order; None:
            sources have all S symbols, targets go up to their first EOS. `pairs` makes batches.
        rng : numpy.random.Generator or None
            Where dropout, scheduled sampling and the sample draw from; None: none acts.

        Returns
        -------
        float, or what autograd traces as one
            0 if there is no target.

        Raises
        ------
        TypeError, ValueError
            A part of batch has the wrong type, shape, or a value out of range.
        """
        return self._nats(params, self._opened(batch), rng, self._smoothing, learning=True)

    def _nats(
        self,
        params: Mapping[str, Any],
        pairs: "Pairs",
        rng: "Generator | None",
        smoothing: float,
        learning: bool,
    ) -> Any:
        """Return the mean of −ln p of the targets; 0 where there is none."""
        encoded = self._encoder(params["encoder"], pairs.sources, pairs.lengths, rng, learning)
        fed = pairs.fed
        if rng is not None and self._sampling > 0:
            fed = self._partly_drawn(params, pairs, encoded, rng)
        y, _ = self._decoder(params["decoder"], fed, encoded, pairs.target_lengths, rng, learning)
        return self._output(
            self._features(y, encoded.vector, rng), *self._out(params), pairs.targets, rng=rng,
            label_smoothing=smoothing, reduction=mean_of(pairs.targets),
        )  # fmt: skip

    def _recurrent(self) -> dict[str, Any]:
        return {"encoder.rnn": self._encoder.layer}

    def _with_frozen(self, precision: str) -> dict[str, Any]:
        params = super()._with_frozen(precision)
        self._decoder, params["decoder"] = self._decoder.quantized(params["decoder"], precision)
        return params

    def _opened(self, batch: Any) -> "Pairs":
        """Return a batch of two to four parts as `loss` takes it, checked.

        Raises
        ------
        TypeError, ValueError
            A part has the wrong type, shape, or a value out of range.
        """
        if not isinstance(batch, (tuple, list)):
            raise TypeError(
                f"batch must be (x, targets, lengths, target_lengths), got {type(batch).__name__}"
            )
        if not 2 <= len(batch) <= 4:
            raise ValueError(
                f"batch must be (x, targets, lengths, target_lengths) or the first two or three of "
                f"them, got {len(batch)} elements"
            )
        x, targets, lengths, target_lengths = PairBatch(*batch)
        sources, steps = self._encoder.enter(x, lengths)
        targets = np.asarray(targets)
        if targets.ndim != 2 or targets.shape[1] != sources.shape[1]:
            raise ValueError(
                f"targets must have shape (T, N) with N = {sources.shape[1]} as x, "
                f"got {targets.shape}"
            )
        T, N = targets.shape
        if target_lengths is None:
            ends = (targets == EOS).argmax(axis=0) + 1 if T else np.zeros(N, np.int64)
            result = (targets == EOS).any(axis=0)
            target_steps = np.where(result, ends, T)
        else:
            target_steps = checked_lengths(target_lengths, T, N, False, "target_lengths")
        exists = np.arange(T)[:, None] < target_steps
        targets = labels("targets", targets, exists, self._sizes[1], NOTHING)
        fed = np.full((T, N), BOS)
        fed[1:] = np.where(exists[1:], targets[:-1], PAD)
        return Pairs(sources, steps, fed, targets, target_steps.astype(np.int64, copy=False))

    def _features(self, y: Any, vector: Any, rng: Any = None) -> Any:
        """Return what the output layer sees of the decoder's features (…, N, width)."""
        if rng is not None and self._dropout > 0:
            y = ops.dropout(y, self._dropout, rng=rng)
        if self._peek:
            beside = vector + np.zeros((*y.shape[:-1], 1), vector.dtype)
            y = anp.concatenate([y, beside], axis=-1)
        return y

    def _out(self, params: Mapping[str, Any]) -> tuple[Any, Any]:
        """Return weight and bias of the output layer."""
        weight = params["decoder"]["embedding"]["weight"] if self._tied else params["out"]["weight"]
        return weight, params["out"]["bias"]

    def _scores(self, params: Mapping[str, Any], y: Any, vector: Any) -> Any:
        """Return the scores before the softmax, (…, V), of the decoder's features."""
        return ops.linear(self._features(y, vector), *self._out(params))

    def _partly_drawn(
        self, params: Mapping[str, Any], pairs: "Pairs", encoded: Start, rng: "Generator"
    ) -> Any:
        """Return what to feed, with some symbols replaced by draws; nothing is traced here."""
        params, known = plain(params), encoded.plain()
        y, _ = self._decoder(params["decoder"], pairs.fed, known, pairs.target_lengths, None, True)
        drawn = decode.sample(self._scores(params, y, known.vector), rng=rng)
        before = np.concatenate([pairs.fed[:1], drawn[:-1]])
        chosen = rng.random(before.shape) < self._sampling
        return np.where(chosen, before, pairs.fed)

    def to_onnx(self, path: str | os.PathLike[str]) -> list[Path]:
        """Write encoder and decoder as two ONNX graphs, for inference.

        ``NAME.encoder.onnx`` takes ``sources`` (S, N), int64, and ``lengths`` (N,), int32 of at
        least 1, and gives ``h`` and, of an LSTM, ``c``, (L, N, H), from which the decoder starts;
        with attention ``memory`` (S, N, C), and of a model that peeks ``vector``.

        ``NAME.decoder.onnx`` is one step: it takes ``tokens`` (N,), BOS first, ``h0`` and ``c0``,
        and gives ``scores`` (N, V) before the softmax, ``h_n`` and ``c_n``. With attention it takes
        ``memory`` and ``lengths``, too, and gives ``weights`` (N, S) in the order in which the
        encoder reads; with ``query="current"`` and `input_feed` it takes ``fed0`` (N, H), zeros
        first, and gives ``fed_n``. A model that peeks takes ``vector``.

        Parameters
        ----------
        path : path
            ``NAME.onnx``; files of the two names are replaced.

        Returns
        -------
        list of Path
            Encoder and decoder.

        Raises
        ------
        ImportError
            The package onnx is missing; the message says how to get it.
        OSError
            A file could not be written; the old one is still there, unless the message says that
            only its folder could not be synced.
        ValueError
            The layers have an option that ONNX lacks.

        Examples
        --------
        >>> from fastrnn.models import Seq2Seq
        >>> files = Seq2Seq("gru", 9, 9, 4, attention="dot").to_onnx("model.onnx")
        >>> [file.name for file in files]
        ['model.encoder.onnx', 'model.decoder.onnx']
        """
        from fastrnn.io._onnx_models import DecoderSide, decoder_graph, encoder_graph

        attends, params = self._decoder.attends, self.params["decoder"]
        embedding, out = params["embedding"]["weight"], self._out(self.params)
        reads = self._encoder.side(self.params["encoder"], attends, self._peek)
        writes = DecoderSide(
            **self._decoder.side(params), embedding=embedding,
            vector_width=self._encoder.vector_width if self._peek else 0,
            weight=out[0], bias=out[1],
        )  # fmt: skip
        graphs = {"encoder": encoder_graph(reads), "decoder": decoder_graph(writes)}
        files = []
        for name, graph in graphs.items():
            files.append(Path(path).with_suffix(f".{name}.onnx"))
            with atomic_write(files[-1]) as file:
                file.write(graph.SerializeToString())
        return files

    def tokens(self, batch: Any) -> int:
        """Return how many target symbols a batch holds, EOS included."""
        return self._opened(batch).symbols

    def evaluate(
        self, batches: Iterable[Any], *, measures: Sequence[str] = ()
    ) -> dict[str, float]:
        """Measure how well the right targets are predicted, each symbol from those before it.

        Parameters
        ----------
        batches : iterable of tuple
            As `loss` takes each.
        measures : sequence of {"exact_match", "wer", "cer", "bleu"}
            What is to be said of greedy translations, too, as `score` has it. `fit` asks for the
            one that it monitors.

        Returns
        -------
        dict
            ``"loss"``, the mean of −ln p over all target symbols in nats, without smoothing, and
            ``"perplexity"``, exp of it; then the measures.

        Raises
        ------
        ImportError
            As `score`.
        TypeError, ValueError
            As `loss`; there is no target in all batches; an unknown measure.
        """
        total, count, wanted = 0.0, 0, checked_measures(measures)
        sources: list[Any] = []
        targets: list[Any] = []
        for batch in batches:
            pairs = self._opened(batch)
            if wanted:
                sources += pairs.source_rows(self._encoder.reverses)
                targets += pairs.target_rows()
            total += float(self._nats(self.params, pairs, None, 0.0, False)) * pairs.symbols
            count += pairs.symbols
        if count == 0:
            raise ValueError("batches must hold at least one target symbol, got none")
        figures = {"loss": total / count, "perplexity": perplexity(total, count)}
        return figures | (self.score(sources, targets, wanted) if wanted else {})

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
        return self._decoder.search(
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


class Pairs(NamedTuple):
    """A batch, opened.

    Attributes
    ----------
    sources : ndarray of int64, (S, N)
        In the order that the encoder reads.
    lengths : ndarray of int64, (N,)
    fed : ndarray of int64, (T, N)
        The targets shifted by one: BOS, and all but the last symbol.
    targets : ndarray of int64, (T, N)
        NOTHING where there is none.
    target_lengths : ndarray of int64, (N,)
    """

    sources: Ids
    lengths: Ids
    fed: Ids
    targets: Ids
    target_lengths: Ids

    @property
    def symbols(self) -> int:
        """How many target symbols there are."""
        return int(self.target_lengths.sum())

    def source_rows(self, reverses: bool) -> list[Ids]:
        """Return the sources one by one, in their own order."""
        rows = [self.sources[:n, k] for k, n in enumerate(self.lengths)]
        return [row[::-1] for row in rows] if reverses else rows

    def target_rows(self) -> list[Ids]:
        """Return the targets one by one, without EOS."""
        rows = [self.targets[:n, k] for k, n in enumerate(self.target_lengths)]
        return [row[:-1] if len(row) and row[-1] == EOS else row for row in rows]


class Encoder:
    """A recurrent layer over the source, in one direction or both.

    Parameters
    ----------
    cell, vocab, embedding_size, hidden_size, num_layers, dropout, embedding_dropout, dtype, rng
        As `fastrnn.models.Seq2Seq`.
    layer_options : mapping
    decoder_size, decoder_layers : int
        H and L of what starts from here.
    bidirectional : bool
    merge_mode : str
        What memory is made of; the states are always those of all directions.
    reverse : bool
        Read each source from its end.

    Attributes
    ----------
    params : dict
        The first weights: ``"embedding"``, ``"rnn"``, and with both directions, or a decoder of
        another size, ``"bridge"``.
    width : int
        C, columns of memory.
    vector_width : int
        D·H.
    reverses : bool
        Whether sources are read from their ends.
    """

    def __init__(
        self,
        cell: str,
        *,
        vocab: int,
        embedding_size: int | None,
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        merge_mode: str,
        reverse: bool,
        dropout: float,
        embedding_dropout: float,
        decoder_size: int,
        decoder_layers: int,
        dtype: DTypeLike,
        rng: "Generator",
        layer_options: Mapping[str, Any],
    ) -> None:
        refuse_projection(layer_options)
        self._reader = Reader(
            cell, input_size=None, vocab=vocab, embedding_size=embedding_size,
            hidden_size=hidden_size, num_layers=num_layers, bidirectional=bidirectional,
            merge_mode=merge_mode, dropout=dropout, embedding_dropout=embedding_dropout,
            dtype=dtype, rng=rng, layer_options=layer_options,
        )  # fmt: skip
        self.reverses, self._dropout = flag("reverse_source", reverse), dropout
        self._D, self._L, self._H = 2 if bidirectional else 1, num_layers, hidden_size
        self._states = ("h", "c") if cell == "lstm" else ("h",)
        self.dtype = self._reader.layer.dtype
        self.width, self.vector_width = self._reader.width, self._D * hidden_size
        self.params: dict[str, Any] = dict(self._reader.params)
        # The layer that each of the decoder's starts from: the top ones belong together.
        self._starts = [max(0, l + num_layers - decoder_layers) for l in range(decoder_layers)]
        self._bridged = bidirectional or decoder_size != hidden_size
        if self._bridged:
            self.params["bridge"] = {
                f"{name}_{state}_l{l}": array
                for l in range(decoder_layers)
                for state in self._states
                for name, array in linear_params(
                    decoder_size, self.vector_width, self.dtype, rng
                ).items()
            }

    @property
    def layer(self) -> Layer:
        """The recurrent layer, whose weights are ``"rnn"``."""
        return self._reader.layer

    def enter(self, x: Any, lengths: Any) -> tuple[Array, Ids]:
        """Return the symbols in the order to be read, (S, N), and the lengths, (N,).

        Raises
        ------
        TypeError, ValueError
            x is no array of symbols (S, N), or lengths break their rule.
        """
        x, lengths, exists = self._reader.enter(x, lengths)
        if self.reverses:
            s = np.arange(len(x))[:, None]
            x = np.take_along_axis(x, np.where(exists, lengths - 1 - s, s), axis=0)
        return x, lengths

    def __call__(
        self,
        params: Mapping[str, Any],
        x: Array,
        lengths: Ids,
        rng: "Generator | None" = None,
        learning: bool = False,
    ) -> Start:
        """Return what a decoder needs; x and lengths are what `enter` returned."""
        memory, state = self._reader(params, x, lengths=lengths, rng=rng, learning=learning)
        h, c = state if len(self._states) == 2 else (state, None)
        h, c = self._joined(h), None if c is None else self._joined(c)
        vector = h[-1]
        if rng is not None and self._dropout > 0:
            memory = ops.dropout(memory, self._dropout, rng=rng)
        h, c = ([each[k] for k in self._starts] if each else None for each in (h, c))
        assert h is not None  # every cell has one
        if self._bridged:
            bridge = params["bridge"]
            h = [anp.tanh(array) for array in _mapped(bridge, "h", h)]
            c = None if c is None else _mapped(bridge, "c", c)
        return Start(memory, lengths, vector, tuple(h), None if c is None else tuple(c))

    def side(self, params: Mapping[str, Any], attended: bool, peeked: bool) -> Any:
        """Return what an ONNX graph needs of the encoder."""
        from fastrnn.io._onnx_models import EncoderSide

        layer = with_weights(self._reader.layer, params["rnn"])
        embedding, bridge = params["embedding"]["weight"], params.get("bridge")
        return EncoderSide(
            layer, embedding, bridge, self._starts, self.reverses, attended, peeked
        )

    def _joined(self, states: Any) -> list[Any]:
        """Return (L·D, N, H) as (N, D·H) of each layer.

        Reshaped where that will do: autograd puts the gradient of an index together slowly.
        """
        N, L, H = states.shape[1], self._L, self._H
        if self._D == 2:
            states = anp.transpose(anp.reshape(states, (L, 2, N, H)), (0, 2, 1, 3))
        if L == 1:
            return [anp.reshape(states, (N, self._D * H))]
        return [anp.reshape(states[l], (N, self._D * H)) for l in range(L)]


def _mapped(bridge: Mapping[str, Any], name: str, states: list[Any]) -> list[Any]:
    """Return an affine map of each layer's last state."""
    return [
        ops.linear(state, bridge[f"weight_{name}_l{l}"], bridge[f"bias_{name}_l{l}"])
        for l, state in enumerate(states)
    ]
