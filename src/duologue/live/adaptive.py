"""A user who listens: the turns of a dialogue, each begun when what the system really does calls for it.

The dialogue says who speaks, what follows what, and how long people wait; the call says when. Every turn is cut from
the dialogue's own microphone channel, and the background of that channel goes on between the turns. Nothing is drawn
here: all waiting times are the dialogue's own, so the same behaviour of a system meets the same user. How each turn is
begun is told in docs/live-harness.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.corpus.event import RealisedEvent
from duologue.corpus.observation import SentTurn
from duologue.corpus.read import OpenDialogue
from duologue.corpus.turn import Turn
from duologue.errors import UserError
from duologue.live.heard import Heard
from duologue.live.source import RATE, resampled
from duologue.live.without_echo import user_channel
from duologue.systems.arrival import Int16

Floats = npt.NDArray[np.float32]

# Crossfades between background and turns, and what of the background is kept around a turn (s).
_FADE, _BEFORE, _AFTER = 0.01, 0.05, 0.1
# Stretches of background shorter than this are not worth a seam.
_SHORTEST = 0.1
# A reply may begin this long before the user's turn is over; what begins in the turn's first moments is none (s).
_EARLY, _REFLEX = 0.5, 0.2
# An answer is heard for at least this long before anything is said into it.
_HEARD = 0.4
# Share of the shortest whole answer so far by which a turn into an answer begins at the latest.
_INSIDE = 0.6
# Nobody in the user's room speaks over another (s).
_GAP = 0.15
# Less than this (s) is not yet an answer but a filler before one.
_FILLER = 1.0


class AdaptiveSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All in seconds. ``patience``: an answer that has not begun by then is given up. ``longest``: into an answer that
    lasts longer the user goes on speaking. ``settle``: the system has yielded the floor once it was silent for so long;
    the dialogue's own floor-transfer offset, where positive, is added. ``over``: an answer has ended once it was silent
    for so long (2.5 times as long after a filler). ``latest``: what is said into an answer begins at the latest this
    long after its onset, so that short answers are met too.
    """

    patience: float = 8.0
    longest: float = 20.0
    settle: float = 0.8
    over: float = 1.2
    latest: float = 2.5

    def __post_init__(self) -> None:
        for field, low, high in (
            ("patience", 0.5, 60),
            ("longest", 1, 600),
            ("settle", 0.2, 5),
            ("over", 0.3, 10),
            ("latest", 0.5, 60),
        ):
            value = getattr(self, field)
            if not low <= value <= high:
                raise UserError("out of range", field=field, value=value, allowed=f"{low}..{high}")


@dataclass(frozen=True, slots=True)
class _Cue:
    """One turn and what it waits for. ``gap`` (s) is its distance in the dialogue from ``after``: from the start of the
    recording, the end of the turn before it in the user's room, the end of the reference answer, or the onset of that.
    ``asked`` is the turn whose answer is meant (position in the list of cues), ``apart`` the distance (s) from the turn
    before it in the user's room."""

    turn: Turn
    after: Literal["start", "room", "answer", "onset"]
    gap: float
    asked: int | None
    # Samples of the main audio: where the piece is cut, and the stretches of speech in it.
    cut: tuple[int, int]
    spans: tuple[tuple[int, int], ...]
    silences: bool
    apart: float = 0.0

    @property
    def end(self) -> int:
        return self.spans[-1][1]


@dataclass(slots=True)
class _Played:
    """A cue as it was played: the first sample of its piece, and where its speech lies, in seconds."""

    at: int
    start: float
    end: float


