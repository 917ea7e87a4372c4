"""Why: packages that bring an OpenMP runtime of their own share a process with ours. Whichever
comes first, each must load and compute what it computes alone.
"""

import importlib.util

import pytest
from helpers.processes import output_of

pytestmark = pytest.mark.check(40)

# What one does with a package after it was imported; each line prints or fails.
USES = {
    "numpy": "import numpy; numpy.ones((99, 99)) @ numpy.ones((99, 99))",
    "torch": "import torch; torch.nn.LSTM(8, 64)(torch.ones(9, 33, 8))[0].sum().backward()",
    "sklearn": (
        "import sklearn.cluster; "
        "sklearn.cluster.KMeans(2, n_init=1, random_state=0).fit([[0.0], [1.0], [9.0]] * 99)"
    ),
    "onnxruntime": "import onnxruntime; onnxruntime.SessionOptions()",
    "fastrnn": """
import zlib, numpy, fastrnn
rng = numpy.random.default_rng(0)
lstm = fastrnn.LSTM(8, 64, rng=rng)
x = rng.standard_normal((9, 33, 8), dtype=numpy.float32)
with fastrnn.threads(2):
    y, _, tape = lstm.forward(x)
    grads = lstm.backward(tape, y)
print(zlib.crc32(y.tobytes() + grads.x.tobytes()))
""",
}
PEERS = [name for name in USES if name != "fastrnn"]
SECONDS = 120.0


def said(*order: str) -> str:
    """What a fresh process prints that uses these packages in this order, twice."""
    lines = [USES[name] for name in order]
    return output_of("\n".join([*lines, *lines]), timeout=SECONDS)


@pytest.fixture(scope="module")
def alone() -> str:
    return said("fastrnn")


@pytest.mark.parametrize("peer", PEERS)
def test_beside_one_other_package(peer: str, alone: str) -> None:
    pytest.importorskip(peer)
    assert said("fastrnn", peer) == alone
    assert said(peer, "fastrnn") == alone


def test_beside_all_of_them(alone: str) -> None:
    installed = [peer for peer in PEERS if importlib.util.find_spec(peer)]
    for i in range(len(installed) + 1):
        assert said(*installed[i:], "fastrnn", *installed[:i]) == alone, installed[i:]
