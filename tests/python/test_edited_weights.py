"""Why: a layer packs its weights for speed, and one that forgets to do so again after somebody has
edited an array answers with weights that are gone, without a word.
"""

import copy
import pickle
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastrnn
from fastrnn import _core
from fastrnn.train import SGD

X = np.random.default_rng(0).standard_normal((5, 2, 3)).astype(np.float32)
NAME = "weight_hh_l0"


def make(seed: int = 1, **options: Any) -> fastrnn.LSTM:
    return fastrnn.LSTM(3, 4, rng=np.random.default_rng(seed), **options)


def expected(layer: Any) -> np.ndarray:
    """What the weights of now give: by the function, which keeps nothing, layer by layer."""
    params, D = layer.params, 2 if layer.bidirectional else 1
    x = X
    for l in range(layer.num_layers):
        x = np.concatenate([
            fastrnn.lstm(x, *[
                params[f"{name}_l{l}" + ("_reverse" if d else "")].copy()
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            ], reverse=bool(d))[0] for d in range(D)
        ], axis=2)  # fmt: skip
    return x


def augmented(layer: Any) -> None:
    layer.params[NAME] *= 0.5


def element(layer: Any) -> None:
    layer.params[NAME][3, 1] += 1


def bias_alone(layer: Any) -> None:
    layer.params["bias_ih_l0"][-1] += 1


def last_bit(layer: Any) -> None:
    layer.params[NAME].view(np.int32)[0, 0] ^= 1 << 22


def ufunc_out(layer: Any) -> None:
    np.multiply(layer.params[NAME], 0.5, out=layer.params[NAME])


def filled(layer: Any) -> None:
    layer.params[NAME].fill(0.25)


def by_view(layer: Any) -> None:
    layer.params[NAME].T[1:, ::2] = 3


def by_memoryview(layer: Any) -> None:
    memoryview(layer.params[NAME]).cast("B").cast("f")[2] = 3


def by_iteration(layer: Any) -> None:
    for array in layer.params.values():
        array.__isub__(0.125)


def replaced(layer: Any) -> None:
    layer.params[NAME] = np.ones_like(layer.params[NAME])


def replaced_all(layer: Any) -> None:
    layer.params = {name: array + 1 for name, array in layer.params.items()}


def loaded(layer: Any) -> None:
    layer.load_state_dict(make(7).state_dict())


def optimiser(layer: Any) -> None:
    SGD(0.5).update(layer.params, {name: np.ones_like(a) for name, a in layer.params.items()})


def shuffled(layer: Any) -> None:
    np.random.default_rng(0).shuffle(layer.params[NAME])


EDITS: list[Callable[[Any], None]] = [
    augmented, element, bias_alone, last_bit, ufunc_out, filled, by_view, by_memoryview,
    by_iteration, replaced, replaced_all, loaded, optimiser, shuffled,
]  # fmt: skip


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_an_edit_is_seen_by_the_next_call(edit: Callable[[Any], None], backend: str) -> None:
    layer = make()
    before = layer(X)[0]
    np.testing.assert_array_equal(layer(X)[0], before)
    edit(layer)
    found = layer(X)[0]
    assert (found != before).any()
    np.testing.assert_array_equal(found, expected(layer))
    np.testing.assert_array_equal(layer.forward(X)[0], found)


@pytest.mark.parametrize("edit", EDITS[:-4], ids=lambda edit: edit.__name__)
def test_the_same_of_many_layers_and_directions(edit: Callable[[Any], None]) -> None:
    layer = make(num_layers=2, bidirectional=True)
    before = layer(X)[0]
    edit(layer)
    found = layer(X)[0]
    assert (found != before).any()
    np.testing.assert_array_equal(found, expected(layer))


# What somebody may keep of a layer, and how it edits from there, between two calls each.
def keep_dict(layer: Any) -> Callable[[], None]:
    params = layer.params
    return lambda: params[NAME].__imul__(0.5)


def keep_array(layer: Any) -> Callable[[], None]:
    array = layer.params[NAME]
    return lambda: array.__imul__(0.5)


def keep_view(layer: Any) -> Callable[[], None]:
    view = layer.params[NAME].reshape(-1)[3:9]
    return lambda: view.__imul__(0.5)


