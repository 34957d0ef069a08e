"""A dialogue as tiers, and the dialogue again as the tiers say it, whatever a person has changed in them.

Tiers are named ``SPEAKER turns``, ``SPEAKER words``, ``SPEAKER emotion``, ``events``, ``reactions`` and ``marks``;
where intervals of one tier would overlap, a second is named ``... 2``. Times are those of the dialogue's main audio.

    turns      ``3: what is said``, ``4 backchannel: mhm``; further stretches of turn 3 are ``3+:``. A label without a
               number is a new turn
    words      one word a label; it must stand in its turn's text
    emotion    ``happy 2``: label and intensity, at the turn
    events     ``e0 pause``: id and kind of an event, where it really lies; reactions: ``e0``
    marks      ``n3: label`` of a time annotation; a label without a known id is a new one
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

import msgspec

from duologue.corpus.annotation import (
    CauseAnnotation,
    EmotionAnnotation,
    RaterType,
    ShiftAnnotation,
    TimeAnnotation,
    TimeMark,
)
from duologue.corpus.audio import Audio
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.emotion import DUOLOGUE, EmotionValue, Taxonomy
from duologue.corpus.event import RealisedEvent
from duologue.corpus.invariants import breaches
from duologue.corpus.scenario import Scenario
from duologue.corpus.speaker import Speaker
from duologue.corpus.truth import emotions, shifts
from duologue.corpus.turn import Segment, Turn, TurnKind, Word
from duologue.corpus.write import is_main
from duologue.errors import UserError
from duologue.formats.textgrid.grid import SLACK, Interval, TextGrid, Tier, layers

KINDS: tuple[TurnKind, ...] = get_args(TurnKind)
_NAME = re.compile(r"(?:(?P<speaker>.+) (?P<own>turns|words|emotion)|(?P<all>events|reactions|marks))(?: \d+)?", re.S)
_TURN = re.compile(rf"(?P<number>\d+)(?P<more>\+)?(?: (?P<kind>{'|'.join(KINDS)}))?:\s?(?P<text>.*)", re.S)
_NEW = re.compile(rf"(?P<kind>{'|'.join(KINDS)}):\s?(?P<text>.*)", re.S)


def main_audio(d: Dialogue) -> Audio | None:
    """The audio whose clock the tiers use; None for a dialogue of text alone."""
    return next((a for a in d.audio if is_main(a)), None)


def grid_of(d: Dialogue) -> TextGrid:
    """The tiers of a dialogue's main audio; ValueError where it has none."""
    audio = main_audio(d)
    if audio is None:
        raise ValueError(f"dialogue {d.id} has no audio")
    rate = audio.sample_rate
    tiers: list[Tier] = []

    def add(name: str, intervals: Iterable[tuple[int, int, str]]) -> None:
        dealt = layers([Interval(a / rate, b / rate, text) for a, b, text in intervals])
        for k, layer in enumerate(dealt or [[]], 1):
            tiers.append(Tier(name=name if k == 1 else f"{name} {k}", intervals=tuple(layer)))

    felt = emotions(d)
    for speaker in d.speakers:
        own = [t for t in d.turns if t.speaker == speaker.id]
        add(f"{speaker.id} turns", [row for t in own for row in _stretches(t, audio.id)])
        if any(t.words for t in own):
            add(f"{speaker.id} words", [(w.start, w.end, w.text) for t in own if _on(t, audio.id) for w in t.words])
        if d.track == "emotion" or any(t.index in felt for t in own):
            judged = [(t, felt[t.index], _on(t, audio.id)) for t in own if t.index in felt]
            add(f"{speaker.id} emotion", [(s[0].start, s[-1].end, _feeling(v)) for _, v, s in judged if s])
    kinds = {e.id: e.kind for e in d.events}
    here = [r for r in d.realised if r.audio == audio.id]
    if d.events:
        add("events", [(r.start, r.end, f"{r.event} {kinds.get(r.event, '')}") for r in here])
    if any(r.reaction for r in here):
        add("reactions", [(*r.reaction, r.event) for r in here if r.reaction])
    marked = [a for a in d.annotations if isinstance(a, TimeAnnotation) and a.value.audio == audio.id]
    add("marks", [(a.value.start, a.value.end, f"{a.id}: {a.value.label}") for a in marked])
    return TextGrid(end=audio.length / rate, tiers=tuple(tiers))


