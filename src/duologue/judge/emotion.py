"""Track 1's replies graded by a model: how feelings shifted, why, and empathy in words and voice.

Along our rubrics, or with the user's official prompt files. The grades are taken by the challenge's own rules
(:mod:`duologue.judge.grades`).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from duologue.errors import UserError
from duologue.judge.answer import whole_object, words
from duologue.judge.evidence import cut, evidence
from duologue.judge.grades import DIMENSIONS, HEARD, Task, official_grade
from duologue.judge.judge import ChatJudge, Question
from duologue.judge.prompt import PromptFile, load_prompt, read_text
from duologue.judge.rubric import load
from duologue.judge.spoken_language import language_by_script
from duologue.judge.verdict import Verdict
from duologue.remote.chat import ChatEndpoint, Message, Sampling, Sound

# How the challenge's judge draws its one answer. top_k is no field of the OpenAI interface; vLLM takes it.
OFFICIAL_SAMPLING = Sampling(temperature=0.6, top_p=0.95, seed=1234, max_tokens=16_384, extra={"top_k": 20})
# Turns of context that a judge reads; the ones before are left out.
_CONTEXT = 40
_PLACES = {
    "history": ("conversation_history", "conversation_context", "history", "context"),
    "question": ("user_question", "question"),
    "reply": ("final_model_response", "model_response", "response", "reply"),
}
_FENCE = "```json"


class EmotionTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A turn of the user, the label of how it was felt ("" for none) and what the system replied ("" for nothing)."""

    user: str
    emotion: str = ""
    reply: str = ""


class EmotionReply(msgspec.Struct, frozen=True, kw_only=True):
    """A reply to be judged: that of the last of ``turns``. ``sound`` is its audio as a wav file, None for none."""

    id: str
    task: Task
    language: str
    turns: tuple[EmotionTurn, ...]
    sound: bytes | None = None


class EmotionJudge(ChatJudge[EmotionReply]):
    """Judges :class:`EmotionReply` of one task.

    ``voice`` sends the audio too: with our rubrics the dimensions that are heard are then graded instead of the one
    that is read, with a prompt file all three at once. With a prompt file ``sampling`` is the challenge's own
    (``OFFICIAL_SAMPLING``) unless it is given. Other parameters as :class:`ChatJudge`.
    """

    name = "emotion"
    version = "1"

    def __init__(
        self,
        endpoint: ChatEndpoint,
        cache_dir: str | Path | None,
        task: Task,
        repeats: int = 1,
        *,
        voice: bool = False,
        prompt_file: str | Path | None = None,
        sampling: Sampling | None = None,
        patience: int = 20,
    ) -> None:
        if prompt_file is not None and sampling is None:
            sampling = OFFICIAL_SAMPLING
        super().__init__(endpoint, cache_dir, repeats, sampling=sampling, patience=patience)
        self.task, self.voice = task, voice
        self.prompt = load_emotion_prompt(prompt_file, task) if prompt_file is not None else None
        self.rubric = f"{task}_voice" if voice else task
        own = HEARD if voice else tuple(d for d in DIMENSIONS[task] if d not in HEARD)
        both = DIMENSIONS[task] if voice else own
        self.dimensions: tuple[str, ...] = both if self.prompt is not None else own

    def settle(self, item: EmotionReply) -> Verdict | None:
        if self.prompt is None:
            load(self.rubric, item.language)
        reply = item.turns[-1].reply
        if self.voice and item.sound is None and self.prompt is None:
            return self.verdict(item, status="missing", detail="there is no sound to hear")
        if self.voice and item.sound is not None:
            return None
        if not re.search(r"\w", reply):
            return self.verdict(item, status="missing", detail="the system said nothing")
        found = language_by_script(cut(reply))
        if found and found != item.language:
            return self.verdict(item, status="wrong-language", detail=f"the reply is {found}, not {item.language}")
        return None

    def question(self, item: EmotionReply) -> Question:
        if self.prompt is not None:
            text = self.prompt.fill(_official(item))
            sounds = self._sounds(item)
            return Question(
                messages=(Message("user", (*sounds, text) if sounds else text),), prompt_sha256=self.prompt.sha256
            )
        rubric = load(self.rubric, item.language)
        last = item.turns[-1]
        data = {
            "conversation": [
                {"user": cut(t.user), "emotion": cut(t.emotion, 100), "assistant": cut(t.reply)}
                for t in item.turns[-_CONTEXT - 1 : -1]
            ],
            "user_last": {"user": cut(last.user), "emotion": cut(last.emotion, 100)},
            "reply": cut(last.reply),
        }
        asked, sounds = evidence(data, rubric.closing), self._sounds(item)
        return Question(
            messages=(Message("system", rubric.system), Message("user", (asked, *sounds) if sounds else asked)),
            prompt_sha256=rubric.sha256,
            schema=rubric.schema,
        )

    def read(self, item: EmotionReply, text: str) -> dict[str, Any]:
        if self.prompt is not None:
            return {"scores": self._grades(official_scores(text))}
        found = whole_object(text)
        if not any(d in found for d in self.dimensions):
            raise ValueError(f"no grade in it: {', '.join(self.dimensions)}")
        reading: dict[str, Any] = {"reason": words(found, "reason"), "scores": self._grades(found)}
        language = found.get("reply_language")
        # What is heard only the model can tell; of what is read, only that Latin script is not English.
        heard = self.voice and language in ("zh", "en", "other") and language != item.language
        read = language == "other" and language_by_script(cut(item.turns[-1].reply)) == item.language == "en"
        if heard or (not self.voice and read):
            reading |= {"status": "wrong-language", "detail": f"the judge finds that the reply is not {item.language}"}
        return reading

    def _sounds(self, item: EmotionReply) -> tuple[Sound, ...]:
        return (Sound(item.sound),) if self.voice and item.sound is not None else ()

    def _grades(self, found: dict[str, Any]) -> dict[str, int]:
        return {d: official_grade(self.task, found.get(d)) for d in self.dimensions}


