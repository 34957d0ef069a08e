"""Messages of the JSON protocols: read as hostile, and summed up for the record."""

from __future__ import annotations

import binascii
from typing import Any

import msgspec
import numpy as np

from duologue.systems.arrival import Int16
from duologue.systems.wire import Wire, one_line

# Longer strings than this are audio or an attack; the record keeps their length.
_LONGEST = 2_000
# Deeper or wider than any message of these protocols.
_DEEPEST, _WIDEST = 12, 200


def read_object(wire: Wire, data: str | bytes) -> dict[str, Any]:
    """The JSON object in ``data``; SessionError of kind "system" for anything else."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        start = data[:60] if isinstance(data, str) else data[:60].decode("utf-8", "replace")
        raise wire.wrong("sent what is not JSON", f"{error}; it begins {one_line(start)!r}") from None
    if not isinstance(value, dict):
        raise wire.wrong("sent JSON that is no object", type(value).__name__)
    return value


def read_pcm16(wire: Wire, encoded: object) -> Int16:
    """Samples from base64 of little-endian 16-bit PCM; SessionError of kind "system" for anything else."""
    if not isinstance(encoded, str):
        raise wire.wrong("sent audio that is no base64 string", type(encoded).__name__)
    try:
        data = binascii.a2b_base64(encoded, strict_mode=True) if encoded else b""
    except (binascii.Error, ValueError) as error:
        raise wire.wrong("sent audio that is not base64", error) from None
    return pcm16(wire, data)


def pcm16(wire: Wire, data: bytes) -> Int16:
    """Samples from little-endian 16-bit PCM."""
    if len(data) % 2:
        raise wire.wrong("sent audio that is not whole 16-bit samples", f"{len(data)} bytes")
    return np.frombuffer(data, "<i2").astype(np.int16, copy=False)


def base64_pcm16(frame: Int16) -> str:
    return binascii.b2a_base64(frame.astype("<i2", copy=False).tobytes(), newline=False).decode("ascii")


def summary(wire: Wire, value: Any) -> dict[str, Any]:
    """``value`` for the record: without the key, long strings by their length, bounded in depth and width."""
    kept: Any = wire.key.cut_all(_bounded(value, 0))
    return kept if isinstance(kept, dict) else {"value": kept}


def _bounded(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else f"[{len(value)} characters]"
    if isinstance(value, dict | list) and (depth >= _DEEPEST or len(value) > _WIDEST):
        return f"[{len(value)} members]"
    if isinstance(value, dict):
        return {k[:_LONGEST]: _bounded(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        return [_bounded(v, depth + 1) for v in value]
    return value