def keep_memoryview(layer: Any) -> Callable[[], None]:
    view = memoryview(layer.params[NAME]).cast("B").cast("f")
    return lambda: view.__setitem__(1, view[1] + 1)


def keep_values(layer: Any) -> Callable[[], None]:
    values = layer.params.values()
    return lambda: next(iter(values)).__imul__(0.5)


def keep_weak(layer: Any) -> Callable[[], None]:
    reference: Any = weakref.ref(layer.params[NAME])
    return lambda: reference().__imul__(0.5)


def keep_pointer(layer: Any) -> Callable[[], None]:
    import ctypes

    pointer = layer.params[NAME].ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    return lambda: pointer.__setitem__(2, pointer[2] + 1)


def keep_dlpack(layer: Any) -> Callable[[], None]:
    other = np.from_dlpack(layer.params[NAME])
    return lambda: other.__imul__(0.5)


def keep_interface(layer: Any) -> Callable[[], None]:
    class Foreign:
        def __init__(self, array: np.ndarray) -> None:
            self.__array_interface__ = array.__array_interface__
            self.array = array

    other = np.asarray(Foreign(layer.params[NAME]))
    return lambda: other.__imul__(0.5)


def give_view(layer: Any) -> Callable[[], None]:
    memory = np.ones((3, *layer.params[NAME].shape), np.float32)
    layer.params[NAME] = memory[1]
    return lambda: memory.__imul__(0.5)


def give_buffer(layer: Any) -> Callable[[], None]:
    memory = bytearray(layer.params[NAME].tobytes())
    layer.params[NAME] = np.frombuffer(memory, np.float32).reshape(16, 4)
    return lambda: memory.__setitem__(2, memory[2] ^ 64)


def give_array(layer: Any) -> Callable[[], None]:
    array = np.ones_like(layer.params[NAME])
    layer.params[NAME] = array
    return lambda: array.__imul__(0.5)


def give_dict(layer: Any) -> Callable[[], None]:
    params = layer.state_dict()
    layer.params = params
    return lambda: params[NAME].__imul__(0.5)


def give_big_endian(layer: Any) -> Callable[[], None]:
    array = layer.params[NAME].astype(">f4")
    layer.params[NAME] = array
    return lambda: array.__imul__(0.5)


def give_list(layer: Any) -> Callable[[], None]:
    rows = layer.params[NAME].tolist()
    layer.params[NAME] = rows
    return lambda: rows[2].__setitem__(1, rows[2][1] + 1)


def shallow_copy(layer: Any) -> Callable[[], None]:
    other = copy.copy(layer)
    return lambda: other.params[NAME].__imul__(0.5)


def share_with_layer(layer: Any) -> Callable[[], None]:
    other = make(3)
    other.params[NAME] = layer.params[NAME]
    other(X)
    return lambda: other.params[NAME].__imul__(0.5)


def model_of_layers(layer: Any) -> Callable[[], None]:
    params = {"encoder": {"rnn": layer.params}}
    grads = {"encoder": {"rnn": {name: np.ones_like(a) for name, a in layer.params.items()}}}
    return lambda: SGD(0.1).update(params, grads)


KEEPERS: list[Callable[[Any], Callable[[], None]]] = [
    keep_dict, keep_array, keep_view, keep_memoryview, keep_values, keep_weak, keep_pointer,
    keep_dlpack, keep_interface, give_view, give_buffer, give_array, give_dict, give_big_endian,
    give_list, shallow_copy, share_with_layer, model_of_layers,
]  # fmt: skip


@pytest.mark.parametrize("keep", KEEPERS, ids=lambda keep: keep.__name__)
def test_an_edit_through_what_was_kept_is_seen_each_time(
    keep: Callable[[Any], Callable[[], None]],
) -> None:
    layer = make()
    layer(X)
    edit = keep(layer)
    before = layer(X)[0]
    for _ in range(3):
        np.testing.assert_array_equal(layer(X)[0], before)
        edit()
        found = layer(X)[0]
        assert (found != before).any()
        np.testing.assert_array_equal(layer.forward(X)[0], found)
        before = found


