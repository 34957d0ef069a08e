"""Praat's TextGrid: tiers of labelled intervals and points, read and written as text.

The long and the short text form are read, in UTF-8 or UTF-16 (Praat manual, "TextGrid file formats"): both are the same
run of numbers and quoted strings, in which a quote is doubled. Written is the long form in UTF-8. Times are seconds;
they are written with as many digits as it takes to get the same float back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np

from duologue.errors import UserError

# What a time may miss by in foreign files (seconds) before two intervals count as overlapping.
SLACK = 1e-6


class Interval(msgspec.Struct, frozen=True, gc=False):
    """Seconds [start, end) and what they are called; a point of a point tier has ``end == start``."""

    start: float
    end: float
    text: str


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """``intervals`` hold what is labelled alone, in order of time; silence between them is not listed."""

    name: str
    intervals: tuple[Interval, ...] = ()
    points: bool = False


class TextGrid(msgspec.Struct, frozen=True, kw_only=True):
    """``end`` is the length of the sound in seconds."""

    end: float
    tiers: tuple[Tier, ...] = ()


# A quoted string, a comment, or anything else without space.
_TOKEN = re.compile(r'"(?:[^"]|"")*"|![^\n]*|[^\s"]+')
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def parse(data: bytes, where: str = "") -> TextGrid:
    """The grid in the bytes of a file; UserError names ``where`` and what is broken."""
    values = _values(_text(data, where))

    def take(kind: type, field: str) -> float | str:
        value = next(values, None)
        if value is None or not isinstance(value, kind):
            raise UserError(
                "not a TextGrid" if value is not None else "the TextGrid is cut short",
                where=where,
                field=field,
                value=value,
                allowed="a number" if kind is float else "a text in quotes",
                mend="save it in Praat as a text file",
            )
        return value

    def number(field: str) -> float:
        return float(take(float, field))

    def text(field: str) -> str:
        return str(take(str, field))

    if text("File type") != "ooTextFile" or text("Object class") != "TextGrid":
        raise UserError("not a TextGrid", where=where, allowed='File type = "ooTextFile", Object class = "TextGrid"')
    number("xmin")
    end = number("xmax")
    tiers = []
    for i in range(int(number("size"))):
        kind, name = text(f"item [{i + 1}] class"), text(f"item [{i + 1}] name")
        if kind not in ("IntervalTier", "TextTier"):
            raise UserError("unknown kind of tier", where=where, value=kind, allowed="IntervalTier, TextTier")
        number("xmin"), number("xmax")
        found = []
        for k in range(int(number("size"))):
            at = f"tier {name!r}, {k + 1}"
            start = number(at)
            stop = start if kind == "TextTier" else number(at)
            label = text(at)
            if not start <= stop:
                raise UserError("ends before it begins", where=where, field=at, value=[start, stop])
            if label.strip():
                found.append(Interval(start, stop, label))
        for a, b in pairwise(found):
            if b.start < a.end - SLACK:
                raise UserError("intervals overlap", where=where, field=f"tier {name!r}", value=b.text)
        tiers.append(Tier(name=name, intervals=tuple(found), points=kind == "TextTier"))
    return TextGrid(end=end, tiers=tuple(tiers))


def read(path: Path) -> TextGrid:
    """The grid in the file ``path``."""
    try:
        return parse(path.read_bytes(), str(path))
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None


def encode(grid: TextGrid) -> bytes:
    """The long text form. ValueError where intervals of a tier overlap or lie outside the grid."""
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {_time(grid.end)}",
        "tiers? <exists>",
        f"size = {len(grid.tiers)}",
        "item []:",
    ]
    for i, tier in enumerate(grid.tiers, 1):
        rows = tier.intervals if tier.points else tuple(_filled(tier, grid.end))
        lines += [
            f"    item [{i}]:",
            f'        class = "{"TextTier" if tier.points else "IntervalTier"}"',
            f"        name = {_quoted(tier.name)}",
            "        xmin = 0",
            f"        xmax = {_time(grid.end)}",
            f"        {'points' if tier.points else 'intervals'}: size = {len(rows)}",
        ]
        for k, row in enumerate(rows, 1):
            if tier.points:
                lines += [f"        points [{k}]:", f"            number = {_time(row.start)}"]
                lines += [f"            mark = {_quoted(row.text)}"]
            else:
                lines += [f"        intervals [{k}]:", f"            xmin = {_time(row.start)}"]
                lines += [f"            xmax = {_time(row.end)}", f"            text = {_quoted(row.text)}"]
    return ("\n".join(lines) + "\n").encode()


def layers(intervals: list[Interval]) -> list[list[Interval]]:
    """``intervals`` dealt to as few tiers as hold them without overlap, each in order of time."""
    dealt: list[list[Interval]] = []
    for interval in sorted(intervals, key=lambda i: (i.start, i.end)):
        free = next((tier for tier in dealt if tier[-1].end <= interval.start), None)
        if free is None:
            dealt.append([interval])
        else:
            free.append(interval)
    return dealt


def _filled(tier: Tier, end: float) -> Iterator[Interval]:
    """An interval tier covers the whole time, so silence between labels is an interval without one."""
    clock = 0.0
    for row in tier.intervals:
        if row.start < clock or not row.start < row.end <= end:
            raise ValueError(f"tier {tier.name!r}: {row} overlaps another or lies outside 0..{end}")
        if row.start > clock:
            yield Interval(clock, row.start, "")
        yield row
        clock = row.end
    if clock < end or not tier.intervals:
        yield Interval(clock, end, "")


def _text(data: bytes, where: str) -> str:
    try:
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError("neither UTF-8 nor UTF-16", where=where, mend="save it in Praat with UTF-8") from None


def _values(text: str) -> Iterator[float | str]:
    """The numbers and quoted strings in order: what stands between them (``[1]:``, words) only explains them."""
    for token in _TOKEN.findall(text):
        if token[0] == '"':
            yield token[1:-1].replace('""', '"')
        elif _NUMBER.fullmatch(token) and math.isfinite(value := float(token)):
            yield value


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _time(seconds: float) -> str:
    """The fewest digits that give the same float again, without an exponent."""
    return str(np.format_float_positional(seconds, trim="-"))
