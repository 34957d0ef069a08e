"""The official numbers of a run on a corpus of ours, with tags from a file, a judge, or by rule."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from duologue.corpus.dialogue import Dialogue
from duologue.corpus.event import SCENARIOS
from duologue.corpus.observation import SaidWord
from duologue.corpus.read import OpenDialogue
from duologue.corpus.run import Run
from duologue.errors import UserError
from duologue.judge.judge import Judge
from duologue.judge.tag import Chunk, TagItem, Transcript
from duologue.score.exchange import RATE, Exchange
from duologue.score.hear import Ears, Taken, take
from duologue.score.profiles.corrected.evaluate import Reader, heard, read
from duologue.score.profiles.corrected.limits import DEFAULT
from duologue.score.profiles.humdial2026.ears import OfficialEars
from duologue.score.profiles.humdial2026.evaluate import evaluate
from duologue.score.profiles.humdial2026.item import OfficialItem, OfficialOptions, OfficialScore
from duologue.score.profiles.humdial2026.rule_tag import METHOD, rule_tag

LARGEST = 64 * 2**20


class RunScore(msgspec.Struct, frozen=True, kw_only=True):
    """The official score of a run, and who gave the tags."""

    system: str
    tags_from: str
    score: OfficialScore


def score_run(
    items: Iterable[OpenDialogue],
    run: Run,
    ears: Ears,
    official: OfficialEars,
    reader: Reader,
    *,
    tags: dict[str, list[str]] | None = None,
    judge: Judge[TagItem] | None = None,
    options: OfficialOptions = OfficialOptions(),
    advance: Callable[[int], None] = lambda n: None,
) -> RunScore:
    """Score ``run`` officially. Tags come from ``tags`` (id -> tags), else from ``judge``, else by rule.

    Dialogues without an event belong to none of the nine scenarios and are left out.
    """
    rows: list[OfficialItem] = []
    asked: list[TagItem] = []
    kept: list[tuple[Sequence[OpenDialogue], list[Taken]]] = []

    def outputs(batch: Sequence[OpenDialogue]) -> list[Taken]:
        kept[:] = [(batch, take(batch, run))]
        return kept[0][1]

    wanted = (i for i in items if i.dialogue.track == "duplex" and i.dialogue.scenario in SCENARIOS)
    for batch in heard(wanted, outputs, ears):
        opened, taken = kept[0]
        by_rule = tags is None and judge is None
        ruled = [[rule_tag(r, reader)] for r in read(batch, reader, DEFAULT)] if by_rule else [None] * len(batch)
        for x, item, (samples, _), tag in zip(batch, opened, taken, ruled, strict=True):
            given: Sequence[str] | None = (tags or {}).get(item.id)
            if tags is None and x.observation.status == "ok":
                given = tag
                if judge is not None:
                    asked.append(tag_item(item, x, run))
            rows.append(official.item(item, x, samples, given))
        advance(len(batch))
    source = "a file" if tags is not None else METHOD
    if judge is not None and tags is None:
        verdicts = {v.id: v for v in judge.judge(asked)}
        rows = [
            msgspec.structs.replace(r, tags=(verdicts[r.id].tag,))
            if r.id in verdicts and verdicts[r.id].status == "ok"
            else r
            for r in rows
        ]
        source = f"{judge.name}/{judge.version}"
    return RunScore(system=run.manifest.system, tags_from=source, score=evaluate(rows, options))


def tag_item(item: OpenDialogue, x: Exchange, run: Run) -> TagItem:
    """The four transcripts that the tag judge reads; those of the clean run are None where there was none."""
    d = item.dialogue
    twin = run.observe(d, twin=True)
    clean_output = _said(twin.words, twin.sample_rate, d) if twin.status == "ok" and twin.words_from else None
    return TagItem(
        id=d.id,
        clean_input=_input(item, clean=True),
        clean_output=clean_output,
        overlap_input=_input(item, clean=False),
        overlap_output=_said(x.words, RATE, d),
    )


def _said(words: Sequence[SaidWord], rate: int, d: Dialogue) -> Transcript:
    return Transcript.of_words(((w.text, w.start / rate, w.end / rate) for w in words), d.languages[0])


def _input(item: OpenDialogue, *, clean: bool) -> Transcript | None:
    """What is said into the user's microphone; of the twin, without what lies in its interval."""
    d = item.dialogue
    twin = next((a for a in d.audio if a.twin is not None), None)
    if clean and (twin is None or twin.twin is None):
        return None
    rate = item.file("main").sample_rate
    outside = twin.twin.differs if clean and twin is not None and twin.twin is not None else None
    rows = sorted(
        (w.start / rate, w.end / rate, t.text[w.char_start : w.char_end])
        for t in d.turns
        if t.role != "system"
        for w in t.words
        if outside is None or w.end <= outside[0] or w.start >= outside[1]
    )
    chunks = tuple(Chunk(text, start, end) for start, end, text in rows)
    return Transcript(("" if d.languages[0] == "zh" else " ").join(c.text for c in chunks), chunks)


def read_tags(path: Path) -> dict[str, list[str]]:
    """Tags of a JSON Lines file of {"id": ..., "tag": "RESPOND"} (or "tags": [...]); the official "key" and "behaviour"
    are read too. UserError names the line of anything else, and an id that comes twice.
    """
    found: dict[str, list[str]] = {}
    try:
        if path.stat().st_size > LARGEST:
            raise UserError("too large a file of tags", where=str(path), allowed=f"up to {LARGEST} bytes")
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"tags cannot be read: {error}", where=str(path)) from None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise UserError("not JSON", where=where, value=line[:60]) from None
        id = row.get("id", row.get("key")) if isinstance(row, dict) else None
        tags = row.get("tag", row.get("tags", row.get("behaviour"))) if isinstance(row, dict) else None
        tags = [tags] if isinstance(tags, str) else tags
        if not isinstance(id, str) or not isinstance(tags, list) or not all(isinstance(t, str) for t in tags):
            raise UserError("no tag", where=where, value=line[:60], allowed='{"id": "...", "tag": "RESPOND"}')
        if id in found:
            raise UserError("an id comes twice", where=where, field="id", value=id)
        found[id] = tags
    return found
