"""Word2Vec: vectors of words from the words around them, by CBOW or skip-gram, taught in C++."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from fastrnn._checks import Array, flag, integer, number
from fastrnn._elsewhere import WORD2VEC_ARGUMENTS, hinted, missing
from fastrnn.data.word_vectors import WordVectors
from fastrnn.distributed.comm import Comm
from fastrnn.models.word2vec import _loss
from fastrnn.models.word2vec._base import Word2VecBase, checked_rule
from fastrnn.models.word2vec._corpus import corpus
from fastrnn.models.word2vec._loss import loss as exact_loss
from fastrnn.models.word2vec._ranks import Ranks
from fastrnn.models.word2vec._run import ROW
from fastrnn.models.word2vec._sentences import LineSentence, PathLineSentences

__all__ = ["LineSentence", "PathLineSentences", "Word2Vec"]
_EVENTS = ("on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end")
_BYTES_OF_A_WORD = 170  # its text, its places in a list and in a dict, its number and its count
_BYTES_OF_A_PATH = 120  # of a word in the tree, about 20 nodes deep
_MOST_SENTENCES = 10**6  # gensim's default of `score`, which is the most there too


class Word2Vec(Word2VecBase):
    """Vectors of words, by the names that gensim 4 has for everything.

    Parameters
    ----------
    sentences : iterable of lists of str, or None
        Read once. With neither this nor `corpus_file` the model is untrained: `build_vocab`, then
        `train`.
    corpus_file : path or None
        A text of any size in UTF-8, one sentence a line, words between white space of ASCII; read
        in C++ on all threads.
    vector_size : int
        E, how long a vector is.
    alpha, min_alpha : float
        The learning rate at the beginning and at the end; it falls linearly by words.
    window : int
        How many words on either side.
    min_count : int
        Rarer words are left out.
    sample : float
        Words more frequent than this are dropped at random; 0: none is.
    seed : int
        Of everything random.
    workers : int or None
        Threads; None: `fastrnn.get_num_threads()`. More than one race for the vectors, so that no
        two runs are equal.
    sg : {0, 1}
        1: skip-gram, each word around predicts the middle one; 0: CBOW, all of them together do.
    hs : {0, 1}
        1: hierarchical softmax over a Huffman tree.
    negative : int
        Negative sampling with so many noise words. 0, and hs=0: softmax over all words, for
        vocabularies of at most 4096.
    ns_exponent : float
        Noise words are drawn in proportion to this power of their counts.
    cbow_mean : {0, 1}
        1: CBOW takes the mean of the words around; 0: their sum.
    epochs : int
    shrink_windows : bool
        Draw each window from 1..window.
    deterministic : bool
        One thread, whatever `workers` says: the same bits in every run on the same instruction set.
    progress : bool
        Show words/s, loss and time left.
    max_vocab_size : int or None
        Take at most so many words, the most frequent ones, before min_count is looked at.
    max_final_vocab : int or None
        Raise min_count until at most so many words are left.
    trim_rule : function of word, count and min_count, or None
        Returns 1 to leave a word out and 2 to take it whatever its count is, as
        ``gensim.utils.RULE_DISCARD`` and ``RULE_KEEP``; 0: min_count decides. A file does not keep
        it.
    callbacks : sequence of object
        ``on_train_begin``, ``on_epoch_begin``, ``on_epoch_end`` and ``on_train_end`` of each are
        called with the model, where it has them. A file does not keep them.
    dist : Comm or None
        The ranks that learn together, as `fastrnn.distributed.init` returns them. Each is given the
        whole text and learns from its part of it, with the learning rate of one process times their
        number; rows are averaged as they change, and are equal after each epoch. A file does not
        keep it.
    comment : str or None
        Kept in `config`.
    sorted_vocab, null_word
        1 and 0, gensim's defaults: words always stand by their counts, and none is added.
    hashfxn, batch_words, compute_loss
        No effect: weights are drawn by number, pieces of a text are chosen by their time, and
        losses are always there.

    Attributes
    ----------
    params : dict of str to ndarray of float32
        ``"vectors"`` (V, E) and what the losses need: ``"outputs"`` (V, E) of noise or softmax,
        ``"nodes"`` (V, E) of the tree.
    wv : WordVectors
        The words and their vectors.
    syn1neg, syn1 : ndarray of float32, (V, E)
        ``params["outputs"]`` and ``params["nodes"]`` by gensim's names, where they are.
    losses : list of float
        The mean loss of every epoch so far: of a pair for skip-gram, of a word for CBOW.
    corpus_count, corpus_total_words : int or None
        Sentences and words of the text whose words were taken last; lines of a file: None.
    epochs, vector_size : int
        As given.

    Raises
    ------
    TypeError, ValueError
        An option or the text breaks its rule.
    OSError
        `corpus_file` cannot be read.
    MemoryError, FloatingPointError
        The vectors do not fit, or have diverged by far too high an `alpha`.

    Notes
    -----
    The words around one word share its noise, so that their update is a product of small matrices.
    As in word2vec.c and gensim, noise that is the target is left out, and of CBOW each word takes
    the whole gradient of the mean (or its part of that of the sum).

    References
    ----------
    T. Mikolov et al., "Efficient Estimation of Word Representations in Vector Space", 2013;
    T. Mikolov et al., "Distributed Representations of Words and Phrases", 2013; S. Ji et al.,
    "Parallelizing Word2Vec in Shared and Distributed Memory", 2016.

    Examples
    --------
    >>> from fastrnn.models import Word2Vec
    >>> sentences = [["the", "cat", "sat"], ["the", "dog", "sat"]] * 50
    >>> model = Word2Vec(sentences, vector_size=8, min_count=1, seed=1, deterministic=True)
    >>> model.wv["cat"].shape, len(model.losses)
    ((8,), 5)
    >>> model.wv.most_similar("cat", topn=1)[0][0] in ("dog", "sat", "the")
    True
    """

    @hinted(WORD2VEC_ARGUMENTS)
    def __init__(
        self,
        sentences: Iterable[Iterable[str]] | None = None,
        corpus_file: str | os.PathLike[str] | None = None,
        *,
        vector_size: int = 100,
        alpha: float = 0.025,
        window: int = 5,
        min_count: int = 5,
        sample: float = 1e-3,
        seed: int = 1,
        workers: int | None = None,
        min_alpha: float = 1e-4,
        sg: int = 0,
        hs: int = 0,
        negative: int = 5,
        ns_exponent: float = 0.75,
        cbow_mean: int = 1,
        epochs: int = 5,
        shrink_windows: bool = True,
        deterministic: bool = False,
        progress: bool = False,
        max_vocab_size: int | None = None,
        max_final_vocab: int | None = None,
        trim_rule: Callable[[str, int, int], int] | None = None,
        callbacks: Sequence[Any] = (),
        dist: Comm | None = None,
        comment: str | None = None,
        sorted_vocab: int = 1,
        null_word: int = 0,
        hashfxn: Any = hash,
        batch_words: int = 10_000,
        compute_loss: bool = False,
    ) -> None:
        del hashfxn
        integer("batch_words", batch_words, 1)
        flag("compute_loss", compute_loss)
        for name, value, only in (("sorted_vocab", sorted_vocab, 1), ("null_word", null_word, 0)):
            if _switch(name, value) != only:
                raise ValueError(f"{name} must be {only}, got {value!r}")
        if comment is not None and not isinstance(comment, str):
            raise TypeError(f"comment must be None or a str, got {type(comment).__name__}")
        config = {
            "vector_size": integer("vector_size", vector_size, 1),
            "alpha": number("alpha", alpha, 0.0),
            "window": integer("window", window, 1, 1000),
            "min_count": integer("min_count", min_count, 1),
            "sample": number("sample", sample, 0.0),
            "seed": integer("seed", seed, 0, 2**32 - 1),
            "workers": 0 if workers is None else integer("workers", workers, 1, 1024),
            "min_alpha": number("min_alpha", min_alpha, 0.0),
            "sg": _switch("sg", sg),
            "hs": _switch("hs", hs),
            "negative": integer("negative", negative, 0, 1000),
            "ns_exponent": number("ns_exponent", ns_exponent),
            "cbow_mean": _switch("cbow_mean", cbow_mean),
            "epochs": integer("epochs", epochs, 1),
            "shrink_windows": flag("shrink_windows", shrink_windows),
            "deterministic": flag("deterministic", deterministic),
            "max_vocab_size": _at_most("max_vocab_size", max_vocab_size),
            "max_final_vocab": _at_most("max_final_vocab", max_final_vocab),
            "comment": comment,
        }
        super().__init__(config)
        self._progress = flag("progress", progress)
        self._trim_rule = checked_rule("trim_rule", trim_rule)
        self._callbacks = _listeners(callbacks)
        self._ranks = Ranks(dist)
        if sentences is not None or corpus_file is not None:
            text = corpus(sentences, corpus_file, "sentences")
            self._teach(text, self._take_words(text, False), None, None, None)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and hasattr(WordVectors, name):
            raise missing(self, name, {name: f"ask its vectors, model.wv.{name}"})
        return super().__getattr__(name)

    @property
    def wv(self) -> WordVectors:
        """The words and their vectors: a view of ``params["vectors"]``.

        It is one object until the model takes other words; words added to it are its own.
        """
        vectors = self.params["vectors"]
        if self._wv is None or self._source_of_wv is not vectors:
            self._wv = WordVectors(self._words, vectors, self._counts)
            self._source_of_wv = vectors
        return self._wv

    @property
    def syn1neg(self) -> Array:
        """``params["outputs"]``, by gensim's name."""
        return self._matrix("syn1neg", "outputs")

    @property
    def syn1(self) -> Array:
        """``params["nodes"]``, by gensim's name."""
        return self._matrix("syn1", "nodes")

    def _matrix(self, theirs: str, name: str) -> Array:
        if name not in self.params:
            raise AttributeError(f"{theirs} is not there: a model with these settings has none")
        result: Array = self.params[name]
        return result

    @property
    def epochs(self) -> int:
        """How often a training reads its text."""
        return int(self.config["epochs"])

    @property
    def vector_size(self) -> int:
        """E, how long a vector is."""
        return int(self.config["vector_size"])

    def build_vocab(
        self,
        corpus_iterable: Iterable[Iterable[str]] | None = None,
        corpus_file: str | os.PathLike[str] | None = None,
        update: bool = False,
        progress_per: int = 10_000,
        keep_raw_vocab: bool = False,
        trim_rule: Callable[[str, int, int], int] | None = None,
    ) -> None:
        """Take the words of a text; with `update` add them to those that are there.

        Parameters
        ----------
        corpus_iterable, corpus_file
            As sentences and corpus_file of the class.
        update : bool
            Known words keep their vectors and add to their counts; new ones need `min_count` in
            this text.
        progress_per, keep_raw_vocab
            No effect: counting shows nothing, and keeps nothing but the words that are taken.
        trim_rule : function or None
            As for the class; None: the one that the class was given.

        Raises
        ------
        TypeError, ValueError, OSError
            As for the class: the text is empty, or no word comes `min_count` times.
        """
        integer("progress_per", progress_per, 1)
        flag("keep_raw_vocab", keep_raw_vocab)
        rule = checked_rule("trim_rule", trim_rule)
        self._take_words(corpus(corpus_iterable, corpus_file), flag("update", update), rule)

    def reset_from(self, other_model: "Word2Vec") -> None:
        """Take the words and counts of another model, and begin anew with fresh vectors.

        Parameters
        ----------
        other_model : Word2Vec

        Raises
        ------
        TypeError
            It is no Word2Vec.
        """
        if not isinstance(other_model, Word2Vec):
            raise TypeError(f"other_model must be a Word2Vec, got {type(other_model).__name__}")
        self.params, self.losses, self._latest_loss = {}, [], 0.0
        self._set_words(list(other_model._words), other_model._counts.copy())
        self.corpus_count = other_model.corpus_count
        self.corpus_total_words = other_model.corpus_total_words

    def estimate_memory(
        self, vocab_size: int | None = None, report: Mapping[str, int] | None = None
    ) -> dict[str, int]:
        """Return how many bytes a model with these settings takes.

        Parameters
        ----------
        vocab_size : int or None
            V; None: as many words as there are.
        report : mapping of str to int, or None
            What else is to be added.

        Returns
        -------
        dict of str to int
            ``"vocab"`` (words, counts, paths; an estimate), ``"vectors"`` and, where they are,
            ``"syn1"`` and ``"syn1neg"`` (exact), and the sum as ``"total"``.

        Raises
        ------
        TypeError, ValueError
            vocab_size is no whole number, or below 0.

        Examples
        --------
        >>> from fastrnn.models import Word2Vec
        >>> Word2Vec(vector_size=100).estimate_memory(10_000)["vectors"]
        4480000
        """
        V = len(self._words) if vocab_size is None else integer("vocab_size", vocab_size, 0)
        config, matrix = self.config, 4 * V * -(-self.vector_size // ROW) * ROW
        result = dict(report or {})
        result["vocab"] = V * (_BYTES_OF_A_WORD + (_BYTES_OF_A_PATH if config["hs"] else 0))
        result["vectors"] = matrix
        if config["hs"]:
            result["syn1"] = matrix
        if config["negative"] or not config["hs"]:
            result["syn1neg"] = matrix
        result["total"] = sum(n for name, n in result.items() if name != "total")
        return result

    def train(
        self,
        corpus_iterable: Iterable[Iterable[str]] | None = None,
        corpus_file: str | os.PathLike[str] | None = None,
        total_examples: int | None = None,
        total_words: int | None = None,
        epochs: int | None = None,
        start_alpha: float | None = None,
        end_alpha: float | None = None,
        word_count: int = 0,
        queue_factor: int = 2,
        report_delay: float = 1.0,
        compute_loss: bool = False,
        callbacks: Sequence[Any] = (),
    ) -> list[float]:
        """Learn from a text whose words `build_vocab` has taken; others are passed over.

        Parameters
        ----------
        corpus_iterable, corpus_file
            As sentences and corpus_file of the class.
        total_examples, total_words : int or None
            How many sentences and words the text has, which gensim has to be told: compared with
            what is counted here.
        epochs : int or None
        start_alpha, end_alpha : float or None
            None: as the model was told.
        word_count : int
            0: the learning rate always begins at start_alpha.
        queue_factor, report_delay, compute_loss
            No effect: there is no queue, `progress` shows what goes on, and losses are always
            there.
        callbacks : sequence of object
            As for the class; empty: those that the class was given.

        Returns
        -------
        list of float
            The mean loss of each epoch.

        Raises
        ------
        TypeError, ValueError, OSError, FloatingPointError
            As for the class; or there is no vocabulary yet, the text holds no word of it, or not
            as many as were told.
        """
        integer("word_count", word_count, 0, 0)  # a learning rate that begins later: start_alpha
        integer("queue_factor", queue_factor, 1)
        number("report_delay", report_delay, 0.0)
        flag("compute_loss", compute_loss)
        if not self._words:
            raise ValueError("the model must have words: call build_vocab before train")
        listeners = _listeners(callbacks)
        text = corpus(corpus_iterable, corpus_file)
        counted = text.count(1, self._threads)
        _agree("total_examples", total_examples, counted.sentences)
        _agree("total_words", total_words, counted.total)
        words = self._known_of(counted)
        return self._teach(text, words, epochs, start_alpha, end_alpha, listeners)

    def get_latest_training_loss(self) -> float:
        """Return the sum of the losses of all predictions of the last training, so far.

        Returns
        -------
        float
            Exact, in float64; 0.0 before any training. `losses` has the means.
        """
        return self._latest_loss

    def predict_output_word(
        self, context_words_list: Sequence[Any], topn: int = 10
    ) -> list[tuple[str, float]] | None:
        """Return the words that are likeliest between some others.

        Parameters
        ----------
        context_words_list : sequence of str or int
            Those around; one without a vector is passed over, as in gensim.
        topn : int

        Returns
        -------
        list of (str, float), or None
            Words and their probabilities, the likeliest first; None: no word has a vector.

        Raises
        ------
        TypeError, ValueError
            An argument breaks its rule, or the model has no vectors of outputs (negative=0, hs=1).
        """
        if "outputs" not in self.params:
            raise ValueError("negative must be above 0, or hs 0, for words to be predicted")
        if isinstance(context_words_list, str):
            raise TypeError("context_words_list must be a list of words, got a string; split it")
        wv, most = self.wv, integer("topn", topn, 1)
        rows = [wv.get_index(word) for word in context_words_list if word in wv]
        if not rows:
            return None
        result = _loss.middle_words(self.params, rows, bool(self.config["cbow_mean"]), most)
        return [(self._words[row], share) for row, share in result]

    def score(
        self,
        sentences: Iterable[Iterable[str]],
        total_sentences: int = _MOST_SENTENCES,
        chunksize: int = 100,
        queue_factor: int = 2,
        report_delay: float = 1.0,
    ) -> Array:
        """Return the log-probability of sentences by the tree of a model with hs=1.

        Parameters
        ----------
        sentences : iterable of lists of str
            Words without a vector are passed over.
        total_sentences : int
            More sentences than this are refused.
        chunksize, queue_factor, report_delay
            No effect: there is no queue.

        Returns
        -------
        ndarray of float64, (n,)
            Skip-gram: the sum over all words and each of those around it; CBOW: over all words, by
            those around it together, a word alone by none. Windows are whole.

        Raises
        ------
        TypeError, ValueError
            An argument breaks its rule, or the model has no tree.

        References
        ----------
        M. Taddy, "Document Classification by Inversion of Distributed Language Representations",
        2015.
        """
        if "nodes" not in self.params:
            raise ValueError("hs must be 1 for sentences to be scored")
        for name, value in (("chunksize", chunksize), ("queue_factor", queue_factor)):
            integer(name, value, 1)
        number("report_delay", report_delay, 0.0)
        most, known = integer("total_sentences", total_sentences, 1), self.wv.key_to_index
        rows: list[list[int]] = []
        for sentence in sentences:
            if isinstance(sentence, (str, bytes)):
                raise TypeError("sentences must be lists of words, got a string among them")
            if len(rows) == most:
                raise ValueError(f"sentences must be at most total_sentences = {most}")
            rows.append([known[word] for word in sentence if word in known])
        return _loss.scores(self.params, self.config, self._counts, rows)

    def fit(  # type: ignore[override]
        self,
        sentences: Iterable[Iterable[str]] | None = None,
        corpus_file: str | os.PathLike[str] | None = None,
        *,
        epochs: int | None = None,
    ) -> list[float]:
        """Take the words of a text and learn from it; a model that has words learns new ones too.

        Parameters
        ----------
        sentences, corpus_file
            As for the class.
        epochs : int or None
            None: as the model was told.

        Returns
        -------
        list of float
            The mean loss of each epoch.

        Raises
        ------
        TypeError, ValueError, OSError, FloatingPointError
            As for the class.
        """
        text = corpus(sentences, corpus_file, "sentences")
        words = self._take_words(text, bool(self._words))
        return self._teach(text, words, epochs, None, None)

    def loss(self, params: Mapping[str, Any], batch: Any, rng: Any = None) -> Any:
        """Return the mean loss of a batch, differentiable by params; training has its own kernel.

        Parameters
        ----------
        params : mapping of str to ndarray
        batch : tuple
            Numbers of words: inputs (B,) for skip-gram or (B, C) for CBOW, -1 where there is none;
            targets (B,).
        rng : numpy.random.Generator or None
            Where noise is drawn from, for each target by itself; None: fresh entropy.

        Returns
        -------
        float
        """
        return exact_loss(params, batch, rng, self.config, self._counts)

    def tokens(self, batch: Any) -> int:
        """Return how many targets a batch holds."""
        return len(batch[1])


def _agree(name: str, given: Any, counted: int | None) -> None:
    """Refuse a size that is not the text's: the schedule of the learning rate goes by the text."""
    if given is None:
        return
    given = integer(name, given, 0)
    if counted is None:
        raise ValueError(f"{name} is not known of a corpus_file, whose lines are not counted")
    if given != counted:
        raise ValueError(f"{name} must be what the text holds, {counted}, or None; got {given}")


def _at_most(name: str, value: Any) -> int | None:
    return None if value is None else integer(name, value, 1)


def _listeners(callbacks: Any) -> tuple[Any, ...]:
    """Return callbacks, each of which listens to something."""
    result = tuple(callbacks)
    for callback in result:
        if not any(hasattr(callback, event) for event in _EVENTS):
            events = ", ".join(_EVENTS)
            raise TypeError(f"each of callbacks must have one of {events}, got {callback!r:.60}")
    return result


def _switch(name: str, value: Any) -> int:
    """Return 0 or 1, which gensim writes where others write a bool."""
    return int(value) if isinstance(value, bool) else integer(name, value, 0, 1)
