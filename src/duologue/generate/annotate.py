"""Everything that is known about a composed scene, as a dialogue."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from duologue.corpus.acoustics import Acoustics
from duologue.corpus.annotation import Annotation, Cause, CauseAnnotation, EmotionAnnotation, ShiftAnnotation
from duologue.corpus.audio import Audio, Channel, Twin
from duologue.corpus.dialogue import SCHEMA_VERSION, Dialogue
from duologue.corpus.emotion import DUOLOGUE, EmotionValue, Taxonomy
from duologue.corpus.event import Event, RealisedEvent, Trigger
from duologue.corpus.probe import Probe
from duologue.corpus.provenance import Provenance, Step
from duologue.corpus.rights import Rights
from duologue.corpus.speaker import Role, Speaker
from duologue.corpus.truth import shifts
from duologue.corpus.turn import Segment, Turn, Word
from duologue.generate.acoustics.kernel import RATE
from duologue.generate.item import CastMember, Item
from duologue.generate.script import Line, Script
from duologue.generate.timing import Placement, Timeline
from duologue.generate.utterance import Spoken
from duologue.generate.voices.voice import Voice

RATER = "recipe"


@dataclass(frozen=True, slots=True)
class Made:
    """What a scene knows when its audio is done.

    ``takes`` are (audio id, frames): the main one, its twin where ``differs`` is set, then the stems.
    ``acoustics.positions`` name roles in place of speakers.
    """

    item: Item
    script: Script
    cast: Mapping[Role, CastMember]
    voices: Mapping[str, Voice]
    spoken: Sequence[Spoken]
    timeline: Timeline
    mono: bool
    differs: tuple[int, int] | None
    takes: Sequence[tuple[str, int]]
    acoustics: Acoustics
    draws: Mapping[str, Any]
    version: str


def annotate(made: Made) -> Dialogue:
    """The dialogue of a composed scene; ``audio`` without paths and hashes, rights as of synthetic speakers.

    Turn ``i`` is line ``i`` of the script; a line that says nothing keeps its turn, without segments.
    """
    item, script = made.item, made.script
    turns = tuple(_turn(made, i) for i in range(len(script.lines)))
    events, realised = _events(made, turns)
    dialogue = Dialogue(
        schema_version=SCHEMA_VERSION,
        id=item.id,
        track=item.track,
        tasks=script.tasks,
        languages=(script.language,),
        split=item.split,
        scenario=script.scenario,
        source="synthetic" if all(c.synthetic for c in made.cast.values()) else "acted",
        rights=Rights(licence="CC-BY-4.0", consent_id="not-applicable"),
        situation=script.situation,
        groups=_groups(made),
        speakers=_speakers(made),
        audio=_audio(made),
        turns=turns,
        events=events,
        realised=realised,
        probes=tuple(
            Probe(
                id=f"p{n}",
                task=p.task,
                turn=p.line,
                question=script.lines[p.line].text,
                target_turn=p.target_line,
                answer=p.answer,
                reference=p.reference,
            )
            for n, p in enumerate(script.probes)
        ),
        acoustics=_named(made),
        provenance=_provenance(made),
    )
    return _judged(dialogue, script, item.brief.taxonomy or DUOLOGUE)


# -- people -------------------------------------------------------------------------------------------------------


def speaker_id(member: CastMember) -> str:
    """A speaker's id, the same in every dialogue: "espeak:en-us+f3"."""
    return f"{member.voice}:{member.speaker}"


def _parent_id(member: CastMember) -> str:
    return f"{member.voice}:{member.parent.removeprefix(member.voice + ':')}"


def _id_of(made: Made, role: Role, of: Role | None = None) -> str:
    """The id of whoever plays ``role``; ``of`` is the role that speaks to them.

    A bystander who is spoken to but has no voice gets an id of the dialogue's own, and so does a role whose voice
    another role of the dialogue has already.
    """
    member = made.cast.get(role)
    if of == role or member is None:
        return f"{made.item.id}:{'bystander' if of == role else role}"
    name = speaker_id(member)
    first = next(r for r, c in made.cast.items() if speaker_id(c) == name)
    return name if first == role else f"{name}~{role}"


