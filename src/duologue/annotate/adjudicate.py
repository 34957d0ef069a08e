"""Decide: what raters agree on, what a majority says, and what an adjudicator wrote into the sheet, as gold."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median_low

import msgspec

from duologue.annotate import answer as answers
from duologue.annotate.answer import Emotion, TimeSeen
from duologue.annotate.guidelines import VERSION
from duologue.annotate.item import Item, known
from duologue.annotate.judgements import agreed, agreement, by_item, key, rate_of
from duologue.annotate.rewrite import fresh, rewrite, with_annotations
from duologue.annotate.take_in import LARGEST
from duologue.corpus.annotation import Annotation
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.read import Corpus
from duologue.corpus.table import read_table
from duologue.errors import UserError
from duologue.formats.format import Problem

MAJORITY = "majority"
PROVISIONAL = "provisional"


class Adjudicated(msgspec.Struct, frozen=True, kw_only=True):
    """Items with gold now, by how: ``agreed`` by all their raters, by ``majority``, ``decided`` in the sheet. ``open``
    are disputed still, ``superseded`` counts earlier gold that is raw now."""

    written: bool
    agreed: int
    majority: int
    decided: int
    open: tuple[str, ...]
    superseded: int
    provisional: tuple[str, ...]
    findings: tuple[Problem, ...]
    corpus_sha256: str = ""


def adjudicate(
    corpus: Corpus,
    sheet: Path | None,
    out: Path,
    *,
    rater: str = "adjudicator",
    majority: bool = False,
    skip_bad: bool = False,
) -> Adjudicated:
    """Make the corpus ``out`` with gold annotations, each pointing by ``gold_of`` to what it was decided from.

    A decision in ``sheet`` counts first; then what all raters of an item say (two at least); with ``majority`` what
    more than half of them say. Of emotions the intensity is the lower median of those who gave the label, of times the
    lower median of each edge. Gold of a provisional layer says so in ``instrument``. What was gold for the same turn
    and layer becomes raw. Findings (an item that is not judged, an answer that is not known) keep it from writing
    unless ``skip_bad``.
    """
    known_ = known(corpus.manifest)
    findings: list[Problem] = []
    decisions = _decisions(sheet, findings) if sheet is not None else {}
    weak = agreement(corpus, resamples=0).provisional
    count: Counter[str] = Counter()
    left: list[str] = []
    used: set[str] = set()
    superseded = 0
    gold: dict[str, list[tuple[Item, answers.Answer, str, tuple[str, ...]]]] = {}
    for opened in corpus:
        d = opened.dialogue
        for id, (item, said) in by_item(d).items():
            own = [x for _, x in said]
            of = tuple(a.id for a, _ in said)
            if id in decisions:
                used.add(id)
                where, line = decisions[id]
                try:
                    answer = answers.read(item.layer, line, d, item.turn, known_)
                except UserError as error:
                    findings.append(Problem(where=where, what=error.message))
                    left.append(id)
                    continue
                how, by = "decided", rater
            elif len(said) > 1 and agreed(own, rate_of(d, item.turn)):
                answer, how, by = _middle(own), "agreed", "agreement"
            elif majority and (most := _most(own)) is not None:
                of = tuple(a.id for a, x in said if key(x) == key(most[0]))
                answer, how, by = _middle(most), "majority", MAJORITY
            else:
                left += [id] if len(said) > 1 else []
                continue
            count[how] += 1
            gold.setdefault(d.id, []).append((item, answer, by, of))
    findings += [
        Problem(where=decisions[i][0], what=f"item {i} was judged by nobody in this corpus") for i in decisions
        if i not in used
    ]  # fmt: skip

    def change(d: Dialogue) -> Dialogue:
        nonlocal superseded
        if d.id not in gold:
            return d
        places = {(item.layer, f"turn:{item.turn}") for item, *_ in gold[d.id]}
        kept: list[Annotation] = []
        for a in d.annotations:
            found = answers.of(a)
            if a.status == "gold" and found is not None and (found[0], a.target) in places:
                superseded += 1
                a = msgspec.structs.replace(a, status="raw")
            kept.append(a)
        taken = {a.id for a in kept}
        added = []
        for item, answer, by, of in gold[d.id]:
            base = {
                "id": fresh(f"gold-{item.layer}-{item.turn}", taken),
                "rater": by,
                "rater_type": "human",
                "instrument": f"{VERSION}, {PROVISIONAL}" if item.layer in weak else VERSION,
                "status": "gold",
                "gold_of": of,
            }
            added.append(answers.annotation(answer, d, item.turn, taxonomy=known_.taxonomy, base=base))
        return with_annotations(msgspec.structs.replace(d, annotations=tuple(kept)), added)

    report = Adjudicated(
        written=False,
        agreed=count["agreed"],
        majority=count["majority"],
        decided=count["decided"],
        open=tuple(left),
        superseded=0,
        provisional=weak,
        findings=tuple(findings),
    )
    if not gold or (findings and not skip_bad):
        return report
    notes = {
        "adjudicated": {**count, "open": left, "provisional": list(weak), "adjudicator": rater},
    }
    manifest = rewrite(corpus, out, change, notes)
    return msgspec.structs.replace(report, written=True, superseded=superseded, corpus_sha256=manifest.corpus_sha256)


def _decisions(sheet: Path, findings: list[Problem]) -> dict[str, tuple[str, str]]:
    """Item -> (where, decision) of the sheet's lines that have one."""
    lines = csv.DictReader(io.StringIO(read_table(sheet, LARGEST), newline=""))
    if lacking := [c for c in ("item", "decision") if c not in (lines.fieldnames or ())]:
        raise UserError("a column is missing", where=str(sheet), field=lacking[0], allowed="item, decision")
    found: dict[str, tuple[str, str]] = {}
    try:
        for row in lines:
            where = f"{sheet.name}:{lines.line_num}"
            item, line = (row["item"] or "").strip(), (row["decision"] or "").strip("\r\n")
            if not line.strip():
                continue
            if item in found:
                findings.append(Problem(where=where, what=f"item {item} is decided twice; the first counts"))
            else:
                found[item] = (where, line)
    except csv.Error as error:
        raise UserError(f"broken CSV: {error}", where=f"{sheet}:{lines.line_num}") from None
    return found


def _most(said: Sequence[answers.Answer]) -> list[answers.Answer] | None:
    """The answers of more than half of the raters that agree, if there are such; times have no majority."""
    if isinstance(said[0], TimeSeen) or len(said) < 2:
        return None
    value, n = Counter(key(x) for x in said).most_common(1)[0]
    return [x for x in said if key(x) == value] if 2 * n > len(said) else None


def _middle(said: Sequence[answers.Answer]) -> answers.Answer:
    first = said[0]
    if isinstance(first, Emotion):
        return Emotion(first.label, median_low([x.intensity for x in said if isinstance(x, Emotion)]))
    if isinstance(first, TimeSeen):
        times = [x for x in said if isinstance(x, TimeSeen)]
        return TimeSeen(median_low([t.start for t in times]), median_low([t.end for t in times]))
    return first
