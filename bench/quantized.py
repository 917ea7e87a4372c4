"""What int8 and bfloat16 cost a language model, and training in it: ``python -m bench.quantized``.

A character model of one layer learns the text of Python's own documentation, once from each seed,
and its bits per character on the last tenth are compared with those of its quantised copies, and of
a model that learned the same with ``compute_dtype="bfloat16"``. Sizes are those of the files. The
limit is 0.005 bits; the one of training holds for the mean over the seeds, as a training that
rounds otherwise ends elsewhere.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import fastrnn
from fastrnn.cli.commands.demo import cut, python_topics
from fastrnn.data import Vocabulary, contiguous_streams
from fastrnn.models import LanguageModel
from fastrnn.train import Adam

LIMIT = 0.005


def trained(
    cell: str, hidden: int, seed: int, updates: int, vocabulary: Any, ids: Any, **options: Any
) -> Any:
    """A model that has learned these symbols."""
    rng = np.random.default_rng(seed)
    model = LanguageModel(cell, vocabulary, hidden, embedding_size=hidden // 2, rng=rng, **options)
    data = contiguous_streams(ids, N=32, T=64)
    model.fit(data, Adam(lr=3e-3), updates=updates, max_norm=5.0, progress=False, rng=rng)
    return model


def measured(model: Any, held_out: Any) -> tuple[float, int]:
    """Bits per character, and bytes of its file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save(path)
        size = path.stat().st_size
    return model.evaluate(contiguous_streams(held_out, N=8, T=256))["bits"], size


def main() -> None:
    """Print a line for each cell and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hidden", type=int, default=128, metavar="H")
    parser.add_argument("--updates", type=int, default=600)
    parser.add_argument("--seeds", default="0,1,2", help="separated by commas")
    parser.add_argument("--cells", default="lstm,gru", help="separated by commas")
    options = parser.parse_args()
    text = python_topics()
    vocabulary = Vocabulary.from_texts([text], level="character")
    ids, held_out = map(vocabulary.encode, cut(text))
    print(f"H = {options.hidden}, {options.updates} updates, fastrnn {fastrnn.__version__}")
    for cell in options.cells.split(","):
        costs = []
        for seed in map(int, options.seeds.split(",")):
            given = cell, options.hidden, seed, options.updates, vocabulary, ids
            model = trained(*given)
            bits, size = measured(model, held_out)
            line = f"{cell} seed {seed}: float32 {bits:.4f} bits, {size:,} bytes"
            for precision in ("int8", "bfloat16"):
                now, small = measured(model.quantize(precision), held_out)
                line += f"; {precision} {now - bits:+.4f}, {size / small:.1f} times smaller"
                assert now - bits < LIMIT, line
            other, _ = measured(trained(*given, compute_dtype="bfloat16"), held_out)
            costs.append(other - bits)
            print(f"{line}; trained in bfloat16 {costs[-1]:+.4f}", flush=True)
        print(f"{cell} trained in bfloat16, mean {np.mean(costs):+.4f}")
        assert np.mean(costs) < LIMIT


if __name__ == "__main__":
    main()
