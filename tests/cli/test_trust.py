"""Why: these commands are run when something is wrong, so they must not be wrong themselves: what
is damaged must be found, what is whole must pass, and an export must be what the model computes.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import commands
from helpers.tolerances import ONNX

import fastrnn
from fastrnn import _core, models
from fastrnn.io import load_checkpoint, save_checkpoint


def make(kind: str, **options: Any) -> Any:
    rng = np.random.default_rng(0)
    if kind == "lm":
        return models.LanguageModel("lstm", 11, 8, rng=rng, **options)
    if kind == "tagger":
        return models.SequenceTagger("gru", 3, 8, input_size=5, bidirectional=True, rng=rng)
    return models.SequenceClassifier("rnn", 3, 8, vocab=11, bidirectional=True, rng=rng, **options)


def test_selftest_and_doctor() -> None:
    done = commands.run("selftest")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "all right"
    for isa in fastrnn.available_isas():
        assert f"{isa}: 13 cells" in done.stdout
    done = commands.run("doctor", FASTRNN_ISA="baseline")
    assert done.returncode == 0, done.stderr
    assert "isa             baseline" in done.stdout
    for name in ("autograd", "tokenizers", "sacrebleu", "torch"):
        assert re.search(f"^(ok|note) +{name} ", done.stdout, re.MULTILINE)
    if fastrnn.available_isas()[-1] != "baseline":
        assert "baseline is active" in done.stdout


def test_selftest_runs_every_cell() -> None:
    from fastrnn.cli.commands import selftest

    found = set()
    for family, G, options in selftest.CELLS.values():
        given = {**options, **({"w_peephole": np.ones((3, 1))} if "w_peephole" in options else {})}
        call = getattr(fastrnn, f"{family}_forward")
        found.add(call(np.ones((1, 1, 1)), np.ones((G, 1)), np.ones((G, 1)), **given)[2]._spec.core)
    assert found == set(_core.Cell.__members__)


def test_selftest_sees_a_wrong_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """A positive control: a kernel that is off by a thousandth."""
    from fastrnn.cli.commands import selftest

    whole = selftest._run

    def spoilt(module: Any, *args: Any) -> Any:  # fmt: skip
        found = whole(module, *args)
        return [a * 1.001 for a in found] if module is fastrnn else found

    monkeypatch.setattr(selftest, "_run", spoilt)
    with pytest.raises(ValueError, match="results are wrong: rnn float32 on"):
        selftest.run_selftest()


def test_verify(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    make("lm").save(path)
    done = commands.run("verify", str(path))
    assert done.returncode == 0, done.stderr
    assert "the SHA-256 is right" in done.stdout
    assert "core and twin agree to" in done.stdout

    found = load_checkpoint(path)
    found.tensors["out.bias"][3] = np.nan
    save_checkpoint(path, found.tensors, found.state)
    done = commands.run("verify", str(path))
    assert done.returncode == 1
    assert "out.bias has 1 numbers that are not finite" in commands.only_line(done.stderr)

    damaged = bytearray(path.read_bytes())
    damaged[-5] ^= 4
    path.write_bytes(bytes(damaged))
    done = commands.run("verify", str(path))
    assert done.returncode == 1
    assert "its SHA-256 is not the one" in commands.only_line(done.stderr)


@pytest.mark.parametrize("kind", ["HRED", "VHRED", "SequenceVAE"])
def test_verify_of_models_that_talk(kind: str, tmp_path: Path) -> None:
    """Their reader's weights have another name than those of a language model."""
    codes = () if kind == "HRED" else (2,)
    getattr(models, kind)("gru", 9, 4, *codes).save(tmp_path / "model")
    done = commands.run("verify", str(tmp_path / "model"))
    assert done.returncode == 0, done.stderr
    assert "core and twin agree to" in done.stdout


