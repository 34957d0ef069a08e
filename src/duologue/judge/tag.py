"""The tag judge: what a system did after somebody spoke over its answer, as one of four tags.

It reads four word-timed transcripts, of the user and the system, in a run without the overlapping speech ("clean")
and in the run with it ("overlap"); after Full-Duplex-Bench v1.5 (arXiv 2507.23159), as the HumDial challenge scores.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from duologue.errors import UserError
from duologue.judge.answer import only_object, whole_object, words
from duologue.judge.evidence import cut, evidence
from duologue.judge.judge import ChatJudge, Question
from duologue.judge.prompt import find_places, load_prompt, read_text
from duologue.judge.rubric import load
from duologue.judge.verdict import Verdict
from duologue.listen.words import Heard
from duologue.remote.cache import digest
from duologue.remote.chat import ChatEndpoint, Message, Sampling

TAGS = ("RESPOND", "RESUME", "UNCERTAIN_HANDLING", "UNKNOWN")
ROLES = ("clean_input", "clean_output", "overlap_input", "overlap_output")
# Names that prompts use for the four transcripts. The official ones come first after our own.
_SIDES = {
    "input": ("input", "user", "query", "question"),
    "output": ("output", "response", "reply", "system", "model", "assistant"),
}
_RUNS = {"clean": ("clean",), "overlap": ("noisy", "overlap", "interrupted", "interruption")}
# The official prompt is a system message that names these; the transcripts follow as one JSON object.
_OFFICIAL = {
    "clean_input": "input_clean",
    "overlap_input": "input_noisy",
    "clean_output": "output_clean",
    "overlap_output": "output_noisy",
}
_KEYS = ("behaviour", "behavior", "tag")


class Chunk(msgspec.Struct, frozen=True):
    """``text`` from ``start`` to ``end`` seconds; None where a recogniser left a time open."""

    text: str
    start: float | None
    end: float | None


class Transcript(msgspec.Struct, frozen=True):
    """What was said in one channel, with the times of its words."""

    text: str
    chunks: tuple[Chunk, ...] = ()

    @classmethod
    def of(cls, heard: Heard) -> Transcript:
        """From what a recogniser heard."""
        return cls(heard.text, tuple(Chunk(w.text, w.start, w.end) for w in heard.words))

    @classmethod
    def of_words(cls, timed: Iterable[tuple[str, float, float]], language: str) -> Transcript:
        """From (word, start, end) in seconds."""
        chunks = tuple(Chunk(*w) for w in timed)
        return cls(("" if language == "zh" else " ").join(c.text for c in chunks), chunks)

    def as_official(self) -> dict[str, Any]:
        """As the challenge's ASR files: {"text", "chunks": [{"text", "timestamp": [start, end]}]}."""
        return {"text": self.text, "chunks": [{"text": c.text, "timestamp": [c.start, c.end]} for c in self.chunks]}


class TagItem(msgspec.Struct, frozen=True, kw_only=True):
    """Four transcripts; None where one is missing, while a transcript without words means silence."""

    id: str
    clean_input: Transcript | None
    clean_output: Transcript | None
    overlap_input: Transcript | None
    overlap_output: Transcript | None


