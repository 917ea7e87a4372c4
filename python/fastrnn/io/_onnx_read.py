"""The recurrent nodes of an ONNX file, their attributes and the tensors that they name."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastrnn.io._files import read_regular
from fastrnn.io._onnx_int8 import DOMAIN, OP

OPS = ("RNN", "GRU", "LSTM", OP)
# A node's inputs in order. x and lengths come when it runs; the others must be known now.
_MOST_BYTES = 2**31 - 1  # of a message of protobuf
SLOTS = ("X", "W", "R", "B", "sequence_lens", "h0", "c0", "P")
_SLOTS_OF_INT8 = (*SLOTS, "W_scale", "W_zero_point", "R_scale", "R_zero_point")
_ATTRIBUTES = {
    "direction": "STRING", "layout": "INT", "hidden_size": "INT", "clip": "FLOAT",
    "activations": "STRINGS", "activation_alpha": "FLOATS", "activation_beta": "FLOATS",
    "input_forget": "INT", "linear_before_reset": "INT",
}  # fmt: skip


def require_onnx() -> Any:
    """Return the package onnx, or raise ImportError that says how to get it."""
    try:
        import onnx
        import onnx.numpy_helper
    except ImportError as error:
        raise ImportError("ONNX files need onnx: pip install onnx gives it to you") from error
    return onnx


def nodes(
    source: Any, inputs: Mapping[str, Any]
) -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """Yield name, op, tensors and attributes of each recurrent node."""
    onnx = require_onnx()
    graph = _model(onnx, source).graph
    if any(node.op_type in OPS for body in _bodies(graph) for node in body.node):
        raise ValueError("the body of a node, such as Loop or If, holds a recurrent node")
    known = {tensor.name: tensor for tensor in graph.initializer}
    known |= {
        node.output[0]: attribute.t
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    }
    for k, node in enumerate(graph.node):
        int8 = node.op_type == OP
        if node.op_type not in OPS or node.domain not in ((DOMAIN,) if int8 else ("", "ai.onnx")):
            continue
        name = node.name or f"{node.op_type}_{k}"
        tensors = {}
        for slot, tensor in zip(_SLOTS_OF_INT8 if int8 else SLOTS, node.input, strict=False):
            if slot == "sequence_lens" and tensor in known:
                raise ValueError(
                    f"node {name!r} has constant sequence_lens {tensor!r}; pass lengths instead"
                )
            if slot in ("X", "sequence_lens") or not tensor:
                continue
            if tensor in inputs:
                tensors[slot] = inputs[tensor]
            elif tensor in known:
                tensors[slot] = _array(onnx, tensor, known[tensor], slot if int8 else "")
            elif slot not in ("h0", "c0"):  # states may come when it runs
                raise ValueError(
                    f"{slot} of node {name!r} is {tensor!r}, which is neither a constant of the "
                    f"file nor among inputs"
                )
        for slot in ("W", "R", "W_scale", "R_scale") if int8 else ("W", "R"):
            if slot not in tensors:
                raise ValueError(f"node {name!r} has no {slot}")
        op = "LSTM" if int8 else node.op_type
        yield name, op, tensors, _attributes(onnx, name, node)


def _model(onnx: Any, source: Any) -> Any:
    if isinstance(source, onnx.ModelProto):
        return source
    data = source if isinstance(source, bytes) else read_regular(source, _MOST_BYTES)
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # noqa: BLE001  the parser's own class is no part of its interface
        where = "source" if isinstance(source, bytes) else str(source)
        raise ValueError(f"{where} is no ONNX model: {error}") from None
    if not model.HasField("graph"):  # of nothing, or of a message of another kind
        where = "source" if isinstance(source, bytes) else str(source)
        raise ValueError(f"{where} is no ONNX model: it has no graph")
    return model


def _bodies(graph: Any) -> Iterator[Any]:
    """Yield the graphs inside of a graph's nodes, however deep; the parser bounds that."""
    for node in graph.node:
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield body
                yield from _bodies(body)


def _array(onnx: Any, name: str, tensor: Any, slot: str) -> Any:
    """Return a constant; slot is its place in a node of int8, whose matrices are bytes."""
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise ValueError(f"tensor {name!r} lies in another file; save the model in one file first")
    known, words = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE), "floats or doubles"
    if slot in ("W", "R", "W_zero_point", "R_zero_point"):
        known, words = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8), "int8 or uint8"
    if tensor.data_type not in known:
        raise ValueError(f"tensor {name!r} must hold {words}, its type is {tensor.data_type}")
    try:
        return onnx.numpy_helper.to_array(tensor)
    except Exception as error:  # noqa: BLE001  sizes that do not fit come as whatever NumPy says
        raise ValueError(f"tensor {name!r} cannot be read: {error}") from None


def _attributes(onnx: Any, name: str, node: Any) -> dict[str, Any]:
    result = {}
    for attribute in node.attribute:
        if attribute.name == "output_sequence" and attribute.i == 1:
            continue  # of the first version of the operators: Y is wanted
        if attribute.name not in _ATTRIBUTES:
            raise ValueError(f"node {name!r} has the attribute {attribute.name!r}, unknown here")
        kind = _ATTRIBUTES[attribute.name]
        if attribute.type != getattr(onnx.AttributeProto, kind):
            raise ValueError(f"{attribute.name!r} of node {name!r} must be of the type {kind}")
        if attribute.name in result:
            raise ValueError(f"node {name!r} has the attribute {attribute.name!r} twice")
        value = onnx.helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            value = value.decode()
        elif kind.endswith("S"):
            value = [v.decode() if isinstance(v, bytes) else v for v in value]
        result[attribute.name] = value
    return result
