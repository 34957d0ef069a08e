"""Full-Duplex-Bench v1: takeover rate, latency, backchannel frequency and its divergence from people's.

Lin et al., "Full-Duplex-Bench: A Benchmark to Evaluate Full-duplex Spoken Dialogue Models on Turn-taking
Capabilities" (arXiv 2503.04721), as its published scripts compute it. A file is one recording of a system with one
task. Lower takeover is better while the user pauses or talks on, higher where it is the system's turn.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Literal, cast

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.errors import UserError

Task = Literal["pause", "turn_taking", "interruption", "backchannel"]
Interval = tuple[float, float]
Histogram = npt.NDArray[np.float64]

# A turn lasts at least this long or has more words than this.
TURN_SECONDS = 1.0
TURN_WORDS = 3
# A stretch longer than this is a turn whatever is said in it; a backchannel is shorter than TURN_SECONDS and has at
# most BACKCHANNEL_WORDS.
TALK_SECONDS = 3.0
BACKCHANNEL_WORDS = 2
BIN = 0.2
_EPSILON = 1e-10


class FdbWord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One word of the system's, in seconds; a recogniser may leave ``end`` open."""

    text: str
    start: float
    end: float | None = None


class FdbItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One recording. Times are seconds on one clock.

    ``words`` are the system's in order, None where there is no output that can be read; of an interruption only those
    after it are looked at. ``event_end`` ends what the user says: the turn that is to be answered, the interruption
    (none for the other tasks). ``segments`` are stretches of the system's speech, ``duration`` the length of its audio
    and ``human`` the distribution of people's backchannels over the recording (any number of bins): for "backchannel".
    """

    id: str
    task: Task
    words: tuple[FdbWord, ...] | None = None
    event_end: float | None = None
    segments: tuple[Interval, ...] = ()
    duration: float = 0.0
    human: tuple[float, ...] | None = None


class FdbItemScore(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``takeover`` is None where nothing could be scored, and ``why`` says so.

    ``latency`` in seconds is not negative, and None without a takeover. ``backchannels`` are the stretches counted,
    ``frequency`` their number a second, ``jsd`` the distance in [0, 1] to ``human``, None where that is not given.
    """

    id: str
    task: Task
    takeover: bool | None
    latency: float | None = None
    backchannels: tuple[Interval, ...] = ()
    frequency: float | None = None
    jsd: float | None = None
    why: str = ""


