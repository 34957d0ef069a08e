"""Track 1 by the official profile: the final score of both languages, with the lowest grade where a judge failed."""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from typing import ClassVar

import msgspec
import numpy as np

from duologue.challenge.board.sheets.sheet import Anchors, Parts, Sample, Sheet, agree, decode, within
from duologue.errors import UserError
from duologue.judge.grades import DIMENSIONS
from duologue.score.profiles.humdial2026.emotion.evaluate import LANGUAGES, EmotionScore, grade
from duologue.score.profiles.humdial2026.emotion.totals import WEIGHTS, final_score, language_score, task_score
from duologue.score.profiles.humdial2026.rounding import mean


class JudgedItem(msgspec.Struct, frozen=True, kw_only=True):
    """A reply's grades, 1 to 5, by dimension."""

    id: str
    task: str
    language: str
    of: str
    turn: int
    grades: dict[str, float]

    @property
    def key(self) -> str:
        return self.id

    @property
    def dialogue(self) -> str:
        return self.of


class OfficialEmotionSheet(Sheet[JudgedItem]):
    """Grades of a submission to track 1 ("floor": what a judge failed on has grade 1)."""

    track: ClassVar[str] = "emotion"
    profile: ClassVar[str] = "humdial2026"
    measure: ClassVar[str] = "final score, mean of zh and en"
    figures: ClassVar[tuple[str, ...]] = ("zh", "en")
    item = JudgedItem

    @classmethod
    def read(cls, data: bytes) -> OfficialEmotionSheet:
        card = decode(data, EmotionScore)
        if card.floor.value is None:
            raise UserError(f"not judged in full: {card.why}", field="complete")
        items = []
        for r in card.replies:
            grades = {d: grade(r.judgements[d], "floor") for d in DIMENSIONS[r.task] if d in r.judgements}
            known = {d: g for d, g in grades.items() if g is not None}
            if len(known) < len(DIMENSIONS[r.task]):
                raise UserError("not judged in every dimension", where=r.id)
            for d, g in known.items():
                within(g, 1, 5, r.id, d)
            if r.language not in LANGUAGES:
                raise UserError("unknown language", where=r.id, value=r.language, allowed=", ".join(LANGUAGES))
            items.append(
                JudgedItem(id=r.id, task=r.task, language=r.language, of=r.dialogue, turn=r.turn, grades=known)
            )
        sheet = cls(items, {"target": card.target})
        agree(card.floor.value, cls.total(sheet.parts(), Anchors()))
        return sheet

    def parts(self, without: Collection[str] = ()) -> Parts:
        return {k: None if v is None else float(v) for k, v in self._finals(without).items()}

    def _finals(self, without: Collection[str]) -> dict[str, Fraction | None]:
        grades: dict[tuple[str, str], list[float]] = {}
        for i in self.kept(without):
            for d, g in i.grades.items():
                grades.setdefault((i.language, d), []).append(g)
        found: dict[str, Fraction | None] = {}
        for language in LANGUAGES:
            known = {d: mean(grades[language, d]) for d in WEIGHTS if (language, d) in grades}
            t1, t2, t3 = ([known.get(d) for d in DIMENSIONS[t]] for t in ("trajectory", "reasoning", "empathy"))
            whole = [x for x in (*t1, *t2, *t3) if x is not None]
            n1, n2 = len(t1), len(t1) + len(t2)
            found[language] = (
                language_score(task_score(whole[:n1]), task_score(whole[n1:n2]), whole[n2:])
                if len(whole) == len(WEIGHTS)
                else None
            )
        return found

    @classmethod
    def total(cls, parts: Parts, anchors: Anchors) -> float | None:
        zh, en = parts["zh"], parts["en"]
        return None if zh is None or en is None else float(final_score(zh, en))

    def sample(self, without: Collection[str], anchors: Anchors) -> Sample:
        items = self.kept(without)
        # The macro mean over language and task of these values is the total.
        cells = len(DIMENSIONS) * len(LANGUAGES)
        share = {d: cells * float(w) / len(LANGUAGES) for d, w in WEIGHTS.items()}
        whole = None not in self._finals(without).values()
        return Sample(
            values=np.array([sum(share[d] * g for d, g in i.grades.items()) for i in items]) if whole else None,
            strata=tuple(f"{i.language}/{i.task}" for i in items),
            clusters={"dialogue": [f"{i.language}/{i.of}" for i in items]},
            bounds=None,
        )
