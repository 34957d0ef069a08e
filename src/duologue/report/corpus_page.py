"""One self-contained HTML page about a corpus; it opens offline.

No script, no file or address beside the page itself: a content security policy in it says so to the browser. All
text of the corpus is escaped.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files

import numpy as np

from duologue.corpus.describe import Distribution, Stats
from duologue.corpus.read import Corpus, OpenDialogue
from duologue.corpus.truth import emotions
from duologue.report.gallery import examples
from duologue.report.palette import ROLE_NAMES
from duologue.report.sketch import sketch
from duologue.report.transcript import feeling, remarks, times

POLICY = "default-src 'none'; style-src 'unsafe-inline'; media-src data:"
# Examples are cut here, so that a page of long meetings stays small.
LONGEST = 60.0
_SHOWN = 14
_AXES = (
    ("language", "Languages"),
    ("task", "Tasks"),
    ("scenario", "Scenarios"),
    ("split", "Splits"),
    ("emotion", "Emotions"),
    ("intensity", "Intensity"),
    ("cause", "Causes"),
    ("domain", "Domains"),
    ("relationship", "Relationships"),
    ("setting", "Settings"),
    ("register", "Registers"),
    ("sex", "Sex of speakers"),
    ("age", "Age of speakers"),
    ("noise", "Noise"),
    ("room", "Rooms"),
    ("source", "Source"),
)


def render(corpus: Corpus, stats: Stats, *, phases: Mapping[str, float] | None = None) -> str:
    """The page for ``corpus`` and its ``stats``; ``phases`` maps a build's steps to seconds, where they are known."""
    css = files("duologue.report").joinpath("page.css").read_text("utf-8")
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(stats.name)}</title><style>{css}</style></head><body>"
        f"{body(corpus, stats, phases=phases)}</body></html>\n"
    )


def body(corpus: Corpus, stats: Stats, *, phases: Mapping[str, float] | None = None) -> str:
    """What :func:`render` shows, for a page that shows more; its styles are ``page.css``."""
    levels = [item.dialogue.acoustics.snr_db for item in corpus]
    sections = (
        _head(stats),
        _phases(phases or {}),
        _cells(stats),
        _shifts(stats),
        _section("Axes", _columns(_axis(stats, name, title) for name, title in _AXES)),
        _section("Timing and sound", _timing(stats) + _levels([x for x in levels if x is not None])),
        _gaps(stats),
        _speakers(stats),
        _section("Examples", "".join(_example(item) for item in examples(corpus, 14))),
    )
    return "".join(sections)


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>" if body else ""


def _columns(blocks: Iterable[str]) -> str:
    return f'<div class="columns">{"".join(blocks)}</div>'


def _head(s: Stats) -> str:
    languages = s.axes["language"].rows if "language" in s.axes else {}
    cards = (
        (f"{s.dialogues:,}", "dialogues"),
        (_duration(s.seconds), "of audio"),
        (f"{s.turns:,}", "turns"),
        (f"{s.words:,}", "timed words"),
        (f"{len(s.axes['speaker'].rows):,}" if "speaker" in s.axes else "0", "speakers"),
        (" · ".join(languages), "languages"),
        (_duration(s.audio_seconds), f"in {s.audio_files:,} files, twins and stems too"),
        (str(sum(g.kind == "empty" for g in s.gaps)), "empty cells of task, language and split"),
    )
    return (
        f'<h1>{escape(s.name)}</h1><p>corpus <code>{escape(s.corpus_sha256)}</code></p><div class="cards">'
        + "".join(f'<div class="card"><b>{escape(n)}</b><span>{escape(what)}</span></div>' for n, what in cards)
        + "</div>"
    )


def _duration(seconds: float) -> str:
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"


def _phases(phases: Mapping[str, float]) -> str:
    return _section("How long it took", _bars({k: (v, f"{v:.1f} s") for k, v in phases.items()})) if phases else ""


def _bars(rows: Mapping[str, tuple[float, str]]) -> str:
    top = max((v for v, _ in rows.values()), default=0) or 1
    return (
        '<table class="bars">'
        + "".join(
            f'<tr><td>{escape(name)}</td><td><div class="bar" style="width:{100 * v / top:.1f}%"></div></td>'
            f'<td class="n">{escape(text)}</td></tr>'
            for name, (v, text) in rows.items()
        )
        + "</table>"
    )


