"""Does the scorer let a degenerate system win? Each is scored beside the corpus's own reference system."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import msgspec

from duologue.corpus.event import SCENARIOS
from duologue.corpus.observation import Observation
from duologue.corpus.read import Corpus, OpenDialogue
from duologue.errors import UserError
from duologue.score.comparison import paired
from duologue.score.exchange import RATE
from duologue.score.hear import Ears, Taken
from duologue.score.profiles.corrected import card
from duologue.score.profiles.corrected.evaluate import Options, Reader, expected, heard, read, score_read
from duologue.score.profiles.humdial2026.ears import OfficialEars
from duologue.score.profiles.humdial2026.evaluate import evaluate as evaluate_officially
from duologue.score.profiles.humdial2026.item import OfficialItem, OfficialOptions
from duologue.score.profiles.humdial2026.rule_tag import METHOD, rule_tag
from duologue.score.scorecard import Estimate, ItemScore
from duologue.systems.degenerate import DEGENERATE, HONEST, Others, describe, perform


class SystemCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A system's figures in both profiles. ``margin`` is the honest system's utility less this one's, item by item.

    ``outranks`` says that this system's headline is not below the honest one's. Official figures are None where a
    step has no value; their tags are given by rule, without a judge.
    """

    system: str
    what: str
    corrected: Estimate
    behaviour: float | None
    speed: float | None
    relevance: float | None
    margin: Estimate
    outranks: bool
    scenarios: dict[str, float]
    interruption: float | None = None
    rejection: float | None = None
    delay: float | None = None
    delay_score: float | None = None
    total: float | None = None


class SelfCheck(msgspec.Struct, frozen=True, kw_only=True):
    """All systems, the honest one first, then by the corrected score; ``passed`` where none outranks it.

    ``left_out`` maps a system that cannot speak in this corpus (it needs a second language, or other dialogues) to why.
    """

    corpus: str
    corpus_sha256: str
    items: int
    passed: bool
    systems: tuple[SystemCheck, ...]
    methods: dict[str, str]
    left_out: dict[str, str] = {}


def selfcheck(
    corpus: Corpus,
    ears: Ears,
    reader: Reader,
    official: OfficialEars,
    *,
    per_cell: int = 4,
    systems: Sequence[str] = (),
    seed: int = 0,
    advance: Callable[[int], None] = lambda n: None,
) -> SelfCheck:
    """Score every degenerate system on up to ``per_cell`` items a scenario, position and language.

    Items are chosen by the hash of their ids, so equal corpora give equal checks. UserError where the corpus has no
    track 2 dialogue with a reference system, or a system is unknown.
    """
    names = [HONEST, *(systems or DEGENERATE)]
    for name in names:
        describe(name)
    chosen = sample(expected(corpus, Options()), per_cell)
    if not chosen:
        raise UserError("no track 2 dialogues to check with", where=corpus.root)
    others = Others(corpus, seed=seed)
    scored: dict[str, list[ItemScore]] = {}
    seen: dict[str, list[OfficialItem]] = {}
    left_out: dict[str, str] = {}
    for name in dict.fromkeys(names):
        try:
            scored[name], seen[name] = _run(name, chosen, others, ears, reader, official, seed, advance)
        except UserError as error:
            if name == HONEST:
                raise
            left_out[name] = error.message
    honest = scored[HONEST]
    rows = [_row(name, scored[name], honest, seen[name]) for name in scored]
    best = rows[0].corrected.value or 0.0
    rows = [
        msgspec.structs.replace(r, outranks=r.system != HONEST and (r.corrected.value or 0.0) >= best) for r in rows
    ]
    order = sorted(rows[1:], key=lambda r: -(r.corrected.value or 0.0))
    return SelfCheck(
        corpus=corpus.manifest.name,
        corpus_sha256=corpus.manifest.corpus_sha256,
        items=len(chosen),
        passed=not any(r.outranks for r in rows),
        systems=(rows[0], *order),
        methods={**reader.methods, "words": "known from the corpus", "official tags": METHOD},
        left_out=left_out,
    )


def sample(items: Iterable[OpenDialogue], per_cell: int) -> list[OpenDialogue]:
    """Up to ``per_cell`` items of each scenario, third-party position and language."""
    cells: dict[tuple[str, str, str], list[OpenDialogue]] = defaultdict(list)
    for item in items:
        d = item.dialogue
        where = d.events[0].position if d.events else ""
        cells[d.scenario, where, d.languages[0]].append(item)
    chosen = []
    for _, rows in sorted(cells.items()):
        rows.sort(key=lambda i: hashlib.sha256(i.id.encode()).digest())
        chosen += rows[:per_cell]
    return chosen


def _run(
    name: str,
    items: Sequence[OpenDialogue],
    others: Others,
    ears: Ears,
    reader: Reader,
    official: OfficialEars,
    seed: int,
    advance: Callable[[int], None],
) -> tuple[list[ItemScore], list[OfficialItem]]:
    def outputs(batch: Sequence[OpenDialogue]) -> list[Taken]:
        rows: list[Taken] = []
        for item in batch:
            samples, words = perform(name, item, others, seed=seed)
            rows.append(
                (samples, Observation(id=item.id, status="ok", sample_rate=RATE, words=words, words_from="corpus"))
            )
        kept[:] = rows
        return rows

    kept: list[Taken] = []
    scores: list[ItemScore] = []
    official_items: list[OfficialItem] = []
    at = 0
    for batch in heard(items, outputs, ears):
        reads = read(batch, reader, Options().limits)
        scores += score_read(reads, reader, Options().limits)
        for r, item, (samples, _) in zip(reads, items[at : at + len(batch)], kept, strict=True):
            if item.dialogue.scenario in SCENARIOS:
                official_items.append(official.item(item, r.exchange, samples, [rule_tag(r, reader)]))
        at += len(batch)
        advance(len(batch))
    return scores, official_items


def _row(
    name: str, items: Sequence[ItemScore], honest: Sequence[ItemScore], seen: Sequence[OfficialItem]
) -> SystemCheck:
    score = evaluate_officially(seen, OfficialOptions(mute="best")) if seen else None
    cells = card.cells(items)
    whole = next(c for c in cells if c.scenario == card.ALL and c.language == card.ALL)
    margin = paired([i.utility for i in honest], [i.utility for i in items], card.clusters_of(items)).difference
    return SystemCheck(
        system=name,
        what=describe(name),
        corrected=card.headline(items),
        behaviour=whole.behaviour.value,
        speed=whole.speed.value,
        relevance=whole.relevance.value,
        margin=margin,
        outranks=False,
        scenarios={
            c.scenario: c.utility.value or 0.0 for c in cells if c.language == card.ALL and c.scenario != card.ALL
        },
        interruption=score.interruption if score else None,
        rejection=score.rejection if score else None,
        delay=score.delay if score else None,
        delay_score=score.delay_score if score else None,
        total=score.total if score else None,
    )