def apply(
    d: Dialogue,
    grid: TextGrid,
    *,
    rater: str = "textgrid",
    rater_type: RaterType = "human",
    taxonomy: Taxonomy = DUOLOGUE,
    scenarios: Sequence[Scenario] = (),
    where: str = "",
) -> Dialogue:
    """``d`` as ``grid`` says it; ``d`` itself where nothing was changed.

    A tier that is missing leaves what it would hold as it is. Changed or new word times count as estimated; a changed
    emotion is a further annotation by ``rater``, and shifts are derived anew. Turns are numbered again in order of
    time, and all that refers to them follows. Causes stay on the words that they named.

    Raises UserError for a tier, speaker, event or number that ``d`` does not know, a word that is not in its turn's
    text, a turn taken away that something else needs, and whatever else would break the corpus's invariants.
    """
    audio = main_audio(d)
    if audio is None:
        raise UserError("the dialogue has no audio", where=where or f"dialogue {d.id}")
    change = _Change(d, audio, _sorted_out(d, grid, where), where or f"dialogue {d.id}", rater, rater_type, taxonomy)
    changed = change.made()
    if changed == d:
        return d
    before = {b[0] for b in breaches(d, taxonomy, scenarios)}
    for field, value, allowed, message in breaches(changed, taxonomy, scenarios):
        if field not in before:
            raise UserError(message, where=where or f"dialogue {d.id}", field=field, value=value, allowed=allowed)
    return changed


def _on(t: Turn, audio: str) -> list[Segment]:
    return [s for s in t.segments if s.audio == audio]


def _stretches(t: Turn, audio: str) -> list[tuple[int, int, str]]:
    kind = "" if t.kind == "turn" else f" {t.kind}"
    return [
        (s.start, s.end, f"{t.index}{kind}: {t.text}" if k == 0 else f"{t.index}+:")
        for k, s in enumerate(_on(t, audio))
    ]


def _kind(said: re.Match[str] | None) -> TurnKind:
    named = said["kind"] if said else None
    return next((k for k in KINDS if k == named), "turn")


def _feeling(v: EmotionValue) -> str:
    return f"{v.label} {v.intensity}"


def _sorted_out(d: Dialogue, grid: TextGrid, where: str) -> dict[tuple[str, str], list[Interval]]:
    """(what, speaker) -> the intervals of its tiers; ``speaker`` is "" for what is not one speaker's."""
    speakers = [s.id for s in d.speakers]
    found: dict[tuple[str, str], list[Interval]] = {}
    for tier in grid.tiers:
        name = _NAME.fullmatch(tier.name)
        if name is None or tier.points or (name["own"] and name["speaker"] not in speakers):
            raise UserError(
                "unknown tier",
                where=where,
                field="tier",
                value=tier.name,
                allowed="events, reactions, marks, and turns, words, emotion of " + ", ".join(speakers),
            )
        key = (name["own"] or name["all"], name["speaker"] or "")
        found.setdefault(key, []).extend(tier.intervals)
    return {key: sorted(rows, key=lambda i: (i.start, i.end)) for key, rows in found.items()}


class _Draft(msgspec.Struct):
    """A turn while the tiers are read: its former self, if any, and its stretches of the main audio in samples."""

    old: Turn | None
    speaker: Speaker
    kind: TurnKind
    text: str | None = None
    spans: list[tuple[int, int]] = []
    words: list[tuple[str, int, int]] | None = None


