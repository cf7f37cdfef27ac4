"""Changes of files: of their bytes, of the texts and numbers in them, and of what containers hold."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

Rng = np.random.Generator

NUMBERS = (0, 1, -1, 2, 3, 7, 255, 4096, 10**5, 2**31 - 1, 2**31, 2**32, 10**9, 2**62, 2**63 - 1, -(2**31), -(2**63))
WORDS = (
    "",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "1e300",
    "-1",
    "0",
    "99999999999999999999",
    ",",
    ";",
    "\x00",
    "x",
    "é",
    "0x10",
)
OPS = (
    "Relu Abs Clip Max Min Gemm MatMul Conv ConvTranspose MaxPool AveragePool GlobalAveragePool Concat Split "
    "Slice Pad Reshape Flatten Squeeze Unsqueeze Transpose Gather GatherND GatherElements ScatterND Expand "
    "Tile Resize Upsample Where ReduceSum ReduceMean ReduceMax ReduceL1 Softmax Sigmoid Tanh PRelu HardSigmoid "
    "Shrink Einsum Range ConstantOfShape Shape Size Cast Identity Dropout BatchNormalization DepthToSpace "
    "SpaceToDepth Trilu TopK Loop If OneHot CumSum EyeLike NonZero Mod Pow LpPool MaxUnpool Col2Im GridSample "
    "Constant Sum Mean Add Sub Mul Div Neg Twice DequantizeLinear QuantizeLinear Greater LessOrEqual And Not Sign RNN "
    "GlobalLpPool IsNaN Softplus Exp Scaler LinearRegressor ZipMap Imputer "
).split()


def mutated(content: bytes, name: str, rng: Rng) -> bytes:
    """A file with one to four changes.

    Args:
        content: The file.
        name: Its name, from which its kind is known.
        rng: Which changes.

    Returns:
        The changed file.
    """
    inside = next((change for ending, change in _INSIDE.items() if name.endswith(ending)), _bytes)
    for _ in range(int(rng.choice([1, 1, 1, 2, 2, 4]))):
        # The outside of a container hides what is in it, and is soon found out.
        change = _bytes if rng.random() < 0.15 else inside
        try:
            content = change(content, rng)
        except Exception:  # noqa: BLE001 - what was changed before may be no container any more
            content = _bytes(content, rng)
    return content


def _bytes(content: bytes, rng: Rng) -> bytes:
    """Bytes exchanged, cut out, repeated or put in."""
    at = int(rng.integers(len(content) + 1))
    length = min(int(rng.integers(1, 9)) if rng.random() < 0.7 else int(rng.integers(1, 200)), len(content) - at)
    kind = rng.integers(7)
    if kind == 0:
        return content[:at] + rng.bytes(length) + content[at + length :]
    if kind == 1:
        return content[:at] + bytes([rng.choice([0, 1, 127, 128, 255])]) * length + content[at + length :]
    if kind == 2:
        return content[:at] + content[at + length :]
    if kind == 3:
        return content[:at] + content[at : at + length] * int(rng.integers(2, 20)) + content[at + length :]
    if kind == 4:
        return content[:at]
    if kind == 5:
        return content[:at] + WORDS[rng.integers(len(WORDS))].encode() + content[at + length :]
    flipped = bytearray(content or b"x")
    flipped[min(at, len(flipped) - 1)] ^= 1 << int(rng.integers(8))
    return bytes(flipped)


def _text(content: bytes, rng: Rng) -> bytes:
    """A word or a line exchanged."""
    lines = content.decode("latin1").split("\n")
    at = int(rng.integers(len(lines)))
    if rng.random() < 0.3:
        lines[at] = lines[rng.integers(len(lines))]
    else:
        words = lines[at].split(",")
        words[rng.integers(len(words))] = WORDS[rng.integers(len(WORDS))]
        lines[at] = ",".join(words)
    return "\n".join(lines).encode("latin1", "replace")


def _archive(content: bytes, rng: Rng) -> bytes:
    """A part of an archive changed, left out, renamed or packed otherwise, so that the checksums fit."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    names = list(parts)
    name = names[rng.integers(len(names))]
    kind = rng.integers(10)
    if kind == 0:
        del parts[name]
    elif kind == 1:
        parts[names[rng.integers(len(names))]] = parts[name]
    elif "record.npy" in parts and kind < 5:
        parts["record.npy"] = _other_record(parts["record.npy"], rng)
    elif name.endswith(".npy") and kind < 9:
        parts[name] = _other_array(parts[name], rng)
    elif name.endswith(".json"):
        parts[name] = json.dumps(_other_value(json.loads(parts[name]), rng)).encode()
    else:
        parts[name] = _bytes(parts[name], rng)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", int(rng.choice([0] * 9 + [8] * 9 + [12]))) as file:
        for part, data in parts.items():
            file.writestr(part, data)
    return stream.getvalue()


