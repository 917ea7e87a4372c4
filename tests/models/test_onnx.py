"""Why: a model that is handed to another program must compute there what it computes here: scores
of classifiers, taggers and language models, numbers of regressors, a translation step by step.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.tolerances import ONNX

pytest.importorskip("autograd")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

import onnxruntime

from fastrnn import models
from fastrnn.data import BOS

T, N, I, V = 6, 4, 3, 9
LENGTHS = np.array([6, 1, 4, 2])


def run(path: Path, **inputs: Any) -> dict[str, Any]:
    """The outputs of a graph by name."""
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


def vectors(rng: Any, dtype: Any = np.float32) -> Any:
    return rng.standard_normal((T, N, I)).astype(dtype)


CLASSIFIERS: dict[str, dict[str, Any]] = {
    "last": {"input_size": I},
    "last of both directions": {"input_size": I, "bidirectional": True, "merge_mode": "ave"},
    "mean": {"vocab": V, "pooling": "mean", "bidirectional": True},
    "max": {"vocab": V, "pooling": "max", "num_layers": 2},
    "scaled": {"input_size": I, "input_center": [1.0, 0.0, -2.0], "input_scale": 0.5},
    "batch first": {"input_size": I, "batch_first": True, "pooling": "max"},
    "projection": {"input_size": I, "proj_size": 3, "num_layers": 2, "bidirectional": True},
}


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_says_the_same(name: str, ragged: bool, tmp_path: Path, rng: Any) -> None:
    options = CLASSIFIERS[name]
    cell = "lstm" if "proj_size" in options else "gru"
    model = models.SequenceClassifier(cell, 3, 5, rng=rng, **options)
    model.to_onnx(tmp_path / "a.onnx", lengths=ragged)
    x = rng.integers(0, V, (T, N)) if "vocab" in options else vectors(rng)
    x = x.swapaxes(0, 1).copy() if model.config["batch_first"] else x
    lengths = LENGTHS if ragged else None
    given = {"x": x} | ({"lengths": LENGTHS.astype(np.int32)} if ragged else {})
    scores = run(tmp_path / "a.onnx", **given)["scores"]
    rows = np.exp(scores - scores.max(axis=1, keepdims=True))
    expected = model.predict_proba(x, lengths)
    np.testing.assert_allclose(rows / rows.sum(axis=1, keepdims=True), expected, **ONNX)
    assert np.ptp(expected) > 1e-3


@pytest.mark.parametrize("batch_first", [False, True])
def test_taggers_and_regressors_say_the_same(
    batch_first: bool, tmp_path: Path, rng: Any
) -> None:
    x = vectors(rng)
    x = x.swapaxes(0, 1).copy() if batch_first else x
    tagger = models.SequenceTagger(
        "lstm", 4, 5, input_size=I, batch_first=batch_first, bidirectional=True, rng=rng
    )
    tagger.to_onnx(tmp_path / "a.onnx")
    scores = run(tmp_path / "a.onnx", x=x)["scores"]
    rows = np.exp(scores)
    np.testing.assert_allclose(
        rows / rows.sum(axis=-1, keepdims=True), tagger.predict_proba(x), **ONNX
    )
    for options in ({"each_step": True}, {"pooling": "mean"}, {}):
        regressor = models.SequenceRegressor(
            "gru", 2, 5, input_size=I, batch_first=batch_first, target_center=[3.0, -1.0],
            target_scale=[0.5, 4.0], input_scale=2.0, rng=rng, **options,
        )  # fmt: skip
        regressor.to_onnx(tmp_path / "b.onnx")
        np.testing.assert_allclose(
            run(tmp_path / "b.onnx", x=x)["y"], regressor.predict(x), **ONNX
        )


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_a_language_model_goes_on_from_its_states(cell: str, tmp_path: Path, rng: Any) -> None:
    model = models.LanguageModel(cell, V, 5, num_layers=2, tied=cell == "gru", rng=rng)
    model.to_onnx(tmp_path / "a.onnx", state=True)
    x = rng.integers(0, V, (T, N))
    y, _ = model._reader(model.params, x)
    expected = model._scores(y)
    names = ["h", "c"] if cell == "lstm" else ["h"]
    state = {f"{name}0": np.zeros((2, N, 5), np.float32) for name in names}
    found = []
    for part in (x[:2], x[2:]):
        said = run(tmp_path / "a.onnx", x=part, **state)
        found.append(said["scores"])
        state = {f"{name}0": said[f"{name}_n"] for name in names}
    np.testing.assert_allclose(np.concatenate(found), expected, **ONNX)


def test_a_language_model_with_projection(tmp_path: Path, rng: Any) -> None:
    model = models.LanguageModel("lstm", V, 6, proj_size=3, rng=rng)
    model.to_onnx(tmp_path / "a.onnx")
    x = rng.integers(0, V, (T, N))
    expected = model._scores(model._reader(model.params, x)[0])
    np.testing.assert_allclose(run(tmp_path / "a.onnx", x=x)["scores"], expected, **ONNX)
    with pytest.raises(ValueError, match="proj_size cannot take initial states"):
        model.to_onnx(tmp_path / "a.onnx", state=True)


PAIRS: dict[str, tuple[str, dict[str, Any]]] = {
    "lstm": ("lstm", {"num_layers": 2}),
    "gru one way": ("gru", {"bidirectional_encoder": False, "reverse_source": True, "peek": True}),
    "rnn": ("rnn", {"tied": True}),
    "additive": ("gru", {"attention": "additive"}),
    "of other sizes": (
        "lstm",
        {"attention": "general", "decoder_size": 5, "decoder_layers": 2, "embedding_size": 4},
    ),
    "simple": ("rnn", {"attention": "additive", "num_layers": 2, "decoder_layers": 1}),
    "additive, deep, peeking": ("lstm", {"attention": "additive", "num_layers": 3, "peek": True}),
    "dot": ("lstm", {"attention": "dot", "query": "current", "num_layers": 2, "tied": True}),
    "general": ("gru", {"attention": "general", "query": "current", "input_feed": False}),
    "previous": ("gru", {"attention": "general", "input_feed": False, "reverse_source": True}),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_translation_comes_out_step_by_step(name: str, tmp_path: Path, rng: Any) -> None:
    cell, options = PAIRS[name]
    model = models.Seq2Seq(cell, V, V + 1, 6, rng=rng, **options)
    model.params["out"]["bias"] *= 3  # sure of what it says
    encoder, decoder = model.to_onnx(tmp_path / "m.onnx")
    sources = rng.integers(4, V, (T, N))
    known = run(encoder, sources=sources, lengths=LENGTHS.astype(np.int32))
    state = {f"{k}0": known[k] for k in ("h", "c") if k in known}
    beside = {k: known[k] for k in ("memory", "vector") if k in known}
    if "memory" in beside:
        beside["lengths"] = LENGTHS.astype(np.int32)
        if options.get("query") == "current" and options.get("input_feed", True):
            state["fed0"] = np.zeros((N, 6), np.float32)  # H of the decoder
    encoded = model._encoder(
        model.params["encoder"], *model._encoder.enter(sources, LENGTHS)
    )
    fed = np.concatenate([np.full((1, N), BOS), rng.integers(3, V + 1, (3, N))])
    y, weights = model._decoder(
        model.params["decoder"], fed, encoded, np.full(N, len(fed)), None, False
    )
    expected = model._scores(model.params, y, encoded.vector)
    for t, tokens in enumerate(fed):
        said = run(decoder, tokens=tokens, **state, **beside)
        np.testing.assert_allclose(said["scores"], expected[t], **ONNX)
        if weights is not None:
            np.testing.assert_allclose(said["weights"], weights[t], **ONNX)
        state = {key: said[f"{key[:-1]}_n"] for key in state}
    assert np.ptp(expected) > 1e-2


def test_the_command_writes_both_sides(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("typer")
    pytest.importorskip("safetensors")
    from fastrnn.cli import main

    model = models.Seq2Seq("gru", V, V, 4, attention="dot")
    model.save(tmp_path / "model.safetensors")
    assert main(["export", str(tmp_path), str(tmp_path / "out.onnx")]) == 0
    out = capsys.readouterr().out
    assert "out.encoder.onnx: Seq2Seq, " in out
    assert "out.decoder.onnx: Seq2Seq, " in out
    assert main(["export", str(tmp_path), str(tmp_path / "out.onnx"), "--state"]) == 1
    assert "--state is no option of the graph of a Seq2Seq" in capsys.readouterr().err
    models.VAE(3, 2, hidden_sizes=(4,)).save(tmp_path / "model.safetensors")
    assert main(["export", str(tmp_path), str(tmp_path / "out.onnx")]) == 1
    assert "holds a VAE, which ONNX cannot say" in capsys.readouterr().err