class TagJudge(ChatJudge[TagItem]):
    """Tags :class:`TagItem` with our prompt or, with ``prompt_file``, the user's.

    A prompt file either holds a placeholder for each transcript, named as in "{clean_input}" or given by
    ``placeholders`` (role -> text in the file), or is the official kind: a system message that names "input_clean",
    "input_noisy", "output_clean" and "output_noisy", which then follow as JSON. UserError where it is neither.
    Other parameters as :class:`ChatJudge`.
    """

    name = "tag"
    version = "1"

    def __init__(
        self,
        endpoint: ChatEndpoint,
        cache_dir: str | Path | None,
        prompt_file: str | Path | None = None,
        repeats: int = 1,
        *,
        placeholders: Mapping[str, str] | None = None,
        sampling: Sampling | None = None,
        patience: int = 20,
    ) -> None:
        super().__init__(endpoint, cache_dir, repeats, sampling=sampling, patience=patience)
        self._own = prompt_file is None
        self._system = ""
        if prompt_file is None:
            return
        text = read_text(prompt_file)
        names = {r: _names(*r.split("_")) for r in ROLES}
        if placeholders is None and not find_places(text, names) and _names_all(text):
            self._system = text
            return
        try:
            self._prompt = load_prompt(prompt_file, names, placeholders)
        except UserError as error:
            if placeholders is not None or find_places(text, names):
                raise
            raise UserError(
                "neither placeholders for the four transcripts nor their official names were found",
                where=error.where,
                field="prompt_file",
                allowed=f"{error.allowed}; or a text that names {', '.join(_OFFICIAL.values())}",
                mend=error.mend,
            ) from None

    def settle(self, item: TagItem) -> Verdict | None:
        lacking = [r for r in ROLES if getattr(item, r) is None]
        if lacking:
            return self.verdict(item, status="missing", detail=f"no transcript: {', '.join(lacking)}")
        said = item.overlap_output
        if said is not None and not said.text.strip() and not said.chunks:
            # By definition of the tag; nothing to ask.
            return self.verdict(item, status="ok", tag="UNKNOWN", agreement=1.0, detail="the system said nothing")
        return None

    def question(self, item: TagItem) -> Question:
        data = {r: _bounded(getattr(item, r)).as_official() for r in ROLES}
        if self._own:
            rubric = load(self.name, "en")
            return Question(
                messages=(Message("system", rubric.system), Message("user", evidence(data, rubric.closing))),
                prompt_sha256=rubric.sha256,
                schema=rubric.schema,
            )
        compact = {r: json.dumps(d, ensure_ascii=False, separators=(",", ":")) for r, d in data.items()}
        if self._system:
            # As the official script sends them: each transcript as JSON text inside a JSON object.
            sent = json.dumps({_OFFICIAL[r]: compact[r] for r in _OFFICIAL}, ensure_ascii=False, separators=(",", ":"))
            messages = (Message("system", self._system), Message("user", sent))
            return Question(messages=messages, prompt_sha256=digest([self._system, "system"]))
        return Question(messages=(Message("user", self._prompt.fill(compact)),), prompt_sha256=self._prompt.sha256)

    def read(self, item: TagItem, text: str) -> dict[str, Any]:
        if self._own:
            found = whole_object(text)
            return {"reason": words(found, "reason"), "tag": _tag(words(found, "tag"))}
        try:
            return {"tag": _tag(text)}
        except ValueError:
            found = only_object(text, _KEYS)
        value = next(found[k] for k in _KEYS if k in found)
        if isinstance(value, list):
            if len(value) != 1:
                raise ValueError(f"{len(value)} tags, not one")
            value = value[0]
        return {"tag": _tag(value)}


def _bounded(said: Transcript) -> Transcript:
    """At most so much of a transcript as an honest run has: it bounds what a hostile one can make a judge cost."""
    return Transcript(cut(said.text), tuple(Chunk(cut(c.text, 200), c.start, c.end) for c in said.chunks[:2_000]))


def _tag(value: object) -> str:
    """One of TAGS, with or without the official prefix "C_"; ValueError for anything else."""
    name = str(value).strip().upper().removeprefix("C_")
    if name not in TAGS:
        raise ValueError(f"no such tag: {str(value)[:40]!r}")
    return name


def _names(run: str, side: str) -> tuple[str, ...]:
    both = [(r, s) for r in _RUNS[run] for s in _SIDES[side]]
    own = f"{run}_{side}"
    others = [name for r, s in both for name in (f"{r}_{s}", f"{s}_{r}")]
    return (own, *(n for n in dict.fromkeys(others) if n != own))


def _names_all(text: str) -> bool:
    return all(re.search(rf"(?<!\w){name}(?!\w)", text) for name in _OFFICIAL.values())
