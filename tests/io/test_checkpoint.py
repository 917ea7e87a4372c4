"""Why: a checkpoint that loads wrong numbers is worse than none. Every bit of a file is turned
over, every cut is made, and what hostile files try is tried.
"""

import errno
import json
import os
import pickle
import re
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.processes import output_of

import fastrnn
from fastrnn.io import _files, load_checkpoint, load_weights, save_checkpoint

pytest.importorskip("safetensors")

STATE = {"step": 7, "config": {"cell": "lstm", "sizes": [3, 4]}, "rate": 0.1, "none": None}


def tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "model.w": rng.standard_normal((3, 4)).astype(np.float32),
        "model.b": rng.standard_normal(5),
        "optim.step": np.array(7, np.int64),
        "text": np.frombuffer("äöü".encode(), np.uint8),
        "empty": np.zeros((0, 3), np.float32),
        "mask": np.array([True, False]),
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    target = tmp_path / "a.safetensors"
    save_checkpoint(target, tensors(), STATE)
    return target


def test_what_was_saved_comes_back(path: Path) -> None:
    found = load_checkpoint(path)
    assert found.path == path
    assert found.state == STATE
    assert found.tensors.keys() == tensors().keys()
    for name, array in tensors().items():
        got = found.tensors[name]
        assert (got.dtype, got.shape) == (array.dtype, array.shape)
        assert got.tobytes() == array.tobytes()
        assert got.flags.writeable
    assert load_weights(path).keys() == tensors().keys()


def test_strides_and_byte_order_are_honoured(tmp_path: Path) -> None:
    """The library itself writes the memory behind a strided array as if it were contiguous."""
    base = np.arange(24.0).reshape(4, 6)
    given = {
        "fortran": np.asfortranarray(base),
        "steps": base[::2, ::-3],
        "big": base.astype(">f8"),
        "broadcast": np.broadcast_to(np.float32(3), (2, 2)),
    }
    save_checkpoint(tmp_path / "a", given, {})
    for name, array in load_checkpoint(tmp_path / "a").tensors.items():
        np.testing.assert_array_equal(array, given[name])
        assert array.dtype.isnative


def test_other_programs_can_read_the_tensors(path: Path) -> None:
    from safetensors.numpy import load_file

    np.testing.assert_array_equal(load_file(path)["model.w"], tensors()["model.w"])


@pytest.mark.parametrize(
    ("arrays", "state", "error"),
    [
        ({"a": np.zeros(2, complex)}, {}, TypeError),
        ({"a": np.array([None])}, {}, TypeError),
        ({"a": np.array(["x"])}, {}, TypeError),
        ({"": np.zeros(2)}, {}, ValueError),
        ({"a\n": np.zeros(2)}, {}, ValueError),
        ({"x" * 257: np.zeros(2)}, {}, ValueError),
        ({"__metadata__": np.zeros(2)}, {}, ValueError),
        ({}, {"loss": float("nan")}, ValueError),
        ({}, {"big": 2**70}, ValueError),
        ({}, {"object": object()}, TypeError),
        ({3: np.zeros(2)}, {}, TypeError),
        ({}, {"long": "x" * 2**20}, ValueError),
    ],
)
def test_what_could_not_be_read_is_not_written(
    path: Path, arrays: dict[object, np.ndarray], state: dict[str, object], error: type[Exception]
) -> None:
    before = path.read_bytes()
    with pytest.raises(error):
        save_checkpoint(path, arrays, state)
    assert path.read_bytes() == before


def test_a_state_that_is_no_json_is_named(path: Path) -> None:
    with pytest.raises(TypeError, match=r"state must be what JSON can say: .* set "):
        save_checkpoint(path, {}, {"kept": {1}})
    with pytest.raises(ValueError, match="state must be what JSON can say"):
        save_checkpoint(path, {}, {"loss": float("inf")})


def broken(data: bytes, folder: Path) -> bool:
    """Whether the loader refuses these bytes, in one clear line."""
    target = folder / "broken.safetensors"
    target.write_bytes(data)
    try:
        load_checkpoint(target)
    except fastrnn.CheckpointError as error:
        text = str(error)
        return text.startswith(f"{target}: ") and "\n" not in text and len(text) < 500
    return False


