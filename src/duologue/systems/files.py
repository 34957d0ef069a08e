"""Ready files as a system: `files:DIR`, outputs in any of the forms that :mod:`duologue.corpus.run` reads."""

from __future__ import annotations

import asyncio

import numpy as np

from duologue.corpus.dialogue import Dialogue
from duologue.corpus.observation import Observation, SaidWord
from duologue.corpus.run import RATE, Run
from duologue.systems.arrival import Int16
from duologue.systems.session import FailureKind, SessionError
from duologue.systems.system import Answer, Settings

_KINDS: dict[str, FailureKind] = {"missing": "missing", "failed": "system", "infrastructure": "infrastructure"}


class FilesSystem:
    at_once = 0

    def __init__(self, folder: str, settings: Settings = Settings()) -> None:
        self.spec = f"files:{folder}"
        self.run = Run(folder)

    async def answer(self, dialogue: Dialogue, user: Int16, sample_rate: int) -> Answer:
        return await asyncio.to_thread(self._answer, dialogue)

    def _answer(self, dialogue: Dialogue) -> Answer:
        seen = self.run.observe(dialogue)
        samples, seen = self.run.system(seen, dialogue)
        if seen.status != "ok":
            raise SessionError(seen.why or seen.status, where=self.spec, kind=_KINDS[seen.status])
        pcm = np.clip(np.rint(samples * 32_768), -32_768, 32_767).astype(np.int16)
        return Answer(pcm=pcm, sample_rate=RATE, words=_words(seen), words_from=seen.words_from, notes=seen.notes)


def _words(seen: Observation) -> tuple[SaidWord, ...]:
    scale = RATE / seen.sample_rate
    return tuple(SaidWord(w.text, round(w.start * scale), round(w.end * scale)) for w in seen.words)
