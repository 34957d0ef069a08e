"""Reads what was said, without a judge: content and filler, relevance, repetition, continuation, naturalness."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from statistics import fmean

from duologue.corpus.dialogue import Dialogue
from duologue.corpus.interval import clip, merge_gaps, total
from duologue.corpus.read import Corpus, OpenDialogue
from duologue.errors import MissingPartError
from duologue.language.encoder import TextEncoder
from duologue.language.remembered import RememberedEncoder
from duologue.score.exchange import RATE, Exchange
from duologue.score.filler import first_content
from duologue.score.naturalness import SpokenReply, naturalness
from duologue.score.profiles.corrected.item import Answer, Judged
from duologue.score.relevance import Query, RankedReply, Relevance, Reply, choose_distractors

# Queries of a language that distractors are taken from; more only cost time.
POOL = 600
_WHY = {
    "empty": "no content",
    "generic": "nothing that fits this query more than any other",
    "copied": "it only says again what the user said",
    "thin": "hardly any content",
    "language": "another language",
}


class TextReader:
    """Reads the exchanges of one corpus. ``methods`` names what reads, for the card."""

    def __init__(self, pool: Sequence[Query], encoder: TextEncoder) -> None:
        self._pool = {
            language: _thinned([q for q in pool if q.language == language])
            for language in sorted({q.language for q in pool})
        }
        self._relevance = Relevance(RememberedEncoder(encoder))
        self.methods = {"relevance": encoder.name, "naturalness": "judge-free measures", "judge": "not judged"}

    def first_content(self, words: Sequence[str], language: str) -> int | None:
        return first_content(words, language)

    def judge(self, given: Sequence[tuple[Exchange, Answer]]) -> list[Judged]:
        """How far each answer is one to its query: rank of the true query among others, copied words left out.

        An answer to a request to repeat is held against what was said before instead: words that say it again are
        about the old query, not about the request.
        """
        ranked = iter(self._relevance.rank([self._reply(x, a) for x, a in given if not _repetition(a)]))
        found = []
        for x, a in given:
            if _repetition(a):
                share = self.repeats(a.text, x.text(0, a.wanted.played.start + RATE // 2), x.language)
                found.append(Judged(score=share, nearness=share, why="" if share >= 0.5 else "it says something else"))
                continue
            r = next(ranked)
            found.append(
                Judged(score=r.score, nearness=r.nearness, rank=r.rank, candidates=r.of, copied=r.copied, why=_why(r))
            )
        return found

    def continues(self, before: str, after: str, language: str) -> float:
        return self._relevance.continues(before, after, language)

    def repeats(self, reply: str, heard: str, language: str) -> float:
        return self._relevance.repeats(reply, heard, language)

    def naturalness(self, given: Sequence[tuple[Exchange, Sequence[Answer], Sequence[Judged]]]) -> list[float | None]:
        """The mean over an item's replies of their judge-free naturalness; None where it gave none."""
        rows = [
            (n, SpokenReply(text=a.text, language=x.language, seconds=_seconds(x, a), relevance=_near(j)))
            for n, (x, answers, judged) in enumerate(given)
            for a, j in zip(answers, judged, strict=True)
        ]
        found: list[list[float]] = [[] for _ in given]
        for (n, _), measures in zip(rows, naturalness([r for _, r in rows]), strict=True):
            found[n].append(measures.overall)
        return [round(fmean(values), 6) if values else None for values in found]

    def _reply(self, x: Exchange, a: Answer) -> Reply:
        d, w = x.dialogue, a.wanted
        mine = {t.text for t in d.turns if t.role != "system"}
        return Reply(
            text=a.text,
            language=x.language,
            query=w.query,
            previous=w.previous,
            reference=reference(d, w.index),
            distractors=choose_distractors(
                self._pool.get(x.language, ()),
                language=x.language,
                family=family(d),
                seed=f"{d.id} {w.index}",
                exclude=mine,
            ),
        )


def read_pool(items: Iterable[OpenDialogue]) -> list[Query]:
    """Every query to the system in a corpus's track 2 dialogues."""
    rows: list[Query] = []
    for item in items:
        d = item.dialogue
        if d.track != "duplex":
            continue
        system = {s.id for s in d.speakers if s.role == "system"}
        rows += [
            Query(t.text, d.languages[0], family(d))
            for t in d.turns
            if t.role == "user" and t.kind == "turn" and t.text and (not t.addressee or t.addressee in system)
        ]
    return rows


def reader_of(corpus: Corpus, encoder: TextEncoder | None = None) -> TextReader:
    """The reader of ``corpus``: by sentence vectors, or by letters alone where those are not installed (it says so)."""
    pool = read_pool(corpus)
    return TextReader(pool, encoder or default_encoder([q.text for q in pool]))


def default_encoder(background: Iterable[str]) -> TextEncoder:
    from duologue.language.meaning import SentenceEncoder

    encoder = SentenceEncoder()
    try:
        encoder.encode(["."])
    except MissingPartError:
        from duologue.language.lexical import LexicalEncoder

        return LexicalEncoder(background)
    return encoder


def family(d: Dialogue) -> str:
    """What a distractor may not share with a query."""
    return "+".join(d.groups.get("script_family", ())) or d.id


def reference(d: Dialogue, turn: int) -> str:
    """The dialogue's own answer to a turn, in full, or ""."""
    for e in d.events:
        if e.target_turn == turn and e.response_turn is not None:
            t = next((t for t in d.turns if t.index == e.response_turn), None)
            return (t.intended_text or t.text) if t else ""
    later = [t for t in d.turns if t.index > turn and (t.role == "system" or (t.role == "user" and t.kind == "turn"))]
    if not later or later[0].role != "system":
        return ""
    return later[0].intended_text or later[0].text


def _repetition(a: Answer) -> bool:
    return a.wanted.kind == "repetition"


def _near(j: Judged) -> float:
    return j.score if j.nearness is None else j.nearness


def _seconds(x: Exchange, a: Answer) -> float | None:
    """Seconds of speech from the first word of content on, pauses of a second and more left out."""
    if a.found is None or a.content is None:
        return None
    return total(clip(merge_gaps(x.speech, RATE - 1), a.content, a.found.stop)) / RATE or None


def _thinned(pool: Sequence[Query]) -> tuple[Query, ...]:
    distinct = sorted({(q.text, q.language, q.family) for q in pool})
    chosen = sorted(distinct, key=lambda q: hashlib.sha256("\0".join(q).encode()).digest())[:POOL]
    return tuple(Query(*q) for q in sorted(chosen))


def _why(r: RankedReply) -> str:
    if r.why:
        return _WHY.get(r.why, r.why)
    if r.previous_wins:
        return "it is about the query before"
    return "" if r.rank == 1 else f"the true query comes {r.rank}. of {r.of}"
