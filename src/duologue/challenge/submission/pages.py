"""How many pages a PDF has, without a PDF library: no scripts, fonts, images or links are looked at.

The catalog of the last trailer leads to the tree of pages, whose leaves are counted (ISO 32000-2, 7.5 and 7.7.3).
Objects are found by scanning the bytes, not by the cross-reference table, so that a broken table does not matter; later
objects replace earlier ones of the same number. Streams are skipped, but for object streams, which are inflated up to
a limit. That a page has anything on it is not looked at.
"""

from __future__ import annotations

import re
import zlib
from itertools import islice

LARGEST = 32 * 2**20
# Of all object streams once inflated, and of objects.
MOST_INFLATED = 16 * 2**20
MOST_OBJECTS = 50_000
MOST_PAGES = 10_000
_DEEPEST = 60

_OBJECT = re.compile(rb"(?<![0-9])(\d{1,10})[ \t\r\n\f\0]{1,8}\d{1,5}[ \t\r\n\f\0]{1,8}obj(?![a-zA-Z])")
_STREAM = re.compile(rb"stream\r?\n")
_ROOT = re.compile(rb"/Root[ \t\r\n\f\0]{0,8}(\d{1,10})[ \t\r\n\f\0]{1,8}\d{1,5}[ \t\r\n\f\0]{1,8}R")
_TYPE = re.compile(rb"/Type[ \t\r\n\f\0]{0,8}/([A-Za-z]{1,20})")
_PAGES = re.compile(rb"/Pages[ \t\r\n\f\0]{0,8}(\d{1,10})[ \t\r\n\f\0]{1,8}\d{1,5}[ \t\r\n\f\0]{1,8}R")
_KIDS = re.compile(rb"/Kids[ \t\r\n\f\0]{0,8}\[([^\]]{0,4000000})\]")
_REFERENCE = re.compile(rb"(\d{1,10})[ \t\r\n\f\0]{1,8}\d{1,5}[ \t\r\n\f\0]{1,8}R")
_LENGTH = re.compile(rb"/Length[ \t\r\n\f\0]{0,8}(\d{1,10})(?![ \t\r\n\f\0]{1,8}\d{1,5}[ \t\r\n\f\0]{1,8}R)")
_FIRST = re.compile(rb"/First[ \t\r\n\f\0]{0,8}(\d{1,10})")
# A dictionary that precedes a stream or is a page is hardly longer; a tree's list of pages may be.
_LONGEST = 1 << 22


class NotPdf(Exception):  # noqa: N818 - a finding, never shown as an exception
    """Why the bytes are no PDF whose pages can be counted."""


def count_pages(data: bytes) -> int:
    """Pages of the PDF ``data``, of at most :data:`LARGEST` bytes. NotPdf says why there is no telling."""
    if len(data) > LARGEST:
        raise NotPdf("too large")
    if not data.startswith(b"%PDF-"):
        raise NotPdf("no PDF file")
    if b"%%EOF" not in data[-2048:]:
        raise NotPdf("cut short: no end mark")
    objects, roots, encrypted = _objects(data)
    if encrypted:
        raise NotPdf("encrypted")
    for root in reversed(roots):
        catalog = objects.get(root, b"")
        found = _PAGES.search(catalog)
        if found:
            return _leaves(objects, int(found[1]))
    raise NotPdf("no tree of pages")


def _objects(data: bytes) -> tuple[dict[int, bytes], list[int], bool]:
    """Number -> text of each object, the numbers of the catalogs in order, and whether anything is encrypted."""
    objects: dict[int, bytes] = {}
    roots: list[int] = []
    encrypted, left, at, end, seen = False, MOST_INFLATED, 0, -1, 0
    while (found := _OBJECT.search(data, at)) is not None:
        _trailers(data[at : found.start()], roots)
        encrypted = encrypted or b"/Encrypt" in data[at : found.start()]
        begin = found.end()
        if end < begin:
            end = data.find(b"endobj", begin)
            end = len(data) if end < 0 else end
        stream = _STREAM.search(data, begin, min(end, begin + _LONGEST))
        text = data[begin : min(stream.start() if stream else end, begin + _LONGEST)]
        seen += 1
        if seen > MOST_OBJECTS:
            raise NotPdf("too many objects")
        objects[int(found[1])] = text
        if stream is None:
            at = end
            continue
        body, at = _body(data, text, stream.end())
        kind = _TYPE.search(text)
        if kind is not None and kind[1] == b"XRef":
            _trailers(text, roots)
            encrypted = encrypted or b"/Encrypt" in text
        elif kind is not None and kind[1] == b"ObjStm":
            inside = _inflated(text, body, left)
            left -= len(inside)
            _unpack(text, inside, objects)
    _trailers(data[at:], roots)
    return objects, roots, encrypted or b"/Encrypt" in data[at:]