def _speakers(made: Made) -> tuple[Speaker, ...]:
    language = (made.script.language,)
    found: dict[str, Speaker] = {}
    pairs = [(line.role, None) for line in made.script.lines] + [(line.to, line.role) for line in made.script.lines]
    for role, of in pairs:
        name, c = _id_of(made, role, of), made.cast.get(role)
        if c is None or of == role:
            silent = Speaker(id=name, role="addressee" if of == role else role, languages=language, synthetic=True)
            found.setdefault(name, silent)
        else:
            found.setdefault(
                name,
                Speaker(
                    id=name,
                    role=role,
                    languages=language,
                    synthetic=c.synthetic,
                    voice=speaker_id(c) if c.synthetic else "",
                    parent_voice=_parent_id(c) if c.synthetic else "",
                    sex=c.sex,
                    age=c.age,
                    consent_id=c.consent_id,
                ),
            )
    return tuple(found.values())


def _named(made: Made) -> Acoustics:
    """The scene places roles; the dialogue names speakers."""
    spots = tuple(
        msgspec.structs.replace(p, speaker=_id_of(made, p.speaker))  # type: ignore[arg-type]
        for p in made.acoustics.positions
    )
    return msgspec.structs.replace(made.acoustics, positions=spots)


def _groups(made: Made) -> dict[str, tuple[str, ...]]:
    """What a split keeps on one side. System voices may be shared by all splits, so they are in no group."""
    own = {line.role for line in made.script.lines} - {"system"}
    members = [c for role, c in made.cast.items() if role in own]
    groups = {
        "speaker": tuple(sorted({speaker_id(c) for c in members})),
        "parent_voice": tuple(sorted({_parent_id(c) for c in members if c.synthetic})),
        "script_family": (made.script.family,),
        "noise": (made.item.noise,) if made.item.noise else (),
        "room": (made.item.room,) if made.item.room else (),
    }
    return {kind: ids for kind, ids in groups.items() if ids}


# -- turns --------------------------------------------------------------------------------------------------------


def _turn(made: Made, i: int) -> Turn:
    line, spoken, place = made.script.lines[i], made.spoken[i], made.timeline.placements[i]
    text = line.text
    words: tuple[Word, ...] = ()
    segments: tuple[Segment, ...] = ()
    if place is not None:
        segments = _segments(made, line, spoken, place)
        heard = _heard(line, spoken, place, segments)
        if place.cut is not None:
            text = text[: heard[-1].char_end] if heard else ""
        words = tuple(heard)
    return Turn(
        index=i,
        role=line.role,
        speaker=_id_of(made, line.role),
        addressee=_id_of(made, line.to, line.role),
        language=made.script.language,
        text=text,
        text_raw=line.text_raw if line.text_raw != line.text else "",
        intended_text=line.text if text != line.text else "",
        segments=segments,
        words=words,
        kind=line.kind,
        inside_turn=place.over if place else None,
    )


def _segments(made: Made, line: Line, spoken: Spoken, place: Placement) -> tuple[Segment, ...]:
    """Stretches of sound: a pause parts them, and a line that broke off in a gap between words ends with the word."""
    audio, channel = made.takes[0][0], 1 if line.role == "system" else 0
    edges, late = [place.start], 0
    for (end, begin), pause in zip(spoken.rests, place.pauses, strict=True):
        edges += [place.start + end + late, place.start + begin + late + pause]
        late += pause
    ends = [place.end]
    if place.cut is not None:
        ends += [place.start + w.end for w in spoken.words if w.start < sum(place.cut)][-1:]
    edges.append(max(edges[-1] + 1, min(ends)))
    return tuple(
        Segment(audio=audio, channel=channel, start=a, end=b) for a, b in zip(edges[::2], edges[1::2], strict=True)
    )


