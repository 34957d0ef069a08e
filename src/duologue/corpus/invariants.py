"""What must hold inside one dialogue, beyond what its types already say.

Pure: reads the annotations alone, no file. :mod:`duologue.corpus.check` looks at the files and across dialogues.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from duologue.corpus.annotation import (
    CauseAnnotation,
    EmotionAnnotation,
    ShiftAnnotation,
    TimeAnnotation,
)
from duologue.corpus.audio import Audio
from duologue.corpus.dialogue import TASKS, Dialogue
from duologue.corpus.emotion import Taxonomy
from duologue.corpus.scenario import Scenario, by_name
from duologue.corpus.speaker import Role
from duologue.corpus.truth import shifts
from duologue.corpus.turn import Turn

# What a rule yields: field, value, allowed, message.
Breach = tuple[str, Any, str, str]

EMOTION_SCENARIOS = ("clip", "conflict_clip", "dialogue")
GROUPS = ("speaker", "parent_voice", "script_family", "noise", "room", "source_recording")
NO_CONSENT = "not-applicable"
# The scenario of an item of a sealed test set, which tells of no turns either.
SEALED = "sealed"
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def breaches(d: Dialogue, taxonomy: Taxonomy, scenarios: Sequence[Scenario] = ()) -> Iterator[Breach]:
    """Every invariant that ``d`` breaks, in order of its fields; ``scenarios`` are those of the corpus's own."""
    known = by_name(scenarios)
    yield from _header(d, known)
    yield from _speakers(d)
    yield from _audio(d)
    yield from _turns(d)
    yield from _events(d, known)
    yield from _annotations(d, taxonomy)
    yield from _probes(d)
    for i, p in enumerate(d.acoustics.positions):
        if p.speaker not in {s.id for s in d.speakers}:
            yield f"acoustics.positions[{i}].speaker", p.speaker, _ids(d.speakers), "unknown speaker"


def _ids(things: Sequence[Any]) -> str:
    return ", ".join(t.id for t in things)


def _twice(field: str, things: Sequence[Any]) -> Iterator[Breach]:
    seen: set[str] = set()
    for i, t in enumerate(things):
        if t.id in seen:
            yield f"{field}[{i}].id", t.id, "unique", "an id comes twice"
        seen.add(t.id)


def _nfc(field: str, text: str) -> Iterator[Breach]:
    if not text.isascii() and not unicodedata.is_normalized("NFC", text):
        yield field, text, "Unicode NFC", "text is not in NFC"


def _header(d: Dialogue, known: Mapping[str, Scenario]) -> Iterator[Breach]:
    if not d.id.isprintable() or d.id != d.id.strip() or "/" in d.id:
        yield "id", d.id, "printable, no slash, no space around it", "bad id"
    for i, language in enumerate(d.languages):
        if not _LANGUAGE.fullmatch(language):
            yield f"languages[{i}]", language, "a language tag such as en or zh", "bad language"
    if not d.tasks:
        yield "tasks", [], ", ".join(TASKS[d.track]), "no task"
    for i, task in enumerate(d.tasks):
        if task not in TASKS[d.track]:
            yield f"tasks[{i}]", task, ", ".join(TASKS[d.track]), f"no task of track {d.track}"
    allowed = EMOTION_SCENARIOS if d.track == "emotion" else (*known, "none")
    if d.scenario not in allowed and d.scenario != SEALED:
        yield "scenario", d.scenario, ", ".join(allowed), f"no scenario of track {d.track}"
    for kind in d.groups:
        if kind not in GROUPS:
            yield f"groups.{kind}", kind, ", ".join(GROUPS), "unknown kind of group"


def _speakers(d: Dialogue) -> Iterator[Breach]:
    yield from _twice("speakers", d.speakers)
    for i, s in enumerate(d.speakers):
        if not s.synthetic and NO_CONSENT in (d.rights.consent_id, s.consent_id) and s.role != "system":
            yield (
                f"speakers[{i}].consent_id",
                s.consent_id or d.rights.consent_id,
                "a consent record",
                ("a real speaker without consent"),
            )
        if not s.synthetic and d.source == "synthetic":
            yield f"speakers[{i}].synthetic", False, "true", "a real speaker in a synthetic dialogue"