class Adaptive:
    """See the module. A :class:`duologue.live.source.Source` for one call at ``rate`` Hz."""

    def __init__(self, item: OpenDialogue, rate: int, settings: AdaptiveSettings = AdaptiveSettings()) -> None:
        self.rate, self.settings = rate, settings
        self._main = item.file("main")
        self._own_rate = self._main.sample_rate
        self._dialogue = item.dialogue
        self._cues = _cues(item)
        self._bed, self._pieces = _sounds(item, self._cues, rate)
        self._played: dict[int, _Played] = {}
        self._next = 0
        self._last: int | None = None
        self._whole_answers: list[float] = []
        self._realised: list[RealisedEvent] = []
        self.not_exercised: dict[str, str] = {}

    @property
    def seconds(self) -> float:
        """Each turn, with the longest that is waited before it, and the last wait."""
        s = self.settings
        spoken = sum((c.cut[1] - c.cut[0]) / self._own_rate + max(c.gap, 0.0) for c in self._cues)
        return spoken + (len(self._cues) + 1) * (s.patience + s.longest + s.settle + 2.5 * s.over)

    @property
    def sent(self) -> tuple[SentTurn, ...]:
        rows = []
        for k, played in self._played.items():
            c = self._cues[k]
            rows += [SentTurn(c.turn.index, self._clock(played, c, a), self._clock(played, c, b)) for a, b in c.spans]
        return tuple(sorted(rows, key=lambda s: (s.start, s.turn)))

    @property
    def realised(self) -> tuple[RealisedEvent, ...]:
        return tuple(self._realised)

    def frame(self, start: int, size: int, heard: Heard) -> Int16 | None:
        if self._next < len(self._cues):
            self._decide(start, size, heard)
        elif start >= self._room_free() and self._done(heard):
            return None
        return self._mix(start, size)

    # -- what is heard ----------------------------------------------------------------------------------------------

    def _mix(self, start: int, size: int) -> Int16:
        places = np.arange(start, start + size)
        out = self._bed[places % len(self._bed)].astype(np.float32)
        if self._last is not None:
            at, piece = self._played[self._last].at, self._pieces[self._last]
            a, b = max(start, at), min(start + size, at + len(piece))
            if a < b:
                part = piece[a - at : b - at].astype(np.float32)
                here = slice(a - start, b - start)
                share = _envelope(np.arange(a - at, b - at), len(piece), max(1, round(_FADE * self.rate)))
                out[here] = out[here] * np.sqrt(1.0 - share**2) + part * share
        frame: Int16 = np.clip(np.rint(out), -32_768, 32_767).astype(np.int16)
        return frame

    def _clock(self, played: _Played, cue: _Cue, at: int) -> int:
        """Sample ``at`` of the main audio, which lies in the piece of ``cue``, on the run's clock."""
        return round(played.at * RATE / self.rate + (at - cue.cut[0]) * RATE / self._own_rate)

    def _room_free(self) -> int:
        """The sample at which the piece played last is over."""
        return 0 if self._last is None else self._played[self._last].at + len(self._pieces[self._last])

    # -- when it is time --------------------------------------------------------------------------------------------

    def _decide(self, start: int, size: int, heard: Heard) -> None:
        """Begin the next turn if its piece should begin in this frame; leave out what can no longer happen."""
        while self._next < len(self._cues):
            cue = self._cues[self._next]
            if self._orphan(cue):
                self._leave(cue, "what it follows was not played")
                continue
            due = self._due(cue, heard)
            if isinstance(due, str):
                if self._still_said(cue):
                    self._not_exercised(cue, due)
                    self._play(cue, max(start, self._room_free()), exercised=False)
                else:
                    self._leave(cue, due)
                    continue
            elif due is not None and due < start + size:
                at = max(start, round(due))
                if at >= self._room_free():
                    self._play(cue, at)
            return

    def _due(self, cue: _Cue, heard: Heard) -> float | str | None:
        """The sample at which the piece of ``cue`` should begin; None while that is open; why, if it never will."""
        before = (cue.spans[0][0] - cue.cut[0]) / self._own_rate
        room = 0.0 if self._last is None else self._played[self._last].end
        if cue.after == "start" or self._last is None:
            return (max(cue.gap, before) - before) * self.rate
        earliest = max(room + min(max(cue.apart, _GAP), 1.0), self._room_free() / self.rate)
        when: float | str | None
        if cue.after == "room":
            when = room + max(cue.gap, 0.0)
            if self._cues[self._last].silences:
                when = self._floor(heard, self._last, when) if heard.now >= when else None
        elif cue.after == "answer":
            when = self._answered(cue, heard)
        else:
            when = self._inside(cue, heard, earliest)
        if not isinstance(when, float):
            return when
        return (when - before) * self.rate

    def _floor(self, heard: Heard, last: int, when: float) -> float | None:
        """After the system was told to be silent: once it is, or the user is tired of waiting for that."""
        silent = heard.silent_since
        if silent is not None and heard.now >= silent + self.settings.settle:
            return max(when, heard.now)
        return heard.now if heard.now >= self._played[last].end + self.settings.longest else None

    def _answered(self, cue: _Cue, heard: Heard) -> float | None:
        s = self.settings
        answer = self._answer(cue.asked, heard)
        waited = heard.now - self._played[self._last].end if self._last is not None else heard.now
        if answer is None:
            return heard.now if waited >= s.patience and heard.silent_since is not None else self._tired(waited, heard)
        onset, end, voiced = answer
        if end is None:
            return self._tired(min(waited, heard.now - onset), heard)
        if heard.now >= end + (2.5 * s.over if voiced < _FILLER else 0.0) + s.settle + max(cue.gap, 0.0):
            self._whole_answers.append(end - onset)
            return heard.now
        return None

    def _tired(self, waited: float, heard: Heard) -> float | None:
        return heard.now if waited >= self.settings.longest else None

    def _inside(self, cue: _Cue, heard: Heard, earliest: float) -> float | str | None:
        """Into an answer: as long after its onset as in the dialogue, or sooner where it may not last so long."""
        s = self.settings
        answer = self._answer(cue.asked, heard)
        asked = self._played[cue.asked].end if cue.asked is not None and cue.asked in self._played else 0.0
        if answer is None:
            if heard.now >= asked + s.patience:
                return f"the system did not answer within {s.patience:g} s"
            return None
        onset, end, voiced = answer
        latest = min([s.latest, *(_INSIDE * w for w in self._whole_answers)])
        due = max(onset + max(_HEARD, min(cue.gap, latest)), earliest if onset < earliest else 0.0)
        if end is not None and heard.now >= end + (2.5 if voiced < _FILLER else 1.0) * s.over:
            return f"the answer was over after {end - onset:.1f} s, before anything could be said into it"
        if heard.now + (cue.spans[0][0] - cue.cut[0]) / self._own_rate < due:
            return None
        # Into a breath between two sentences nobody interrupts: wait until the system sounds again.
        return max(due, heard.now) if _sounding(heard) else None

    def _answer(self, asked: int | None, heard: Heard) -> tuple[float, float | None, float] | None:
        """Onset of the answer to cue ``asked``, its end so far (None while the system speaks), and for how long it was
        heard; None before it begins.

        Talk that goes on from before that turn counts once the turn is over: the user cannot tell it from an answer.
        """
        if asked is None or asked not in self._played:
            return None
        turn = self._played[asked]
        first = max(turn.start + _REFLEX, turn.end - _EARLY)
        voice = [
            (max(a, turn.end if a < first else a), b)
            for a, b in heard.voice
            if a >= first or (b is None and heard.now > turn.end + self.settings.over)
        ]
        if not voice:
            return None
        return voice[0][0], voice[-1][1], sum((b if b is not None else heard.now) - a for a, b in voice)

    def _done(self, heard: Heard) -> bool:
        """Whether nothing more is to be waited for after the last turn."""
        if self._last is None:
            return True
        s, last = self.settings, self._cues[self._last]
        waited = heard.now - self._played[self._last].end
        silent = heard.silent_since
        quiet = silent is not None and heard.now - silent >= s.settle + s.over
        if waited >= s.longest:
            return True
        if _wants_reply(self._dialogue.turns, last.turn, self._main.id):
            answer = self._answer(self._last, heard)
            if answer is not None and answer[2] >= _FILLER:
                return quiet
        return quiet and waited >= s.patience

    # -- what happened ----------------------------------------------------------------------------------------------

    def _play(self, cue: _Cue, at: int, *, exercised: bool = True) -> None:
        start = at / self.rate + (cue.spans[0][0] - cue.cut[0]) / self._own_rate
        end = at / self.rate + (cue.end - cue.cut[0]) / self._own_rate
        played = _Played(at, start, end)
        self._played[self._next] = played
        self._last = self._next
        self._next += 1
        if not exercised:
            return
        kept = {r.event: r for r in self._dialogue.realised if r.audio == self._main.id}
        for e in self._dialogue.events:
            r = kept.get(e.id)
            if e.target_turn != cue.turn.index:
                continue
            if r is None or not cue.cut[0] <= r.start <= r.end <= cue.cut[1]:
                self.not_exercised[e.id] = "the dialogue does not say where it lies in its turn"
                continue
            self._realised.append(
                RealisedEvent(
                    event=e.id,
                    audio=r.audio,
                    channel=r.channel,
                    start=self._clock(played, cue, r.start),
                    end=self._clock(played, cue, r.end),
                )
            )

    def _still_said(self, cue: _Cue) -> bool:
        """Words that want an answer are said even where there is nothing left to interrupt."""
        wants = [e for e in self._dialogue.events if e.target_turn == cue.turn.index and "respond" in e.expected]
        return cue.turn.role == "user" and cue.turn.kind in ("turn", "interruption") and bool(wants)

    def _orphan(self, cue: _Cue) -> bool:
        """Whether ``cue`` goes on from the turn before it in the user's room, and that was left out."""
        follows = cue.after == "room" and (cue.turn.role == "addressee" or cue.turn.kind == "others_directed")
        return follows and self._next - 1 not in self._played

    def _leave(self, cue: _Cue, why: str) -> None:
        self._not_exercised(cue, why)
        self._next += 1

    def _not_exercised(self, cue: _Cue, why: str) -> None:
        for e in self._dialogue.events:
            if e.target_turn == cue.turn.index:
                self.not_exercised[e.id] = why


