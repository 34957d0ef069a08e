"""Floor-transfer offsets of a corpus beside those of real meetings."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

from duologue.corpus.dialogue import Dialogue
from duologue.corpus.turn import Turn
from duologue.errors import UserError
from duologue.inspect.figures import Curve

# Offsets are counted in steps of 10 ms, so that what is kept does not grow with the corpus.
STEP = 0.01
AMI = "AMI Meeting Corpus, 37,957 transfers between word-level segments, five quantiles and the overlapped share"


def transfers(d: Dialogue, rates: Mapping[str, int]) -> Iterator[tuple[Turn, Turn, float]]:
    """(turn, next turn, seconds between) wherever the floor goes from user to system or back.

    Turns and interruptions in order of their onset; backchannels, asides and bystanders hold no floor. ``rates`` maps
    the audio ids of the main files to their rates.
    """
    held = [
        (min(s.start / rates[s.audio] for s in t.segments), max(s.end / rates[s.audio] for s in t.segments), t)
        for t in d.turns
        if t.kind in ("turn", "interruption")
        and t.role in ("user", "system")
        and t.segments
        and all(s.audio in rates for s in t.segments)
    ]
    held.sort(key=lambda x: (x[0], x[2].index))
    for (_, end, a), (start, _, b) in pairwise(held):
        if a.speaker != b.speaker:
            yield a, b, start - end


def published() -> Curve:
    """The offsets of real meetings that come with the package, as points of their distribution."""
    text = files("duologue.inspect").joinpath("meetings.csv").read_text("utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    points = tuple((float(r["offset"]), float(r["share"])) for r in rows)
    return Curve(name="real meetings", unit="s", n=37_957, source=AMI, points=points)


def measured(path: Path) -> Curve:
    """The offsets in the RTTM file ``path``, or in all RTTM files under the folder, in steps of 10 ms.

    Segments in order of their onset; what lies inside another's segment is no transfer; an offset runs from the end of
    a speaker's segment to the next onset of another. UserError where there is nothing to measure.
    """
    paths = sorted(path.rglob("*.rttm")) if path.is_dir() else [path]
    spans: dict[tuple[Path, str], list[tuple[float, float, str]]] = defaultdict(list)
    for file in paths:
        for number, fields in enumerate(_fields(file), 1):
            if fields[:1] != ["SPEAKER"]:
                continue
            try:
                onset, length, speaker = float(fields[3]), float(fields[4]), fields[7]
            except (IndexError, ValueError):
                raise UserError(
                    "not a line of RTTM",
                    where=f"{file}:{number}",
                    value=" ".join(fields),
                    allowed="SPEAKER uri channel onset duration <NA> <NA> speaker <NA> <NA>",
                ) from None
            if length > 0:
                spans[file, fields[1]].append((onset, onset + length, speaker))
    counts: Counter[int] = Counter()
    for recording in spans.values():
        floor: tuple[float, float, str] | None = None
        for span in sorted(recording):
            if floor is not None and span[1] <= floor[1]:
                continue
            if floor is not None and span[2] != floor[2]:
                counts[round((span[0] - floor[1]) / STEP)] += 1
            floor = span
    if not counts:
        raise UserError("no floor transfers found", where=str(path), allowed="RTTM with two speakers or more")
    return curve("real meetings", counts, f"{len(spans)} recordings of {path.name}, measured")


def _fields(file: Path) -> list[list[str]]:
    try:
        return [line.split() for line in file.read_text("utf-8-sig").splitlines()]
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(file)) from None
    except UnicodeDecodeError:
        raise UserError("not UTF-8", where=str(file)) from None


def curve(name: str, counts: Mapping[int, int], source: str) -> Curve:
    """The cumulative distribution of offsets counted in steps of :data:`STEP`."""
    whole, seen, points = sum(counts.values()), 0, []
    for at in sorted(counts):
        seen += counts[at]
        points.append((round(at * STEP, 6), seen / whole))
    return Curve(name=name, unit="s", n=whole, source=source, points=tuple(points))


def distance(counts: Mapping[int, int], real: Curve) -> float:
    """Kolmogorov and Smirnov's distance of offsets in steps of :data:`STEP` from ``real``, 0 to 1.

    The greatest difference of the two cumulative distributions. A measured ``real`` has all its steps, so the distance
    is exact to 10 ms. A published table is known at its points alone: the distance there is a lower bound.
    """
    whole = sum(counts.values())
    if real.points[-1][1] < 1:
        return max(abs(sum(n for at, n in counts.items() if at * STEP <= x + 1e-9) / whole - p) for x, p in real.points)
    theirs = {round(x / STEP): p for x, p in real.points}
    far, seen, share = 0.0, 0, 0.0
    for at in sorted({*counts, *theirs}):
        seen, share = seen + counts.get(at, 0), theirs.get(at, share)
        far = max(far, abs(seen / whole - share))
    return far