def _trailers(text: bytes, roots: list[int]) -> None:
    roots += [int(m[1]) for m in _ROOT.finditer(text)]


def _body(data: bytes, text: bytes, start: int) -> tuple[bytes, int]:
    """A stream's bytes and where they end: by its length where "endstream" stands there, else by the next such word."""
    said = _LENGTH.search(text)
    end = start + int(said[1]) if said is not None else len(data)
    if data[end : end + 12].lstrip(b"\r\n ").startswith(b"endstream"):
        return data[start:end], end
    end = data.find(b"endstream", start)
    if end < 0:
        raise NotPdf("a stream without an end")
    return data[start:end], end


def _inflated(text: bytes, body: bytes, left: int) -> bytes:
    if b"/FlateDecode" not in text:
        if b"/Filter" in text:
            raise NotPdf("objects packed by an unknown filter")
        return body[:left]
    try:
        packer = zlib.decompressobj()
        inside = packer.decompress(body, left)
    except zlib.error:
        raise NotPdf("objects that cannot be unpacked (encrypted?)") from None
    if packer.unconsumed_tail:
        raise NotPdf("objects that unpack to too much")
    return inside


def _unpack(text: bytes, inside: bytes, objects: dict[int, bytes]) -> None:
    """The objects of an object stream: pairs of (number, offset), then the objects from /First on."""
    first = _FIRST.search(text)
    if first is None:
        raise NotPdf("objects that cannot be unpacked")
    start = int(first[1])
    found = islice(re.finditer(rb"\d{1,10}", inside[:start]), 2 * MOST_OBJECTS)
    numbers = [int(m[0]) for m in found]
    pairs = list(zip(numbers[::2], numbers[1::2], strict=False))
    if len(objects) + len(pairs) > MOST_OBJECTS:
        raise NotPdf("too many objects")
    ends = [offset for _, offset in pairs[1:]] + [len(inside)]
    for (number, offset), end in zip(pairs, ends, strict=True):
        if end < offset:
            # Overlapping objects would be many times as large as the stream that holds them.
            raise NotPdf("objects that overlap")
        objects[number] = inside[start + offset : start + end][:_LONGEST]


def _leaves(objects: dict[int, bytes], root: int) -> int:
    seen: set[int] = set()
    waiting, pages = [(root, 0)], 0
    while waiting:
        number, depth = waiting.pop()
        if number in seen or depth > _DEEPEST:
            raise NotPdf("a tree of pages that runs in a circle")
        seen.add(number)
        text = objects.get(number)
        if text is None:
            raise NotPdf("a page is missing")
        kids = _KIDS.search(text)
        kind = _TYPE.search(_own(text))
        if kids is not None and (kind is None or kind[1] == b"Pages"):
            waiting += [(int(m[1]), depth + 1) for m in islice(_REFERENCE.finditer(kids[1]), MOST_PAGES + 1)]
            if len(waiting) > MOST_PAGES:
                raise NotPdf("too many pages")
        elif kind is not None and kind[1] == b"Page":
            pages += 1
            if pages > MOST_PAGES:
                raise NotPdf("too many pages")
        else:
            raise NotPdf("a tree of pages with something else in it")
    return pages


def _own(text: bytes) -> bytes:
    """A dictionary without the dictionaries inside it, whose types are not its own."""
    kept, depth, at = [], 0, 0
    for m in re.finditer(rb"<<|>>", text):
        if depth == 1:
            kept.append(text[at : m.start()])
        depth += 1 if m[0] == b"<<" else -1
        at = m.end()
    return b"".join(kept) or text
