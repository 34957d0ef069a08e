"""Speech that is not this dialogue's: a few dialogues of the same corpus, to say the wrong thing with."""

from __future__ import annotations

import hashlib
import heapq

import numpy as np

from duologue.corpus.dialogue import Dialogue
from duologue.corpus.observation import SaidWord
from duologue.corpus.read import Corpus, OpenDialogue
from duologue.corpus.turn import Turn
from duologue.errors import UserError
from duologue.systems.degenerate.scene import Scene, at_rate
from duologue.systems.degenerate.tape import RATE, Said

# Dialogues kept per language.
POOL = 24
# Answers kept in memory; half a megabyte each.
KEPT = 64
# Opening words that say nothing yet.
FILLERS = {
    "en": ("um", "uh", "hmm", "mm", "well", "so", "okay", "right", "alright", "sure", "oh", "i see"),
    "zh": ("嗯", "呃", "额", "那个", "这个", "好的", "好", "哦", "噢", "是这样", "明白"),
}


def stream(seed: int, *keys: str) -> np.random.Generator:
    """Randomness for ``keys``: the same for the same seed and keys, whatever was drawn before."""
    text = "\x1f".join([str(seed), *keys])
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))


class Others:
    """Up to 24 dialogues a language, drawn by ``seed`` from the whole corpus, whatever filters it was opened with.

    Small, and the same in every process: audio is read when it is asked for, and a few answers are kept.
    """

    def __init__(self, corpus: Corpus, *, seed: int) -> None:
        self.root = corpus.root
        self._read: dict[tuple[str, int], Said] = {}
        drawn: dict[str, list[tuple[int, str, Dialogue]]] = {}
        for item in Corpus(corpus.root, track="duplex"):
            d = item.dialogue
            if _answers(d):
                order = int(stream(seed, "others", d.id).integers(2**62))
                pool = drawn.setdefault(d.languages[0], [])
                # The smallest POOL keys, in bounded memory.
                (heapq.heappush if len(pool) < POOL else heapq.heappushpop)(pool, (-order, d.id, d))
        self._pool = {language: [d for *_, d in sorted(pool, key=lambda r: r[:2])] for language, pool in drawn.items()}

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(sorted(self._pool))

    def other_language(self, s: Scene) -> str:
        """A language that is not the dialogue's; UserError in a corpus of one language."""
        found = [language for language in self.languages if language != s.language]
        if not found:
            raise UserError("no dialogue of another language to take answers from", where=self.root, value=s.language)
        return found[0]

    def answer(self, s: Scene, rng: np.random.Generator, language: str = "") -> Said:
        """An answer of another dialogue, of another script family where there is one."""
        pool = [d for d in self._pool.get(language or s.language, ()) if d.id != s.id]
        if not pool:
            raise UserError("no other dialogue to take answers from", where=self.root, value=language or s.language)
        far = [d for d in pool if s.families.isdisjoint(d.groups.get("script_family", ()))] or pool
        d = far[int(rng.integers(len(far)))]
        turns = _answers(d)
        return self._said(d, turns[int(rng.integers(len(turns)))])

    def same_answer(self, language: str) -> Said:
        """One long answer, the same for all dialogues of the language."""
        turns = self._turns(language)
        return self._said(*max(turns, key=lambda row: (len(row[1].text), row[0].id)))

    def filler(self, language: str) -> Said:
        """The first opening of an answer in the pool that says nothing; the first word of one where there is none."""
        openers = FILLERS.get(language, ())
        joiner = "" if language == "zh" else " "
        turns = self._turns(language)
        for d, t in turns:
            for n in range(min(4, len(t.words) - 1), 0, -1):
                if joiner.join(w.text for w in t.words[:n]).lower() in openers:
                    said = self._said(d, t)
                    return said.cut(0, said.words[n - 1].end)
        said = self._said(*turns[0])
        return said.cut(0, said.words[0].end if said.words else RATE // 2)

    def _turns(self, language: str) -> list[tuple[Dialogue, Turn]]:
        """Every answer in the pool; UserError where there is none."""
        if language not in self._pool:
            raise UserError("no answer in this language in the corpus", where=self.root, value=language)
        return [(d, t) for d in self._pool[language] for t in _answers(d)]

    def _said(self, d: Dialogue, t: Turn) -> Said:
        """The turn's sound from its first segment's start to its last one's end; read again unless it is a late one."""
        key = (d.id, t.index)
        if key not in self._read:
            first, last = t.segments[0], t.segments[-1]
            x, rate = OpenDialogue(d, self.root).audio(
                first.channel, which=first.audio, start=first.start, end=last.end
            )
            words = [
                SaidWord(w.text, *(max(0, round((at - first.start) * RATE / rate)) for at in (w.start, w.end)))
                for w in t.words
            ]
            if len(self._read) >= KEPT:
                del self._read[next(iter(self._read))]
            self._read[key] = Said(at_rate(x, rate), tuple(words))
        return self._read[key]


def _answers(d: Dialogue) -> list[Turn]:
    return [t for t in d.turns if t.role == "system" and t.segments]
