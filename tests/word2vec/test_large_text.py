"""Why: a text may be larger than memory; reading it must cost no more than its pieces and words."""

import sys
from pathlib import Path

import pytest
from helpers.processes import output_of

MEGABYTES = 48


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux")
def test_memory_does_not_grow_with_the_text(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    line = b" ".join(b"word%d" % (i * i % 997) for i in range(100)) + b"\n"
    path.write_bytes(line * (MEGABYTES * 2**20 // len(line)))
    code = f"""
        import resource
        from fastrnn.models import Word2Vec
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        options = dict(vector_size=4, window=1, negative=1, min_count=1, epochs=1, workers=2)
        Word2Vec([["a", "b"]] * 5, **options)
        before = peak()
        model = Word2Vec(corpus_file={str(path)!r}, **options)
        print(peak() - before, model.wv.counts.sum())
    """
    grown, words = output_of(code).split()
    assert int(words) == path.stat().st_size // len(line) * 100
    assert float(grown) < MEGABYTES / 3
