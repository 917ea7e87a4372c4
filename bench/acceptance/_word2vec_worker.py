"""One training of word vectors by fastrnn or gensim in a process of its own; prints what it took.

    python _word2vec_worker.py '{"library": "gensim", "corpus": "text.txt", "workers": 2, "sg": 1}'

Nothing of the bench is imported, so that the peer may live in another environment.
"""

import json
import resource
import sys
import time
from typing import Any

SETTINGS = {"vector_size": 100, "window": 5, "negative": 5, "sample": 1e-4, "epochs": 5}


def peak_mib() -> float:
    """The most memory that this process has had resident."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def teach(library: str, corpus: str, **options: Any) -> tuple[Any, float, float]:
    """Return a model, the seconds of its vocabulary and those of its training."""
    if library == "gensim":
        from gensim.models import Word2Vec  # type: ignore[import-not-found]
    else:
        from fastrnn.models import Word2Vec
    model = Word2Vec(min_count=5, **SETTINGS, **options)
    began = time.perf_counter()
    model.build_vocab(corpus_file=corpus)
    between = time.perf_counter()
    if library == "gensim":
        sizes = {"total_examples": model.corpus_count, "total_words": model.corpus_total_words}
        model.train(corpus_file=corpus, epochs=model.epochs, **sizes)
    else:
        model.train(corpus_file=corpus)
    return model, between - began, time.perf_counter() - between


def main() -> None:
    options = json.loads(sys.argv[1])
    sys.path[:0] = options.pop("path", [])
    save = options.pop("save", None)
    model, vocabulary, training = teach(**options)
    # words of the vocabulary, as often as they were read: the same count for both libraries
    counts = (
        (model.wv.get_vecattr(word, "count") for word in model.wv.index_to_key)
        if options["library"] == "gensim"
        else model.wv.counts.tolist()
    )
    words = int(sum(counts)) * SETTINGS["epochs"]
    found = {
        "words": words,
        "V": len(model.wv.index_to_key),
        "vocabulary_seconds": vocabulary,
        "training_seconds": training,
        "words_per_second": words / training,
        "peak_mib": peak_mib(),
    }
    if save is not None:
        model.wv.save_word2vec_format(save, binary=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
