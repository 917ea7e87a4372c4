"""Who lacks a package that one part needs is told in one sentence how to get it."""

import subprocess
import sys

import pytest
from helpers.processes import TIMEOUT

LAYER = "import fastrnn; layer = fastrnn.LSTM(2, 3); "
RANK = "import os; os.environ['PMI_RANK'] = '0'; "  # as a launcher of MPI sets it
# Of each part: the package, a program that needs it, and what to install.
NEEDS = {
    "ops": ("autograd", "from fastrnn import ops", '"fastrnn[train]"'),
    "models": ("autograd", "import fastrnn.models", '"fastrnn[train]"'),
    "apply": ("autograd", LAYER + "layer.apply(layer.params, [[1.0, 2.0]])", '"fastrnn[train]"'),
    "save": ("safetensors", LAYER + "layer.save('layer')", '"fastrnn[train]"'),
    "sklearn": ("sklearn", "import fastrnn.sklearn", '"fastrnn[sklearn]"'),
    "bleu": ("sacrebleu", "import fastrnn.metrics as m; m.bleu(['a'], ['a'])", '"fastrnn[text]"'),
    "bpe": ("tokenizers", "from fastrnn.data import BPE; BPE.from_texts(['a'])", '"fastrnn[text]"'),
    "plot": ("matplotlib", "import fastrnn.plot as p; p.require_matplotlib()", '"fastrnn[plot]"'),
    "torch": ("torch", "import fastrnn.torch", "torch"),
    "to_torch": ("torch", LAYER + "layer.to_torch()", "torch"),
    "onnx": ("onnx", LAYER + "layer.to_onnx('layer.onnx')", "onnx"),
    "mpi": ("mpi4py", RANK + "import fastrnn.distributed as d; d.init()", '"fastrnn[mpi]"'),
}


@pytest.mark.parametrize("part", NEEDS)
def test_the_sentence_names_the_command(part: str, tmp_path: object) -> None:
    package, program, what = NEEDS[part]
    absent = f"import sys; sys.modules[{package!r}] = None; "
    done = subprocess.run(
        [sys.executable, "-c", absent + program],
        capture_output=True, text=True, timeout=TIMEOUT, cwd=str(tmp_path), check=False,
    )  # fmt: skip
    last = done.stderr.strip().splitlines()[-1:]
    assert done.returncode == 1, done
    assert last[0].startswith(("ImportError: ", "ModuleNotFoundError: ")), last
    assert f"pip install {what}" in last[0], last
