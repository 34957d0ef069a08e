"""When each line is spoken: floor transfers, overlaps, pauses, the system's reaction."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

import msgspec

from duologue.corpus.speaker import Role
from duologue.corpus.turn import TurnKind
from duologue.generate.range import Range, check_range, check_share
from duologue.generate.seeds import stream


class Offsets(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A distribution of floor-transfer offsets in seconds (negative: speech overlaps).

    ``quantiles`` are (probability, seconds) pairs, joined by straight lines, so that the table measured on any
    corpus can be pasted in. ``dyad`` is the share of the variance (0 to 1) that one pair of speakers keeps
    throughout the corpus: quick pairs stay quick, while all pairs together still follow the table.
    ``max_overlap`` bounds the overlap of an ordinary turn: a longer one would be an interruption, which is an
    event. ``source`` says where the figures come from.
    """

    quantiles: tuple[tuple[float, float], ...]
    dyad: float
    max_overlap: float
    source: str = ""

    def __post_init__(self) -> None:
        if len(self.quantiles) < 2:
            raise ValueError("quantiles: at least two (probability, seconds) pairs are needed")
        for (p, x), (q, y) in pairwise(self.quantiles):
            if not (0.0 <= p < q <= 1.0 and x <= y):
                raise ValueError(f"quantiles: ({p:g}, {x:g}) and ({q:g}, {y:g}) do not rise inside [0, 1]")
        check_range("quantiles", (self.quantiles[0][1], self.quantiles[-1][1]), -5.0, 10.0)
        check_share("dyad", self.dyad)
        check_range("max_overlap", (self.max_overlap,) * 2, 0.0, 2.0)


OFFSETS_EN = Offsets(
    quantiles=((0.0, -0.5), (0.05, -0.4), (0.25, -0.12), (0.5, 0.08), (0.75, 0.42), (0.95, 1.2), (1.0, 2.2)),
    dyad=0.2,
    max_overlap=0.5,
    source=(
        "median +80 ms: CANDOR, two-party English; spread: half of AMI's 25-95% (-480/+680/+1780 ms about +150), an "
        "assumption for two-party talk; overlap bounded, since longer ones are interruption events"
    ),
)
OFFSETS_ZH = Offsets(
    quantiles=((0.0, -0.5), (0.05, -0.42), (0.25, -0.15), (0.5, 0.05), (0.75, 0.38), (0.95, 1.1), (1.0, 2.2)),
    dyad=0.2,
    max_overlap=0.5,
    source="assumption: the English table moved 30 ms towards overlap; no Mandarin offset table was found",
)
REPLY = Offsets(
    quantiles=((0.0, 0.2), (0.25, 0.35), (0.5, 0.48), (0.75, 0.65), (1.0, 0.9)),
    dyad=0.3,
    max_overlap=0.0,
    source="assumption: a responsive system, 200-900 ms",
)


class TimingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All in seconds but ``interruption_at`` and ``overlap_at``, which are shares of the answer spoken over.

    ``en`` and ``zh`` are the user's offsets after the system's turns; ``reply`` the reference system's after the
    user's. ``reaction`` runs from the onset of an interruption to the first sample of the system's fade, and
    ``fade`` is how long the fade lasts. ``pause`` is a pause in the middle of a clause. ``aside_gap`` stands
    between the user's turns to different people and between the user's own sentences, ``bystander_gap`` before
    and after third-party speech, ``resume_gap`` between a request to be silent and the user's next turn.
    ``lead_in`` and ``lead_out`` are room tone at the ends of the file.
    """

    en: Offsets = OFFSETS_EN
    zh: Offsets = OFFSETS_ZH
    reply: Offsets = REPLY
    lead_in: Range = (0.4, 1.5)
    lead_out: Range = (0.6, 2.0)
    interruption_at: Range = (0.2, 0.8)
    overlap_at: Range = (0.1, 0.85)
    reaction: Range = (0.2, 0.7)
    fade: Range = (0.02, 0.12)
    pause: Range = (0.3, 2.5)
    aside_gap: Range = (0.3, 1.2)
    bystander_gap: Range = (0.2, 1.2)
    resume_gap: Range = (1.5, 5.0)

    def __post_init__(self) -> None:
        for name, low, high in (
            ("lead_in", 0.2, 30.0),
            ("lead_out", 0.2, 60.0),
            ("interruption_at", 0.0, 1.0),
            ("overlap_at", 0.0, 1.0),
            ("reaction", 0.0, 5.0),
            ("fade", 0.005, 1.0),
            ("pause", 0.05, 10.0),
            ("aside_gap", 0.0, 10.0),
            ("bystander_gap", 0.0, 10.0),
            ("resume_gap", 0.0, 30.0),
        ):
            check_range(name, getattr(self, name), low, high)


@dataclass(frozen=True, slots=True)
class Utterance:
    """What timing knows of a line: samples at ``sample_rate``, counted from the onset of its speech.

    ``boundaries`` are the ends of its words, ``clause`` whether a clause ends there too. ``pauses`` are the places
    where the speaker halts; ``length`` counts speech alone. ``silences`` says that no answer to it is wanted.
    """

    role: Role
    kind: TurnKind
    length: int
    over: int | None = None
    boundaries: tuple[int, ...] = ()
    clause: tuple[bool, ...] = ()
    pauses: tuple[int, ...] = ()
    silences: bool = False


@dataclass(slots=True)
class Placement:
    """Where a line lies: ``start`` is the sample of its onset. ``pauses`` are lengths, one for each place.

    ``cut`` is (samples heard in full, samples of the fade after them) of a line that broke off. ``word`` is the
    index of the word of line ``over`` whose end timed this line, ``lag`` how many samples later it began.
    ``offset`` is the floor-transfer offset in samples, for ordinary turns after a turn of another speaker.
    """

    start: int
    pauses: tuple[int, ...] = ()
    cut: tuple[int, int] | None = None
    over: int | None = None
    word: int | None = None
    lag: int = 0
    offset: int | None = None
    length: int = 0

    @property
    def end(self) -> int:
        """One past the last sample of speech."""
        return self.start + (sum(self.cut) if self.cut else self.length + sum(self.pauses))


@dataclass(slots=True)
class Timeline:
    """One placement per line (None for a line without speech) and the number of samples of the file."""

    placements: list[Placement | None]
    length: int
    draws: dict[str, float] = field(default_factory=dict)


def quantile(table: Sequence[tuple[float, float]], share: float) -> float:
    """The value below which ``share`` of the distribution lies: straight lines between the table's points."""
    i = bisect_right(table, (share, math.inf))
    if i == 0:
        return table[0][1]
    if i == len(table):
        return table[-1][1]
    (p, x), (q, y) = table[i - 1], table[i]
    return x + (y - x) * (share - p) / (q - p)