def _packed(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _other_array(content: bytes, rng: Rng) -> bytes:
    array = np.load(io.BytesIO(content))
    changes: list[Callable[[], Any]] = [
        lambda: array[..., None],
        lambda: array[:-1],
        lambda: np.concatenate([array, array]),
        lambda: array.astype(str(rng.choice(["complex128", "float16", "int8", "uint64", "bool", "<U3", "M8[s]"]))),
        lambda: array * int(rng.choice(NUMBERS[:8])),
        lambda: np.full_like(array, int(rng.choice(NUMBERS[:9]))),
        lambda: array.reshape(-1),
        lambda: np.asfortranarray(array)[::-1],
        lambda: np.where(rng.random(array.shape) < 0.2, np.nan, array),
        lambda: array + rng.integers(-2, 3, array.shape),
        lambda: np.zeros((0, 3)),
    ]
    return _packed(np.asarray(changes[rng.integers(len(changes))]()))


def _other_record(content: bytes, rng: Rng) -> bytes:
    record = json.loads(str(np.load(io.BytesIO(content))))
    return _packed(np.array(json.dumps(_other_value(record, rng))))


def _other_value(value: Any, rng: Rng) -> Any:
    """JSON with one value exchanged, somewhere."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = list(value)[rng.integers(len(value))]
        if rng.random() < 0.1:
            return {other: part for other, part in value.items() if other != key}
        return value | {key: _other_value(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = int(rng.integers(len(value)))
        return [*value[:at], _other_value(value[at], rng), *value[at + 1 :]]
    others = [
        *NUMBERS,
        *WORDS,
        None,
        True,
        [],
        {},
        [1, 2],
        {"array": "vertices"},
        {"number": "nan"},
        {"tuple": []},
        0.5,
    ]
    return others[rng.integers(len(others))]


def _compressed(content: bytes, rng: Rng) -> bytes:
    return gzip.compress(_graph(gzip.decompress(content), rng))


def _compressed_bytes(content: bytes, rng: Rng) -> bytes:
    return gzip.compress(_bytes(gzip.decompress(content), rng))


def _graph(content: bytes, rng: Rng) -> bytes:
    """An ONNX graph with another op, name, attribute, size or number."""
    model = onnx.load_model_from_string(content)
    graph = model.graph
    bodies = [graph.node, *(function.node for function in model.functions)]
    nodes = bodies[rng.integers(len(bodies))]
    node = nodes[rng.integers(len(nodes))]
    names = [*(t.name for t in graph.initializer), *(o for n in graph.node for o in n.output), "", "x", "y", "nothing"]
    kind = rng.integers(11)
    if kind == 0:
        node.op_type = OPS[rng.integers(len(OPS))]
    elif kind == 1 and node.input:
        node.input[rng.integers(len(node.input))] = names[rng.integers(len(names))]
    elif kind == 2:
        (node.input if rng.random() < 0.7 else node.output).append(names[rng.integers(len(names))])
    elif kind == 3 and node.input:
        del node.input[-1]
    elif kind == 4:
        del nodes[int(rng.integers(len(nodes)))]
    elif kind == 5:
        nodes.add().CopyFrom(node)
    elif kind == 6 and node.attribute:
        _other_attribute(node.attribute[rng.integers(len(node.attribute))], rng)
    elif kind == 7:
        name = str(rng.choice(["axis", "axes", "kernel_shape", "pads", "perm", "group", "mode", "to", "equation"]))
        node.attribute.append(
            onnx.helper.make_attribute(name, _number(rng) if rng.random() < 0.5 else [_number(rng)] * 2)
        )
    elif kind == 8:
        _other_sizes(graph.input[0] if rng.random() < 0.5 else graph.output[0], rng)
    elif kind == 9:
        model.opset_import[0].version = int(rng.choice([1, 5, 6, 7, 9, 10, 11, 13, 18, 21, 24, 99]))
    elif graph.initializer:
        _other_tensor(graph.initializer[rng.integers(len(graph.initializer))], rng)
    return model.SerializeToString()


def _number(rng: Rng) -> int:
    return NUMBERS[rng.integers(len(NUMBERS))]


def _other_attribute(attribute: onnx.AttributeProto, rng: Rng) -> None:
    if attribute.ints and rng.random() < 0.7:
        attribute.ints[rng.integers(len(attribute.ints))] = _number(rng)
    elif attribute.ints:
        attribute.ints.append(_number(rng))
    elif attribute.type == onnx.AttributeProto.INT:
        attribute.i = _number(rng)
    elif attribute.type == onnx.AttributeProto.FLOAT:
        attribute.f = float(rng.choice([0, -1, 1e38, np.nan, np.inf, 1e-45]))
    else:
        attribute.type = int(rng.integers(15))


def _other_sizes(value: onnx.ValueInfoProto, rng: Rng) -> None:
    tensor = value.type.tensor_type
    if tensor.shape.dim and rng.random() < 0.7:
        tensor.shape.dim[rng.integers(len(tensor.shape.dim))].dim_value = _number(rng)
    elif rng.random() < 0.5:
        tensor.elem_type = int(rng.integers(25))
    else:
        tensor.shape.dim.add().dim_value = _number(rng)


def _other_tensor(tensor: onnx.TensorProto, rng: Rng) -> None:
    kind = rng.integers(5)
    if kind == 0 and tensor.dims:
        tensor.dims[rng.integers(len(tensor.dims))] = _number(rng)
    elif kind == 1:
        tensor.data_type = int(rng.integers(25))
    elif kind == 2:
        tensor.raw_data = _bytes(tensor.raw_data, rng)
    elif kind == 3:
        tensor.dims.append(int(rng.choice([0, 1, 2, -1])))
    else:
        array = onnx.numpy_helper.to_array(tensor)
        with np.errstate(all="ignore"):
            other = np.where(rng.random(array.shape) < 0.5, np.float64(_number(rng)), array).astype(array.dtype)
        tensor.CopyFrom(onnx.numpy_helper.from_array(other, tensor.name))


_INSIDE: dict[str, Callable[[bytes, Rng], bytes]] = {
    ".npz": _archive,
    ".pt": _archive,
    ".pt2": _archive,
    ".onnx": _graph,
    ".onnx.gz": _compressed,
    "images.gz": _compressed_bytes,
    ".csv": _text,
    ".nnet": _text,
}
"""What else may be changed, by the ending of the name."""