@pytest.mark.check(33)
def test_every_bit_flip_is_found(
    tmp_path: Path, long: bool, tally: Callable[[int], None]
) -> None:
    """All bits of the header, and of the data all in the long tier, else 200 of them."""
    save_checkpoint(tmp_path / "small", {"w": np.arange(64, dtype=np.float32)}, {"step": 1})
    data = (tmp_path / "small").read_bytes()
    end = 8 + struct.unpack("<Q", data[:8])[0]
    rest = range(8 * end, 8 * len(data))
    bits = [*range(8 * end), *(rest if long else list(rest)[:: max(1, len(rest) // 200)])]
    assert len(bits) > 1900
    tally(len(bits))
    for bit in bits:
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert broken(bytes(flipped), tmp_path), f"bit {bit}"


@pytest.mark.check(33)
def test_every_cut_is_found(path: Path, long: bool, tally: Callable[[int], None]) -> None:
    data = path.read_bytes()
    cuts = range(len(data)) if long else {*range(0, len(data), 11), len(data) - 1}
    tally(len(cuts))
    for cut in cuts:
        assert broken(data[:cut], path.parent), f"the first {cut} bytes"
    for extra in (b"\0", b"x" * 100, data):
        assert broken(data + extra, path.parent)


def test_without_verifying_only_the_form_is_checked(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(fastrnn.CheckpointError, match="SHA-256"):
        load_checkpoint(path)
    assert load_checkpoint(path, verify=False).state == STATE


def test_a_digest_in_other_letters_is_not_one(path: Path) -> None:
    data = path.read_bytes()
    digest = re.search(rb'"fastrnn\.sha256":"([0-9a-f]{64})"', data)[1]  # type: ignore[index]
    assert broken(data.replace(digest, digest.upper()), path.parent)


def header(text: str | bytes, rest: bytes = b"") -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(raw)) + raw + rest


ENTRY = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "seven bytes": lambda: b"\0" * 7,
    "an endless header": lambda: b"\xff" * 8 + b"{}",
    "a header of 16 MiB and one": lambda: struct.pack("<Q", (16 << 20) + 1) + b" " * (17 << 20),
    "a header past the end": lambda: struct.pack("<Q", 100) + b"{}",
    "pickle": lambda: pickle.dumps({"a": 1}),
    "zip": lambda: b"PK\x03\x04" + b"\0" * 60,
    "no object": lambda: header("[]"),
    "no JSON": lambda: header("{'a': 1}"),
    "no UTF-8": lambda: header(b'{"\xff":1}'),
    "deep": lambda: header('{"a":' + "[" * 2_000_000 + "]" * 2_000_000 + "}"),
    "deep, but not too deep to parse": lambda: header('{"a":' + "[" * 50 + "]" * 50 + "}"),
    "a million names": lambda: header(
        "{" + ",".join(f'"{i}":{{}}' for i in range(1_000_000)) + "}"
    ),
    "a million equal names": lambda: header("{" + ",".join(['"a":{}'] * 1_000_000) + "}"),
    "the same name twice": lambda: header(f'{{"a":{ENTRY},"a":{ENTRY}}}', b"\0" * 4),
    "metadata twice": lambda: header('{"__metadata__":{},"__metadata__":{}}'),
    "metadata of numbers": lambda: header('{"__metadata__":{"a":1}}'),
    "metadata as a list": lambda: header('{"__metadata__":["a"]}'),
    "a long name": lambda: header(f'{{"{"n" * 257}":{ENTRY}}}', b"\0" * 4),
    "a control character": lambda: header(f'{{"a\\u0007":{ENTRY}}}', b"\0" * 4),
    "half a surrogate": lambda: header(f'{{"\\ud800":{ENTRY}}}', b"\0" * 4),
    "an unknown dtype": lambda: header(f'{{"a":{ENTRY.replace("F32", "F33")}}}', b"\0" * 4),
    "a dtype NumPy lacks": lambda: header(
        f'{{"a":{ENTRY.replace("F32", "BF16").replace("[1]", "[2]")}}}', b"\0" * 4
    ),
    "NaN": lambda: header('{"a":NaN}'),
    "infinity in digits": lambda: header('{"a":1e999}'),
    "a huge integer": lambda: header('{"a":' + "9" * 5000 + "}"),
    "a negative size": lambda: header(f'{{"a":{ENTRY.replace("[1]", "[-1]")}}}', b"\0" * 4),
    "a size as text": lambda: header(f'{{"a":{ENTRY.replace("[1]", "[true]")}}}', b"\0" * 4),
    "an overflowing shape": lambda: header(
        f'{{"a":{ENTRY.replace("[1]", "[4611686018427387904,4611686018427387904]")}}}', b"\0" * 4
    ),
    "an axis too many": lambda: header(f'{{"a":{ENTRY.replace("[1]", str([1] * 65))}}}', b"\0" * 4),
    "offsets past the end": lambda: header(f'{{"a":{ENTRY.replace("4]", "400]")}}}', b"\0" * 4),
    "overlap": lambda: header(f'{{"a":{ENTRY},"b":{ENTRY}}}', b"\0" * 4),
    "a hole": lambda: header(f'{{"a":{ENTRY.replace("[0,4]", "[4,8]")}}}', b"\0" * 8),
    "another key": lambda: header(f'{{"a":{ENTRY[:-1]},"path":"/etc/passwd"}}}}', b"\0" * 4),
    "bytes that nobody owns": lambda: header(f'{{"a":{ENTRY}}}', b"\0" * 400),
    "of another program": lambda: header(f'{{"a":{ENTRY}}}', b"\0" * 4),
}


@pytest.mark.check(30)
@pytest.mark.parametrize("trick", HOSTILE)
def test_a_hostile_file_is_refused(tmp_path: Path, trick: str) -> None:
    assert broken(HOSTILE[trick](), tmp_path)


def test_weights_of_other_programs_load(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(header(f'{{"a":{ENTRY}}}', np.float32(3).tobytes()))
    assert load_weights(target)["a"] == [3.0]


@pytest.mark.check(30)
def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", Path("/dev/zero")):
        with pytest.raises(fastrnn.CheckpointError, match="no regular file"):
            load_checkpoint(path)


def test_a_large_file_is_refused_before_it_is_read(path: Path) -> None:
    with pytest.raises(fastrnn.CheckpointError, match="more than 100"):
        load_checkpoint(path, max_bytes=100)
    assert load_checkpoint(path, max_bytes=path.stat().st_size).state == STATE


def test_a_state_in_which_a_digest_hides(tmp_path: Path) -> None:
    """Strings of the state may look like the digest's key; quotes in them are escaped."""
    state = {"text": '"fastrnn.sha256":"' + "0" * 64 + '"', "fastrnn.sha256": "0" * 64}
    save_checkpoint(tmp_path / "a", {}, state)
    assert load_checkpoint(tmp_path / "a").state == state
    assert json.dumps(state) not in (tmp_path / "a").read_text()


@pytest.mark.check(32)
def test_a_full_disk_leaves_the_old_checkpoint(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(_files.os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            save_checkpoint(path, {"w": np.zeros(100_000)}, {})
    assert load_checkpoint(path).state == STATE


@pytest.mark.check(30)
def test_loading_neither_imports_nor_writes_nor_runs_anything(path: Path) -> None:
    code = """
        import sys
        from fastrnn.io import load_checkpoint
        load_checkpoint(sys.argv[1])  # what it needs is loaded now
        bad = ("import", "exec", "compile", "os.system", "subprocess.Popen", "socket.connect")
        def hook(event, args):
            writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
            if event in bad or writes:
                print("audit:", event, args)
        sys.addaudithook(hook)
        print(load_checkpoint(sys.argv[1]).state["step"])
    """
    assert output_of(code, str(path)) == "7"


def test_the_error_survives_pickling() -> None:
    error = fastrnn.CheckpointError("a", "b", "c")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.path, again.reason, again.hint) == ("a: b; c", "a", "b", "c")
    assert isinstance(error, ValueError)


def test_arrays_are_written_from_where_they_are(tmp_path: Path) -> None:
    """A copy of them all would be the peak of a training's memory."""
    arrays = {"a": np.zeros(2**22), "b": np.ones((2**11, 2**11), np.float32), "c": np.zeros(())}
    save_checkpoint(tmp_path / "first", arrays, {})  # what is loaded for it counts once
    tracemalloc.start()
    try:
        save_checkpoint(tmp_path / "file", arrays, STATE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20
    found = load_checkpoint(tmp_path / "file").tensors
    assert all(np.array_equal(found[name], array) for name, array in arrays.items())


def test_every_kind_of_array_is_aligned_and_read_by_the_library(tmp_path: Path) -> None:
    from safetensors.numpy import load

    kinds = ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?")
    names = ("é\u65e5", 'a"quoted', "Z", "a")
    arrays = {f"{name}{kind}": np.arange(3).astype(kind) for kind in kinds for name in names}
    arrays |= {"none": np.zeros((2, 0)), "one": np.array(2.5, ">f4")}
    save_checkpoint(tmp_path / "file", arrays, {})
    data = (tmp_path / "file").read_bytes()
    assert (8 + int.from_bytes(data[:8], "little")) % 8 == 0
    entries = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    found = load(data)
    assert found.keys() == arrays.keys() == entries.keys() - {"__metadata__"}
    for name, array in arrays.items():
        assert entries[name]["data_offsets"][0] % array.itemsize == 0
        assert found[name].dtype == array.dtype.newbyteorder("=")
        assert np.array_equal(found[name], array)
        assert found[name].shape == array.shape


def test_no_header_begins_like_a_pickle(tmp_path: Path) -> None:
    """The first bytes are the header's length, whatever that is; 0x80 and a small one would be."""
    seen = set()
    for length in range(1000, 1500, 8):
        save_checkpoint(tmp_path / "file", {"a": np.ones(2)}, {"text": "x" * length})
        start = (tmp_path / "file").read_bytes()[:2]
        seen.add(start[1])
        assert not (start[0] == 0x80 and start[1] < 6), length
        assert load_checkpoint(tmp_path / "file").state == {"text": "x" * length}
    assert 5 in seen