def _axis(s: Stats, name: str, title: str) -> str:
    if name not in s.axes:
        return ""
    axis = s.axes[name]
    rows = dict(list(axis.rows.items())[:_SHOWN])
    more = len(axis.rows) - len(rows)
    body = _bars(
        {
            value: (t.count, f"{t.count:,}" + (f" · {_duration(3600 * t.hours)}" if t.hours else ""))
            for value, t in rows.items()
        }
    )
    note = f'<p class="soft">and {more} more</p>' if more > 0 else ""
    return f'<div><h3>{escape(title)} <span class="soft">({axis.unit})</span></h3>{body}{note}</div>'


def _heat(corner: str, columns: Sequence[str], rows: Mapping[str, Sequence[int | None]]) -> str:
    top = max((n for row in rows.values() for n in row if n), default=0) or 1
    head = "".join(f"<th>{escape(c)}</th>" for c in columns)
    body = ""
    for name, row in rows.items():
        cells = "".join(
            "<td>·</td>"
            if n is None
            else f'<td class="zero">{n}</td>'
            if n == 0
            else f'<td style="background:rgba(var(--heat),{0.08 + 0.62 * n / top:.2f})">{n:,}</td>'
            for n in row
        )
        body += f"<tr><th>{escape(name)}</th>{cells}</tr>"
    return f'<div class="scroll"><table class="heat"><tr><th>{escape(corner)}</th>{head}</tr>{body}</table></div>'


def _cells(s: Stats) -> str:
    splits = [x for x in ("train", "dev", "test", "unassigned") if any(c.split == x for c in s.cells)]
    counts = {(c.task, c.language, c.split): c.dialogues for c in s.cells}
    names = sorted({(c.language, c.task) for c in s.cells})
    rows = {f"{lang} {task}": [counts.get((task, lang, split), 0) for split in splits] for lang, task in names}
    return _section("Dialogues by task and split", _heat("", splits, rows))


def _shifts(s: Stats) -> str:
    blocks = [
        f"<h3>{escape(language)}</h3>"
        + _heat(
            "from \\ to",
            s.labels,
            {a: [None if a == b else row.get(a, {}).get(b, 0) for b in s.labels] for a in s.labels},
        )
        for language, row in s.shifts.items()
        if row
    ]
    return _section("Shifts of emotion", "".join(blocks))


def _timing(s: Stats) -> str:
    blocks = []
    for language, t in s.timing.items():
        for title, d in (
            ("floor-transfer offset", t.offset),
            ("length of a turn", t.turn),
            ("pause in a turn", t.pause),
            ("where an interruption begins, of the answer", t.interruption),
        ):
            if d is not None:
                blocks.append(_distribution(f"{language}: {title}", d))
        if t.overlap_share is not None:
            overlap = f", {t.overlap:.0%} of the transfers" if t.overlap is not None else ""
            blocks.append(
                f"<div><h3>{escape(language)}: overlap</h3><p>{t.overlap_share:.1%} of the speech{overlap}</p></div>"
            )
    return _columns(blocks)


def _distribution(title: str, d: Distribution) -> str:
    caption = (
        f"n {d.n:,} · mean {d.mean:.2f} · sd {d.sd:.2f} · 5/50/95% {d.p5:.2f} / {d.p50:.2f} / {d.p95:.2f} {d.unit}"
    )
    return _histogram(title, d.histogram, d.bin_start, d.bin_width, caption)


def _histogram(title: str, counts: Sequence[int], start: float, width: float, caption: str) -> str:
    wide, high = 360, 90
    step, top = wide / max(len(counts), 1), max(counts, default=0) or 1
    bars = "".join(
        f'<rect x="{i * step:.1f}" y="{high - high * n / top:.1f}" width="{max(step - 0.6, 0.4):.1f}" '
        f'height="{high * n / top:.1f}" fill="#0072b2"><title>{start + i * width:g}: {n}</title></rect>'
        for i, n in enumerate(counts)
    )
    stop = start + width * len(counts)
    zero = ""
    if start < 0 < stop:
        at = f"{-start / (stop - start) * wide:.1f}"
        zero = f'<line class="axis" x1="{at}" x2="{at}" y1="0" y2="{high}" stroke-dasharray="3"/>'
    return (
        f'<div><h3>{escape(title)}</h3><svg viewBox="0 0 {wide} {high + 18}" role="img">{bars}{zero}'
        f'<line class="axis" x1="0" x2="{wide}" y1="{high}" y2="{high}"/><text class="soft" x="0" y="{high + 14}">'
        f'{start:g}</text><text class="soft" x="{wide}" y="{high + 14}" text-anchor="end">{stop:g}</text></svg>'
        f'<p class="soft">{escape(caption)}</p></div>'
    )


