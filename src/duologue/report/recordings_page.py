"""One HTML file about recordings: what is missing and wrong, then every line with its figures."""

from __future__ import annotations

from duologue.recordings.check import Checked, CheckedLine, Flaw
from duologue.report.printable import html
from duologue.report.recordings_text import summary
from duologue.report.shell import names, page, section


def render(found: Checked) -> str:
    """The page; it opens offline and plays nothing."""
    said = "".join(f"<li>{html(s)}</li>" for s in summary(found))
    head = (
        f"<header><h1>Recordings</h1><p><code>{html(found.manifest)}</code> in <code>{html(found.folder)}</code></p>"
        f"<ul>{said}</ul></header>"
    )
    strangers = names([(name, "") for name in found.strangers])
    return page(
        "Recordings",
        (
            head,
            section("What is wrong", _flaws(found.flaws)),
            section("Every line", _lines(found.lines)),
            section("Files that no line asks for", strangers),
        ),
    )


def _flaws(flaws: tuple[Flaw, ...]) -> str:
    if not flaws:
        return "<p>Nothing.</p>"
    order = {"error": 0, "warning": 1, "suspicion": 2}
    rows = "".join(
        f"<tr><td>{f.severity}</td><td>{f.kind}</td><td><code>{html(f.key)}</code></td><td>{html(f.speaker)}</td>"
        f"<td>{html(f.what)}</td></tr>"
        for f in sorted(flaws, key=lambda f: order[f.severity])
    )
    head = "".join(f"<th>{h}</th>" for h in ("", "kind", "line", "reader", "what"))
    return f'<div class="scroll"><table class="grid"><tr>{head}</tr>{rows}</table></div>'


def _lines(lines: tuple[CheckedLine, ...]) -> str:
    rows = "".join(_line(x) for x in lines)
    heads = ("seconds", "before", "after", "level dBFS", "noise dBFS", "wrong", "voice")
    head = "<th>line</th><th>reader</th><th>text</th>" + "".join(f'<th class="n">{h}</th>' for h in heads)
    return f'<div class="scroll"><table class="grid"><tr>{head}</tr>{rows}</table></div>'


def _line(x: CheckedLine) -> str:
    m = x.sound
    figures = ("", "", "", "", "") if m is None else (
        f"{m.seconds:.2f}", f"{m.lead:.2f}", f"{m.trail:.2f}", f"{m.level_db:.0f}", f"{m.noise_db:.0f}",
    )  # fmt: skip
    wrong = "" if x.error_rate is None else f"{x.error_rate:.0%}"
    voice = "" if x.voice_distance is None else f"{x.voice_distance:.1f}"
    cells = "".join(f'<td class="n">{c}</td>' for c in (*figures, wrong, voice))
    text = f'<span lang="{html(x.language)}">{html(x.text)}</span>'
    return f"<tr><td><code>{html(x.key)}</code></td><td>{html(x.speaker)}</td><td>{text}</td>{cells}</tr>"