def adaptive(item: OpenDialogue, rate: int, settings: AdaptiveSettings = AdaptiveSettings()) -> Adaptive:
    """An adaptive user for ``item``. UserError where its audio cannot be read or nobody speaks in the microphone."""
    return Adaptive(item, rate, settings)


# -- the plan ---------------------------------------------------------------------------------------------------------


_Row = tuple[Turn, tuple[tuple[int, int], ...]]


def _cues(item: OpenDialogue) -> list[_Cue]:
    """The turns of the user's room in order of time, each with what it waits for."""
    d, main = item.dialogue, item.file("main")
    rate = main.sample_rate
    mic = next((k for k, c in enumerate(main.channels) if c.kind == "user-mic"), 0)
    room: list[_Row] = []
    system: list[_Row] = []
    for t in d.turns:
        spans = tuple(sorted((s.start, s.end) for s in t.segments if s.audio == main.id))
        if not spans:
            continue
        if t.role == "system":
            system.append((t, spans))
        elif any(s.channel == mic for s in t.segments):
            room.append((t, spans))
    for rows in (room, system):
        rows.sort(key=lambda row: (row[1][0][0], row[0].index))
    if not room:
        raise UserError("nobody speaks in the user's microphone", where=f"dialogue {d.id}")
    aimed = {e.target_turn for e in d.events if not e.halts}
    silencing = {e.target_turn for e in d.events if "wait" in e.expected and "respond" not in e.expected}
    tail = round((_AFTER + min(d.acoustics.rt60, 0.6)) * rate)
    cues: list[_Cue] = []
    for k, (t, spans) in enumerate(room):
        start = spans[0][0]
        # Halfway to the neighbours in the room at most.
        low = (room[k - 1][1][-1][1] + start) // 2 if k else 0
        high = (spans[-1][1] + room[k + 1][1][0][0] + 1) // 2 if k + 1 < len(room) else main.length
        cut = max(low, start - round(_BEFORE * rate), 0), min(max(high, spans[-1][1]), spans[-1][1] + tail, main.length)
        cut = min(cut[0], start), max(cut[1], spans[-1][1])
        apart = (start - room[k - 1][1][-1][1]) / rate if k else 0.0
        waits = _waits_for(k, room, system, t.index in aimed, rate)
        cues.append(_Cue(t, *waits, cut, spans, t.index in silencing, apart))
    return cues


