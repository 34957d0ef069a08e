"""Judges without a model: rules that give the same verdict everywhere, for tests, examples and continuous integration.

They are no judges of quality. They see words on the surface: a fluent lie that repeats the user's words does well, a
good answer in other words does badly. Never publish what they say as naturalness.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import TypeVar

from duologue.judge.evidence import cut
from duologue.judge.judge import Progress
from duologue.judge.naturalness import DIMENSIONS
from duologue.judge.reply import ReplyToJudge
from duologue.judge.spoken_language import language_by_script
from duologue.judge.tag import Chunk, TagItem
from duologue.judge.verdict import Reading, Verdict

Item = TypeVar("Item")
_UNIT = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+(?:['’][^\W_]+)*")
_WRITTEN = re.compile(r"https?://|```|^\s*(?:[-*#•]|\d+[.)、])\s", re.MULTILINE)
# What one says in a breath or two, in words (en) or characters (zh).
_LONG = 60
_UNSURE = re.compile(
    r"didn['’]?t (?:quite )?(?:catch|hear|get)|say (?:that|it) again|could you repeat|pardon\?"
    r"|没听清|没听明白|再说一遍吗"
)


class RuleJudge:
    """Grades an :class:`ReplyToJudge` by its surface: shared words, repeated words, length, marks of written text."""

    name = "rule"
    version = "1"

    def judge(self, items: Sequence[ReplyToJudge], progress: Progress | None = None) -> list[Verdict]:
        return _all(items, self._one, progress)

    def _one(self, item: ReplyToJudge) -> Verdict:
        judge = f"{self.name}/{self.version}"
        reply = _units(cut(item.reply))
        if not reply:
            return Verdict(id=item.id, status="missing", judge=judge, detail="the system said nothing")
        found = language_by_script(cut(item.reply))
        if found and found != item.language:
            detail = f"the reply is {found}, not {item.language}"
            return Verdict(id=item.id, status="wrong-language", judge=judge, detail=detail)
        asked, before = set(_units(item.user_last)), {u for s in item.context for u in _units(s.text)}
        pairs = Counter(pairwise(reply))
        repeated = 1 - len(pairs) / max(sum(pairs.values()), 1)
        scores = {
            "relevance": _grade(len(asked & set(reply)) / max(len(asked), 1) * 2),
            "coherence": _grade(len((asked | before) & set(reply)) / len(set(reply)) * 2),
            "fluency": _grade(1 - 3 * repeated),
            "spoken_style": 1 if _WRITTEN.search(item.reply) else _grade(1 - (len(reply) - _LONG) / (4 * _LONG)),
            "fit": _grade(1.0 if item.scenario != "termination" or len(reply) <= 12 else 0.25),
        }
        reading = Reading(status="ok", seed=0, scores={d: scores[d] for d in DIMENSIONS}, reason="by rule, no model")
        means = {d: float(s) for d, s in reading.scores.items()}
        return Verdict(id=item.id, status="ok", judge=judge, scores=means, readings=(reading,))


class RuleTagJudge:
    """Tags a :class:`TagItem` by whose words the new speech shares: the interruption's or the earlier answer's."""

    name = "rule-tag"
    version = "1"

    def judge(self, items: Sequence[TagItem], progress: Progress | None = None) -> list[Verdict]:
        return _all(items, self._one, progress)

    def _one(self, item: TagItem) -> Verdict:
        judge = f"{self.name}/{self.version}"
        if not (item.clean_input and item.clean_output and item.overlap_input and item.overlap_output):
            return Verdict(id=item.id, status="missing", judge=judge, detail="a transcript is missing")
        over = _added(item.clean_input.chunks, item.overlap_input.chunks)
        began = min((c.start for c in over if c.start is not None), default=float("inf"))
        new = [c for c in item.overlap_output.chunks if c.start is not None and c.start >= began]
        text = " ".join(c.text for c in new)
        words = set(_units(text))
        earlier, spoken = set(_units(item.clean_output.text)), set(_units(" ".join(c.text for c in over)))
        if not words:
            tag = "UNKNOWN"
        elif _UNSURE.search(text.lower()) or _UNSURE.search(text.replace(" ", "")):
            tag = "UNCERTAIN_HANDLING"
        elif len(words & earlier) * 2 > len(words):
            tag = "RESUME"
        else:
            tag = "RESPOND" if words & spoken else "UNKNOWN"
        reading = Reading(status="ok", seed=0, tag=tag, reason="by rule, no model")
        return Verdict(id=item.id, status="ok", judge=judge, tag=tag, agreement=1.0, readings=(reading,))


def _all(items: Sequence[Item], one: Callable[[Item], Verdict], progress: Progress | None) -> list[Verdict]:
    verdicts = []
    for item in items:
        verdicts.append(one(item))
        if progress is not None:
            progress(len(verdicts), len(items))
    return verdicts


def _units(text: str) -> list[str]:
    """Words, Chinese by the character, in lower case."""
    return _UNIT.findall(text.lower())


def _grade(share: float) -> int:
    """1 to 5 for a share in [0, 1]; what lies outside is clipped."""
    return 1 + round(4 * min(max(share, 0.0), 1.0))


def _added(clean: Sequence[Chunk], overlap: Sequence[Chunk]) -> list[Chunk]:
    """Chunks of ``overlap`` that ``clean`` lacks."""
    matcher = SequenceMatcher(None, [c.text.lower() for c in clean], [c.text.lower() for c in overlap], autojunk=False)
    kept = {b + k for _, b, size in matcher.get_matching_blocks() for k in range(size)}
    return [c for i, c in enumerate(overlap) if i not in kept]