class _Change:
    def __init__(
        self,
        d: Dialogue,
        audio: Audio,
        tiers: Mapping[tuple[str, str], list[Interval]],
        where: str,
        rater: str,
        rater_type: RaterType,
        taxonomy: Taxonomy,
    ) -> None:
        self.d, self.audio, self.tiers, self.where = d, audio, tiers, where
        self.rater, self.rater_type, self.taxonomy = rater, rater_type, taxonomy
        self.ids = {a.id for a in d.annotations}

    def error(self, what: str, **more: object) -> UserError:
        return UserError(what, where=self.where, **more)  # type: ignore[arg-type]

    def samples(self, i: Interval) -> tuple[int, int]:
        start, end = round(i.start * self.audio.sample_rate), round(i.end * self.audio.sample_rate)
        # An end that is rounded up past the last sample is the end.
        if end > self.audio.length and i.end <= self.audio.length / self.audio.sample_rate + 0.5 * 1e-3 + SLACK:
            end = self.audio.length
        if not start < end <= self.audio.length:
            raise self.error("not an interval of the audio", field=i.text, value=[i.start, i.end])
        return start, end

    def made(self) -> Dialogue:
        drafts = self.turns()
        self.words(drafts)
        # In order of time; a turn that the main audio does not hold stays behind the one before it.
        starts: dict[int, int] = {}
        for t in self.d.turns:
            first = next((s.start for s in _on(t, self.audio.id)), None)
            starts[t.index] = first if first is not None else starts.get(t.index - 1, 0)
        end = len(self.d.turns)
        drafts.sort(
            key=lambda x: (
                x.spans[0][0] if x.spans else starts[x.old.index] if x.old else 0,
                x.old.index if x.old else end,
            )
        )
        new = {x.old.index: i for i, x in enumerate(drafts) if x.old is not None}
        turns = tuple(self.turn(x, i, new) for i, x in enumerate(drafts))
        d = self.renumbered(msgspec.structs.replace(self.d, turns=turns), new)
        d = self.marked(self.felt(self.events(d)))
        return self.shifted(d)

    def turns(self) -> list[_Draft]:
        speakers = {s.id: s for s in self.d.speakers}
        given = {who for what, who in self.tiers if what == "turns"}
        drafts: dict[int, _Draft] = {}
        for t in self.d.turns:
            if t.speaker not in given or not _on(t, self.audio.id):
                spans = [(s.start, s.end) for s in _on(t, self.audio.id)]
                drafts[t.index] = _Draft(t, speakers[t.speaker], t.kind, t.text, spans)
        added: list[_Draft] = []
        for who in [s for s in speakers if s in given]:
            for i in self.tiers["turns", who]:
                span, said = self.samples(i), _TURN.fullmatch(i.text)
                if said is None:
                    fresh = _NEW.fullmatch(i.text)
                    text, kind = (fresh["text"], _kind(fresh)) if fresh else (i.text, _kind(None))
                    added.append(_Draft(None, speakers[who], kind, text.strip(), [span]))
                    continue
                number = int(said["number"])
                if number >= len(self.d.turns):
                    raise self.error(
                        "no such turn",
                        field=f"{who} turns",
                        value=i.text,
                        allowed=f"0..{len(self.d.turns) - 1}, or no number for a new turn",
                    )
                old = self.d.turns[number]
                x = drafts.setdefault(number, _Draft(old, speakers[who], _kind(said)))
                if x.speaker.id != who:
                    raise self.error("two speakers say one turn", field=f"{who} turns", value=i.text)
                if not said["more"]:
                    if x.text is not None:
                        raise self.error(
                            "a turn's number comes twice",
                            field=f"{who} turns",
                            value=i.text,
                            mend=f"write '{number}+:' where the turn goes on, or no number for a new turn",
                        )
                    x.text, x.kind = said["text"], _kind(said)
                x.spans.append(span)
        for number, x in drafts.items():
            if x.text is None:
                raise self.error("a turn goes on that has no beginning", value=f"{number}+:")
            x.spans.sort()
        return [*drafts.values(), *added]

    def words(self, drafts: list[_Draft]) -> None:
        """Deal each speaker's words to that speaker's turns by where most of them lies."""
        for who in {who for what, who in self.tiers if what == "words"}:
            own = [x for x in drafts if x.speaker.id == who and x.spans]
            dealt: list[list[tuple[str, int, int]]] = [[] for _ in own]
            for i in self.tiers["words", who]:
                start, end = self.samples(i)
                word = i.text.strip()
                # Of turns that overlap the word's is the one with such a word at that time before.
                fits = [
                    (
                        min(end, x.spans[-1][1]) - max(start, x.spans[0][0]),
                        any((w.text, w.start, w.end) == (word, start, end) for w in (x.old.words if x.old else ())),
                        k,
                    )
                    for k, x in enumerate(own)
                ]
                overlap, _, k = max(fits, key=lambda f: (f[1], f[0]), default=(0, False, 0))
                if overlap <= 0:
                    raise self.error("a word outside every turn", field=f"{who} words", value=i.text)
                dealt[k].append((word, start, end))
            for x, words in zip(own, dealt, strict=True):
                x.words = words

    def turn(self, x: _Draft, index: int, new: Mapping[int, int]) -> Turn:
        text, old = unicodedata.normalize("NFC", x.text or ""), x.old
        segments = tuple(
            Segment(audio=self.audio.id, channel=self.channel(x, k), start=a, end=b) for k, (a, b) in enumerate(x.spans)
        )
        if old is None:
            others = [s for s in self.d.speakers if s.id != x.speaker.id]
            return Turn(
                index=index,
                role=x.speaker.role,
                speaker=x.speaker.id,
                addressee=others[0].id if len(others) == 1 else "",
                language=x.speaker.languages[0] if x.speaker.languages else self.d.languages[0],
                text=text,
                segments=segments,
                words=self.spelled(text, x.words or [], ()),
                kind=x.kind,
            )
        elsewhere = tuple(s for s in old.segments if s.audio != self.audio.id)
        words = old.words
        if x.words is not None and (x.words != [(w.text, w.start, w.end) for w in old.words] or text != old.text):
            words = self.spelled(text, x.words, old.words)
        inside = old.inside_turn
        return msgspec.structs.replace(
            old,
            index=index,
            role=x.speaker.role,
            speaker=x.speaker.id,
            text=text,
            # The marks were those of other words.
            text_raw=old.text_raw if text == old.text else "",
            kind=x.kind,
            segments=old.segments if segments == tuple(_on(old, self.audio.id)) else segments + elsewhere,
            words=words,
            inside_turn=None if inside is None else new.get(inside),
        )

    def channel(self, x: _Draft, k: int) -> int:
        if x.old is not None and x.old.speaker == x.speaker.id and (own := _on(x.old, self.audio.id)):
            return own[min(k, len(own) - 1)].channel
        carrying = [i for i, c in enumerate(self.audio.channels) if x.speaker.id in c.speakers]
        return carrying[0] if carrying else 0

    def spelled(self, text: str, words: list[tuple[str, int, int]], old: Sequence[Word]) -> tuple[Word, ...]:
        """``words`` with their places in ``text``, in order; those as before keep where their times come from."""
        before = {(w.text, w.start, w.end): w for w in old}
        found, at = [], 0
        for word, start, end in words:
            known = before.get((word, start, end))
            place = text.find(word, at)
            if place < 0:
                raise self.error(
                    "a word that its turn's text does not have there", field="words", value=word, allowed=text
                )
            if known and known.char_start >= at and text[known.char_start : known.char_end] == word:
                place = known.char_start
            at = place + len(word)
            found.append(Word(word, place, at, start, end, known.source if known else "estimated"))
        return tuple(found)

    def renumbered(self, d: Dialogue, new: Mapping[int, int]) -> Dialogue:
        if list(new.items()) == [(t.index, t.index) for t in self.d.turns] and all(
            a.text == b.text for a, b in zip(d.turns, self.d.turns, strict=False)
        ):
            return d

        def to(index: int, field: str) -> int:
            if index not in new:
                raise self.error("a turn that is needed was taken away", field=field, value=index)
            return new[index]

        events = tuple(
            msgspec.structs.replace(
                e,
                trigger=msgspec.structs.replace(
                    e.trigger, reference_turn=to(e.trigger.reference_turn, f"{e.id}.trigger.reference_turn")
                ),
                target_turn=to(e.target_turn, f"{e.id}.target_turn"),
                context_end=to(e.context_end, f"{e.id}.context_end"),
                response_turn=None if e.response_turn is None else to(e.response_turn, f"{e.id}.response_turn"),
            )
            for e in d.events
        )
        probes = tuple(
            msgspec.structs.replace(
                p,
                turn=to(p.turn, f"{p.id}.turn"),
                target_turn=None if p.target_turn is None else to(p.target_turn, f"{p.id}.target_turn"),
            )
            for p in d.probes
        )
        kept = []
        for a in d.annotations:
            kind, _, index = a.target.partition(":")
            if kind == "turn":
                if int(index) not in new:
                    continue
                a = msgspec.structs.replace(a, target=f"turn:{new[int(index)]}")
            if isinstance(a, CauseAnnotation):
                v, before = a.value, self.d.turns[a.value.evidence_turn].text
                evidence = to(v.evidence_turn, f"{a.id}.evidence_turn")
                a = msgspec.structs.replace(
                    a,
                    value=msgspec.structs.replace(
                        v,
                        emotion_turn=to(v.emotion_turn, f"{a.id}.emotion_turn"),
                        evidence_turn=evidence,
                        span=self.moved(v.span, before, d.turns[evidence].text, a.id),
                    ),
                )
            elif isinstance(a, ShiftAnnotation):
                v2 = a.value
                if v2.from_turn not in new or v2.to_turn not in new:
                    continue
                a = msgspec.structs.replace(
                    a, value=msgspec.structs.replace(v2, from_turn=new[v2.from_turn], to_turn=new[v2.to_turn])
                )
            kept.append(a)
        return msgspec.structs.replace(d, events=events, probes=probes, annotations=tuple(kept))

    def moved(self, span: tuple[int, int], before: str, after: str, id: str) -> tuple[int, int]:
        if before == after:
            return span
        cited = before[slice(*span)]
        if after.count(cited) != 1:
            raise self.error("the words of a cause are no longer there, once", field=id, value=cited, allowed=after)
        at = after.index(cited)
        return at, at + len(cited)

    def events(self, d: Dialogue) -> Dialogue:
        if ("events", "") not in self.tiers and ("reactions", "") not in self.tiers:
            return d
        kinds = {e.id: e.kind for e in d.events}

        def id_of(i: Interval, tier: str) -> str:
            id, _, kind = i.text.strip().partition(" ")
            if id not in kinds or (kind and kind != kinds[id]):
                allowed = ", ".join(f"{e} {k}" for e, k in kinds.items())
                raise self.error(
                    "unknown event", field=tier, value=i.text, allowed=allowed, mend="put what is new on the tier marks"
                )
            return id

        old = {r.event: r for r in d.realised if r.audio == self.audio.id}
        places = {r.event: (r.start, r.end) for r in old.values()}
        reactions = {r.event: r.reaction for r in old.values()}
        if ("events", "") in self.tiers:
            places = {id_of(i, "events"): self.samples(i) for i in self.tiers["events", ""]}
        if ("reactions", "") in self.tiers:
            reactions = {id_of(i, "reactions"): self.samples(i) for i in self.tiers["reactions", ""]}
        realised = []
        for r in d.realised:
            if r.audio != self.audio.id:
                realised.append(r)
            elif r.event in places:
                start, end = places.pop(r.event)
                realised.append(msgspec.structs.replace(r, start=start, end=end, reaction=reactions.get(r.event)))
        targets = {e.id: d.turns[e.target_turn] for e in d.events}
        realised += [
            RealisedEvent(
                event=id,
                audio=self.audio.id,
                channel=next((s.channel for s in _on(targets[id], self.audio.id)), 0),
                start=start,
                end=end,
                reaction=reactions.get(id),
            )
            for id, (start, end) in places.items()
        ]
        return msgspec.structs.replace(d, realised=tuple(realised))

    def felt(self, d: Dialogue) -> Dialogue:
        more, counts = [], emotions(d)
        for (what, who), rows in self.tiers.items():
            if what != "emotion":
                continue
            own = [(t, s[0].start, s[-1].end) for t in d.turns if t.speaker == who and (s := _on(t, self.audio.id))]
            for i in rows:
                start, end = self.samples(i)
                turn, a, b = max(own, key=lambda x: min(end, x[2]) - max(start, x[1]), default=(None, 0, 0))
                if turn is None or min(end, b) <= max(start, a):
                    raise self.error("an emotion outside every turn", field=f"{who} emotion", value=i.text)
                name, _, strength = i.text.strip().rpartition(" ")
                if not strength.isdecimal():
                    name, strength = i.text.strip(), ""
                label = self.taxonomy.resolve(name, where=self.where, field=f"{who} emotion")
                now = counts.get(turn.index)
                intensity = int(strength) if strength else now.intensity if now and now.label == label else 0
                if intensity > 3:
                    raise self.error("not an intensity", field=f"{who} emotion", value=i.text, allowed="0-3")
                if now is None or (now.label, now.intensity) != (label, intensity):
                    value = EmotionValue(label=label, taxonomy=self.taxonomy.id, intensity=intensity)
                    more.append(
                        EmotionAnnotation(
                            id=self.free("t"),
                            target=f"turn:{turn.index}",
                            rater=self.rater,
                            rater_type=self.rater_type,
                            value=value,
                        )
                    )
        return msgspec.structs.replace(d, annotations=(*d.annotations, *more)) if more else d

    def marked(self, d: Dialogue) -> Dialogue:
        if ("marks", "") not in self.tiers:
            return d
        known = {a.id for a in d.annotations if isinstance(a, TimeAnnotation) and a.value.audio == self.audio.id}
        places: dict[str, tuple[int, int, str]] = {}
        more = []
        for i in self.tiers["marks", ""]:
            id, colon, label = i.text.partition(":")
            start, end = self.samples(i)
            if colon and id.strip() in known and id.strip() not in places:
                places[id.strip()] = (start, end, label.strip())
                continue
            mark = TimeMark(audio=self.audio.id, channel=0, start=start, end=end, label=i.text.strip())
            more.append(
                TimeAnnotation(
                    id=self.free("t"), target="dialogue", rater=self.rater, rater_type=self.rater_type, value=mark
                )
            )
        kept = []
        for a in d.annotations:
            if isinstance(a, TimeAnnotation) and a.id in known:
                if a.id not in places:
                    continue
                start, end, label = places[a.id]
                value = msgspec.structs.replace(a.value, start=start, end=end, label=label)
                a = (
                    a
                    if label == a.value.label.strip() and value.start == a.value.start and value.end == a.value.end
                    else (msgspec.structs.replace(a, rater=self.rater, rater_type=self.rater_type, value=value))
                )
            kept.append(a)
        return msgspec.structs.replace(d, annotations=(*kept, *more))

    def shifted(self, d: Dialogue) -> Dialogue:
        """Shift annotations follow the emotions, where either kind was there or the track wants them."""
        stated = [a for a in d.annotations if isinstance(a, ShiftAnnotation)]
        if d.track != "emotion" and not stated:
            return d

        def key(v: object) -> tuple[object, ...]:
            return tuple(getattr(v, f) for f in ("speaker", "from_turn", "to_turn", "from_label", "to_label"))

        derived = {key(s): s for s in shifts(d)}
        have = {key(a.value) for a in stated}
        if have == set(derived):
            return d
        causes: dict[int, list[str]] = {}
        for a in d.annotations:
            if isinstance(a, CauseAnnotation):
                causes.setdefault(a.value.emotion_turn, []).append(a.id)
        kept = [a for a in d.annotations if not isinstance(a, ShiftAnnotation) or key(a.value) in derived]
        more = [
            ShiftAnnotation(
                id=self.free("t"),
                target=f"turn:{s.to_turn}",
                rater="derived from emotions",
                rater_type=self.rater_type,
                value=msgspec.structs.replace(s, causes=tuple(causes.get(s.to_turn, ()))),
            )
            for k, s in derived.items()
            if k not in have
        ]
        return msgspec.structs.replace(d, annotations=(*kept, *more))

    def free(self, letter: str) -> str:
        """An annotation id that is not taken yet."""
        k = 0
        while f"{letter}{k}" in self.ids:
            k += 1
        self.ids.add(f"{letter}{k}")
        return f"{letter}{k}"
