"""Why: a training is started on a machine with the memory that it is said to need at most."""

import sys

import numpy as np
import pytest
from helpers.processes import output_of

from fastrnn import models, train
from fastrnn.cli._memory import memory_line

pytest.importorskip("autograd")

MODELS = {
    "LanguageModel": """
        model = models.LanguageModel("gru", V, 256, num_layers=2, dropout=0.2, rng=rng)
        batch, steps = (x, x), x.size
    """,
    "Seq2Seq": """
        model = models.Seq2Seq("gru", V, V, 192, attention="additive", rng=rng)
        batch, steps = PairBatch(x, x, *[np.full(64, 96)] * 2), x.size
    """,
    "HRED": """
        model = models.HRED("gru", V, 192, rng=rng)
        turns = [[rng.integers(4, V, 20) for _ in range(6)] for _ in range(40)]
        batch, steps = DialogueBatch(*pack_dialogues(turns)), 40 * 6 * 21
    """,
    "SequenceVAE": """
        model = models.SequenceVAE("gru", V, 192, 16, rng=rng)
        batch, steps = (x, np.full(64, 96)), 97 * 64
    """,
    "SequenceClassifier": """
        model = models.SequenceClassifier("lstm", 5, 256, vocab=V, bidirectional=True, rng=rng)
        batch, steps = (x, rng.integers(0, 5, 64), np.full(64, 96)), x.size
    """,
}
MEASURED = """
import gc
import numpy as np
from pathlib import Path
from fastrnn import models, train
from fastrnn.cli._memory import memory_line
from fastrnn.data import DialogueBatch, PairBatch, pack_dialogues

def status(key):
    words = Path("/proc/self/status").read_text().split()
    return int(words[words.index(key + ":") + 1]) << 10

V, rng = 500, np.random.default_rng(0)
x = rng.integers(4, V, (96, 64))
{make}
kept = 0 if "Classifier" in type(model).__name__ else V
print(memory_line(model, train.Adam(), steps, kept).split()[0])
gc.collect()
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
before = status("VmRSS")
train.Trainer(model, train.Adam(), rng=rng, progress=False, max_norm=1.0).fit([batch], updates=2)
weights = 4 * model.parameter_count
print((status("VmHWM") - before + weights) / 1e6)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak in /proc")
@pytest.mark.parametrize("kind", MODELS)
def test_measured_memory_is_within_the_bound_and_near_it(kind: str) -> None:
    make = "\n".join(line.strip() for line in MODELS[kind].splitlines())
    said, measured = map(float, output_of(MEASURED.format(make=make)).split())
    assert measured > 50, "too little to see"
    assert measured <= said <= 2.5 * measured


def test_the_line_names_the_parts() -> None:
    model = models.LanguageModel("rnn", 100, 50, rng=np.random.default_rng(0))
    weights = model.parameter_count * 4 / 1e6
    line = memory_line(model, train.SGD(0.1), 2_000_000, 100, 3)
    assert f"weights {weights:.1f} MB, gradients {weights:.1f} MB, SGD 0.0 MB" in line
    assert f"copies {3 * weights:.1f} MB, a batch of 2,000,000 steps " in line
    floats = 2 * 50 + (50 + 50) + (50 + 50) + 50  # a table, two matrices, into the logits
    assert line.endswith(f"{(2e6 * floats * 4 * 1.25 + (80 << 20)) / 1e9:.1f} GB")
