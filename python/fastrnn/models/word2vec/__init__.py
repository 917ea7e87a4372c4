"""Word2Vec: vectors of words from the words around them, by CBOW or skip-gram, taught in C++."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from fastrnn._checks import flag, integer, number
from fastrnn.data.word_vectors import WordVectors
from fastrnn.models.word2vec._base import Word2VecBase
from fastrnn.models.word2vec._corpus import corpus
from fastrnn.models.word2vec._loss import loss as exact_loss


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

    Attributes
    ----------
    params : dict of str to ndarray of float32
        ``"vectors"`` (V, E) and what the losses need: ``"outputs"`` (V, E) of noise or softmax,
        ``"nodes"`` (V, E) of the tree.
    wv : WordVectors
        The words and their vectors.
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
    ) -> None:
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
        }
        super().__init__(config)
        self._progress = flag("progress", progress)
        if sentences is not None or corpus_file is not None:
            self.fit(sentences, corpus_file)

    @property
    def wv(self) -> WordVectors:
        """The words and their vectors: a view of ``params["vectors"]``."""
        return WordVectors(self._words, self.params["vectors"], self._counts)

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
        sentences: Iterable[Iterable[str]] | None = None,
        corpus_file: str | os.PathLike[str] | None = None,
        *,
        update: bool = False,
    ) -> None:
        """Take the words of a text; with `update` add them to those that are there.

        Parameters
        ----------
        sentences, corpus_file
            As for the class.
        update : bool
            Known words keep their vectors and add to their counts; new ones need `min_count` in
            this text.

        Raises
        ------
        TypeError, ValueError, OSError
            As for the class: the text is empty, or no word comes `min_count` times.
        """
        self._take_words(corpus(sentences, corpus_file), flag("update", update))

    def train(
        self,
        sentences: Iterable[Iterable[str]] | None = None,
        corpus_file: str | os.PathLike[str] | None = None,
        total_examples: int | None = None,
        total_words: int | None = None,
        epochs: int | None = None,
        start_alpha: float | None = None,
        end_alpha: float | None = None,
    ) -> list[float]:
        """Learn from a text whose words `build_vocab` has taken; others are passed over.

        Parameters
        ----------
        sentences, corpus_file
            As for the class.
        total_examples, total_words : int or None
            How many sentences and words the text has, which gensim has to be told: compared with
            what is counted here.
        epochs : int or None
        start_alpha, end_alpha : float or None
            None: as the model was told.

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
        if not self._words:
            raise ValueError("the model must have words: call build_vocab before train")
        text = corpus(sentences, corpus_file)
        counted = text.count(1, self._threads)
        _agree("total_examples", total_examples, counted.sentences)
        _agree("total_words", total_words, counted.total)
        words = self._known_of(counted)
        return self._teach(text, words, epochs, start_alpha, end_alpha)

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
        text = corpus(sentences, corpus_file)
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


def _agree(name: str, told: Any, counted: int | None) -> None:
    """Refuse a size that is not the text's: the schedule of the learning rate goes by the text."""
    if told is None:
        return
    told = integer(name, told, 0)
    if counted is None:
        raise ValueError(f"{name} is not known of a corpus_file, whose lines are not counted")
    if told != counted:
        raise ValueError(f"{name} must be what the text holds, {counted}, or None; got {told}")


def _switch(name: str, value: Any) -> int:
    """Return 0 or 1, which gensim writes where others write a bool."""
    return int(value) if isinstance(value, bool) else integer(name, value, 0, 1)
