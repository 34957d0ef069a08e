"""Linguistic naturalness of a reply, graded by a model along our rubric: relevance, coherence, fluency, spoken style,
fit to the situation; 1 to 5 each, in English and Chinese."""

from __future__ import annotations

import re
from typing import Any

from duologue.judge.answer import grade, whole_object, words
from duologue.judge.evidence import cut, evidence
from duologue.judge.judge import ChatJudge, Question
from duologue.judge.reply import ReplyToJudge
from duologue.judge.rubric import load
from duologue.judge.spoken_language import language_by_script
from duologue.judge.verdict import Verdict
from duologue.remote.chat import Message

DIMENSIONS = ("relevance", "coherence", "fluency", "spoken_style", "fit")
# Turns of context that a judge reads; the ones before are left out.
_CONTEXT = 40


class NaturalnessJudge(ChatJudge[ReplyToJudge]):
    """Judges :class:`ReplyToJudge` by the rubric of its language. Parameters as :class:`ChatJudge`."""

    name = "naturalness"
    version = "1"

    def settle(self, item: ReplyToJudge) -> Verdict | None:
        load(self.name, item.language)
        if not re.search(r"\w", item.reply):
            return self.verdict(item, status="missing", detail="the system said nothing")
        found = language_by_script(cut(item.reply))
        if found and found != item.language:
            return self.verdict(item, status="wrong-language", detail=f"the reply is {found}, not {item.language}")
        return None

    def question(self, item: ReplyToJudge) -> Question:
        rubric = load(self.name, item.language)
        data = {
            "situation": rubric.situations.get(item.scenario or "none", item.scenario),
            "conversation": [{"role": s.role, "text": cut(s.text)} for s in item.context[-_CONTEXT:]],
            "user_last": cut(item.user_last),
            "reply": cut(item.reply),
        }
        return Question(
            messages=(Message("system", rubric.system), Message("user", evidence(data, rubric.closing))),
            prompt_sha256=rubric.sha256,
            schema=rubric.schema,
        )

    def read(self, item: ReplyToJudge, text: str) -> dict[str, Any]:
        found = whole_object(text)
        reading: dict[str, Any] = {
            "reason": words(found, "reason"),
            "scores": {d: grade(found, d) for d in DIMENSIONS},
        }
        # Latin script is as far as the rule goes; that it is not English only the model can tell.
        if words(found, "reply_language") == "other" and language_by_script(cut(item.reply)) == item.language == "en":
            reading |= {"status": "wrong-language", "detail": "the judge finds that the reply is not English"}
        return reading
