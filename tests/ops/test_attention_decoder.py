"""Why: a decoder that loses one of the roads into its encoder still learns something. Every road of
every kind of decoder must carry the whole gradient, and padding must carry none.
"""

from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from helpers.decoders import CHOICES, draw_decoder, run_decoder

import fastrnn
from fastrnn import ops, reference

EACH = pytest.mark.parametrize(
    ("cell", "score", "query", "feed", "output"),
    CHOICES,
    ids=["-".join(map(str, c)) for c in CHOICES],
)


def total(namespace: Any, arrays: Any, options: dict[str, Any], g: Any) -> Any:
    results = run_decoder(namespace, arrays, options)
    return sum(anp.sum(a * b) for a, b in zip(g, results, strict=True))


def draw(rng: np.random.Generator, *choice: Any, ragged: bool = True) -> Any:
    names = ("cell", "score", "query", "feed", "output")
    chosen = dict(zip(names, choice, strict=True))
    arrays, options = draw_decoder(rng, 2, 3, 3, (2, 3, 3, 2, 2), ragged=ragged, **chosen)
    g = [rng.normal(size=r.shape) for r in run_decoder(reference, arrays, options)]
    return arrays, options, g


@pytest.mark.check(3)
@EACH
def test_the_gradient_is_the_slope(
    cell: str, score: str, query: str, feed: bool, output: bool, rng: np.random.Generator
) -> None:
    arrays, options, g = draw(rng, cell, score, query, feed, output)
    found = autograd.grad(lambda a: total(ops, a, options, g))(arrays)
    fastrnn.testing.gradcheck(lambda **a: float(total(reference, a, options, g)), arrays, found)


@pytest.mark.parametrize("cut", ["keys", "values", "state"])
def test_each_road_into_memory_alone(cut: str, rng: np.random.Generator) -> None:
    """The gradient by memory is the sum over three roads; each is compared by itself."""
    arrays, options = draw_decoder(rng, 4, 2, 3, state=False)
    memory = arrays.pop("memory")
    if cut == "values":
        arrays["weight_key"] *= 0  # the weights are all alike, whatever memory holds

    def loss(namespace: Any, m: Any) -> Any:
        given = arrays | {"memory": m if cut != "state" else memory}
        if cut == "state":
            given["h0"] = anp.tanh(m[0])
        _, contexts, weights, h = run_decoder(namespace, given, options)
        if cut == "keys":  # the weights see memory as keys alone
            return anp.sum(weights[:, 0] ** 2)
        return anp.sum(contexts[:, 0] ** 2) if cut == "values" else anp.sum(h**2)

    found = autograd.grad(lambda m: loss(ops, m))(memory)
    assert np.abs(found).max() > 1e-3
    fastrnn.testing.gradcheck(
        lambda memory: float(loss(reference, memory)), {"memory": memory}, {"memory": found}
    )


@pytest.mark.check(13)
@pytest.mark.parametrize("query", ["previous", "current"])
def test_padding_is_not_read(query: str, rng: np.random.Generator) -> None:
    arrays, options = draw_decoder(rng, 5, 4, 6, query=query, output=True, ragged=True)
    poisoned = dict(arrays)
    for name, key in (("x", "lengths"), ("memory", "memory_lengths")):
        padding = np.arange(len(arrays[name]))[:, None] >= options[key]
        poisoned[name] = np.where(padding[:, :, None], np.nan, arrays[name])
    g = [rng.normal(size=r.shape) for r in run_decoder(reference, arrays, options)]
    good, bad = (
        autograd.grad(lambda a: total(ops, a, options, g))(each) for each in (arrays, poisoned)
    )
    for name, slope in good.items():
        np.testing.assert_array_equal(bad[name], slope, err_msg=name)
    assert not good["memory"][np.arange(6)[:, None] >= options["memory_lengths"]].any()
    assert not good["x"][np.arange(5)[:, None] >= options["lengths"]].any()
    outputs, contexts, weights, *_ = run_decoder(ops, poisoned, options)
    empty = options["memory_lengths"] == 0
    assert not weights[empty].any()
    assert not contexts[empty].any()
    there = (np.arange(5) < options["lengths"][:, None]) & ~empty[:, None]
    np.testing.assert_allclose(weights.sum(axis=2), there, rtol=1e-12)
    assert np.isfinite(outputs).all()