def _audio(d: Dialogue) -> Iterator[Breach]:
    yield from _twice("audio", d.audio)
    files: dict[str, Audio] = {a.id: a for a in d.audio}
    roles: dict[str, Role] = {s.id: s.role for s in d.speakers}
    for i, a in enumerate(d.audio):
        at = f"audio[{i}]"
        if not a.channels:
            yield f"{at}.channels", [], "one or more", "no channels"
        for field in ("sha256", "pcm_sha256"):
            if not re.fullmatch("[0-9a-f]{64}", getattr(a, field)):
                yield f"{at}.{field}", getattr(a, field), "64 hexadecimal digits, lower case", "no SHA-256"
        for k, c in enumerate(a.channels):
            for s in c.speakers:
                if s not in roles:
                    yield f"{at}.channels[{k}].speakers", s, _ids(d.speakers), "unknown speaker"
                elif c.kind == "system" and roles[s] != "system":
                    yield f"{at}.channels[{k}].speakers", s, "speakers of role system", "a role on the wrong channel"
                elif c.kind == "user-mic" and roles[s] == "system" and d.acoustics.echo_db is None:
                    yield (
                        f"{at}.channels[{k}].speakers",
                        s,
                        "no system speaker without echo_db",
                        ("a role on the wrong channel"),
                    )
        kinds = [c.kind for c in a.channels]
        if "user-mic" in kinds and "system" in kinds and kinds[:2] != ["user-mic", "system"]:
            yield f"{at}.channels", kinds, "user-mic, system, ...", "channels in the wrong order"
        if a.twin is not None:
            yield from _twin(at, a, files)


def _twin(at: str, a: Audio, files: dict[str, Audio]) -> Iterator[Breach]:
    assert a.twin is not None
    of = files.get(a.twin.of)
    if of is None or of.id == a.id:
        yield f"{at}.twin.of", a.twin.of, ", ".join(f for f in files if f != a.id), "unknown audio"
        return
    if (a.sample_rate, a.length, len(a.channels)) != (of.sample_rate, of.length, len(of.channels)):
        shape = f"{of.sample_rate} Hz, {of.length} frames, {len(of.channels)} channels"
        yield f"{at}.twin", [a.sample_rate, a.length, len(a.channels)], shape, "a twin of another shape"
    yield from _interval(f"{at}.twin.differs", *a.twin.differs, a.length)


def _interval(field: str, start: int, end: int, length: int) -> Iterator[Breach]:
    if not start < end <= length:
        yield field, [start, end], f"0 <= start < end <= {length}", "not an interval of the audio"


def _place(field: str, audio: str, channel: int, start: int, end: int, files: dict[str, Audio]) -> Iterator[Breach]:
    """Audio and channel exist and hold [start, end)."""
    a = files.get(audio)
    if a is None:
        yield f"{field}.audio", audio, ", ".join(files), "unknown audio"
        return
    if channel >= len(a.channels):
        yield f"{field}.channel", channel, f"0..{len(a.channels) - 1}", "no such channel"
    yield from _interval(field, start, end, a.length)


def _turns(d: Dialogue) -> Iterator[Breach]:
    files = {a.id: a for a in d.audio}
    roles: dict[str, Role] = {s.id: s.role for s in d.speakers}
    began: dict[str, int] = {}
    for i, t in enumerate(d.turns):
        at = f"turns[{i}]"
        if t.index != i:
            yield f"{at}.index", t.index, str(i), "turns are not numbered in order"
        if t.speaker not in roles:
            yield f"{at}.speaker", t.speaker, _ids(d.speakers), "unknown speaker"
        elif roles[t.speaker] != t.role:
            yield f"{at}.role", t.role, roles[t.speaker], "not the role of its speaker"
        # Recordings and other layouts need not tell whom a turn addresses; what a recipe made does.
        if t.addressee not in roles and (t.addressee or d.provenance.recipe_sha256):
            yield f"{at}.addressee", t.addressee, _ids(d.speakers), "unknown addressee"
        if t.language not in d.languages:
            yield f"{at}.language", t.language, ", ".join(d.languages), "not a language of the dialogue"
        for field in ("text", "text_raw", "intended_text"):
            yield from _nfc(f"{at}.{field}", getattr(t, field))
        if t.inside_turn is not None and (t.inside_turn >= len(d.turns) or t.inside_turn == i):
            yield f"{at}.inside_turn", t.inside_turn, f"another turn, 0..{len(d.turns) - 1}", "no such turn"
        yield from _segments(at, t, files)
        yield from _words(at, t)
        if t.segments:
            first = t.segments[0]
            if first.start < began.get(first.audio, 0):
                yield (
                    f"{at}.segments[0].start",
                    first.start,
                    f">= {began[first.audio]}",
                    "turns are not in order of time",
                )
            began[first.audio] = max(first.start, began.get(first.audio, 0))


