"""A degenerate system by its spec, `degenerate:NAME`, run like any other."""

from __future__ import annotations

import asyncio

import numpy as np

from duologue.corpus.dialogue import Dialogue
from duologue.corpus.read import Corpus, OpenDialogue
from duologue.errors import UserError
from duologue.systems.arrival import Int16
from duologue.systems.degenerate import Others, describe, perform
from duologue.systems.degenerate.tape import RATE
from duologue.systems.system import Answer, Settings


class DegenerateSystem:
    """It hears nothing but reads the corpus, which it is given by :meth:`read`."""

    at_once = 0

    def __init__(self, name: str, settings: Settings = Settings()) -> None:
        describe(name)
        self.spec, self.name = f"degenerate:{name}", name
        self._read: tuple[Others, str] | None = None

    def read(self, corpus: Corpus, seed: int = 0) -> None:
        """Take what it says from the dialogues of ``corpus``."""
        self.seed = seed
        self._read = Others(corpus, seed=seed), corpus.root

    async def answer(self, dialogue: Dialogue, user: Int16, sample_rate: int) -> Answer:
        if self._read is None:
            raise UserError("a degenerate system reads a corpus", field="system", value=self.spec)
        others, root = self._read
        item = OpenDialogue(dialogue, root)
        samples, words = await asyncio.to_thread(perform, self.name, item, others, seed=self.seed)
        pcm = np.rint(samples * 32_768).astype(np.int16)
        return Answer(pcm=pcm, sample_rate=RATE, words=words, words_from="run" if words else "")
