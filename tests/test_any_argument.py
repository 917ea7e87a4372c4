"""Why: nobody makes only the mistakes that were thought of. Into every argument of every public
function, class and much-used method goes whatever Python has; it is taken, or refused with
TypeError, ValueError or MemoryError, and what nobody can mean is refused by the argument's name.
"""

import re
import sys
import types
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.calls import CALLS

import fastrnn

pytest.importorskip("autograd")
pytest.importorskip("safetensors")

MODULES = ("data", "decode", "io", "metrics", "models", "ops", "testing", "train")
# What takes no argument, is made by the package alone, or is tested where these words lead.
ELSEWHERE = {
    "available_isas": "takes nothing",
    "get_num_threads": "takes nothing",
    "isa": "takes nothing",
    "show_config": "takes nothing",
    "metrics.bracket_f1": "as error_rate",
    "models.KeyedVectors": "another name of WordVectors",
    "train.TensorBoard": "a folder and nothing else",
    "metrics.chrf": "as bleu",
    "metrics.embedding_similarity": "as bleu",
    "metrics.error_rate": "pairs of anything",
    "metrics.exact_match": "pairs of anything",
    "metrics.crps": "tests/models/test_forecaster.py",
    "metrics.mase": "as crps",
    "metrics.seasonal_error": "as crps",
    "metrics.smape": "as crps",
    "models.Forecaster": "as crps, with its series",
    "models.Forecast": "what predict returns",
}
RESULTS = re.compile(
    r"Batch|Callback|Loader|Streams|Windows|Conversation|models.Model|Tape|Grads|Error|Hypothesis|"
    r"Checkpoint|Node|Step|Masks|Optimiser|History"
)
PATHS = ("path", "folder", "checkpoint", "module_or_state_dict", "source")
ENDLESS = ("updates", "epochs")  # a huge number of which, or None, is not wrong but long
# Where an argument goes by another name inside, that one is said.
SAYS = {
    ("models.Word2Vec.train", "corpus_iterable"): "sentences",
    ("models.HRED", "bidirectional_utterance"): "bidirectional",
    ("GRU.set_params", "params"): "state_dict",
    ("data.WordVectors.most_similar", "positive"): "words",
    ("data.WordVectors.most_similar", "negative"): "words",
    ("data.WordVectors.similarity", "w1"): "word",
    ("data.WordVectors.similarity", "w2"): "word",
}


def anything(good: Any) -> list[Any]:
    """Values of every kind; the first is one that nobody can mean."""
    square = np.ones((2, 2))
    values = [
        object(), {"a": 1}, {1.0}, (i for i in range(3)), b"bytes", 1j, float("nan"), float("inf"),
        -1, 0, 2**70, -(2**70), 1.5, "no such", "", [], [[1.0], [1.0, 2.0]], ["a", "b"], None, True,
        (), range(0), np.ma.masked_array(square, square > 2), np.array(object()), np.array(["a"]),
        np.zeros(3, "V4"), np.zeros((2, 2, 2, 2)), np.zeros(0), np.array(1.0),
        np.full((2, 2), np.nan), np.zeros((3, 3), np.float16), np.zeros(2, complex),
        np.zeros(3, "M8[s]"), np.array([2**63], np.uint64), sys, NotImplemented, ..., "\0",
        "x" * 10_000,
    ]  # fmt: skip
    if isinstance(good, np.ndarray):
        values += [good.astype(kind) for kind in ("f8", "f4", "i8", "f2", "c8", "O", "U8", "?")]
        values += [good[None], good[..., None], good[:0], good[..., :0], good[1:], good.ravel()]
        values += [good.T, -good, np.concatenate([good, good]), np.ma.masked_array(good)]
    return values


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Room for 4 GiB more, so that a size that nothing checks shows itself at once."""
    if sys.platform != "linux":
        yield
        return
    import resource

    pages = int(open("/proc/self/statm").read().split()[0])  # noqa: PTH123, SIM115
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    room = pages * resource.getpagesize() + 2**32
    resource.setrlimit(resource.RLIMIT_AS, (room, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def complaint(name: str, argument: str, number: int) -> str:
    """What is wrong with the answer to value `number` in one argument; nothing if it is right."""
    function, given = CALLS[name]()
    value = anything(given[argument])[number]
    if argument in ENDLESS and (value is None or (isinstance(value, int) and value > 1)):
        return ""
    given[argument] = value
    where = f"{name}({argument}={str(value)[:40]!r})"
    try:
        function(**given)
    except (TypeError, ValueError, MemoryError) as error:
        said = SAYS.get((name, argument), argument)
        word = rf"\b{said}\b" + ("|PathLike" if argument in PATHS else "")
        if number == 0 and not re.search(word, str(error)):
            return f"{where} is not named: {error}"
    except AssertionError as error:
        return "" if name.startswith("testing.") else f"{where}: {error!r}"
    except OSError as error:
        return "" if argument in PATHS else f"{where}: {error!r}"
    except Exception as error:  # noqa: BLE001 - what must not come is what is looked for
        return f"{where}: {error!r}"
    return ""


@pytest.mark.filterwarnings("ignore")  # NumPy's on what it is given
@pytest.mark.usefixtures("little_memory")
@pytest.mark.check(10, quick=5, full=60)
@pytest.mark.parametrize("name", CALLS)
def test_whatever_is_given_is_taken_or_refused(
    name: str,
    count: int,
    tally: Callable[[int], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # a text may name a file to write
    threads, isa = fastrnn.get_num_threads(), fastrnn.isa()
    function, given = CALLS[name]()
    function(**given)  # a positive control
    rng, calls, found = np.random.default_rng(zlib.crc32(name.encode())), 0, []
    for argument, good in given.items():
        kinds = len(anything(good))
        others = 1 + rng.permutation(kinds - 1)[: count - 1]
        for number in (0, *others.tolist()):
            calls += 1
            found.append(complaint(name, argument, number))
    fastrnn.set_num_threads(threads)
    fastrnn.set_isa(isa)
    fastrnn.set_debug(False)
    tally(calls)
    assert not any(found), "\n".join(filter(None, found))


def test_every_public_callable_has_its_row() -> None:
    public = {name: getattr(fastrnn, name) for name in fastrnn.__all__}
    for module in MODULES:
        inside = getattr(fastrnn, module)
        public |= {f"{module}.{name}": getattr(inside, name) for name in inside.__all__}
    wanted = {
        name
        for name, thing in public.items()
        if callable(thing) and not isinstance(thing, types.ModuleType)
    }
    rows = {name.removesuffix("()") for name in CALLS} | {n.rpartition(".")[0] for n in CALLS}
    missing = {n for n in wanted - rows - set(ELSEWHERE) if not RESULTS.search(n)}
    assert not missing
