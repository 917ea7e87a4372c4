"""Why: a corpus larger than memory is read in slices; nobody else finds a wrong byte there."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from helpers.processes import TIMEOUT, output_of, run_python

from fastrnn.data import TokenFile, Vocabulary, contiguous_streams, windows

BACKENDS = ("mmap", "pread")


def sequences(V: int = 1000, n: int = 20) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, V, length) for length in rng.integers(0, 30, n)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    TokenFile.write(tmp_path / "corpus.bin", sequences(), vocab_size=1000)
    return tmp_path / "corpus.bin"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("V", "width"), [(1000, 2), (2**16, 2), (2**16 + 1, 4), (2**32, 4)])
def test_what_is_written_is_read(backend: str, V: int, width: int, tmp_path: Path) -> None:
    wanted = [*sequences(V), np.array([V - 1, 0]), np.array([], np.int64)]
    TokenFile.write(tmp_path / "c.bin", iter(wanted), vocab_size=V)
    flat = np.concatenate(wanted)
    assert (tmp_path / "c.bin").stat().st_size == width * len(flat)
    with TokenFile(tmp_path / "c.bin", backend=backend) as file:
        assert (len(file), file.sequences, file.vocab_size) == (len(flat), len(wanted), V)
        np.testing.assert_array_equal(file[:], flat)
        np.testing.assert_array_equal(file[3:17], flat[3:17])
        np.testing.assert_array_equal(file[-4:], flat[-4:])
        assert file[17:3].size == 0
        assert file[:].dtype.isnative
        for i, sequence in enumerate(wanted):
            np.testing.assert_array_equal(file.sequence(i), sequence)
        np.testing.assert_array_equal(file.lengths(), [len(s) for s in wanted])
        file.verify()
        kept = file[:5]
    np.testing.assert_array_equal(kept, flat[:5])
    with pytest.raises(ValueError, match="closed"):
        file[:5]


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_token_at_all(backend: str, tmp_path: Path) -> None:
    TokenFile.write(tmp_path / "c.bin", [], vocab_size=1)
    with TokenFile(tmp_path / "c.bin", backend=backend) as file:
        assert (len(file), file.sequences, file[:].size, file.lengths().size) == (0, 0, 0, 0)
        with pytest.raises(ValueError, match="i must be"):
            file.sequence(0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_loaders_read_files_as_arrays(backend: str, path: Path) -> None:
    flat = np.concatenate(sequences())
    with TokenFile(path, backend=backend) as file:
        for make in (lambda t: contiguous_streams(t, 4, 6), lambda t: windows(t, 4, 6, seed=1)):
            for ours, wanted in zip(make(file), make(flat), strict=True):
                np.testing.assert_array_equal(ours, wanted)


def test_the_vocabulary_is_named(tmp_path: Path) -> None:
    words = Vocabulary.from_texts("a b c", level="word")
    TokenFile.write(tmp_path / "c.bin", [words.encode("c a")], vocabulary=words)
    with TokenFile(tmp_path / "c.bin") as file:
        assert (file.vocab_size, file.vocabulary_sha256) == (7, words.sha256)


@pytest.mark.check(39)
@pytest.mark.parametrize("ending", ["bin", "idx"])
@pytest.mark.parametrize("change", [-2, -1, 1, 8])
def test_another_size_is_refused_at_open(ending: str, change: int, path: Path) -> None:
    part = path.with_suffix(f".{ending}")
    os.truncate(part, part.stat().st_size + change)
    with pytest.raises(ValueError, match=f"{ending} must have .* bytes"):
        TokenFile(path)


@pytest.mark.check(33)
@pytest.mark.parametrize("ending", ["bin", "idx"])
def test_verify_finds_a_flipped_bit(ending: str, path: Path) -> None:
    part = path.with_suffix(f".{ending}")
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 4
    part.write_bytes(content)
    with TokenFile(path) as file, pytest.raises(ValueError, match=f"{ending} is not what was"):
        file.verify()


@pytest.mark.check(30)
def test_a_damaged_index_cannot_lead_outside(path: Path) -> None:
    index = np.fromfile(path.with_suffix(".idx"), "<u8")
    index[3] = 2**63
    path.with_suffix(".idx").write_bytes(index.tobytes())
    for backend in BACKENDS:
        with TokenFile(path, backend=backend) as file, pytest.raises(ValueError, match="damaged"):
            file.sequence(2)


RECORDS = {
    "a key too many": {"more": 1},
    "another format": {"format": "x"},
    "another version": {"version": 2},
    "a negative count": {"tokens": -1},
    "a count that is none": {"sequences": True},
    "another dtype": {"dtype": "float64"},
    "an absurd count": {"tokens": 2**62},
}


@pytest.mark.check(30)
@pytest.mark.parametrize("name", RECORDS)
def test_a_wrong_record_is_refused(name: str, path: Path) -> None:
    record = path.with_suffix(".json")
    record.write_text(json.dumps(json.loads(record.read_text()) | RECORDS[name]))
    with pytest.raises(ValueError, match="corpus"):
        TokenFile(path)


def test_without_the_record_there_is_no_token_file(path: Path) -> None:
    path.with_suffix(".json").unlink()
    with pytest.raises(FileNotFoundError):
        TokenFile(path)


@pytest.mark.check(32)
def test_a_failed_write_leaves_the_old_file(path: Path) -> None:
    before = {part: part.read_bytes() for part in path.parent.iterdir()}
    for bad in ([[1, 2], [1000]], [[1], [0.5]], [[-1]], [[[1]]]):
        with pytest.raises((TypeError, ValueError), match="sequence"):
            TokenFile.write(path, bad, vocab_size=1000)
    assert {part: part.read_bytes() for part in path.parent.iterdir()} == before
    with pytest.raises(ValueError, match="vocab_size or vocabulary"):
        TokenFile.write(path, [])
    with pytest.raises(ValueError, match="must not end"):
        TokenFile.write(path.with_suffix(".json"), [], vocab_size=2)


@pytest.mark.parametrize("content", ['{"format": "fastrnn-vocabulary"}', "[]", "", "no JSON"])
def test_another_file_is_not_replaced_by_the_record(content: str, path: Path) -> None:
    other = path.with_name("other.json")
    other.write_text(content)
    with pytest.raises(ValueError, match=r"^path: .*other\.json beside it, which is another file"):
        TokenFile.write(other.with_suffix(".bin"), [[1]], vocab_size=2)
    assert other.read_text() == content
    assert not other.with_suffix(".bin").exists()


@pytest.mark.check(39)
def test_a_file_that_shrinks_is_an_error_for_pread(path: Path) -> None:
    with TokenFile(path, backend="pread") as file:
        os.truncate(path, 10)
        np.testing.assert_array_equal(file[:5], np.concatenate(sequences())[:5])
        with pytest.raises(OSError, match="shorter"):
            file[:6]


@pytest.mark.check(39, quick=200, full=20_000)
def test_a_file_larger_than_memory_needs_little_of_it(tmp_path: Path, count: int) -> None:
    """Twenty gigabytes that are holes on the disk: batches by either backend, in another process.

    A loader that resumes from the state of the middle goes on with the same batches.
    """
    done = run_python(
        """
        import json, os, sys
        import numpy as np
        from fastrnn.data import TokenFile, windows
        path, n, steps = sys.argv[1], 10**10, int(sys.argv[2]) // 2
        TokenFile.write(path, [], vocab_size=100)
        record = json.load(open(path[:-3] + "json"))
        record["tokens"] = n
        open(path[:-3] + "json", "w").write(json.dumps(record))
        os.truncate(path, 2 * n)
        def anonymous():
            return int(next(l for l in open("/proc/self/status") if "RssAnon" in l).split()[1])
        before, grown = anonymous(), []
        for backend in ("mmap", "pread"):
            with TokenFile(path, backend=backend) as file:
                source = windows(file, 32, 128)
                source.load_state_dict({**source.state_dict(), "batch": len(source) - steps})
                shapes = 0
                for k, (x, y) in enumerate(source):
                    shapes += x.shape == (128, 32)
                    if k == steps // 2:
                        state = source.state_dict()
                    if k == steps // 2 + 1:
                        wanted = x, y
                assert shapes >= steps - 1
                again = windows(file, 32, 128)
                again.load_state_dict(state)
                assert all(map(np.array_equal, next(iter(again)), wanted))
                grown.append(anonymous() - before)
        print(max(grown) // 1024)
        """,
        str(tmp_path / "big.bin"),
        str(count),
        timeout=TIMEOUT,
    )
    if "No space" in done.stderr or "File too large" in done.stderr:
        pytest.skip("no file system with holes here")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100  # MiB


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_id_outside_of_the_vocabulary_is_not_handed_on(backend: str, path: Path) -> None:
    ids = np.fromfile(path, "<u2")
    ids[7] = 1000
    path.write_bytes(ids.tobytes())
    with TokenFile(path, backend=backend) as file:
        np.testing.assert_array_equal(file[:7], ids[:7])
        with pytest.raises(ValueError, match=r"1000 in 5\.\.9 is no id below 1000"):
            file[5:9]


@pytest.mark.parametrize(
    ("i", "place"), [(0, 1), (3, 2**63), (5, 0), (-1, 0), (-1, 2**64 - 1)], ids=str
)
def test_lengths_of_a_damaged_index_are_refused(path: Path, i: int, place: int) -> None:
    index = np.fromfile(path.with_suffix(".idx"), "<u8")
    index[i] = place
    path.with_suffix(".idx").write_bytes(index.tobytes())
    for backend in BACKENDS:
        with TokenFile(path, backend=backend) as file, pytest.raises(ValueError, match="damaged"):
            file.lengths()


LIMITED = """
    import resource, signal, sys
    from fastrnn.data import TokenFile
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    try:
        TokenFile.write(sys.argv[1], [[i % 7] for i in range(1900)], vocab_size=1000)
    except OSError as error:
        print("refused", error.filename)
"""


@pytest.mark.parametrize("limit", [200, 3000, 10_000])
def test_a_full_disk_leaves_the_old_file_whole(path: Path, limit: int) -> None:
    """The limit meets the record, the ids (3,800 bytes) or the index, at the last of the bytes."""
    before = {part: part.read_bytes() for part in path.parent.iterdir()}
    assert len(before) == 3
    assert output_of(LIMITED, str(path), str(limit)).startswith("refused")
    assert {part: part.read_bytes() for part in path.parent.iterdir()} == before