def dyad_effect(*speakers: str) -> float:
    """How slow this pair of speakers is, as a standard normal value: the same in every dialogue of every corpus.

    Speakers of a pair resemble each other more than they resemble themselves with somebody else (Cavalcanti and
    Skantze 2025, "Dyadosyncrasy", on the Fisher corpus).
    """
    return stream(0, "dyad", *speakers).gauss(0.0, 1.0)


def draw_offset(offsets: Offsets, effect: float, rng: Random) -> float:
    """One floor-transfer offset in seconds for a dyad of ``effect`` (standard normal).

    Dyad and turn add up to a standard normal value, whose probability is looked up in the table: over many dyads
    the offsets follow the table exactly.
    """
    z = math.sqrt(offsets.dyad) * effect + math.sqrt(1.0 - offsets.dyad) * rng.gauss(0.0, 1.0)
    return max(-offsets.max_overlap, quantile(offsets.quantiles, 0.5 * (1.0 + math.erf(z / math.sqrt(2.0)))))


SAME_SPEAKER_GAP = 0.15  # s; nobody speaks over themselves
LATEST_LAG = 0.25  # s; how long after a word boundary a backchannel or bystander may begin
CLAUSE_SHARE = 0.6  # of backchannels wait for the end of a clause, where there is one


def arrange(
    lines: Sequence[Utterance],
    settings: TimingSettings,
    *,
    language: str,
    dyad: tuple[str, str],
    rng: Random,
    sample_rate: int,
) -> Timeline:
    """Put every line on the clock.

    Ordinary lines follow each other in order; a line ``over`` another begins on or just after the end of one of
    its words. An interruption begins on a word's end inside ``interruption_at`` of the answer, which breaks off
    after the drawn reaction. Where an answer is too short for that, the nearest boundary serves.
    """
    return _Clock(lines, settings, language, dyad, rng, sample_rate).run()