class FdbTaskScore(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Means over ``scored`` of ``expected`` recordings of one task; None where no recording gives the measure.

    ``latency`` is over the ``takeovers`` alone, ``jsd`` over the ``compared`` recordings that came with people's
    distribution.
    """

    task: Task
    expected: int
    scored: int
    takeovers: int
    takeover_rate: float | None
    latency: float | None = None
    frequency: float | None = None
    jsd: float | None = None
    compared: int = 0
    unscored: tuple[str, ...] = ()


class FdbScore(msgspec.Struct, frozen=True, kw_only=True):
    """Scores by task, and each recording's own."""

    tasks: dict[Task, FdbTaskScore]
    items: tuple[FdbItemScore, ...]


def takes_over(words: Sequence[FdbWord]) -> bool:
    """TOR: whether ``words`` are a turn: they span 1 s or more, or are more than three. No words are none."""
    if not words:
        return False
    last = words[-1].end if words[-1].end is not None else words[-1].start
    return last - words[0].start >= TURN_SECONDS or len(words) > TURN_WORDS


def latency(words: Sequence[FdbWord], event_end: float) -> float:
    """Seconds from ``event_end`` to the first of ``words``; an earlier start counts as 0."""
    return max(0.0, words[0].start - event_end)


def words_in(words: Iterable[FdbWord], start: float, end: float) -> int:
    """How many words touch [start, end]: inside it, or running over either of its ends."""
    count = 0
    for w in words:
        if w.end is None and w.start < end:
            continue  # The script leaves out what may or may not have ended.
        stop = w.start if w.end is None else w.end
        count += (w.start >= start and stop <= end) or (w.start <= end < stop) or (w.start <= start < stop)
    return count


def backchannels(segments: Sequence[Interval], words: Sequence[FdbWord]) -> tuple[bool, list[Interval]]:
    """Whether the system took over while it was to listen, and which stretches are backchannels.

    A stretch longer than 3 s is a takeover and ends the look. Otherwise one under 1 s with at most two words is a
    backchannel, and any other a takeover. Quirk: a takeover throws away the backchannels before it, and a later
    backchannel makes it undone, so only the last stretch decides.
    """
    taken, found = False, list[Interval]()
    for start, end in segments:
        if end - start > TALK_SECONDS:
            # The script stops here and keeps what it had.
            return True, found
        taken = not (end - start < TURN_SECONDS and words_in(words, start, end) <= BACKCHANNEL_WORDS)
        found = [] if taken else [*found, (start, end)]
    return taken, found


def timing(stretches: Sequence[Interval], duration: float) -> Histogram:
    """Shares of ``stretches`` over bins of 0.2 s from 0 to ``duration``: a stretch counts in every bin it touches."""
    bins = np.zeros(int(duration / BIN) + 1)
    for start, end in stretches:
        bins[int(start / BIN) : int(end / BIN) + 1] += 1
    bins += _EPSILON
    return cast(Histogram, bins / bins.sum())


def divergence(shares: Histogram, human: Sequence[float]) -> float:
    """The Jensen-Shannon distance (square root of the divergence in nats), ``human`` stretched to as many bins."""
    p = shares / shares.sum()
    q = np.interp(np.linspace(0, 1, len(p)), np.linspace(0, 1, len(human)), human)
    q = q / q.sum()
    middle = (p + q) / 2

    def relative(a: Histogram) -> float:
        some = a > 0
        return float(np.sum(a[some] * np.log(a[some] / middle[some])))

    return math.sqrt(max(0.0, (relative(p) + relative(q)) / 2))


def score_item(item: FdbItem) -> FdbItemScore:
    """One recording; what cannot be scored says why."""
    if item.words is None:
        return FdbItemScore(id=item.id, task=item.task, takeover=None, why="no readable output")
    if any(not math.isfinite(t) for w in item.words for t in (w.start, w.end) if t is not None):
        return FdbItemScore(id=item.id, task=item.task, takeover=None, why="a word's time is no number")
    if item.task == "backchannel":
        return _score_backchannels(item, item.words)
    if item.task == "pause":
        return FdbItemScore(id=item.id, task=item.task, takeover=takes_over(item.words))
    if item.event_end is None:
        return FdbItemScore(id=item.id, task=item.task, takeover=None, why="no event to be late for")
    words = item.words
    if item.task == "interruption":
        words = _after(words, item.event_end)
    taken = takes_over(words)
    return FdbItemScore(
        id=item.id, task=item.task, takeover=taken, latency=latency(words, item.event_end) if taken else None
    )


def _after(words: Sequence[FdbWord], t: float) -> tuple[FdbWord, ...]:
    """What is heard of ``words`` in audio that is cut at ``t``, as the benchmark cuts it before it transcribes."""
    ends = ((w, w.start if w.end is None else w.end) for w in words)
    return tuple(FdbWord(w.text, max(w.start, t), w.end) for w, end in ends if end > t)


def _score_backchannels(item: FdbItem, words: Sequence[FdbWord]) -> FdbItemScore:
    if not item.duration > 0:
        return FdbItemScore(id=item.id, task=item.task, takeover=None, why="no duration")
    taken, found = backchannels(item.segments, words)
    jsd = None
    if item.human is not None:
        jsd = divergence(timing(found, item.duration), item.human) if found else 1.0
    return FdbItemScore(
        id=item.id,
        task=item.task,
        takeover=taken,
        backchannels=tuple(found),
        frequency=len(found) / item.duration,
        jsd=jsd,
    )


def evaluate(items: Iterable[FdbItem]) -> FdbScore:
    """Score every recording, and take the means by task. UserError for an id that comes twice in a task."""
    scores = [score_item(i) for i in sorted(items, key=lambda i: (i.task, i.id))]
    by_task: dict[Task, list[FdbItemScore]] = {}
    for s in scores:
        of = by_task.setdefault(s.task, [])
        if of and of[-1].id == s.id:
            raise UserError("two recordings of one name", where=s.task, value=s.id)
        of.append(s)
    return FdbScore(tasks={task: _mean(task, of) for task, of in by_task.items()}, items=tuple(scores))


def _mean(task: Task, of: Sequence[FdbItemScore]) -> FdbTaskScore:
    scored = [s for s in of if s.takeover is not None]
    late = [s.latency for s in scored if s.latency is not None]
    often = [s.frequency for s in scored if s.frequency is not None]
    apart = [s.jsd for s in scored if s.jsd is not None]
    return FdbTaskScore(
        task=task,
        expected=len(of),
        scored=len(scored),
        takeovers=sum(bool(s.takeover) for s in scored),
        takeover_rate=fmean(bool(s.takeover) for s in scored) if scored else None,
        latency=fmean(late) if late else None,
        frequency=fmean(often) if often else None,
        jsd=fmean(apart) if apart else None,
        compared=len(apart),
        unscored=tuple(s.id for s in of if s.takeover is None),
    )


def read_distributions(path: Path) -> Mapping[str, tuple[float, ...]]:
    """People's backchannels by recording, ``{"id": [share of each bin, ...]}``: the benchmark's own file or another.

    Shares are not negative and not all zero; they need not sum to 1.
    """
    try:
        value = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"not JSON: {str(error)[:100]}", where=str(path)) from None
    if not isinstance(value, dict):
        raise UserError("no distributions", where=str(path), allowed='{"id": [share, ...]}')
    for id, shares in value.items():
        fine = isinstance(shares, list) and all(
            isinstance(x, (int, float)) and not isinstance(x, bool) and 0 <= x < math.inf for x in shares
        )
        if not fine or not any(shares):
            raise UserError(
                "no distribution", where=f"{path}: {id}", value=shares, allowed="numbers from 0, some above"
            )
    return {str(id): tuple(float(x) for x in shares) for id, shares in value.items()}
