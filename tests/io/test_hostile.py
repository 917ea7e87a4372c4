"""Why: files come from strangers. For every loader of the package at least sixty files that try to
run something, to fill the memory, to take for ever or to be read outside of their folder; each is
refused with an error that the documentation names, within a second of processor time and 100 MB,
while an audit hook sees that nothing is imported, run, connected to or written.
"""

import io
import json
import os
import pickle
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.loaders import LOADERS
from helpers.processes import run_python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices of POSIX")
for package in ("safetensors", "autograd", "onnx", "tokenizers", "threadpoolctl", "typer"):
    pytest.importorskip(package)

FILES, SECONDS, MEGABYTES = 60, 1.0, 100
MEGA = 1 << 20
Trick = Callable[[Path], object]  # puts a hostile file at a path


def content(data: bytes | str) -> Trick:
    return lambda path: path.write_bytes(data.encode() if isinstance(data, str) else data)


def anything() -> Iterator[tuple[str, Trick]]:
    """What is no file of any loader."""

    class Command:
        def __reduce__(self) -> Any:
            return os.system, ("touch /var/tmp/fastrnn-was-here",)

    for protocol in (0, 2, 5):
        yield f"pickle {protocol} that runs a command", content(pickle.dumps(Command(), protocol))
    numpy_pickle = io.BytesIO()
    np.save(numpy_pickle, np.array([Command()], object), allow_pickle=True)
    yield "objects of NumPy", content(numpy_pickle.getvalue())
    yield "nothing", content(b"")
    for name, data in {
        "a zero byte": b"\0",
        "zeros": b"\0" * MEGA,
        "ones": b"\xff" * MEGA,
        "random bytes": np.random.default_rng(0).bytes(MEGA),
        "newlines": b"\n" * MEGA,
        "spaces": b" " * MEGA,
        "open lists": b"[" * MEGA,
        "closed lists": b"[" * 200_000 + b"]" * 200_000,
        "empty lists": b"[" + b"[]," * 700_000 + b"[]]",
        "open objects": b'{"a":' * 200_000,
        "open brackets": b"(" * MEGA,
        "quotes": b'"' * MEGA,
        "escaped quotes": b'"' + b'\\"' * 500_000,
        "backslashes": b"\\" * MEGA,
        "a long number": b"9" * MEGA,
        "a number of 5,000 digits": b"9" * 5000,
        "a long word": b"x" * MEGA,
        "commas": b"," * MEGA,
        "no UTF-8": b"\xe9t\xe9 \xc0\xaf \xed\xa0\x80\n",
        "UTF-16": '{"a": 1}'.encode("utf-16"),
        "UTF-7": b"+ADw-script+AD4-",
        "null": b"null",
        "true": b"true",
        "a list": b"[]",
        "an object": b"{}",
        "a text": b'"text"',
        "NaN": b"NaN",
        "1e999": b"1e999",
        "a script": b"#!/bin/sh\ntouch /var/tmp/fastrnn-was-here\n",
        "Python": b"__import__('os').system('touch /var/tmp/fastrnn-was-here')\n",
        "YAML with a tag": b"!!python/object/apply:os.system ['touch /var/tmp/fastrnn-was-here']\n",
        "XML that laughs": b'<!DOCTYPE l [<!ENTITY a "l">' + b'<!ENTITY b "&a;&a;">' * 99 + b"]>",
        "a page": b"<!doctype html><title>404 Not Found</title>",
        "a pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        "ELF": b"\x7fELF\x02\x01\x01" + b"\0" * 99,
        "PNG": b"\x89PNG\r\n\x1a\n" + b"\0" * 99,
        "HDF5": b"\x89HDF\r\n\x1a\n" + b"\0" * 99,
        "gzip of zeros": b"\x1f\x8b\x08" + b"\0" * 7 + zlib.compress(b"\0" * 50 * MEGA)[2:],
        "GGUF": b"GGUF\x03\0\0\0" + b"\xff" * 16,
    }.items():
        yield name, content(data)
    yield "a zip bomb", content(packed({"a.npy": b"\0" * 200 * MEGA, "b": b""}))
    yield "a zip that climbs", content(packed({"../../etc/cron": b"x", "/etc/passwd": b"x"}))
    climbing = io.BytesIO()
    with tarfile.open(fileobj=climbing, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../../fastrnn-was-here"))
    yield "a tar that climbs", content(climbing.getvalue())
    yield "a folder", lambda path: path.mkdir()
    yield "a pipe", os.mkfifo
    for device in ("/dev/zero", "/dev/urandom", "/dev/full", "/dev/null"):
        yield f"a link to {device}", lambda path, device=device: path.symlink_to(device)
    yield "a link to itself", lambda path: path.symlink_to(path.name)
    yield "a link to nothing", lambda path: path.symlink_to("../../nothing-there")
    yield "memory", lambda path: path.symlink_to("/proc/self/mem")
    yield "nowhere", lambda _: None
    yield "a terabyte of holes", holes


def holes(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def packed(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def damaged(good: bytes) -> Iterator[tuple[str, Trick]]:
    """A good file that is cut short."""
    for tenth in range(1, 10):
        yield f"{tenth} tenths", content(good[: len(good) * tenth // 10])


def tensors(header: bytes | str, data: bytes = b"") -> Trick:
    text = header.encode() if isinstance(header, str) else header
    return content(struct.pack("<Q", len(text)) + text + data)


ENTRY = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'


def safetensors() -> Iterator[tuple[str, Trick]]:
    for name, header in {
        "sixteen megabytes of lists": '{"a":[' + "[[]]," * 3_000_000 + "[]]}",
        "sixteen megabytes of objects": '{"a":[' + "{}," * 5_000_000 + "{}]}",
        "sixteen megabytes of numbers": '{"a":[' + "1," * 7_000_000 + "1]}",
        "sixteen megabytes of texts": '{"a":[' + '"",' * 5_000_000 + '""]}',
        "a million names": "{" + ",".join(f'"{i}":{{}}' for i in range(10**6)) + "}",
        "a million equal names": "{" + ",".join(['"a":{}'] * 10**6) + "}",
        "a long name": f'{{"{"n" * 300}":{ENTRY}}}',
        "a name with an end of line": f'{{"a\\n":{ENTRY}}}',
        "half a surrogate": f'{{"\\ud800":{ENTRY}}}',
        "the same twice": f'{{"a":{ENTRY},"a":{ENTRY}}}',
        "an overlap": f'{{"a":{ENTRY},"b":{ENTRY}}}',
        "a hole": f'{{"a":{ENTRY.replace("[0,4]", "[2,4]")}}}',
        "an unknown dtype": f'{{"a":{ENTRY.replace("F32", "F33")}}}',
        "another shape": f'{{"a":{ENTRY.replace("[1]", "[2]")}}}',
        "an overflowing shape": f'{{"a":{ENTRY.replace("[1]", f"[{2**62},{2**62}]")}}}',
        "no elements, but a size": f'{{"a":{ENTRY.replace("[1]", f"[0,{2**60}]")}}}',
        "a negative size": f'{{"a":{ENTRY.replace("[1]", "[-1]")}}}',
        "an infinite size": f'{{"a":{ENTRY.replace("[1]", "[1e999]")}}}',
        "a negative offset": f'{{"a":{ENTRY.replace("[0,4]", "[-4,4]")}}}',
        "an offset past the end": f'{{"a":{ENTRY.replace("4]", "400]")}}}',
        "one offset": f'{{"a":{ENTRY.replace("[0,4]", "[4]")}}}',
        "a path": f'{{"a":{ENTRY[:-1]},"path":"../../etc/passwd"}}}}',
        "deep": '{"a":' + "[" * 40 + "]" * 40 + "}",
        "a deep state": json.dumps(
            {"__metadata__": {"fastrnn.format": "1", "fastrnn.state": "[" * 10**6}}
        ),
    }.items():
        yield name, tensors(header, b"\0" * 4)
    state = json.dumps({"a": [[[]] for _ in range(600_000)]})
    metadata = {"fastrnn.format": "1", "fastrnn.state": state, "fastrnn.sha256": "0" * 64}
    yield "a hollow state", tensors(json.dumps({"__metadata__": metadata}))


def saved(arrays: dict[str, np.ndarray], state: dict[str, Any]) -> Trick:
    """A file whose sum is right."""
    from fastrnn.io import save_checkpoint

    return lambda path: save_checkpoint(path, arrays, state)


def models() -> Iterator[tuple[str, Trick]]:
    """Files with a right sum that hold no model, or a bad one."""
    from fastrnn.io import load_checkpoint

    good = Path(os.environ["HOSTILE_GOOD"])
    found = load_checkpoint(good)
    config = found.state.get("config", {})

    def text(content: str | bytes) -> Trick:
        data = content.encode() if isinstance(content, str) else content
        return saved(found.tensors | {"vocabulary": np.frombuffer(data, np.uint8)}, found.state)

    yield "a deep vocabulary", text("[" * 200_000)
    yield "a key twice", text('{"level":"character","level":"character","tokens":["a","b"]}')
    yield "no vocabulary", text("7")
    yield "no UTF-8 in the vocabulary", text(b"\xff")
    yield "a vocabulary of numbers", text('{"level":"character","tokens":[1,2]}')
    yield "a vocabulary of another level", text('{"level":"../x","tokens":[]}')
    for name, change in {
        "no state": {},
        "a class by name": {"model": "os.system"},
        "a class that is none": {"model": ["LanguageModel"]},
        "a trainer": {"model": "Trainer"},
        "no config": {"config": [1]},
        "an option too many": {"config": {**config, "path": "/etc/passwd"}},
        "an absurd size": {"config": {**config, "hidden_size": 2**62}},
        "a large size": {"config": {**config, "hidden_size": 10**5}},
        "no size": {"config": {**config, "hidden_size": None}},
        "a list for a size": {"config": {**config, "hidden_size": [[[]]]}},
        "an absurd number of layers": {"config": {**config, "num_layers": 10**9}},
        "another cell": {"config": {**config, "cell": "__class__"}},
        "another dtype": {"config": {**config, "dtype": "object"}},
        "a dropout that is none": {"config": {**config, "dropout": 1e300}},
    }.items():
        yield name, saved(found.tensors, {**found.state, **change} if change else {})


def layers() -> Iterator[tuple[str, Trick]]:
    """Files with a right sum that hold no layer, or a bad one."""
    from fastrnn.io import load_checkpoint

    found = load_checkpoint(Path(os.environ["HOSTILE_GOOD"]))
    config = found.state.get("config", {})
    for name, change in {
        "no state": {},
        "a class by name": {"layer": "os.system"},
        "a class that is none": {"layer": ["LSTM"]},
        "no config": {"config": [1]},
        "an option too many": {"config": {**config, "rng": 7}},
        "an absurd size": {"config": {**config, "hidden_size": 2**62}},
        "a large size": {"config": {**config, "hidden_size": 10**5}},
        "no size": {"config": {**config, "hidden_size": None}},
        "a list for a size": {"config": {**config, "hidden_size": [[[]]]}},
        "an absurd number of layers": {"config": {**config, "num_layers": 10**9}},
        "another dtype": {"config": {**config, "dtype": "object"}},
        "a deep activation": {"config": {**config, "activations": [[[["tanh"]]]]}},
        "a zoneout of a dict": {"config": {**config, "zoneout": {"h": 1}}},
    }.items():
        yield name, saved(found.tensors, {**found.state, **change} if change else {})


def quantised(kind: Callable[[], Iterator[tuple[str, Trick]]]) -> Iterator[tuple[str, Trick]]:
    """Files with a right sum of quantised weights that are none, beside the tricks of its kind."""
    from fastrnn.io import load_checkpoint

    yield from kind()
    found = load_checkpoint(Path(os.environ["HOSTILE_GOOD"]))
    state, tensors = found.state, found.tensors
    for value in (None, 7, [], {}, {"precision": "int8"}, {"precision": [], "version": 1},
                  {"precision": "int8", "version": 10**18}, {"precision": "x", "version": 1},
                  {"precision": "bfloat16", "version": 1}):  # fmt: skip
        yield f"quantised as {value}", saved(tensors, {**state, "quantized": value})
    name = next(name for name in tensors if name.endswith("weight_hh_l0"))
    for label, changed in {
        "no scale": {name: tensors[name]},
        "a scale of NaN": {f"{name}.scale": tensors[f"{name}.scale"] * np.float32(np.nan)},
        "a scale below 0": {f"{name}.scale": -tensors[f"{name}.scale"]},
        "a scale of float64": {f"{name}.scale": tensors[f"{name}.scale"].astype(float)},
        "a value of -128": {name: np.full_like(tensors[name], -128)},
        "values of int16": {name: tensors[name].astype(np.int16)},
        "fewer values": {name: tensors[name][1:]},
    }.items():
        kept = {key: a for key, a in tensors.items() if not key.startswith(name)}
        rest = {} if label == "no scale" else {key: tensors[key] for key in tensors if name in key}
        yield label, saved({**kept, **rest, **changed}, state)


def runs() -> Iterator[tuple[str, Trick]]:
    """Files with a right sum that hold no training, or a bad one."""
    from fastrnn.io import load_checkpoint

    found = load_checkpoint(Path(os.environ["HOSTILE_GOOD"]))
    state = found.state
    for key in state:
        for value in (None, [[]], "x", 10**18):
            if value != state[key] and not (key == "carry" and value is None):
                yield f"{key} is {value}", saved(found.tensors, {**state, key: value})
    for key in state["run"]:
        for value in (-1, 1e308, "x", [[]]):
            if not (key == "best" and value in (-1, 1e308)) and (key, value) != ("seconds", 1e308):
                run = {**state["run"], key: value}
                if not (key == "seconds" and value == -1):
                    yield f"run.{key} is {value!r}", saved(found.tensors, {**state, "run": run})
    for position in (
        {"index": 5}, {"index": -1}, {"index": 2**62, "entered": False}, {"entered": 1},
        {"index": 0, "entered": True}, {"data": {}}, {"index": 1.0},
    ):  # fmt: skip
        changed = {**state["position"], **position}
        yield f"position {position}", saved(found.tensors, {**state, "position": changed})
    for lines in (b"[1]\n", b"7\n", b'{"update": "x"}\n', b'{"update": [1]}\n', b"{", b"\xff\n"):
        history = np.frombuffer(lines, np.uint8)
        yield f"history {lines!r}", saved({**found.tensors, "history": history}, state)
    for name, array in found.tensors.items():
        rest = {other: a for other, a in found.tensors.items() if other != name}
        yield f"no {name}", saved(rest, state)
        yield f"another {name}", saved({**rest, name: np.zeros((3, 5, 7), array.dtype)}, state)


def vocabularies() -> Iterator[tuple[str, Trick]]:
    good = {"format": "fastrnn-vocabulary", "version": 1, "level": "word", "tokens": ["a"]}
    for name, change in {
        "another format": {"format": "x"},
        "another version": {"version": 2},
        "a path": {"path": "../../etc/passwd"},
        "a pattern": {"pattern": "(a+)+$"},
        "the same twice": {"tokens": ["a", "a"]},
        "a lone surrogate": {"tokens": ["\ud800"]},
        "an empty token": {"tokens": [""]},
        "white space": {"tokens": ["a b"]},
        "a number": {"tokens": [7]},
        "a nest": {"tokens": [["a"]]},
        "a text": {"tokens": "abc"},
        "another level": {"level": "regex"},
        "a level that is none": {"level": ["word"]},
        "pieces without bytes": {"level": "bpe", "merges": []},
        "merges of nothing": {"level": "bpe", "merges": [["a", "b"]]},
        "merges as a text": {"level": "bpe", "merges": "abc"},
    }.items():
        yield name, content(json.dumps({**good, **change}))
    yield "a key twice", content(json.dumps(good)[:-1] + ', "level": "character"}')
    yield "hollow tokens", content(json.dumps({**good, "tokens": [[]] * 300_000}))


def token_files(ending: str) -> Iterator[tuple[str, Trick]]:
    good = json.loads(Path(os.environ["HOSTILE_GOOD"]).with_suffix(".json").read_text())
    if ending == ".idx":
        for index in ([1, 3, 5], [0, 5, 3], [0, 2**63, 5], [0, 3, 2**64 - 1], [0, 3, 6], [5, 5, 5]):
            yield f"places {index}", content(np.array(index, "<u8").tobytes())
    elif ending == ".bin":
        for at in range(5):
            ids = np.array([1, 2, 3, 4, 5], "<u2")
            ids[at] = 6 + at * 9000
            yield f"an id {ids[at]}", content(ids.tobytes())
    else:
        for key, values in {
            "format": [None, "x"],
            "version": [0, 2, "1"],
            "dtype": ["object", "uint32", "float64", "../x", None, ["uint16"]],
            "vocab_size": [-1, 0, 2**63 - 1, 1.5, None, True, [1]],
            "tokens": [-1, 4, 6, 2**62, 2**63 - 1, None, "5"],
            "sequences": [-1, 1, 3, 2**60, 2**62, None],
            "bin_sha256": ["0" * 64, None],
            "idx_sha256": ["0" * 64, 7],
            "path": ["/etc/passwd"],
        }.items():
            for value in values:
                yield f"{key} is {value!r}", content(json.dumps({**good, key: value}))


def onnx_files() -> Iterator[tuple[str, Trick]]:
    import onnx

    good = Path(os.environ["HOSTILE_GOOD"]).read_bytes()

    def changed(
        tensor: int | None = None, attribute: dict[str, Any] | None = None, **fields: Any
    ) -> Trick:
        """The good model with other fields of a tensor, or another attribute of its node."""
        model = onnx.load_model_from_string(good)
        if tensor is not None:
            entry = model.graph.initializer[tensor]
            for name, value in fields.items():
                entry.ClearField(name)
                if isinstance(value, (list, tuple)):
                    getattr(entry, name).extend(value)
                else:
                    setattr(entry, name, value)
        for name, value in (attribute or {}).items():
            (node,) = (node for node in model.graph.node if node.op_type.endswith("LSTM"))
            for each in [each for each in node.attribute if each.name == name]:
                node.attribute.remove(each)
            node.attribute.append(onnx.helper.make_attribute(name, value))
        return content(model.SerializeToString())

    for location in ("/etc/passwd", "../../etc/passwd", "/dev/zero", "a.onnx", ""):
        place = onnx.StringStringEntryProto(key="location", value=location)
        outside = {"external_data": [place], "data_location": onnx.TensorProto.EXTERNAL}
        for fields in (outside, {**outside, "raw_data": b""}):
            yield f"data in {location!r}, {len(fields)}", changed(0, **fields)
    for dims in ([2**40], [2**62, 2**62], [-1], [0], [1] * 99, [0, 2**60]):
        for tensor in range(2):
            yield f"tensor {tensor} of shape {dims[:3]}", changed(tensor, dims=dims)
    for number in (0, 8, 16, 99):
        yield f"dtype {number}", changed(0, data_type=number)
    for attribute in (
        {"clip": "abc"}, {"clip": -1.0}, {"hidden_size": 2**62}, {"hidden_size": "3"},
        {"direction": 1}, {"direction": "../x"}, {"activations": ["Exec"] * 3}, {"layout": 7},
        {"activation_alpha": [1.0] * 9}, {"input_forget": 5}, {"python": "os.system"},
    ):  # fmt: skip
        yield str(attribute), changed(attribute=attribute)
    deep = b""
    for _ in range(5000):  # a graph in an attribute in a node in a graph
        for tag in (b"\x32", b"\x2a", b"\x0a"):
            deep = tag + varint(len(deep)) + deep
    yield "deep graphs", content(b"\x3a" + varint(len(deep)) + deep)


def varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])


def word_vectors(binary: bool) -> Iterator[tuple[str, Trick]]:
    row = b"cat " + (np.ones(3, "<f4").tobytes() if binary else b"1 2 3\n")
    for header in (
        b"0 1000000000000000000000", b"0 1152921504606846976", b"1000000000000000000000 0",
        b"1000000000000000000000 3", b"1 1000000000000000000000", b"1 0", b"1", b"1 3 5", b"-1 3",
        b"1 -3", b"1e3 3", b"2 3", b"1 4", b"9" * 64 + b" 3",
    ):  # fmt: skip
        yield f"header {header[:24]!r}", content(header + b"\n" + row)
    yield "no end of the header", content(b"1 3" + row)
    yield "a word twice", content(b"2 3\n" + row * 2)
    yield "a word of a megabyte", content(b"1 3\n" + b"x" * MEGA + row)
    if not binary:
        long = b"1 1" + b"0" * 10**6 + b" 1\n"
        yield "a number of a megabyte", content(b"1 3\ncat " + long)
        yield "one long number, a thousand short", content(
            b"1 1001\ncat " + b"1" * 950_000 + b" 1" * 1000 + b"\n"
        )
        yield "fields of a megabyte", content(b"1 3\ncat" + b" 1" * 500_000 + b"\n")
        yield "no number", content(b"1 3\ncat 1 2 x\n")
        yield "underscores", content(b"1 3\ncat 1 2 0x1p3\n")


def header_of(text: str) -> bytes:
    raw = text.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw


def npy_headers() -> Iterator[tuple[str, bytes]]:
    def fields(descr: Any = "<f4", order: Any = False, shape: Any = (4, 3)) -> str:
        return repr({"descr": descr, "fortran_order": order, "shape": shape}) + "\n"

    for name, text in {
        "objects": fields("|O"),
        "records": fields([("a", "<f4")]),
        "records of objects": fields([("a", "|O")]),
        "texts": fields("<U3"),
        "an unknown type": fields("<q9"),
        "a type that is a call": "{'descr': __import__('os').system('x'), 'shape': (4, 3)}",
        "an absurd shape": fields(shape=(2**40, 3)),
        "an overflowing shape": fields(shape=(2**62, 2**62)),
        "a negative shape": fields(shape=(-4, 3)),
        "no elements, but a size": fields(shape=(0, 2**60)),
        "a shape of texts": fields(shape=("a", "b")),
        "a shape of truths": fields(shape=(True, False)),
        "a hundred axes": fields(shape=(1,) * 100),
        "an order that is none": fields(order=7),
        "a key too many": "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3), 'path': 'x'}",
        "no dictionary": "[]",
        "deep": "(" * 9000,
        "deep signs": "-" * 9000 + "1",
        "a long sum": "1" + "+1" * 4000,
        "half a text": "{'descr': '<f4",
        "strange tokens": "{'descr': $?`\n",
        "an end of line in brackets": "{'descr': (\n",
        "a large number": fields(shape=7).replace("7", "9" * 5000),
    }.items():
        yield name, header_of(text) + b"\0" * 48


def npy() -> Iterator[tuple[str, Trick]]:
    for name, data in npy_headers():
        yield name, content(data)
    for version in range(6):
        text = b"{'descr': '|O', 'fortran_order': False, 'shape': (4, 3)}\n"
        front = bytes([0x93]) + b"NUMPY" + bytes([version, 0])
        yield f"objects, version {version}", content(front + struct.pack("<I", len(text)) + text)
    yield "a header of 4 GB", content(b"\x93NUMPY\x02\x00" + b"\xff" * 4 + b"{}")


def npz() -> Iterator[tuple[str, Trick]]:
    for name, data in npy_headers():
        yield name, content(packed({"x.npy": data}))
    zeros = header_of("{'descr': '<f4', 'fortran_order': False, 'shape': (65536, 1024)}\n")
    bomb = packed({"x.npy": zeros + b"\0" * (256 * MEGA)})
    yield "256 MB of zeros in 260 kB", content(bomb)
    good = packed({"x.npy": header_of("{}") + b"\0" * 9})
    for name, old, new in (
        ("encrypted", b"\x14\0\0\0\x08\0", b"\x14\0\x01\0\x08\0"),
        ("method 99", b"\x08\0", b"\x63\0"),
        ("LZMA", b"\x08\0", b"\x0e\0"),
        ("another name inside", b"x.npy", b"y.npy"),
    ):
        yield name, content(good.replace(old, new, 1 if name == "another name inside" else -1))
    yield "two of one name", content(good[:-22] + good)
    yield "a path", content(packed({"../x.npy": b"", "/x.npy": b""}))
    yield "many members", content(packed({f"{i}.npy": b"" for i in range(5000)}))


def examples() -> Iterator[tuple[str, Trick]]:
    good = '{"x": "abc", "label": "p"}\n'
    for name, line in {
        "no object": "[1]",
        "no label": '{"x": "abc"}',
        "a key too many": '{"x": "abc", "label": "p", "path": "/etc/passwd"}',
        "a key twice": '{"x": "abc", "x": "xyz", "label": "p"}',
        "a ragged x": '{"x": [[1], [1, 2]], "label": "p"}',
        "a flat x": '{"x": [1, 2], "label": "p"}',
        "another kind": '{"x": [[1.5]], "label": "p"}',
        "a text of numbers": '{"x": [["a"]], "label": "p"}',
        "an object as x": '{"x": {"a": [1]}, "label": "p"}',
        "a label that is none": '{"x": "abc", "label": null}',
        "a label of lists": '{"x": "abc", "label": [1]}',
        "a label that is a float": '{"x": "abc", "label": 1.5}',
        "NaN": '{"x": [[NaN]], "label": "p"}',
        "1e999": '{"x": [[1e999]], "label": "p"}',
        "a huge integer": '{"x": [[' + "9" * 400 + ']], "label": "p"}',
        "deep": '{"x": ' + "[" * 50 + "]" * 50 + ', "label": "p"}',
        "very deep": '{"x": ' + "[" * 10**5 + "]" * 10**5 + ', "label": "p"}',
    }.items():
        yield name, content(good + line + "\n")


def configs() -> Iterator[tuple[str, Trick]]:
    good = Path(os.environ["HOSTILE_GOOD"]).read_text()
    for name, (old, new) in {
        "an unknown section": ("[data]", "[exec]"),
        "a model by path": ('"SequenceClassifier"', '"os.system"'),
        "a model that is a list": ('"SequenceClassifier"', "[[]]"),
        "no model": ('kind = "SequenceClassifier"', ""),
        "another optimiser": ('"Adam"', '"__class__"'),
        "no optimiser": ('kind = "Adam"', ""),
        "a key too many": ("lr =", "path = '/etc/passwd'\nlr ="),
        "a text for a number": ("0.01", '"fast"'),
        "a list for a number": ("0.01", "[1]"),
        "infinity": ("0.01", "inf"),
        "no number": ("0.01", "nan"),
        "a negative number": ("0.01", "-1.0"),
        "a date": ("0.01", "1979-05-27"),
        "a huge integer": ("0.01", "9" * 400),
        "too many digits": ("0.01", "9" * 5000),
        "a key twice": ("lr = 0.01", "lr = 0.01\nlr = 0.02"),
        "deep": ("0.01", "[" * 10**4),
        "dotted": ("lr = 0.01", "a." * 9000 + "a = 1"),
        "a table that is a number": ("[optimiser]", "optimiser = 1\n[x]"),
    }.items():
        assert old in good
        yield name, content(good.replace(old, new))
    yield "dotted sections", content("[" + "a." * 30_000 + "a]\n")
    yield "a megabyte of comments", content("# x\n" * (MEGA // 4))


def questions() -> Iterator[tuple[str, Trick]]:
    yield from ((f"{n} words", content(f": a\n{'w ' * n}\n")) for n in (1, 2, 3, 5, 1000))


SPECIAL: dict[str, Callable[[], Iterator[tuple[str, Trick]]]] = {
    "checkpoint": safetensors,
    "weights": safetensors,
    "arrays": safetensors,
    "model": models,
    "quantised model": lambda: quantised(models),
    "layer": layers,
    "quantised layer": lambda: quantised(layers),
    "resume": runs,
    "vocabulary": vocabularies,
    "pieces": vocabularies,
    "token record": lambda: token_files(".json"),
    "token index": lambda: token_files(".idx"),
    "token ids": lambda: token_files(".bin"),
    "onnx": onnx_files,
    "onnx int8": onnx_files,
    "word2vec text": lambda: word_vectors(False),
    "word2vec binary": lambda: word_vectors(True),
    "npy": npy,
    "npz": npz,
    "examples": examples,
    "config": configs,
    "questions": questions,
}
# What no loader of plain text can tell from a genuine file of its size, or from a shorter one.
GENUINE = {
    "weights": ("a hollow state",),  # nothing that it looks at
    # Of the carry only the model knows the shape, and says so; checkpoints once had no tables.
    "resume": ("another carry", "no tables.vocabulary"),
    "examples": ("a terabyte of holes",),
    "questions": ("a terabyte of holes", "tenths", "a page"),
    "config": ("tenths",),
}


def tricks(name: str, good: bytes) -> Iterator[tuple[str, Trick]]:
    """All hostile files for one loader."""
    special = ((f"{name}: {label}", trick) for label, trick in SPECIAL[name]())
    for label, trick in (*anything(), *damaged(good), *special):
        if not any(word in label for word in GENUINE.get(name, ())):
            yield label, trick


def attack(name: str, folder: Path) -> None:
    """In a process of its own: print a line of JSON for each hostile file of one loader."""
    import time

    loader = LOADERS[name]
    path = folder / "files" / loader.name
    path.parent.mkdir()
    loader.good(path)
    good = path.read_bytes()
    kept = folder / "good" / loader.name  # some make theirs from it
    kept.parent.mkdir()
    for each in path.parent.iterdir():
        (kept.parent / each.name).write_bytes(each.read_bytes())
    os.environ["HOSTILE_GOOD"] = str(kept)
    loader.load(path)  # what it needs is loaded now
    prepared = list(tricks(name, good))
    for trick in [t for label, t in prepared if label in ("nothing", "a zip that climbs")]:
        path.unlink()  # and what its errors need
        trick(path)
        try:
            loader.load(path)
        except (OSError, *loader.errors):
            pass
    seen: list[str] = []
    watching = False
    bad = ("import", "exec", "os.system", "os.exec", "os.posix_spawn", "os.fork", "pty.spawn")
    bad += ("subprocess.Popen", "socket.connect", "socket.__new__", "pickle.find_class")
    bad += ("ctypes.dlopen",)

    def hook(event: str, args: Any) -> None:
        writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
        if watching and (event in bad or writes):
            seen.append(f"{event} {args!r:.100}")

    sys.addaudithook(hook)
    for label, trick in prepared:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
        trick(path)
        seen.clear()
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before, start = memory("VmRSS"), time.process_time()
        watching = True
        try:
            loader.load(path)
            outcome = "loaded"
        except (OSError, *loader.errors) as error:
            outcome = "refused" if str(error) else "refused without a word"
        except BaseException as error:  # noqa: BLE001  that is what is looked for
            outcome = f"{type(error).__name__}: {error}"[:200]
        watching = False
        seconds = time.process_time() - start
        grown = (memory("VmHWM") - before) / 1024
        print(json.dumps([label, outcome, seconds, grown, seen]))


def memory(field: str) -> int:
    """A line of this process's status, in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def test_every_loader_is_attacked() -> None:
    assert SPECIAL.keys() == LOADERS.keys()


@pytest.mark.check(30)
@pytest.mark.parametrize("name", LOADERS)
def test_hostile_files_are_refused(name: str, tmp_path: Path, tally: Callable[[int], None]) -> None:
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("no peak of memory that can be set back")
    done = run_python(
        "import sys; from pathlib import Path; sys.path[:0] = sys.argv[3:]\n"
        "import test_hostile; test_hostile.attack(sys.argv[1], Path(sys.argv[2]))",
        name, str(tmp_path), str(Path(__file__).parent), str(Path(__file__).parents[1]),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    wrong = [
        row for row in rows
        if row[1] != "refused" or row[2] > SECONDS or row[3] > MEGABYTES or row[4]
    ]  # fmt: skip
    assert not wrong, "\n".join(map(str, wrong))
    assert len({label for label, *_ in rows}) == len(rows) >= FILES
    assert not Path("/var/tmp/fastrnn-was-here").exists()
    tally(len(rows))
