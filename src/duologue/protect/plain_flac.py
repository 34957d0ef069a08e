"""FLAC files that tell nothing beside their samples.

How well a recording compresses tells how much of it is silence, so a file's length would be a clue. A padding block
makes every file as long as its number of samples says; what else a header derives from the content (the least and
greatest frame, RFC 9639 section 8.2) is set to "unknown".
"""

from __future__ import annotations

# Samples uncompressed, and room for headers and frames that do not compress: 2 bytes a sample and 1 in 64 more.
_SLACK = 16_384
_LONGEST_BLOCK = (1 << 24) - 1
_PADDING = 1


def plain_length(frames: int, channels: int) -> int:
    """How many bytes the file of ``frames`` 16-bit frames has, whatever they are."""
    samples = frames * channels
    return 2 * samples + samples // 32 + _SLACK


def plain_flac(data: bytes, frames: int, channels: int) -> bytes:
    """The FLAC file ``data`` of 16-bit samples, :func:`plain_length` bytes long; its samples are unchanged."""
    if data[:4] != b"fLaC" or data[4] & 0x7F != 0:
        raise ValueError("no FLAC stream")
    blocks, at = [], 4
    while True:
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 4], "big")
        body = data[at + 4 : at + 4 + size]
        if kind & 0x7F == 0:
            # Block sizes (2 + 2 bytes) stay; frame sizes (3 + 3 bytes) become unknown.
            body = body[:4] + bytes(6) + body[10:]
        if kind & 0x7F != _PADDING:
            blocks.append((kind & 0x7F, body))
        at += 4 + size
        if kind & 0x80:
            break
    sound = data[at:]
    left = plain_length(frames, channels) - 4 - sum(4 + len(body) for _, body in blocks) - len(sound)
    if left < 4:
        raise ValueError("compresses to more than it is")
    while left:
        size = min(left - 4, _LONGEST_BLOCK)
        # What is left after this block must hold a block of its own.
        if 0 < left - 4 - size < 4:
            size -= 4
        blocks.append((_PADDING, bytes(size)))
        left -= 4 + size
    out = [b"fLaC"]
    for i, (kind, body) in enumerate(blocks):
        last = 0x80 if i == len(blocks) - 1 else 0
        out.append(bytes([kind | last]) + len(body).to_bytes(3, "big") + body)
    return b"".join([*out, sound])
