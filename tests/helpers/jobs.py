"""Small trainings that several ranks share, and their results in a form that can be compared."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from fastrnn.data import batches, contiguous_streams, pack_dialogues, pad, windows
from fastrnn.distributed import Comm
from fastrnn.models import HRED, LanguageModel, Seq2Seq, SequenceClassifier, SequenceVAE
from fastrnn.models._parts.model import flatten
from fastrnn.train import Adam, Trainer

V = 7
ROWS = 11  # no multiple of a batch, nor a batch of the number of ranks
DRAWN = np.random.default_rng(5)
TEXT = DRAWN.integers(0, V, 151)
LENGTHS = DRAWN.integers(0, 9, ROWS)
SERIES = [DRAWN.standard_normal((n, 2)) for n in LENGTHS]
LABELS = DRAWN.integers(0, 3, ROWS)
WORDS = [[DRAWN.integers(4, V, n).tolist() for n in DRAWN.integers(0, 6, 2)] for _ in range(ROWS)]
TALKS = [[DRAWN.integers(4, V, n) for n in DRAWN.integers(0, 5, u)] for u in LENGTHS % 4]
MANY = 400  # words of a vocabulary of which a text has few
RARE = np.random.default_rng(7).choice(np.arange(0, MANY, 7), 151)


def language_model(dtype: Any, **options: Any) -> tuple[Any, Any]:
    """With a state that is carried on; the last batch of an epoch has fewer steps."""
    model = LanguageModel("lstm", V, 5, dtype=dtype, rng=np.random.default_rng(1), **options)
    return model, contiguous_streams(TEXT, N=5, T=4)


def windowed(dtype: Any) -> tuple[Any, Any]:
    """The last batch of an epoch has one row, less than there are ranks."""
    model = LanguageModel("gru", V, 4, dtype=dtype, rng=np.random.default_rng(1))
    return model, windows(TEXT[:148], N=6, T=3, seed=2)


def rare_words(dtype: Any) -> tuple[Any, Any]:
    """Sparse rows: a batch has few of the words, each rank others; most rows have no gradient."""
    model = LanguageModel("gru", MANY, 3, dtype=dtype, rng=np.random.default_rng(1))
    return model, windows(RARE, N=6, T=3, seed=2)


def unseen_are_kept(params: dict[str, np.ndarray]) -> bool:
    """Whether rows of words that `rare_words` never has are the first ones, and no others are."""
    found = params["embedding.weight"]
    first = rare_words(found.dtype)[0].params["embedding"]["weight"]
    _, data = rare_words(found.dtype)
    seen = np.isin(np.arange(MANY), np.concatenate([words.ravel() for words, _ in data]))
    return bool(np.array_equal((found != first).any(axis=1), seen))


def classifier(dtype: Any) -> tuple[Any, Any]:
    """Ragged: some rows are empty, and batches are of similar lengths."""
    model = SequenceClassifier("gru", 3, 4, input_size=2, dtype=dtype, rng=np.random.default_rng(1))

    def make(rows: Any) -> Any:
        x, lengths = pad([SERIES[i] for i in rows], dtype=dtype)
        return x, LABELS[rows], lengths

    return model, batches(LENGTHS, 4, make=make)


def seq2seq(dtype: Any) -> tuple[Any, Any]:
    """Pairs of words, so that ranks have different numbers of target symbols."""
    model = Seq2Seq("gru", V, V, 4, attention="additive", dtype=dtype, rng=np.random.default_rng(1))
    return model, model.pairs(*zip(*WORDS, strict=True), batch_size=4)


def dialogues(dtype: Any) -> tuple[Any, Any]:
    """Some dialogues have nothing to say."""
    model = HRED("gru", V, 4, context_size=3, dtype=dtype, rng=np.random.default_rng(1))
    return model, batches(
        LENGTHS % 4, 4, make=lambda rows: pack_dialogues([TALKS[i] for i in rows])
    )


def segmented(dtype: Any) -> tuple[Any, Any]:
    """Long dialogues, cut, the context carried on; one of them is alone in its batch."""
    model = HRED("gru", V, 4, context_size=3, dtype=dtype, rng=np.random.default_rng(1))
    rng = np.random.default_rng(6)
    turns = [7, 2, 5, 1, 3, 4, 6]
    talks = [[rng.integers(4, V, n) for n in rng.integers(0, 4, u)] for u in turns]
    data = batches(turns, 3, make=lambda rows: pack_dialogues([talks[i] for i in rows]))
    return model, model.segmented(data, 2)


def sentences(dtype: Any) -> tuple[Any, Any]:
    """Noise in every update, and a schedule that counts batches."""
    model = SequenceVAE("gru", V, 4, 2, kl_schedule=9, dtype=dtype, rng=np.random.default_rng(1))
    texts = [np.array(pair[0], np.int64) for pair in WORDS]
    sizes = [len(text) for text in texts]
    data = batches(sizes, 6, make=lambda rows: pad([texts[i] for i in rows]))
    return model, model.annealed(data)


CARRYING = ("streams", "segments")  # their states begin at zero where others divide the rows
JOBS: dict[str, Callable[..., tuple[Any, Any]]] = {
    "streams": language_model,
    "windows": windowed,
    "rare": rare_words,
    "classifier": classifier,
    "seq2seq": seq2seq,
    "dialogues": dialogues,
    "segments": segmented,
}


def train(
    comm: Comm | None,
    job: Callable[..., tuple[Any, Any]],
    dtype: Any = np.float64,
    updates: int = 20,
    *,
    resume: bool = False,
    fit: dict[str, Any] | None = None,
    **options: Any,
) -> tuple[dict[str, np.ndarray], Any]:
    """Train, and return the parameters and the records."""
    model, data = job(dtype)
    options = {"progress": False, "max_norm": 0.5, "log_every": 3, "dist": comm, **options}
    trainer = Trainer(model, Adam(lr=0.02), rng=np.random.default_rng(3), **options)
    history = trainer.fit(data, updates=updates, resume=resume, **(fit or {}))
    return flatten(model.params), history.records


def digest(params: dict[str, np.ndarray]) -> str:
    """All bits of all arrays."""
    return hashlib.sha256(b"".join(a.tobytes() for a in params.values())).hexdigest()


def distance(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> float:
    """The largest difference, relative to the size of the tensor that it is in."""
    return max(
        float(np.abs(found[name] - array).max() / np.sqrt(np.mean(array**2)))
        for name, array in wanted.items()
    )
