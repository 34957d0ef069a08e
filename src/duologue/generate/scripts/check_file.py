"""Check a file of scripts: each by itself, and all of them beside each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from duologue.corpus.finding import Finding
from duologue.generate.scripts.diversity import near_duplicates
from duologue.generate.scripts.inspect import findings
from duologue.generate.scripts.written import read_scripts


def check_file(path: str | Path, advance: Callable[[int], object] = lambda n: None) -> tuple[int, list[Finding]]:
    """(scripts, everything that is wrong with them): each by itself, ids twice, words told twice."""
    found: list[Finding] = []
    ids: set[str] = set()
    texts: dict[str, list[str]] = {}
    seen: dict[tuple[str, ...], str] = {}
    total = 0
    for number, w in read_scripts(path):
        total += 1
        file = f"{path}:{number}"
        found += findings(w.script, w.brief, file=file, id=w.id)
        if w.id in ids:
            found.append(Finding(file=file, dialogue=w.id, field="id", value=w.id, allowed="once", message="twice"))
        ids.add(w.id)
        words = tuple(line.text for line in w.script.lines)
        if words in seen:
            message = "the same words as another script"
            found.append(Finding(file=file, dialogue=w.id, field="lines", value=seen[words], message=message))
        seen.setdefault(words, w.id)
        texts.setdefault(w.script.language, []).append(
            "\n".join(line.text for line in w.script.lines if line.role == "user")
        )
        advance(1)
    for language, user in texts.items():
        near = near_duplicates(user, language)
        if near > max(1, len(user) // 100):
            allowed = f"at most {max(1, len(user) // 100)} of {len(user)}"
            message = f"too many near-duplicates in {language!r} (Jaccard >= 0.8)"
            found.append(Finding(file=str(path), field="lines", value=near, allowed=allowed, message=message))
    return total, found
