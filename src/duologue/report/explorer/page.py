"""The explorer's file: rows, records and sound as blocks of data, one style, one script, no network."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.resources import files as resources
from typing import Any

import msgspec

from duologue.corpus.read import Corpus, OpenDialogue
from duologue.errors import UserError
from duologue.report.explorer.entry import Row, entry, files, row
from duologue.report.explorer.track import LONGEST, Sound, sound
from duologue.report.printable import html

_SCRIPTS = ("text.js", "player.js", "waves.js", "transcript.js", "facts.js", "list.js", "start.js")
# Fewer bytes of base64 a second than speech takes as MP3: what has less room left is not tried.
_LEAST = 2_000
_MB = 1_000_000


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a page holds. ``chosen`` of ``total`` dialogues were asked for, ``shown`` found room, ``heard`` with sound.

    ``silent`` have sound that found no room or is broken; ``cut`` are heard to ``LONGEST`` seconds only.
    """

    total: int
    chosen: int
    shown: int
    heard: int
    silent: int
    cut: int
    bytes: int
    codec: str


def render(
    corpus: Corpus,
    ids: Sequence[str],
    *,
    filters: dict[str, str],
    max_bytes: int,
    progress: Callable[[int], object] = lambda n: None,
) -> tuple[bytes, Shown]:
    """The whole HTML file for dialogues ``ids``, at most ``max_bytes`` long, and what it holds.

    Records come first, in order of ``ids``, then sound in the same order: where room runs out, the last go without
    sound, and only then without a record. UserError where not one record fits.
    """
    shell_size = len(_shell(corpus, "", {})) + 4_096
    room = max_bytes - shell_size
    rows: list[Row] = []
    records: list[str] = []
    items: list[OpenDialogue] = []
    cut = 0
    for id in ids:
        item = corpus.get(id)
        e = entry(item, corpus.manifest)
        r = row(e)
        text = _block(f"d{len(rows)}", e)
        size = len(text.encode()) + len(_json(r).encode()) + 16
        progress(1)
        if size > room:
            if not rows:
                raise UserError(
                    "too small for a single dialogue",
                    field="--max-mb",
                    value=max_bytes / _MB,
                    allowed=f"{(shell_size + size) / _MB:.2f} or more",
                )
            break
        room -= size
        rows.append(r)
        records.append(text)
        items.append(item)
        cut += e.main is not None and e.main.shown < e.main.seconds
    sounds: list[str] = []
    kinds: Counter[str] = Counter()
    for i, item in enumerate(items):
        text = _heard(item, i, rows[i], room)
        progress(1)
        if text:
            room -= len(text)
            sounds.append(text)
            rows[i] = msgspec.structs.replace(rows[i], heard=True)
            kinds["MP3" if "data:audio/mpeg" in text else "FLAC"] += 1
    shown = Shown(
        total=len(corpus),
        chosen=len(ids),
        shown=len(rows),
        heard=len(sounds),
        silent=sum(bool(r.seconds) and not r.heard for r in rows),
        cut=cut,
        bytes=0,
        codec=", ".join(sorted(kinds)) or "none",
    )
    about = {"shown": shown, "filters": filters, "longest": LONGEST, "max_mb": max_bytes / _MB}
    body = _block("rows", rows) + "".join(records) + "".join(sounds)
    page = _shell(corpus, body, about).encode("utf-8")
    return page, msgspec.structs.replace(shown, bytes=len(page))


def _heard(item: OpenDialogue, i: int, r: Row, room: int) -> str:
    """The block of an item's sound, "" where it has none, is broken or finds no room."""
    main, twin = files(item)
    if main is None or _LEAST * min(r.seconds, LONGEST) > room:
        return ""
    try:
        made: Sound = sound(item, main, twin)
    except UserError:
        return ""  # The record's findings say what is wrong with the file.
    text = _block(f"a{i}", made)
    return text if len(text) <= room else ""


def _json(value: Any) -> str:
    """JSON that may stand in a script element: nothing in it opens or closes a tag or ends a line of script."""
    text = msgspec.json.encode(value).decode("utf-8")
    return (
        text.replace("<", "\\u003c").replace(">", "\\u003e").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    )


def _block(id: str, value: Any) -> str:
    return f'<script type="application/json" id="{id}">{_json(value)}</script>\n'


def _pinned(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii") + "'"


def _shell(corpus: Corpus, blocks: str, about: dict[str, Any]) -> str:
    here, m = resources("duologue.report.explorer"), corpus.manifest
    style = here.joinpath("explorer.css").read_text("utf-8")
    script = '"use strict";\n' + "".join(here.joinpath(name).read_text("utf-8") for name in _SCRIPTS)
    policy = (
        f"default-src 'none'; style-src {_pinned(style)}; script-src {_pinned(script)}; base-uri 'none'; "
        "form-action 'none'"
    )
    facts = {
        **about,
        "name": m.name,
        "corpus_sha256": m.corpus_sha256,
        "recipe_sha256": m.recipe_sha256,
        "duologue": m.duologue,
        "taxonomy": m.taxonomy.classes,
        "parts": m.parts,
        "totals": m.totals,
    }
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" '
        f'content="light dark"><title>{html(m.name)} · Duologue explorer</title><style>{style}</style></head><body>'
        f"{here.joinpath('explorer.html').read_text('utf-8')}{_block('about', facts)}{blocks}"
        f"<script>{script}</script></body></html>\n"
    )