def test_weights_that_lie_badly_are_seen_in_training() -> None:
    """The core takes a copy of them, which an edit does not reach."""
    layer = make()
    array = layer.params[NAME]
    shifted = np.zeros(array.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(array.shape)
    shifted[...] = array
    layer.params[NAME] = shifted
    before = layer.forward(X)[0].copy()
    np.testing.assert_array_equal(layer.forward(X)[0], before)
    shifted[...] = 0
    assert (layer.forward(X)[0] != before).any()


def test_a_tensor_that_shares_the_memory_is_seen() -> None:
    torch = pytest.importorskip("torch")
    layer = make()
    tensor = torch.from_numpy(layer.params[NAME])
    before = layer(X)[0]
    tensor.mul_(0.5)
    assert (layer(X)[0] != before).any()
    other = torch.ones(16, 4)
    layer.params[NAME] = other.detach()  # the memory is other's, and nothing says so
    before = layer(X)[0]
    other.mul_(0.5)
    assert (layer(X)[0] != before).any()


def test_copies_do_not_see_it() -> None:
    layer = make()
    before = layer(X)[0]
    deep, pickled = copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))
    stream, state = layer.stream(2), layer.state_dict()
    layer.params[NAME].fill(0)
    assert (layer(X)[0] != before).any()
    for other in (deep, pickled):
        np.testing.assert_array_equal(other(X)[0], before)
    np.testing.assert_array_equal(stream.run(X), before)
    layer.load_state_dict(state)
    np.testing.assert_array_equal(layer(X)[0], before)


@pytest.mark.parametrize("kept", [False, True])
def test_a_stream_keeps_the_weights_it_was_made_with(kept: bool, backend: str) -> None:
    layer = make()
    before = layer(X)[0]
    params = layer.params if kept else None
    stream = layer.stream(2)
    for array in layer.params.values():
        array.fill(0)
    np.testing.assert_array_equal(stream.run(X[:3]), before[:3])
    np.testing.assert_array_equal([stream.step(x_t) for x_t in X[3:]], before[3:])
    assert params is None or not params[NAME].any()


def test_a_stream_of_the_core_stays_there() -> None:
    stream = make().stream(2)
    with fastrnn.use_backend("reference"):
        with pytest.raises(ValueError, match="a stream that was made on the core"):
            stream.step(X[0])
        with pytest.raises(ValueError, match="a stream that was made on the core"):
            stream.run(X)
        other = make().stream(2)
        y = other.run(X)
    np.testing.assert_array_equal(stream.run(X), make()(X)[0])
    np.testing.assert_allclose(y, make()(X)[0], rtol=1e-5, atol=1e-6)


@pytest.fixture
def packings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of weights that have been packed for keeping."""
    counts = [0]
    real = _core.PackedWeights

    def counted(*args: Any, **given: Any) -> Any:
        counts[0] += 1
        return real(*args, **given)

    monkeypatch.setattr(_core, "PackedWeights", counted)
    return counts


def test_weights_that_nobody_edits_are_packed_once(packings: list[int]) -> None:
    layer, other = make(1), make(2)
    for _ in range(3):
        layer(X)
        other(X)
    assert packings == [2]
    assert sum(array.size for array in layer.params.values())  # a look, and nothing is kept
    layer(X)
    layer(X)
    assert packings == [3], "once more, and for the layer that was looked at"
    grads = {name: np.ones_like(array) for name, array in layer.params.items()}
    SGD(0.1).update(layer.params, grads)
    layer(X)
    other(X)
    assert packings == [4], "an update of one layer packs no other"
    pickle.dumps(layer)
    layer.state_dict()
    copied = copy.deepcopy(layer)
    layer(X)
    copied(X)
    copied(X)
    layer(X)
    assert packings == [6]
    kept = layer.params
    layer(X)
    assert packings == [6], "while it may be edited nothing is kept"
    del kept
    layer(X)
    assert packings == [7]


def test_threads_that_call_while_another_one_looks() -> None:
    layer = make(num_layers=2, bidirectional=True)
    wanted, wrong, done = layer(X)[0], [], threading.Event()

    def call() -> None:
        while not done.is_set():
            if (layer(X)[0] != wanted).any():
                wrong.append(True)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for _ in range(2000):
        assert layer.params[NAME].shape == (16, 4)
    done.set()
    for caller in callers:
        caller.join()
    assert not wrong
    layer.params[NAME].fill(0)
    np.testing.assert_array_equal(layer(X)[0], expected(layer))


def test_repack_says_that_it_has_no_effect() -> None:
    with pytest.warns(DeprecationWarning, match="repack has no effect"):
        make().repack()