def _waits_for(
    k: int, room: list[_Row], system: list[_Row], aimed: bool, rate: int
) -> tuple[Literal["start", "room", "answer", "onset"], float, int | None]:
    """What turn ``k`` of the room waits for, how long after it (s) it comes in the dialogue, and who asked for it."""
    t, spans = room[k]
    start = spans[0][0]
    if not k:
        return "start", start / rate, None
    chained: tuple[Literal["room"], float, None] = "room", (start - room[k - 1][1][-1][1]) / rate, None
    before = [r for r in system if r[1][0][0] < start]
    if t.role == "addressee" or not before:
        return chained
    host = next((r for r in before if r[0].index == t.inside_turn), None)
    if host is None and (aimed or t.kind != "turn"):
        host = next((r for r in before if start < r[1][-1][1]), None)
    onset, end = (host or before[-1])[1][0][0], (host or before[-1])[1][-1][1]
    asked = [j for j, (other, s) in enumerate(room) if s[0][0] < onset and _takes_floor(other)]
    if host is not None and asked:
        return "onset", (start - onset) / rate, asked[-1]
    since = room[asked[-1] + 1 : k] if asked else room[:k]
    # The answer was used up by a turn that took the floor after it had begun, or somebody spoke after its end.
    if not asked or any(_takes_floor(other) or s[0][0] > end - _EARLY * rate for other, s in since):
        return chained
    return "answer", (start - end) / rate, asked[-1]


