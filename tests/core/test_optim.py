"""Why: the fused updates of the core are one pass over memory, cut among threads; every element
must come out as the twin says, wherever it lies and whoever computes it.
"""

import re
from itertools import pairwise

import numpy as np
import pytest
from helpers.memory import Arena
from helpers.source import CORE
from helpers.tolerances import UPDATE, assert_close, assert_same_bits
from helpers.updates import OPTIMISERS, draw_tree, leaves, mapped, run

import fastrnn
from fastrnn import _core
from fastrnn.train import RMSprop

STEPS = 5
NAMES = list(OPTIMISERS)
NUMBERS = (0.1, 1.0, 0.0, 0.9, 0.99, 1e-8, 1.0)


def test_every_rule_of_the_core_has_a_row() -> None:
    if not CORE.is_dir():
        pytest.skip("the source tree is not here")
    text = (CORE / "nn" / "optim_args.h").read_text()
    listed = re.findall(r"^\s*X\((\w+), \d\)", text, re.MULTILINE)
    assert len(listed) >= 9
    assert {name.partition("/")[0] for name in OPTIMISERS} == set(listed)
    for name, make in OPTIMISERS.items():
        assert make()._rule == name.partition("/")[0]


@pytest.mark.parametrize("name", NAMES)
def test_core_equals_the_float64_twin(
    name: str, isa: str, dtype: np.dtype, rng: np.random.Generator
) -> None:
    params = draw_tree(rng, dtype)
    gradients = [draw_tree(rng, dtype) for _ in range(STEPS)]
    result = run(OPTIMISERS[name](), params, gradients)
    wide = [mapped(lambda a: a.astype(np.float64), tree) for tree in (params, *gradients)]
    with fastrnn.use_backend("reference"):
        expected = run(OPTIMISERS[name](), wide[0], wide[1:])
    assert result.keys() == expected.keys()
    for path, array in result.items():
        wanted = np.int64 if path == "step" else np.float64 if path == "lr" else dtype
        assert array.dtype == wanted, path
        if path == "step":
            assert array == expected[path] == STEPS
            continue
        assert_close(f"{isa} {path}", array, expected[path], UPDATE[dtype])


@pytest.mark.parametrize("name", NAMES)
def test_the_number_of_threads_changes_no_bit(
    name: str, dtype: np.dtype, rng: np.random.Generator
) -> None:
    sizes = {"a": 300_003, "b": 5, "c": 90_000, "d": 0, "e": 1}

    def draw() -> dict[str, np.ndarray]:
        return {key: rng.standard_normal(size).astype(dtype) for key, size in sizes.items()}

    params, gradients = draw(), [draw(), draw()]
    results = []
    for threads in (1, 2, 3, 7):
        with fastrnn.threads(threads):
            results.append(run(OPTIMISERS[name](), params, gradients))
    for result in results[1:]:
        for path, array in result.items():
            assert_same_bits(path, array, results[0][path])


@pytest.mark.parametrize("name", NAMES)
def test_an_element_does_not_depend_on_its_place(
    name: str, isa: str, dtype: np.dtype, rng: np.random.Generator
) -> None:
    """In vectors or in tails, in one array or in many."""
    whole, grad = (rng.standard_normal(77).astype(dtype) for _ in range(2))
    cuts = np.cumsum([0, 1, 2, 3, 17, 16, 7, 31])
    pieces = [{f"{i}": a[i:j].copy() for i, j in pairwise(cuts)} for a in (whole, grad)]
    together = {"w": whole.copy()}
    one, many = OPTIMISERS[name](), OPTIMISERS[name]()
    for _ in range(2):
        one.update(together, {"w": grad})
        many.update(*pieces)
    assert_same_bits(isa, np.concatenate(list(pieces[0].values())), together["w"])


def test_both_float_types_in_one_update(rng: np.random.Generator) -> None:
    def draw() -> dict[str, np.ndarray]:
        return {"a": rng.standard_normal(9).astype(np.float32), "b": rng.standard_normal(70_000)}

    params, grads = draw(), draw()
    mixed = run(OPTIMISERS["adam"](), params, [grads])
    for key in params:
        alone = run(OPTIMISERS["adam"](), {key: params[key]}, [{key: grads[key]}])
        assert_same_bits(key, mixed[key], alone[key])


@pytest.mark.parametrize("size", [0, 1, 2, 3, 5, 15, 16, 17, 33, 4096, 4097])
def test_nothing_beside_the_arrays_is_written(size: int, isa: str, dtype: np.dtype) -> None:
    for rule, kept in (("adam", 2), ("rmsprop_centered_momentum", 3), ("sgd", 0)):
        arena = Arena(dtype)
        arrays = [arena.empty((size,)) for _ in range(2 + kept)]
        for array in arrays:
            array[...] = 1
        beside = [tuple(arrays[2:])]
        _core.optim_update(rule, ["w"], arrays[:1], arrays[1:2], beside, NUMBERS, 1)
        assert size == 0 or not (arrays[0] == 1).any()
        assert (arrays[1] == 1).all()
        _core.scale(["w"], arrays[1:2], 2.0, 1)
        _core.clamp(["w"], arrays[1:2], 1.5, 1)
        assert (arrays[1] == 1.5).all()
        arena.check()