def test_a_call_goes_on_where_another_ended(rng: np.random.Generator) -> None:
    arrays, options = draw_decoder(rng, 6, 2, 4, cell="lstm", query="current", output=True)
    whole = run_decoder(ops, arrays, options)
    first = run_decoder(ops, arrays | {"x": arrays["x"][:2]}, options)
    state = dict(zip(("h0", "c0", "fed0"), first[3:], strict=True))
    rest = run_decoder(ops, arrays | {"x": arrays["x"][2:]} | state, options)
    for k in range(3):
        np.testing.assert_allclose(np.concatenate([first[k], rest[k]], axis=1), whole[k], rtol=1e-9)
    for a, b in zip(rest[3:], whole[3:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


def test_more_steps_than_a_block_of_the_products(rng: np.random.Generator) -> None:
    """The sums over steps for memory are taken 256 steps at a time."""
    arrays, options = draw_decoder(rng, 260, 2, 3, score="general")
    g = [rng.normal(size=r.shape) for r in run_decoder(ops, arrays, options)]
    found = autograd.grad(lambda a: total(ops, a, options, g))(arrays)
    with fastrnn.use_backend("reference"):
        expected = autograd.grad(lambda a: total(ops, a, options, g))(arrays)
    for name, slope in expected.items():
        np.testing.assert_allclose(found[name], slope, rtol=1e-8, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("backend", ["core", "reference"])
def test_no_step_keeps_the_dtype_and_the_state(backend: str, rng: np.random.Generator) -> None:
    arrays, options = draw_decoder(rng, 0, 2, 3, cell="lstm", query="current", output=True)
    given = {name: array.astype(np.float32) for name, array in arrays.items()}
    with fastrnn.use_backend(backend):
        results = run_decoder(ops, given, options)
    assert {result.dtype for result in results} == {np.dtype(np.float32)}
    for name, last in zip(("h0", "c0", "fed0"), results[3:], strict=True):
        np.testing.assert_array_equal(last, given[name])


@pytest.mark.parametrize("score", ["additive", "dot", "general"])
def test_no_step_has_no_gradient_but_the_state(
    score: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dirty(name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        return np.full(shape, np.nan, dtype)

    monkeypatch.setattr("fastrnn._decoder_run.allocate", dirty)
    arrays, options = draw_decoder(rng, 0, 2, 3, score=score, output=True)
    found = autograd.grad(lambda a: anp.sum(run_decoder(ops, a, options)[-1]))(arrays)
    for name, slope in found.items():
        np.testing.assert_array_equal(slope, np.full_like(slope, name == "h0"), err_msg=name)


def test_a_record_serves_one_backward(rng: np.random.Generator) -> None:
    arrays, options = draw_decoder(rng, 3, 2, 4)
    vjp, value = autograd.make_vjp(lambda a: anp.sum(run_decoder(ops, a, options)[0]))(arrays)
    assert np.isfinite(value)
    assert np.abs(vjp(1.0)["memory"]).max() > 0
    with pytest.raises(ValueError, match="serves one backward, and is spent"):
        vjp(1.0)


@EACH
def test_one_step_is_a_step_of_the_sequence(
    cell: str, score: str, query: str, feed: bool, output: bool, rng: np.random.Generator
) -> None:
    """Three rows on two rows of memory, in another order after the first step."""
    choice = {"cell": cell, "score": score, "query": query, "feed": feed, "output": output}
    arrays, options = draw_decoder(rng, 2, 2, 4, ragged=True, state=False, **choice)
    del options["lengths"]
    params = {name: a for name, a in arrays.items() if name not in ("x", "memory")}
    x, memory, rows = rng.normal(size=(2, 3, 3)), arrays["memory"], np.array([1, 0, 1])
    step = fastrnn.AttentionStep(memory, params, **options)
    parents = np.array([2, 1, 0])  # the rows of memory stay as they are
    first = step(x[0], rows=rows)
    second = step(x[1], [part[parents] for part in first[3]], rows)
    order = np.stack([x[0][parents], x[1]])
    options["memory_lengths"] = options["memory_lengths"][rows]
    *whole, state = ops.attention_decoder(order, memory[:, rows], params, **options)
    for a, b in zip(second[:3], whole, strict=True):
        np.testing.assert_allclose(a, b[1], rtol=1e-12, atol=1e-15)
    for a, b in zip(second[3], state, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)


@EACH
def test_what_a_step_has_ready_changes_nothing(
    cell: str, score: str, query: str, feed: bool, output: bool, rng: np.random.Generator
) -> None:
    """Symbols by a table, parents, and memory times weights: as the same step without them.

    Memory is short enough to be multiplied, but for the last row.
    """
    choice = {"cell": cell, "score": score, "query": query, "feed": feed, "output": output}
    arrays, options = draw_decoder(rng, 2, 4, 5, (3, 40, 40, 5, 2), state=False, **choice)
    options["memory_lengths"] = [4, 0, 3, 5]
    params = {name: a for name, a in arrays.items() if name not in ("x", "memory")}
    memory = arrays["memory"]
    embedding, rows = rng.normal(size=(7, 3)), np.array([3, 0, 1, 2, 2, 0])
    plain = fastrnn.AttentionStep(memory, params, **options)
    ready = fastrnn.AttentionStep(memory, params, embedding=embedding, rows=9, **options)
    few = fastrnn.AttentionStep(memory, params, embedding=np.repeat(embedding, 99, 0), **options)
    multiplied = ready._ready.inputs.get("projected_rows", None)
    assert (multiplied is not None) == (output or (feed and query == "previous"))
    assert multiplied is None or multiplied.tolist() == [0, 1, 2, -1]
    state: Any = None
    parents: Any = None
    for tokens in (np.array([0, 6, 2, 2, 5, 1]), np.array([3, 3, 0, 6])):
        picked = state if parents is None else [part[parents] for part in state]
        rows = rows[: len(tokens)]
        expected = plain(embedding[tokens], picked, rows)
        found = ready(tokens, state, rows, parents)
        again = few(99 * tokens, state, rows, parents)
        for other, exact in ((found, False), (again, True)):
            for a, b in zip((*other[:3], *other[3]), (*expected[:3], *expected[3]), strict=True):
                np.testing.assert_allclose(a, b, rtol=0 if exact else 1e-12, atol=1e-14)
        state, parents = expected[3], np.array([5, 0, 0, 2])


def test_a_step_does_not_see_later_weights(rng: np.random.Generator) -> None:
    arrays, options = draw_decoder(rng, 1, 2, 4, state=False)
    params = {name: a for name, a in arrays.items() if name not in ("x", "memory")}
    step = fastrnn.AttentionStep(arrays["memory"], params, **options)
    before = step(arrays["x"][0])[0]
    params["weight_hh"][...] = params["weight_query"][...] = 0
    np.testing.assert_array_equal(step(arrays["x"][0])[0], before)


def test_a_wrong_step_is_told_so(rng: np.random.Generator) -> None:
    arrays, options = draw_decoder(rng, 1, 2, 4, state=False)
    params = {name: a for name, a in arrays.items() if name not in ("x", "memory")}
    step = fastrnn.AttentionStep(arrays["memory"], params, **options)
    x = arrays["x"][0]
    with pytest.raises(ValueError, match="x must have shape"):
        step(x[:, :2])
    with pytest.raises(ValueError, match="or pass rows"):
        step(x[:1])
    with pytest.raises(ValueError, match="rows must lie in"):
        step(x, rows=[0, 2])
    with pytest.raises(TypeError, match="rows must hold integers"):
        step(x, rows=[0.0, 1.0])
    with pytest.raises(TypeError, match="x must be float64"):
        step(x.astype(np.float32))
    with pytest.raises(ValueError, match="state h must have shape"):
        step(x, (np.zeros((3, 4)),))
    with pytest.raises(ValueError, match="parents needs the state"):
        step(x, parents=[0, 1])
    with pytest.raises(ValueError, match="parents must lie in"):
        step(x, (np.zeros((2, 4)),), parents=[0, 2])
    with pytest.raises(ValueError, match="embedding must have shape"):
        fastrnn.AttentionStep(arrays["memory"], params, embedding=x[:, :2], **options)
    symbols = fastrnn.AttentionStep(arrays["memory"], params, embedding=x, **options)
    with pytest.raises(ValueError, match=r"x must lie in 0\.\.V-1 = 0\.\.1"):
        symbols([0, 2])
    with pytest.raises(TypeError, match="x must hold integers"):
        symbols(x)
    with pytest.raises(TypeError, match="x must not be a masked array"):
        symbols(np.ma.array([0, 1], mask=[True, False]))
    with pytest.raises(ValueError, match=r"^memory_lengths must have shape \(M,\)"):
        fastrnn.AttentionStep(arrays["memory"], params, memory_lengths=[1], **options)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cell": "rnn"}, "cell must be one of"),
        ({"score": "cosine"}, "score must be one of"),
        ({"query": "next"}, "query must be one of"),
        ({"input_feed": 1}, "input_feed must be True or False"),
        ({"lengths": [7, 1]}, "lengths must lie in"),
        ({"memory_lengths": [1]}, "^memory_lengths must have shape"),
        ({"state": (np.zeros((3, 4)),)}, "state h must have shape"),
        ({"state": ()}, "state must be a tuple"),
        ({"score": "dot"}, "is no parameter of score"),
    ],
)
def test_a_wrong_call_is_told_so(change: dict, words: str, rng: np.random.Generator) -> None:
    arrays, options = draw_decoder(rng, 3, 2, 4, state=False)
    params = {name: a for name, a in arrays.items() if name not in ("x", "memory")}
    with pytest.raises((TypeError, ValueError), match=words):
        ops.attention_decoder(arrays["x"], arrays["memory"], params, **(options | change))


@pytest.mark.parametrize("missing", ["weight_ih", "weight_hh", "vector", "weight_key"])
def test_a_missing_array_is_named(missing: str, rng: np.random.Generator) -> None:
    arrays, options = draw_decoder(rng, 3, 2, 4, state=False)
    del arrays[missing]
    with pytest.raises(ValueError, match=f"must have {missing}"):
        run_decoder(ops, arrays, options)


@EACH
@pytest.mark.parametrize("limits", [{"truncate": 2}, {"clip_step": 0.02}], ids=str)
def test_limits_of_the_gradient_are_the_twins(
    cell: str, score: str, query: str, feed: bool, output: bool, limits: Any,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    chosen = {"cell": cell, "score": score, "query": query, "feed": feed, "output": output}
    arrays, options = draw_decoder(rng, 5, 3, 3, (2, 3, 3, 2, 2), ragged=True, **chosen)
    g = [rng.normal(size=r.shape) for r in run_decoder(reference, arrays, options)]

    def grads(**more: Any) -> Any:
        return autograd.grad(lambda a: total(ops, a, options | more, g))(arrays)

    plain, limited = grads(), grads(**limits)
    with fastrnn.use_backend("reference"):
        twin = grads(**limits)
    for name, gradient in limited.items():
        np.testing.assert_allclose(gradient, twin[name], rtol=1e-10, atol=1e-12, err_msg=name)
    assert not np.allclose(plain["weight_hh"], limited["weight_hh"])


@EACH
def test_truncation_is_two_calls_that_hand_on_their_state(
    cell: str, score: str, query: str, feed: bool, output: bool, rng: np.random.Generator
) -> None:
    chosen = {"cell": cell, "score": score, "query": query, "feed": feed, "output": output}
    arrays, options = draw_decoder(rng, 4, 3, 3, (2, 3, 3, 2, 2), **chosen)
    g = [rng.normal(size=r.shape) for r in run_decoder(reference, arrays, options)]
    found = autograd.grad(lambda a: total(ops, a, options | {"truncate": 2}, g))(arrays)
    constant = run_decoder(reference, arrays | {"x": arrays["x"][:2]}, options)[3:]
    names = [name for name in ("h0", "c0", "fed0") if name in arrays]

    def chunk(a: Any, steps: slice, state: Any, last: list[Any]) -> Any:
        given = {name: state.get(name, a[name]) for name in arrays} | {"x": a["x"][steps]}
        return total(ops, given, options, [part[:, steps] for part in g[:3]] + last)

    zeros = [np.zeros_like(part) for part in g[3:]]
    one = autograd.grad(lambda a: chunk(a, slice(2), {}, zeros))(arrays)
    state = dict(zip(names, constant, strict=True))
    two = autograd.grad(lambda a: chunk(a, slice(2, 4), state, g[3:]))(arrays)
    for name, gradient in found.items():
        wanted = one[name] + two[name]
        np.testing.assert_allclose(gradient, wanted, rtol=1e-10, atol=1e-12, err_msg=name)


def test_a_step_limit_clips_the_gradient_by_the_gates(rng: np.random.Generator) -> None:
    """One step of one row: the gradient by the bias is that by the pre-activations."""
    arrays, options = draw_decoder(rng, 1, 1, 3, cell="lstm")
    g = [rng.normal(size=r.shape) for r in run_decoder(reference, arrays, options)]
    by_bias = [
        autograd.grad(lambda a, m=more: total(ops, a, options | m, g))(arrays)["bias_ih"]
        for more in ({}, {"clip_step": 0.05})
    ]
    np.testing.assert_allclose(by_bias[1], np.clip(by_bias[0], -0.05, 0.05), rtol=1e-12)
    assert (np.abs(by_bias[0]) > 0.05).any()


WRONG: list[dict[str, Any]] = [{"truncate": 0}, {"clip_step": 0.0}, {"clip_step": "a"}]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_wrong_limits_are_refused(wrong: dict[str, Any], rng: np.random.Generator) -> None:
    arrays, options = draw_decoder(rng, 2, 1, 3)
    with pytest.raises((ValueError, TypeError), match=next(iter(wrong))):
        run_decoder(ops, arrays, options | wrong)
