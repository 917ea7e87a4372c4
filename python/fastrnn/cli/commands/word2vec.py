"""``fastrnn word2vec``: a text file in, a file of word vectors out."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

ENDINGS = {".bin": "binary", ".kv": "binary", ".txt": "text", ".vec": "text"}


def word2vec(
    corpus: Annotated[Path, Argument(metavar="CORPUS", help="Text: a sentence a line, UTF-8.")],
    out: Annotated[
        Path,
        Option(
            metavar="FILE",
            help="NAME.bin, .kv: binary vectors; .txt, .vec: text; .safetensors: the whole model.",
        ),
    ],
    vector_size: Annotated[int, Option(min=1, metavar="E", help="Size of the vectors.")] = 100,
    window: Annotated[int, Option(min=1, max=1000, help="Words on either side.")] = 5,
    min_count: Annotated[int, Option(min=1, help="Rarer words are left out.")] = 5,
    method: Annotated[
        Literal["cbow", "skipgram"], Option(help="Training method.")
    ] = "cbow",
    negative: Annotated[int, Option(min=0, help="Negative samples; 0 with --hs.")] = 5,
    hs: Annotated[bool, Option("--hs", help="Hierarchical softmax.")] = False,
    sample: Annotated[float, Option(min=0.0, help="Drop words more frequent than this.")] = 1e-3,
    alpha: Annotated[float, Option(min=0.0, help="First learning rate.")] = 0.025,
    epochs: Annotated[int, Option(min=1, help="Passes through the text.")] = 5,
    threads: Annotated[
        int | None, Option(min=1, metavar="N", help="Threads; default: all.", show_default=False)
    ] = None,
    seed: Annotated[int, Option(min=0, metavar="K", help="Random seed.")] = 1,
    deterministic: Annotated[
        bool, Option("--deterministic", help="One thread, the same bits every time.")
    ] = False,
    near: Annotated[
        list[str] | None, Option(metavar="WORD", help="Print its nearest words; may be repeated.")
    ] = None,
) -> None:
    """Train word vectors on a text of any size.

    Every word gets a vector such that words in like company have like vectors. The files are
    those of word2vec.c, which gensim and most other tools read.
    """
    from fastrnn.models import Word2Vec

    kind = ENDINGS.get(out.suffix, "model" if out.suffix == ".safetensors" else None)
    if kind is None:
        known = ", ".join([*ENDINGS, ".safetensors"])
        raise ValueError(f"--out must end in one of {known}, got {out.name!r}")
    if not out.parent.is_dir():
        raise ValueError(f"--out must be in a folder that is there, got {str(out.parent)!r}")
    model = Word2Vec(
        corpus_file=corpus, vector_size=vector_size, window=window, min_count=min_count,
        sg=int(method == "skipgram"), negative=negative, hs=int(hs), sample=sample,
        alpha=alpha, epochs=epochs, workers=threads, seed=seed,
        deterministic=deterministic, progress=True,
    )  # fmt: skip
    if kind == "model":
        model.save(out)
    else:
        model.wv.save_word2vec_format(out, binary=kind == "binary")
    print(f"{len(model.wv):,} words of {vector_size} numbers: {out}")
    for word in near or []:
        print(f"{word}: {', '.join(other for other, _ in model.wv.most_similar(word))}")
