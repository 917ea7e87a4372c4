"""Why: the short way to a file of weights must give back every bit, and notice what lost one."""

from pathlib import Path

import numpy as np
import pytest

import fastrnn

library = pytest.importorskip("safetensors.numpy", reason="needs safetensors")


def test_parameters_come_back(tmp_path: Path) -> None:
    path = tmp_path / "layer.safetensors"
    layer = fastrnn.LSTM(3, 4, 2, bidirectional=True)
    fastrnn.io.save(path, layer.params)
    found = fastrnn.io.load(path)
    assert found.keys() == layer.params.keys()
    for name, array in layer.params.items():
        np.testing.assert_array_equal(found[name], array, strict=True)
    assert library.load_file(path).keys() == found.keys()


def test_files_of_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "others.safetensors"
    library.save_file({"w": np.eye(2)}, path, {"fastrnn": "no"})
    np.testing.assert_array_equal(fastrnn.io.load(path)["w"], np.eye(2))


def test_no_bit_is_lost_silently(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    fastrnn.io.save(path, {"w": np.eye(2, dtype=np.float32)})
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(fastrnn.CheckpointError):
            fastrnn.io.load(path)


def test_too_large_and_wrong_dtypes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(TypeError, match="'w' must be floating, integer or bool"):
        fastrnn.io.save(path, {"w": np.array(["a"])})
    with pytest.raises(TypeError, match="tensors must be a dict of arrays, got list"):
        fastrnn.io.save(path, [np.zeros(3)])  # type: ignore[arg-type]
    assert not path.exists()
    fastrnn.io.save(path, {"w": np.zeros(100)})
    with pytest.raises(fastrnn.CheckpointError, match="more than 100"):
        fastrnn.io.load(path, max_bytes=100)


def test_other_programs_files_say_who_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    with path.open("wb") as file:
        np.savez(file, w=np.eye(2))  # a zip archive, as what torch.save writes is
    with pytest.raises(fastrnn.CheckpointError, match=r"no safetensors file.*; torch\.load or"):
        fastrnn.LSTM.from_torch(path)
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(fastrnn.CheckpointError, match="; Keras reads it"):
        fastrnn.io.load(path)
    path.write_text("What stands here was never a checkpoint.")
    with pytest.raises(fastrnn.CheckpointError, match="; name a safetensors file"):
        fastrnn.io.load(path)
    fastrnn.io.save(path, {"w": np.eye(2)})
    path.write_bytes(b"\xff" * 8 + path.read_bytes()[8:])
    with pytest.raises(fastrnn.CheckpointError, match="; take the checkpoint before it"):
        fastrnn.io.load(path)
