"""A reading sheet and the index of all sheets, as HTML made to be printed on A4."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files

from duologue.report.printable import html
from duologue.report.sheets.direction import PAUSE, pieces, role_name, tongue
from duologue.report.sheets.part import HANZI_PER_SECOND, WORDS_PER_SECOND, Entry, Part

_CLASS = {"pause": "sign", "mark": "mark"}

_SAID = {
    "en": {
        "title": "Reading sheet: {}",
        "counts": "{lines} lines in {dialogues} dialogues, about {minutes:.1f} minutes of speech (estimated)",
        "how": "Read the large lines, each into a file of the name below it. Grey lines are spoken by others. "
        "An underlined word is emphasised; {pause} is a pause in the middle of the sentence; "
        "a framed [mark] is a sound to make. Say the words exactly as they stand.",
        "dialogue": "Dialogue {}",
    },
    "zh": {
        "title": "录音稿：{}",
        "counts": "{dialogues} 段对话，{lines} 句，朗读约 {minutes:.1f} 分钟（估计值）",
        "how": "请朗读大字的句子，每句录成一个文件，文件名写在句子下面。灰色的句子由别人说。"
        "加下划线的词要重读；{pause} 表示句中停顿；方框里的 [标记] 表示要发出的声音。请一字不差地读。",
        "dialogue": "对话 {}",
    },
}


def sheet(part: Part) -> str:
    """The page of one actor, with the other speakers' lines as cues."""
    said = _SAID[tongue(part.language)]
    title = said["title"].format(part.speaker if part.known else role_name(part.speaker, part.language))
    counts = said["counts"].format(lines=len(part.mine), dialogues=len(part.dialogues), minutes=part.seconds / 60)
    roles = ", ".join(role_name(r, part.language) for r in part.roles)
    head = (
        f"<h1>{html(title)}</h1><p>{html(roles)} · {html(part.language)}<br>{html(counts)}</p>"
        f'<p class="soft">{html(said["how"].format(pause=PAUSE))}</p>'
    )
    body = []
    for id, entries in part.dialogues:
        lines = "".join(_mine(e) if e.mine else _cue(e, part.language) for e in entries)
        heading = f"<h2>{html(said['dialogue'].format(id))}</h2>"
        body.append(f"<section>{heading}<ol>{lines}</ol></section>")
    return _document(title, part.language, head + "".join(body))


def index(parts: Iterable[Part]) -> str:
    """The list of all sheets with counts and estimated minutes."""
    rows = "".join(
        f'<tr><td><a href="{html(p.name)}.html">{html(p.name)}</a></td>'
        f"<td>{html(', '.join(p.roles))}</td><td>{html(p.language)}</td>"
        f'<td class="num">{len(p.dialogues):,}</td><td class="num">{len(p.mine):,}</td>'
        f'<td class="num">{p.seconds / 60:.1f}</td><td><a href="{html(p.name)}.csv">CSV</a></td></tr>'
        for p in parts
    )
    head = "<th>sheet</th><th>roles</th><th>language</th>" + "".join(
        f'<th class="num">{h}</th>' for h in ("dialogues", "lines", "minutes (estimated)")
    )
    note = f"Minutes are an estimate: {WORDS_PER_SECOND} words or {HANZI_PER_SECOND} hanzi a second, without breaks."
    return _document(
        "Reading sheets", "en", f"<h1>Reading sheets</h1><p>{note}</p><table><tr>{head}<th></th></tr>{rows}</table>"
    )


def _mine(e: Entry) -> str:
    shown = {"plain": "{}", "emphasis": "<strong>{}</strong>"}
    words = "".join(
        shown[kind].format(html(text)) if kind in shown else f'<span class="{_CLASS[kind]}">{html(text)}</span> '
        for kind, text in pieces(e.line)
    )
    first, *rest = e.directions
    told = f"<b>{html(first)}</b>" + "".join(f" · {html(d)}" for d in rest)
    return (
        f'<li class="mine"><span class="n">{e.number}</span><div><p class="told">{told}</p>'
        f'<p class="words">{words}</p><p class="file">{html(e.file)}</p></div></li>'
    )


def _cue(e: Entry, language: str) -> str:
    who = html(role_name(e.line.role, language))
    return f'<li class="cue"><span class="n">{e.number}</span><p><i>{who}:</i> {html(e.line.text)}</p></li>'


def _document(title: str, language: str, body: str) -> str:
    css = files("duologue.report.sheets").joinpath("sheet.css").read_text("utf-8")
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!DOCTYPE html><html lang="{html(language)}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html(title)}</title><style>{css}</style></head><body>{body}</body></html>\n"
    )
