"""A dialogue as text for a terminal: turns, times, feelings, causes, events."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from duologue.corpus.annotation import CauseAnnotation, LabelAnnotation, ShiftAnnotation
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.emotion import EmotionValue
from duologue.corpus.truth import emotions
from duologue.corpus.turn import Turn
from duologue.report.palette import ROLE, ROLE_NAMES


def transcript(d: Dialogue) -> RenderableType:
    """Everything that a reader wants to know about ``d``, as something that rich can print."""
    parts: list[RenderableType] = [_head(d), _turns(d)]
    parts += [Text(line) for line in remarks(d)]
    return Group(*parts)


def remarks(d: Dialogue) -> tuple[str, ...]:
    """A line for each cause, shift, event, label and probe."""
    return (*_causes(d), *_shifts(d), *_events(d), *_labels(d), *_probes(d))


def feeling(value: EmotionValue) -> str:
    """ "sad 2", and for a conflict of words and voice "sad 2 (words: happy)"."""
    text = value.label + (f" {value.intensity}" if value.intensity else "")
    if value.semantic_label and value.semantic_label != value.label:
        text += f" (words: {value.semantic_label})"
    return text


def span_text(d: Dialogue, turn: int, span: tuple[int, int]) -> str:
    """The words that a span of a turn's text covers."""
    return d.turns[turn].text[span[0] : span[1]] if turn < len(d.turns) else ""


def _head(d: Dialogue) -> Text:
    a = d.acoustics
    axes = [d.situation.domain, d.situation.relationship, d.situation.setting, d.situation.register]
    sound = [
        f"noise {a.noise}" if a.noise else "",
        f"SNR {a.snr_db:.1f} dB" if a.snr_db is not None else "",
        f"room {a.room}, RT60 {a.rt60:.2f} s" if a.room else "",
        f"echo {a.echo_db:.0f} dB" if a.echo_db is not None else "",
        a.band if a.band != "wide" else "",
        f"packet loss {100 * a.packet_loss:.0f}%" if a.packet_loss else "",
    ]
    lines = [
        f"{d.id}  {d.track} · {', '.join(d.tasks)} · {d.scenario} · {'/'.join(d.languages)} · {d.split} · {d.source}",
        " · ".join(x for x in axes if x),
        " · ".join(x for x in sound if x),
        "  ".join(f"{ROLE_NAMES[s.role]}: {s.id} ({s.sex}{', synthetic' if s.synthetic else ''})" for s in d.speakers),
        "  ".join(
            f"{x.id}: {x.length / x.sample_rate:.2f} s, {len(x.channels)} ch, {x.sample_rate} Hz"
            + (f", twin of {x.twin.of}" if x.twin else "")
            for x in d.audio
        ),
        f"licence {d.rights.licence}, consent {d.rights.consent_id}",
    ]
    text = Text("\n".join(line for line in lines if line))
    text.stylize("bold", 0, len(d.id))
    return text


def _turns(d: Dialogue) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for name, justify in (("#", "right"), ("from", "right"), ("to", "right"), ("who", "left"), ("feels", "left")):
        table.add_column(name, justify=justify, no_wrap=name != "feels")  # type: ignore[arg-type]
    # Chinese has no spaces to break a line at: fold it, never shorten it.
    table.add_column("says", overflow="fold")
    felt = emotions(d)
    rates = {a.id: a.sample_rate for a in d.audio}
    for t in d.turns:
        start, end = times(t, rates)
        said = Text(t.text_raw or t.text or "—")
        if t.intended_text and t.intended_text != t.text:
            said.append(f"  [cut off: {t.intended_text[len(t.text) :].strip()}]", style="dim")
        if len(t.segments) > 1:
            said.append(f"  [{len(t.segments)} segments]", style="dim")
        table.add_row(
            str(t.index),
            "" if start is None else f"{start:.2f}",
            "" if end is None else f"{end:.2f}",
            Text(ROLE_NAMES[t.role], style=ROLE[t.role]),
            feeling(felt[t.index]) if t.index in felt else "",
            said if t.kind == "turn" else Text.assemble((f"{t.kind.replace('_', ' ')}: ", "italic"), said),
        )
    return table


def times(t: Turn, rates: dict[str, int]) -> tuple[float | None, float | None]:
    """Start and end of a turn in seconds, None where it has no audio."""
    known = [s for s in t.segments if s.audio in rates]
    if not known:
        return None, None
    return min(s.start / rates[s.audio] for s in known), max(s.end / rates[s.audio] for s in known)


def _causes(d: Dialogue) -> Iterator[str]:
    for a in d.annotations:
        if isinstance(a, CauseAnnotation):
            v = a.value
            how = "explicit" if v.explicit else "latent"
            words = span_text(d, v.evidence_turn, v.span)
            yield (
                f"cause {a.id}: turn {v.emotion_turn} feels so because of “{words}” "
                f"(turn {v.evidence_turn}, {v.cause_kind}, {how})" + (f": {v.explanation}" if v.explanation else "")
            )


def _shifts(d: Dialogue) -> Iterator[str]:
    for a in d.annotations:
        if isinstance(a, ShiftAnnotation):
            v = a.value
            why = f" because of {', '.join(v.causes)}" if v.causes else ""
            yield f"shift {a.id}: {v.from_label} (turn {v.from_turn}) > {v.to_label} (turn {v.to_turn}){why}"


def _events(d: Dialogue) -> Iterator[str]:
    rates = {a.id: a.sample_rate for a in d.audio}
    realised = {r.event: r for r in d.realised}
    for e in d.events:
        where = f" {e.position}" if e.position else ""
        text = (
            f"event {e.id}: {e.kind}{where}, turn {e.target_turn}, {e.trigger.offset:+.2f} s after "
            f"{e.trigger.anchor.replace('_', ' ')} of turn {e.trigger.reference_turn}; "
            f"expected {' > '.join(e.expected)}"
        )
        if r := realised.get(e.id):
            rate = rates.get(r.audio, 1)
            text += f"; realised {r.start / rate:.2f}-{r.end / rate:.2f} s"
            if r.reaction:
                text += f", reaction {r.reaction[0] / rate:.2f}-{r.reaction[1] / rate:.2f} s"
        yield text


def _labels(d: Dialogue) -> Iterator[str]:
    for a in d.annotations:
        if isinstance(a, LabelAnnotation):
            yield f"label {a.id} ({a.target}): " + ", ".join(f"{k} {v}" for k, v in a.value.items())


def _probes(d: Dialogue) -> Iterator[str]:
    for p in d.probes:
        yield f"probe {p.id} ({p.task}): {p.question}" + (f"  reference: {p.reference}" if p.reference else "")