def test_verify_says_what_it_cannot_know(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    library.save_file(fastrnn.GRU(3, 4).state_dict(), tmp_path / "w.safetensors")
    done = commands.run("verify", str(tmp_path / "w.safetensors"))
    assert done.returncode == 0, done.stderr
    assert "no checksum of ours" in done.stdout


def test_verify_of_token_files(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    fastrnn.data.TokenFile.write(path, [[1, 2, 3], [4]], vocab_size=10)
    done = commands.run("verify", str(path.with_suffix(".json")))
    assert done.returncode == 0, done.stderr
    assert "4 tokens; both SHA-256 are right" in done.stdout
    (tmp_path / "y.bin").write_bytes(b"2 3\n")
    done = commands.run("verify", str(tmp_path / "y.bin"))
    assert done.returncode == 1
    assert "y.bin: it is no token file" in commands.only_line(done.stderr)
    path.write_bytes(b"\5" + path.read_bytes()[1:])
    done = commands.run("verify", str(path))
    assert done.returncode == 1
    assert "x.bin" in commands.only_line(done.stderr)


EXPORTS = [
    ("lm", {"embedding_size": 8, "tied": True}),
    ("lm", {"num_layers": 2}),
    ("tagger", {}),
    ("classifier", {}),
    ("classifier", {"merge_mode": "ave"}),
]


@pytest.mark.check(35)
@pytest.mark.parametrize(("kind", "options"), EXPORTS, ids=str)
def test_an_export_computes_what_the_model_computes(
    kind: str, options: dict[str, Any], tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
    from onnx.reference import ReferenceEvaluator

    from fastrnn.cli import main

    model, out = make(kind, **options), tmp_path / "out.onnx"
    model.save(tmp_path / "model")
    assert main(["export", str(tmp_path / "model"), str(out)]) == 0
    rng = np.random.default_rng(1)
    x = rng.integers(0, 11, (6, 3))
    if kind == "tagger":
        x = rng.standard_normal((6, 3, 5)).astype(np.float32)
    if kind == "lm":
        y, _ = model._reader(model.params, x)
        expected = model._scores(y)
    else:
        expected, _ = model._outputs(model.params, x, None, None, learning=False)
    proto = onnx.load(out)
    if model._reader.layer.bidirectional:  # the reference evaluator knows forward and reverse only
        runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
        session = runtime.InferenceSession(out.read_bytes(), providers=["CPUExecutionProvider"])
        found = session.run(None, {"x": x})
    else:
        found = ReferenceEvaluator(proto).run(None, {"x": x})
    np.testing.assert_allclose(found[0], expected, **ONNX)


def test_export_of_weights_and_what_cannot_be_exported(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the package onnx is not installed")
    library = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    weights = {f"a.{name}": array for name, array in fastrnn.GRU(3, 4).state_dict().items()}
    path, out = tmp_path / "w.safetensors", tmp_path / "out.onnx"
    library.save_file(weights, path)
    done = commands.run("export", str(path), str(out), "--cell", "gru", "--prefix", "a")
    assert done.returncode == 0, done.stderr
    assert "GRU(3, 4, dtype=float32)" in done.stdout
    assert out.stat().st_size > 100
    done = commands.run("export", str(path), str(out), "--prefix", "a")
    assert done.returncode == 1
    assert "name it with --cell" in commands.only_line(done.stderr)
    make("classifier", zoneout=0.1).save(tmp_path / "model")
    done = commands.run("export", str(tmp_path / "model"), str(out))
    assert done.returncode == 1
    assert "has no zoneout=0.1" in commands.only_line(done.stderr)


@pytest.mark.parametrize(
    "layer",
    [fastrnn.GRU(3, 4, reset_after=False), fastrnn.LSTM(3, 4).quantize("int8")],
    ids=["option", "int8"],
)
def test_export_of_a_saved_layer_keeps_its_options(layer: fastrnn.GRU, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the package onnx is not installed")
    path, out = tmp_path / "l.safetensors", tmp_path / "out.onnx"
    layer.save(path)
    name = type(layer).__name__.lower()
    for more in ([], ["--cell", name]):
        done = commands.run("export", str(path), str(out), *more)
        assert done.returncode == 0, done.stderr
        (node,) = fastrnn.io.load_onnx(out).values()
        x = np.random.default_rng(0).standard_normal((5, 2, 3)).astype(np.float32)
        np.testing.assert_allclose(node.layer()(x)[0], layer(x)[0], rtol=0, atol=1e-6)
    for more in (["--cell", "rnn"], ["--cell", name, "--prefix", "a"]):
        done = commands.run("export", str(path), str(out), *more)
        assert done.returncode == 1
        assert "by itself" in commands.only_line(done.stderr)