def _segments(at: str, t: Turn, files: dict[str, Audio]) -> Iterator[Breach]:
    for k, s in enumerate(t.segments):
        yield from _place(f"{at}.segments[{k}]", s.audio, s.channel, s.start, s.end, files)
        channels = files[s.audio].channels if s.audio in files else ()
        if s.channel < len(channels) and t.speaker not in channels[s.channel].speakers:
            allowed = ", ".join(channels[s.channel].speakers)
            yield f"{at}.segments[{k}].channel", s.channel, allowed, "the channel does not carry this turn's speaker"
    for k, (a, b) in enumerate(pairwise(t.segments), 1):
        if a.audio == b.audio and b.start < a.end:
            yield f"{at}.segments[{k}].start", b.start, f">= {a.end}", "segments overlap or are out of order"


def _words(at: str, t: Turn) -> Iterator[Breach]:
    start = min((s.start for s in t.segments), default=0)
    end = max((s.end for s in t.segments), default=0)
    if t.words and not t.segments:
        yield f"{at}.words", len(t.words), "none without a segment", "timed words without audio"
        return
    char, clock = 0, start
    for k, w in enumerate(t.words):
        here = f"{at}.words[{k}]"
        if not w.char_start < w.char_end <= len(t.text):
            yield here, [w.char_start, w.char_end], f"inside the text (0..{len(t.text)})", "no span of the text"
        elif t.text[w.char_start : w.char_end] != w.text:
            yield f"{here}.text", w.text, t.text[w.char_start : w.char_end], "differs from the text at its span"
        if w.char_start < char:
            yield f"{here}.char_start", w.char_start, f">= {char}", "words overlap in the text"
        if w.end <= w.start or w.start < clock or w.end > end:
            yield (
                here,
                [w.start, w.end],
                f"start < end, inside [{clock}, {end})",
                ("a word outside its turn or out of order"),
            )
        char, clock = max(char, w.char_end), max(clock, w.end)


def _events(d: Dialogue, scenarios: Mapping[str, Scenario]) -> Iterator[Breach]:
    yield from _twice("events", d.events)
    files = {a.id: a for a in d.audio}
    speakers = {s.id for s in d.speakers}
    n = len(d.turns)
    for i, e in enumerate(d.events):
        at = f"events[{i}]"
        if e.kind not in scenarios:
            yield f"{at}.kind", e.kind, ", ".join(scenarios), "unknown kind of event"
        if not e.expected:
            yield f"{at}.expected", [], "one act or more", "no expected act"
        for field, value in (("speaker", e.speaker), ("addressee", e.addressee)):
            if value not in speakers and (value or field == "speaker"):
                yield f"{at}.{field}", value, _ids(d.speakers), "unknown speaker"
        turns: dict[str, int | None] = {
            "trigger.reference_turn": e.trigger.reference_turn,
            "target_turn": e.target_turn,
            "context_end": e.context_end,
            "response_turn": e.response_turn,
        }
        for field, index in turns.items():
            if index is not None and index >= n:
                yield f"{at}.{field}", index, f"0..{n - 1}", "no such turn"
        if e.target_turn < n and d.turns[e.target_turn].speaker != e.speaker:
            yield f"{at}.target_turn", e.target_turn, f"a turn of {e.speaker}", "another speaker's turn"
        if (e.trigger.anchor == "word_end") != (e.trigger.word is not None):
            yield f"{at}.trigger.word", e.trigger.word, "a word with anchor word_end, and only then", "anchor and word"
        elif e.trigger.word is not None and e.trigger.reference_turn < n:
            words = len(d.turns[e.trigger.reference_turn].words)
            if e.trigger.word >= words:
                yield f"{at}.trigger.word", e.trigger.word, f"0..{words - 1}", "no such word"
        if not math.isfinite(e.trigger.offset):
            yield f"{at}.trigger.offset", e.trigger.offset, "seconds", "not a number"
        if e.position and e.kind in scenarios and not scenarios[e.kind].positioned:
            allowed = ", ".join(s.name for s in scenarios.values() if s.positioned)
            yield f"{at}.position", e.position, f"{allowed} only", "a position that the scenario does not have"
    known = {e.id for e in d.events}
    for i, r in enumerate(d.realised):
        at = f"realised[{i}]"
        if r.event not in known:
            yield f"{at}.event", r.event, _ids(d.events), "unknown event"
        yield from _place(at, r.audio, r.channel, r.start, r.end, files)
        if r.reaction is not None and r.audio in files:
            yield from _interval(f"{at}.reaction", *r.reaction, files[r.audio].length)
    if d.audio and d.source == "synthetic":
        realised = {r.event for r in d.realised}
        for i, e in enumerate(d.events):
            if e.id not in realised:
                yield f"events[{i}].id", e.id, "an entry in realised", "an event that never happens"