def _levels(snr: Sequence[float]) -> str:
    if not snr:
        return ""
    low, high = np.floor(min(snr)), np.ceil(max(snr)) + 1
    counts, edges = np.histogram(snr, bins=min(30, int(high - low)), range=(low, high))
    caption = f"n {len(snr):,} · mean {np.mean(snr):.1f} · {min(snr):.1f} to {max(snr):.1f} dB"
    return _columns(
        [
            _histogram(
                "signal to noise at the microphone, dB",
                counts.tolist(),
                float(edges[0]),
                float(edges[1] - edges[0]),
                caption,
            )
        ]
    )


def _gaps(s: Stats) -> str:
    rows: dict[tuple[str, str], list[str]] = {}
    for g in s.gaps:
        rows.setdefault((g.kind, g.where), []).append(f"{g.value} ({g.count})" if g.kind == "thin" else g.value)
    body = "".join(
        f"<tr><td>{escape(kind)}</td><td>{escape(where)}</td><td class='n'>{len(values)}</td>"
        f"<td>{escape(', '.join(values[:8]))}{' …' if len(values) > 8 else ''}</td></tr>"
        for (kind, where), values in rows.items()
    )
    head = '<tr><th>gap</th><th>where</th><th class="n">n</th><th>what</th></tr>'
    table = f'<div class="scroll"><table>{head}{body}</table></div>'
    return _section("Coverage gaps", table if body else "<p>none</p>")


def _speakers(s: Stats) -> str:
    if "speaker" not in s.axes:
        return ""
    rows = s.axes["speaker"].rows
    body = "".join(
        f'<tr><td>{escape(name)}</td><td class="n">{t.count:,}</td><td class="n">{60 * t.hours:.1f}</td></tr>'
        for name, t in list(rows.items())[:200]
    )
    return _section(
        "Speakers",
        f"<details><summary>{len(rows)} speakers</summary><table><tr><th>speaker</th><th class='n'>dialogues</th>"
        f"<th class='n'>minutes</th></tr>{body}</table></details>",
    )


def _example(item: OpenDialogue) -> str:
    d = item.dialogue
    if not d.audio:
        return ""
    chips = (d.track, *d.tasks, d.scenario, *d.languages, d.split, d.source, d.acoustics.noise, d.acoustics.room)
    felt, rates = emotions(d), {a.id: a.sample_rate for a in d.audio}
    rows = ""
    for t in d.turns:
        start, end = times(t, rates)
        when = f"{start:.1f}–{end:.1f}" if start is not None and end is not None else ""
        kind = "" if t.kind == "turn" else f' <span class="soft">({escape(t.kind.replace("_", " "))})</span>'
        mood = escape(feeling(felt[t.index])) if t.index in felt else ""
        rows += (
            f'<tr><td>{t.index}</td><td>{when}</td><td class="{t.role}">{ROLE_NAMES[t.role]}{kind}</td>'
            f"<td>{mood}</td><td>{escape(t.text_raw or t.text)}</td></tr>"
        )
    notes = "".join(f"<li>{escape(line)}</li>" for line in remarks(d))
    return (
        f'<div class="item"><h3>{escape(d.id)}</h3><p>'
        + "".join(f'<span class="chip">{escape(c)}</span>' for c in chips if c)
        + f"</p>{sketch(item)}{_player(item)}"
        + f'<div class="scroll"><table class="said">{rows}</table></div>'
        + (f"<details><summary>causes, shifts, events, probes</summary><ul>{notes}</ul></details>" if notes else "")
        + "</div>"
    )


def _player(item: OpenDialogue) -> str:
    """The main audio as a data address: MP3 where libsndfile can write it, since it is small, else FLAC."""
    import soundfile

    main = item.file("main")
    end = min(main.length, round(LONGEST * main.sample_rate))
    samples, rate = item.audio(which=main.id, end=end)
    if samples.shape[1] > 2:
        samples = samples.mean(axis=1)
    small = "MP3" in soundfile.available_formats() and rate in (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
    buffer = io.BytesIO()
    if small:
        soundfile.write(buffer, samples, rate, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.7)
    else:
        soundfile.write(buffer, samples, rate, format="FLAC", subtype="PCM_16")
    kind = "mpeg" if small else "flac"
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    cut = f'<p class="soft">the first {LONGEST:.0f} s</p>' if end < main.length else ""
    return f'<audio controls preload="none" src="data:audio/{kind};base64,{data}"></audio>{cut}'
