"""Relevance by a judge instead of by rank: everything else is read as without one."""

from __future__ import annotations

from collections.abc import Sequence

from duologue.judge.judge import Judge
from duologue.judge.reply import ReplyToJudge, Said
from duologue.score.exchange import Exchange
from duologue.score.profiles.corrected.item import Answer, Judged
from duologue.score.text_reader import TextReader


class JudgedReader:
    """Reads as ``reader`` does, but for relevance, which is (grade - 1) / 4 of the judge's dimension "relevance".

    A judgement that failed (unparsable, infrastructure) counts 0 and says so: a run is not scored better for it. What
    is only filler, or nothing, is not asked about.
    """

    def __init__(self, reader: TextReader, judge: Judge[ReplyToJudge], model: str) -> None:
        self._reader, self._judge = reader, judge
        self.methods = dict(reader.methods) | {"relevance": f"judge {judge.name}/{judge.version} by {model}"}
        self.first_content = reader.first_content
        self.continues = reader.continues
        self.repeats = reader.repeats
        self.naturalness = reader.naturalness

    def judge(self, given: Sequence[tuple[Exchange, Answer]]) -> list[Judged]:
        verdicts = self._judge.judge([_asked(x, a) for x, a in given])
        found = []
        for v in verdicts:
            grade = v.scores.get("relevance")
            if v.status == "ok" and grade is not None:
                found.append(Judged(score=round((grade - 1) / 4, 6)))
            else:
                found.append(Judged(score=0.0, why=f"the judge says {v.status}: {v.detail}"))
        return found


def _asked(x: Exchange, a: Answer) -> ReplyToJudge:
    w = a.wanted
    before = [t for t in x.turns if t.start < w.played.start]
    said = sorted(
        [(t.start, Said(t.turn.role, t.turn.text)) for t in before]
        + [
            (int(start), Said("system", text))
            for start, end in x.speech
            if end <= w.end and (text := x.text(start, end))
        ],
        key=lambda row: row[0],
    )
    return ReplyToJudge(
        id=f"{x.dialogue.id}:{w.index}",
        language=x.language,
        user_last=w.played.turn.text,
        reply=a.text,
        context=tuple(s for _, s in said),
        scenario=x.dialogue.scenario,
    )