@pytest.mark.parametrize("name", NAMES)
def test_nan_and_inf_stay_where_they_are(name: str, dtype: np.dtype) -> None:
    params, grads = {"w": np.ones(40, dtype)}, {"w": np.ones(40, dtype)}
    grads["w"][[3, 38]], params["w"][5], params["w"][6] = np.nan, np.nan, np.inf
    run_of = OPTIMISERS[name]()
    for _ in range(2):
        run_of.update(params, grads)
    bad = np.flatnonzero(~np.isfinite(params["w"])).tolist()
    assert bad == [3, 5, 6, 38]
    assert np.isnan(params["w"][[3, 5, 38]]).all()
    if not run_of.options["weight_decay"] or name == "adam/decoupled":
        assert params["w"][6] == np.inf


def test_centered_rmsprop_survives_gradients_without_variance(isa: str, dtype: np.dtype) -> None:
    """The variance is then nothing but rounding, of either sign, and has a root all the same."""
    grads = {"w": np.linspace(-3, 3, 1000).astype(dtype)}
    params, rmsprop = {"w": np.zeros(1000, dtype)}, RMSprop(1e-6, alpha=0.5, centered=True)
    negative = 0
    for _ in range(100):
        rmsprop.update(params, grads)
        state = rmsprop.state_dict()
        negative += int((state["square_avg.w"] < state["grad_avg.w"] ** 2).sum())
    assert negative > 1000
    assert np.isfinite(params["w"]).all()


def call(**changes: object) -> None:
    """The strict function, with one argument changed."""
    w, g, m, v = np.ones((4, 6))
    arguments = {
        "rule": "adam", "names": ["w"], "params": [w], "grads": [g], "kept": [(m, v)],
        "numbers": NUMBERS, "num_threads": 1,
    }  # fmt: skip
    _core.optim_update(**(arguments | changes))


READ_ONLY = np.ones(6)
ROW = np.ones(1, np.int64)  # of the two that 6 elements make by threes
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"rule": "adamant"}, ValueError, "rule must be one of the core's, got 'adamant'"),
        ({"rule": 1}, TypeError, "rule must be a str"),
        ({"rule": "\ud800"}, ValueError, "rule must hold no lone surrogates"),
        ({"rule": "sgd"}, TypeError, "kept must be a list of tuples of the rule's length"),
        ({"names": ("w",)}, TypeError, "names must be a list"),
        ({"params": []}, ValueError, "params must have as many elements as names"),
        ({"params": [[1.0]]}, TypeError, "params must be a numpy.ndarray"),
        ({"params": [np.ones(6, np.int64)]}, TypeError, "params must have dtype"),
        ({"params": [np.ones((6, 2))[:, 0]]}, ValueError, "params must be C-contiguous"),
        ({"params": [READ_ONLY]}, ValueError, "params must be writeable"),
        ({"grads": [np.ones(6, np.float32)]}, TypeError, "grads must have dtype float64"),
        ({"grads": [np.ones(5)]}, ValueError, "grads must have as many elements"),
        ({"grads": [(ROW, np.ones((1, 4)), True)]}, ValueError, "values must be rows of the param"),
        ({"grads": [(ROW, np.ones((2, 3)), True)]}, ValueError, "rows must be as many as the rows"),
        ({"grads": [(ROW + 1, np.ones((1, 3)), True)]}, ValueError, "rows must ascend within"),
        ({"grads": [(ROW - 2, np.ones((1, 3)), True)]}, ValueError, "rows must ascend within"),
        ({"grads": [(ROW * 1.0, np.ones((1, 3)), True)]}, TypeError, "rows must have dtype int64"),
        ({"grads": [(ROW, np.ones((1, 3), "f4"), True)]}, TypeError, "values must have dtype"),
        ({"grads": [(ROW, np.ones(3), True)]}, ValueError, "values must have"),
        ({"grads": [(ROW, np.ones((1, 3)))]}, TypeError, "grads must be a numpy.ndarray"),
        ({"kept": [(np.ones(6), np.ones(7))]}, ValueError, "kept must have as many elements"),
        ({"numbers": NUMBERS[:-1]}, TypeError, "numbers must be a tuple of 7 floats"),
        ({"numbers": (*NUMBERS[:-1], "1")}, TypeError, "numbers must be a tuple of 7 floats"),
        ({"numbers": (None, *NUMBERS[1:])}, TypeError, "numbers must be a tuple of 7 floats"),
        ({"numbers": (10**400, *NUMBERS[1:])}, ValueError, "numbers must be within the range"),
        ({"num_threads": -1}, ValueError, "num_threads must be in"),
    ],
)
def test_the_strict_layer_refuses(
    changes: dict[str, object], error: type[Exception], words: str
) -> None:
    call()
    with pytest.raises(error, match=re.escape(words)):
        call(**changes)


def test_overlap_is_found_wherever_it_is() -> None:
    block, w, g = np.ones(20), np.ones(6), np.ones(6)
    call(grads=[g])
    cases = [
        {"grads": [w]},
        {"kept": [(np.ones(6), w)]},
        {"kept": [(g, np.ones(6))]},
        {"kept": [(block[:6], block[5:11])]},
    ]
    for changes in cases:
        with pytest.raises(ValueError, match="must not share memory with"):
            call(**({"params": [w], "grads": [g]} | changes))
    # Gradients are only read, so they may.
    lists = {"names": ["a", "b"], "params": [block[:6], block[6:12]], "grads": [g, g]}
    call(**lists, kept=[(np.ones(6), np.ones(6)) for _ in range(2)])


def test_leaves_names_places() -> None:
    assert list(leaves({"a": {"b": np.ones(1)}, "c": np.ones(1)})) == ["a.b", "c"]
