"""Why: the page for PyTorch's users points at this example; it must run, and must teach."""

import pytest

import torch_finetune


@pytest.mark.skipif(torch_finetune.torch is None, reason="PyTorch is not installed")
def test_one_import_changed(capsys: pytest.CaptureFixture[str]) -> None:
    before, after = torch_finetune.run(updates=40)
    said = capsys.readouterr().out
    assert "the answers differ by" in said
    assert float(said.partition("differ by ")[2].split()[0]) < 1e-4
    assert after > 0.2
    assert after > before - 0.02


def test_without_pytorch_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch_finetune, "torch", None)
    assert torch_finetune.run() is None
    assert capsys.readouterr().out.startswith("skipped: PyTorch is not installed")