def _heard(line: Line, spoken: Spoken, place: Placement, segments: Sequence[Segment]) -> list[Word]:
    """Words on the clock. Of a line that broke off: those of which more than half came before the fade's middle."""
    words: list[Word] = []
    middle = place.start + place.cut[0] + place.cut[1] / 2 if place.cut else math.inf
    bounds = [*spoken.pauses, math.inf]
    part, late = 0, 0
    for w in spoken.words:
        # A word belongs to the stretch that holds its middle, and does not reach out of it.
        while (w.start + w.end) / 2 >= bounds[part]:
            late += place.pauses[part]
            part += 1
        begin, end = place.start + w.start + late, place.start + w.end + late
        if begin + (end - begin) / 2 >= middle:
            break
        stretch = segments[part]
        begin = min(max(begin, stretch.start), stretch.end - 1)
        end = max(begin + 1, min(end, stretch.end))
        words.append(Word(line.text[w.char_start : w.char_end], w.char_start, w.char_end, begin, end, spoken.source))
    return words


# -- events -------------------------------------------------------------------------------------------------------


def _events(made: Made, turns: Sequence[Turn]) -> tuple[tuple[Event, ...], tuple[RealisedEvent, ...]]:
    events: list[Event] = []
    realised: list[RealisedEvent] = []
    places, lines = made.timeline.placements, made.script.lines
    for n, e in enumerate(made.script.events):
        turn, place, name = turns[e.line], places[e.line], f"e{n}"
        if place is None:  # a line that says nothing
            continue
        events.append(
            Event(
                id=name,
                kind=e.kind,
                speaker=turn.speaker,
                trigger=_trigger(made, e.line, e.reference_line, paused=e.halts),
                target_turn=e.line,
                expected=e.expected,
                addressee=turn.addressee,
                position=e.position,
                context_end=_context_end(made, e.line, paused=e.halts),
                response_turn=e.response_line,
            )
        )
        start, end = turn.segments[0].start, turn.segments[-1].end
        if e.halts and len(turn.segments) > 1:
            start, end = turn.segments[0].end, turn.segments[-1].start
        reaction = None
        if "stop" in e.expected and place.over is not None:
            host = places[place.over]
            if host is not None and host.cut is not None:
                reaction = (host.start + host.cut[0], host.end)
        channel = 1 if lines[e.line].role == "system" else 0
        realised.append(
            RealisedEvent(event=name, audio=made.takes[0][0], channel=channel, start=start, end=end, reaction=reaction)
        )
    return tuple(events), tuple(realised)


def _trigger(made: Made, line: int, reference: int, *, paused: bool) -> Trigger:
    places, spoken = made.timeline.placements, made.spoken
    place, ref = places[line], places[reference]
    if paused and place is not None and spoken[line].pauses:
        last = max((w for w, x in enumerate(spoken[line].words) if x.start < spoken[line].pauses[0]), default=None)
        return Trigger(reference_turn=line, anchor="word_end", word=last)
    if place is None or ref is None:
        return Trigger(reference_turn=reference, anchor="turn_end")
    if place.over is not None:
        host = places[place.over]
        assert host is not None
        if place.word is not None:
            seconds = round(place.lag / RATE, 4)
            return Trigger(reference_turn=place.over, anchor="word_end", word=place.word, offset=seconds)
        seconds = round((place.start - host.start) / RATE, 4)
        return Trigger(reference_turn=place.over, anchor="turn_start", offset=seconds)
    if ref.start > place.start:
        return Trigger(reference_turn=reference, anchor="turn_start", offset=round((place.start - ref.start) / RATE, 4))
    return Trigger(reference_turn=reference, anchor="turn_end", offset=round((place.start - ref.end) / RATE, 4))


def _context_end(made: Made, line: int, *, paused: bool) -> int:
    """The last turn that has begun when the event is due (the pausing turn itself for a pause), else 0."""
    place = made.timeline.placements[line]
    if paused or place is None:
        return line
    begun = [i for i, p in enumerate(made.timeline.placements) if p is not None and i != line and p.start < place.start]
    return max(begun, default=0)


# -- judgements ---------------------------------------------------------------------------------------------------