def _annotations(d: Dialogue, taxonomy: Taxonomy) -> Iterator[Breach]:
    yield from _twice("annotations", d.annotations)
    files = {a.id: a for a in d.audio}
    ids = {a.id for a in d.annotations}
    causes = {a.id for a in d.annotations if isinstance(a, CauseAnnotation)}
    targets = {"dialogue", *(f"turn:{i}" for i in range(len(d.turns))), *(f"event:{e.id}" for e in d.events)}
    n = len(d.turns)
    for i, a in enumerate(d.annotations):
        at = f"annotations[{i}]"
        if a.target not in targets:
            yield f"{at}.target", a.target, "dialogue, turn:N or event:ID of this dialogue", "unknown target"
        for g in a.gold_of:
            if g not in ids or g == a.id:
                yield f"{at}.gold_of", g, "another annotation's id", "unknown annotation"
        if isinstance(a, EmotionAnnotation):
            yield from _emotion(f"{at}.value", a, taxonomy)
        elif isinstance(a, CauseAnnotation):
            for field in ("emotion_turn", "evidence_turn"):
                if getattr(a.value, field) >= n:
                    yield f"{at}.value.{field}", getattr(a.value, field), f"0..{n - 1}", "no such turn"
            if a.value.evidence_turn < n:
                length = len(d.turns[a.value.evidence_turn].text)
                start, end = a.value.span
                if not start < end <= length:
                    yield f"{at}.value.span", [start, end], f"inside the text (0..{length})", "no span of the text"
        elif isinstance(a, ShiftAnnotation):
            for c in a.value.causes:
                if c not in causes:
                    yield f"{at}.value.causes", c, ", ".join(sorted(causes)), "unknown cause"
        elif isinstance(a, TimeAnnotation):
            yield from _place(f"{at}.value", a.value.audio, a.value.channel, a.value.start, a.value.end, files)
    yield from _shifts(d)


def _emotion(at: str, a: EmotionAnnotation, taxonomy: Taxonomy) -> Iterator[Breach]:
    v, labels = a.value, taxonomy.labels
    if v.taxonomy != taxonomy.id:
        yield f"{at}.taxonomy", v.taxonomy, taxonomy.id, "not the corpus's taxonomy"
    for field, label in (
        ("label", v.label),
        ("semantic_label", v.semantic_label),
        ("acoustic_label", v.acoustic_label),
    ):
        if label not in labels and (label or field == "label"):
            yield f"{at}.{field}", label, ", ".join(labels), "unknown emotion"
    if v.acoustic_label and v.label != v.acoustic_label:
        yield f"{at}.label", v.label, v.acoustic_label, "not the acoustic label, though there is one"
    if v.distribution is not None:
        for label in v.distribution:
            if label not in labels:
                yield f"{at}.distribution", label, ", ".join(labels), "unknown emotion"
        total = math.fsum(v.distribution.values())
        if not abs(total - 1.0) <= 1e-6:
            yield f"{at}.distribution", total, "a sum of 1", "shares that do not sum to 1"


def _shifts(d: Dialogue) -> Iterator[Breach]:
    """Shift annotations say exactly what the emotions of the turns say."""
    derived = {(s.speaker, s.from_turn, s.to_turn, s.from_label, s.to_label) for s in shifts(d)}
    stated = set()
    for i, a in enumerate(d.annotations):
        if isinstance(a, ShiftAnnotation):
            v = a.value
            key = (v.speaker, v.from_turn, v.to_turn, v.from_label, v.to_label)
            stated.add(key)
            if key not in derived:
                here = [k for k in sorted(derived) if k[0] == v.speaker]
                yield f"annotations[{i}].value", list(key), str(here), "a shift that the turns' emotions do not show"
    if d.track == "emotion" or stated:
        for key in sorted(derived - stated):
            yield "annotations", list(key), "a shift annotation", "a shift of emotion that is not annotated"


def _probes(d: Dialogue) -> Iterator[Breach]:
    yield from _twice("probes", d.probes)
    if d.scenario == SEALED:
        return
    for i, p in enumerate(d.probes):
        if p.task not in TASKS[d.track]:
            yield f"probes[{i}].task", p.task, ", ".join(TASKS[d.track]), f"no task of track {d.track}"
        for field, index in (("turn", p.turn), ("target_turn", p.target_turn)):
            if index is not None and index >= len(d.turns):
                yield f"probes[{i}].{field}", index, f"0..{len(d.turns) - 1}", "no such turn"