def _takes_floor(turn: Turn) -> bool:
    return turn.role == "user" and turn.kind in ("turn", "interruption")


def _wants_reply(turns: tuple[Turn, ...], last: Turn, audio: str) -> bool:
    """Whether the reference system speaks up after turn ``last`` has begun."""
    begun = min(s.start for s in last.segments if s.audio == audio)
    own = (min((s.start for s in t.segments if s.audio == audio), default=-1) for t in turns if t.role == "system")
    return any(start > begun for start in own)


# -- the sounds -------------------------------------------------------------------------------------------------------


def _sounds(item: OpenDialogue, cues: list[_Cue], rate: int) -> tuple[Int16, list[Int16]]:
    """The background, as a loop, and the piece of each cue, int16 at ``rate``, without the reference system's echo."""
    mic, own_rate = user_channel(item)
    bed = _loop(mic, sorted((c.cut[0], c.cut[1]) for c in cues), own_rate)
    return resampled(bed, own_rate, rate), [resampled(mic[c.cut[0] : c.cut[1]], own_rate, rate) for c in cues]


def _loop(mic: Int16, busy: list[tuple[int, int]], rate: int) -> Int16:
    """What the microphone hears where nobody speaks, its stretches joined by crossfades into a loop without a seam.

    The longest stretch alone where none is long enough, and the quietest 0.1 s where somebody always speaks.
    """
    edges = [0]
    for a, b in busy:
        edges += [max(a, edges[-1]), max(b, edges[-1])]
    edges.append(max(len(mic), edges[-1]))
    spans = [(a, min(b, len(mic))) for a, b in zip(edges[::2], edges[1::2], strict=True) if b > a]
    fade = round(_FADE * rate)
    long = [s for s in spans if s[1] - s[0] >= max(_SHORTEST * rate, 3 * fade)]
    if not long:
        size = min(len(mic), round(_SHORTEST * rate))
        starts = range(0, max(1, len(mic) - size), max(1, size // 2))
        quiet = min(starts, key=lambda a: float(np.abs(mic[a : a + size].astype(np.float32)).mean()))
        long = [max(spans, key=lambda s: s[1] - s[0], default=(quiet, quiet + size))]
        if long[0][1] - long[0][0] < 3 * fade:
            long = [(quiet, quiet + size)]
    parts = [mic[a:b].astype(np.float32) for a, b in long]
    fade = min(fade, min(len(p) for p in parts) // 3)
    rise = np.sin(np.linspace(0, np.pi / 2, fade, endpoint=False, dtype=np.float32))
    fall = np.cos(np.linspace(0, np.pi / 2, fade, endpoint=False, dtype=np.float32))
    out: list[Floats] = []
    for k, part in enumerate(parts):
        # Each part ends in the beginning of the next, the last in that of the first.
        following = parts[(k + 1) % len(parts)]
        body = part[fade:].copy()
        if fade:
            body[-fade:] = body[-fade:] * fall + following[:fade] * rise
        out.append(body)
    loop: Int16 = np.clip(np.rint(np.concatenate(out)), -32_768, 32_767).astype(np.int16)
    return loop


def _envelope(places: npt.NDArray[np.int64], length: int, fade: int) -> Floats:
    """How much of a piece of ``length`` samples is heard at ``places`` of it, 0 to 1: equal power at both ends."""
    near = np.minimum(places + 1, length - places) / (fade + 1)
    share: Floats = np.sin(np.minimum(near, 1.0) * (np.pi / 2)).astype(np.float32)
    return share


def _sounding(heard: Heard) -> bool:
    """Whether the system was to be heard in the last tenth of a second."""
    last = heard.sound(max(0.0, heard.now - 0.1), heard.now)
    return heard.speaking_since is not None and bool(len(last)) and int(np.abs(last.astype(np.int32)).max()) >= 184