def prompt_task(path: str | Path) -> Task:
    """The task that a prompt file is for, by the dimensions it names; UserError where they tell none or several."""
    text = read_text(path)
    named: list[Task] = [task for task, dimensions in DIMENSIONS.items() if dimensions[0] in text]
    if len(named) != 1:
        raise UserError(
            "the prompt file names the dimensions of no task" if not named else "dimensions of several tasks are named",
            where=str(path),
            allowed="; ".join(", ".join(d) for d in DIMENSIONS.values()),
        )
    return named[0]


def load_emotion_prompt(path: str | Path, task: Task) -> PromptFile:
    """The user's prompt file for ``task``; UserError where a placeholder is lacking.

    Placeholders are {conversation_history}, {user_question} and {final_model_response}; for empathy
    {conversation_context} alone, which ends in the reply.
    """
    roles = {"history": _PLACES["history"]} if task == "empathy" else _PLACES
    return load_prompt(path, roles)


def official_scores(text: str) -> dict[str, Any]:
    """The object "scores" of a judge's answer, read as the challenge's scripts do; ValueError says what is wrong.

    What counts is the first fenced JSON, else the whole text. Where it is cut off, closing brackets are added once.
    """
    text = re.sub(r"\A\s*<think>.*?</think>", "", text, count=1, flags=re.DOTALL).strip()
    if _FENCE in text:
        text = text.split(_FENCE, 1)[1].split("```", 1)[0].strip()
    elif text.startswith("```") and text.endswith("```"):
        text = text[3:-3].strip().removeprefix("json").strip()
    try:
        try:
            found = json.loads(text)
        except json.JSONDecodeError:
            braces, brackets = text.count("{") - text.count("}"), text.count("[") - text.count("]")
            found = json.loads(text + "}" * max(braces, 0) + "]" * max(brackets, 0))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from None
    scores = found.get("scores") if isinstance(found, dict) else None
    if not isinstance(scores, dict):
        raise ValueError('no object "scores" in the answer')
    return scores


def _official(item: EmotionReply) -> dict[str, str]:
    """What the scripts fill in: the talk with its labels, the last question and the reply."""
    last = item.turns[-1]
    if item.task == "empathy":
        lines = [f"User({t.emotion}): {cut(t.user)}\nAI: {cut(t.reply)}" for t in item.turns]
    else:
        lines = [
            f"用户(emotion:{t.emotion}): {cut(t.user)}\nAI: {cut(t.reply)}" for t in item.turns if t.user and t.emotion
        ]
    return {"history": "\n".join(lines), "question": cut(last.user) or "N/A", "reply": cut(last.reply)}