class _Clock:
    def __init__(
        self,
        lines: Sequence[Utterance],
        settings: TimingSettings,
        language: str,
        dyad: tuple[str, str],
        rng: Random,
        sample_rate: int,
    ) -> None:
        self.lines, self.settings, self.rng, self.rate = lines, settings, rng, sample_rate
        self.offsets = settings.zh if language == "zh" else settings.en
        self.effect = dyad_effect(*dyad)
        self.reply_effect = dyad_effect("reply", *dyad)
        n = len(lines)
        self.over = [
            x.over if x.over is not None and 0 <= x.over < n and x.over != i else None for i, x in enumerate(lines)
        ]
        self.placed: list[Placement | None] = [None] * n
        self.last: int | None = None  # the line that holds the floor
        self.room_end = 0  # last sample of speech so far in the user's room
        self.system_end = 0

    def draw(self, span: Range) -> int:
        return round(self.rng.uniform(*span) * self.rate)

    def run(self) -> Timeline:
        lead_in = self.draw(self.settings.lead_in)
        for i in self._order():
            line = self.lines[i]
            over = self.over[i]
            host = self.placed[over] if over is not None else None
            if not line.length:
                continue
            can = host is not None and over is not None and host.cut is None and self.lines[over].role != line.role
            if not (can and self._overlap(i, over, host)):  # type: ignore[arg-type]
                self._follow(i, lead_in)
        end = max((p.end for p in self.placed if p), default=lead_in)
        draws = {"lead_in": lead_in / self.rate, "user_dyad": self.effect, "reply_dyad": self.reply_effect}
        return Timeline(self.placed, end + self.draw(self.settings.lead_out), draws)

    def _order(self) -> list[int]:
        """Script order, but a line spoken over a later one comes right after that."""
        over = [i if o is None else o for i, o in enumerate(self.over)]
        return sorted(range(len(over)), key=lambda i: (max(i, over[i]), over[i] > i, i))

    def _follow(self, i: int, lead_in: int) -> None:
        line = self.lines[i]
        pauses = tuple(self.draw(self.settings.pause) for _ in line.pauses)
        place = Placement(start=lead_in, pauses=pauses, length=line.length)
        if self.last is not None:
            before = self.placed[self.last]
            assert before is not None
            place.start = before.end + self._gap(self.lines[self.last], line)
            quiet = round(SAME_SPEAKER_GAP * self.rate)
            if line.role == "system":
                place.start = max(place.start, self.system_end + quiet)
            elif self.room_end:
                place.start = max(place.start, self.room_end + quiet)
            if {self.lines[self.last].role, line.role} == {"user", "system"}:
                place.offset = place.start - before.end
        self.placed[i] = place
        self.last = i
        self._heard(line, place)

    def _heard(self, line: Utterance, place: Placement) -> None:
        if line.role == "system":
            self.system_end = max(self.system_end, place.end)
        else:
            self.room_end = max(self.room_end, place.end)

    def _gap(self, before: Utterance, line: Utterance) -> int:
        """Samples from the end of ``before`` to the onset of ``line``; negative where they overlap."""
        settings, roles = self.settings, (before.role, line.role)
        if roles == ("system", "user") and line.kind != "others_directed":
            offset = round(draw_offset(self.offsets, self.effect, self.rng) * self.rate)
            return max(offset, -(before.length * 2 // 5), -(line.length * 2 // 5))
        if line.role == "system" and before.role != "system":
            return round(draw_offset(settings.reply, self.reply_effect, self.rng) * self.rate)
        if roles == ("user", "user") and before.silences:
            return self.draw(settings.resume_gap)
        if "third_party" in roles:
            return self.draw(settings.bystander_gap)
        return self.draw(settings.aside_gap)

    def _overlap(self, i: int, over: int, host: Placement) -> bool:
        """Place line ``i`` over ``host``, the placement of line ``over``; False where it has no room there."""
        line, under = self.lines[i], self.lines[over]
        settings, rate = self.settings, self.rate
        stops = line.kind == "interruption"
        siblings = [j for j, other in enumerate(self.lines) if self.over[j] == over and other.length]
        rank, count = siblings.index(i), len(siblings)
        low, high = settings.interruption_at if stops else settings.overlap_at
        width = (high - low) / count
        own = (low + rank * width, low + (rank + 1) * width)
        reaction, fade = self.draw(settings.reaction), self.draw(settings.fade)
        aim = round(self.rng.uniform(*own) * under.length)
        at_clause = line.kind == "backchannel" and self.rng.random() < CLAUSE_SHARE
        lag = 0 if stops else round(self.rng.uniform(0.0, LATEST_LAG) * rate)
        pauses = tuple(self.draw(settings.pause) for _ in line.pauses)

        # Nobody in the user's room speaks over another there; an earlier sibling may still be speaking.
        earliest = max(1, self.room_end + round(SAME_SPEAKER_GAP * rate) - host.start)
        latest = under.length - (reaction + fade + rate // 10 if stops else 1)
        ends = under.boundaries[:-1]

        def between(low: float, high: float, clauses: bool = False) -> list[int]:
            span = max(low, earliest), min(high, latest)
            return [w for w, x in enumerate(ends) if span[0] <= x <= span[1] and (not clauses or under.clause[w])]

        size = under.length
        words = (
            (at_clause and between(own[0] * size, own[1] * size, True))
            or between(own[0] * size, own[1] * size)
            or between(low * size, high * size)
            or between(0, size)
        )
        word = min(words, key=lambda w: abs(ends[w] - aim)) if words else None
        at = ends[word] if word is not None else max(min(aim, latest), earliest)
        if at >= size:
            return False
        at += sum(p for p, x in zip(host.pauses, under.pauses, strict=True) if x <= at)
        place = Placement(start=host.start + at + lag, pauses=pauses, over=over, word=word, lag=lag, length=line.length)
        self.placed[i] = place
        if stops:
            left = host.end - host.start - at
            fade = max(1, min(fade, left // 2))
            host.cut = (at + max(0, min(reaction, left - fade - 1)), fade)
            self.last = i
            self.system_end = host.end
        self._heard(line, place)
        return True
