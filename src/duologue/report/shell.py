"""The shell of a one-file page about scores: styles, policy, the one script that moves the playheads."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from importlib.resources import files

from duologue.report.printable import html


def page(title: str, sections: Iterable[str]) -> str:
    """A whole HTML document. Its policy lets no script run but ours, by hash, and nothing be fetched."""
    here = files("duologue.report")
    css = "".join(here.joinpath(name).read_text("utf-8") for name in ("page.css", "score.css"))
    script = here.joinpath("playhead.js").read_text("utf-8")
    pinned = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'unsafe-inline'; media-src data:; script-src 'sha256-{pinned}'"
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html(title)}</title><style>{css}</style></head><body>{''.join(sections)}"
        f"<script>{script}</script></body></html>\n"
    )


def section(title: str, body: str) -> str:
    """A headed section, "" where there is nothing to say."""
    return f"<section><h2>{html(title)}</h2>{body}</section>" if body else ""


def names(rows: Iterable[tuple[str, str]], *, most: int = 40) -> str:
    """A list of (name, remark), cut at ``most`` with a count of the rest."""
    rows = list(rows)
    body = "".join(
        f"<li><code><bdi>{html(name)}</bdi></code>"
        + (f" <span class='soft'>{html(remark)}</span>" if remark else "")
        + "</li>"
        for name, remark in rows[:most]
    )
    more = f'<p class="soft">and {len(rows) - most:,} more</p>' if len(rows) > most else ""
    return f'<ul class="names">{body}</ul>{more}' if rows else ""