def _judged(dialogue: Dialogue, script: Script, taxonomy: Taxonomy) -> Dialogue:
    """Add what the script means: emotions and causes as written, shifts derived from the emotions."""
    notes: list[Annotation] = []
    classes = {c.label: c for c in taxonomy.classes}
    for i, line in enumerate(script.lines):
        if line.role != "user":
            continue
        f = line.feeling
        label = f.heard
        known = classes[label]
        notes.append(
            EmotionAnnotation(
                id=f"emotion-{i}",
                target=f"turn:{i}",
                rater=RATER,
                rater_type="intent",
                status="gold",
                value=EmotionValue(
                    label=label,
                    intensity=f.intensity,
                    taxonomy=taxonomy.id,
                    valence=known.valence,
                    arousal=known.arousal,
                    semantic_label=f.semantic,
                    acoustic_label=f.acoustic,
                ),
            )
        )
    causes: dict[int, list[str]] = {}
    for n, c in enumerate(script.causes):
        causes.setdefault(c.emotion_line, []).append(f"cause-{n}")
        notes.append(
            CauseAnnotation(
                id=f"cause-{n}",
                target=f"turn:{c.emotion_line}",
                rater=RATER,
                rater_type="intent",
                status="gold",
                value=Cause(
                    emotion_turn=c.emotion_line,
                    evidence_turn=c.evidence_line,
                    span=c.span,
                    cause_kind=c.cause_kind,
                    explicit=c.explicit,
                    explanation=c.explanation,
                ),
            )
        )
    felt = msgspec.structs.replace(dialogue, annotations=tuple(notes))
    for shift in shifts(felt):
        notes.append(
            ShiftAnnotation(
                id=f"shift-{shift.to_turn}",
                target=f"turn:{shift.to_turn}",
                rater=RATER,
                rater_type="intent",
                status="gold",
                value=msgspec.structs.replace(shift, causes=tuple(causes.get(shift.to_turn, ()))),
            )
        )
    return msgspec.structs.replace(dialogue, annotations=tuple(notes))


# -- files and origin ---------------------------------------------------------------------------------------------


def _audio(made: Made) -> tuple[Audio, ...]:
    lines = made.script.lines
    roles = dict.fromkeys(line.role for line in lines)
    heard = tuple(_id_of(made, role) for role in roles if role != "system")
    channels = [Channel(kind="user-mic", speakers=heard)]
    if not made.mono:
        channels.append(Channel(kind="system", speakers=(_id_of(made, "system"),) if "system" in roles else ()))
    main = made.takes[0][0]
    entries: list[Audio] = []
    stems = iter(roles)
    for n, (name, length) in enumerate(made.takes):
        twin = Twin(of=main, differs=made.differs) if n == 1 and made.differs else None
        kinds = tuple(channels)
        if n and twin is None:
            kinds = (Channel(kind="clean-stem", speakers=(_id_of(made, next(stems)),)),)
        entries.append(
            Audio(
                id=name,
                path="",
                sha256="",
                pcm_sha256="",
                sample_rate=RATE,
                length=length,
                channels=kinds,
                twin=twin,
            )
        )
    return tuple(entries)


def _provenance(made: Made) -> Provenance:
    item, script = made.item, made.script
    prosody: dict[str, list[Any]] = {}
    for i, (line, spoken) in enumerate(zip(script.lines, made.spoken, strict=True)):
        name = made.cast[line.role].voice
        # As in the struct, but what is left at its default is left out and decimals are cut: it is a record.
        given = {k: round(v, 4) if isinstance(v, float) else v for k, v in msgspec.to_builtins(spoken.prosody).items()}
        prosody.setdefault(name, []).append({"turn": i, **given})
    steps = [
        Step(step="script", part=script.writer, version=script.writer_version, seed=str(item.brief.seed)),
        *(
            Step(
                step="voice",
                part=name,
                version=made.voices[name].version,
                sha256=made.voices[name].weights_sha256(),
                parameters={"prosody": rows},
            )
            for name, rows in sorted(prosody.items())
        ),
        Step(
            step="scene",
            part="duologue",
            version=made.version,
            seed=str(item.seed),
            parameters={**made.draws, **{k: round(v, 4) for k, v in made.timeline.draws.items()}},
        ),
    ]
    return Provenance(steps=tuple(steps))
