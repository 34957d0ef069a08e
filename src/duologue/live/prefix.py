"""Does a system that is given a whole recording look ahead? Change the future of its input and compare the past.

A system that is heard live knows at each moment what it has heard so far. So where the user's audio differs only after
a moment, what was said before it must be the same. The moment is drawn from the dialogue's id, and the future is
replaced by itself backwards, over which a noise of -40 dB full scale lies. A system whose output differs from run to
run on equal input cannot be judged so.
"""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np

from duologue.corpus.dialogue import Dialogue
from duologue.live.source import resampled
from duologue.systems.arrival import Int16
from duologue.systems.system import Answer, OfflineSystem

# What resampling smears across the moment (s), and a difference that is no other sound (-60 dB full scale).
_SMEAR, _LEAST = 0.05, 33
_NOISE = 328


class PrefixTested:
    """``system``, each of its answers marked with whether it looks ahead; it is run twice or three times an item."""

    def __init__(self, system: OfflineSystem) -> None:
        self.system, self.spec, self.at_once = system, system.spec, system.at_once

    async def answer(self, dialogue: Dialogue, user: Int16, sample_rate: int) -> Answer:
        answer = await self.system.answer(dialogue, user, sample_rate)
        at, changed = other_future(user, sample_rate, dialogue.id)
        if not (changed != user).any():
            return answer
        other = await self.system.answer(dialogue, changed, sample_rate)
        seconds = at / sample_rate
        if not _differ(answer, other, seconds):
            return msgspec.structs.replace(answer, looks_ahead=False)
        again = await self.system.answer(dialogue, user, sample_rate)
        if _differ(answer, again, seconds):
            note = "its output differs from run to run, so whether it looks ahead cannot be told"
            return msgspec.structs.replace(answer, notes=(*answer.notes, note))
        note = f"looks ahead: what it says before {seconds:.2f} s depends on what the user says after that"
        return msgspec.structs.replace(answer, looks_ahead=True, notes=(*answer.notes, note))


def other_future(user: Int16, sample_rate: int, id: str) -> tuple[int, Int16]:
    """The sample from which on ``user`` (int16 [n]) is replaced, in its middle half, and the replaced audio."""
    seed = int.from_bytes(hashlib.sha256(f"prefix {id}".encode()).digest()[:8], "big")
    rng = np.random.default_rng(seed)
    at = round(len(user) * rng.uniform(0.25, 0.75))
    future = user[at:][::-1].astype(np.int32) + rng.integers(-_NOISE, _NOISE, len(user) - at, endpoint=True)
    return at, np.concatenate([user[:at], np.clip(future, -32_768, 32_767).astype(np.int16)])


def _differ(a: Answer, b: Answer, seconds: float) -> bool:
    """Whether ``a`` and ``b`` sound differently before ``seconds``; what is missing at the end is silence."""
    rate = a.sample_rate
    n = max(0, round((seconds - _SMEAR) * rate))
    x, y = np.zeros(n, np.int32), np.zeros(n, np.int32)
    for out, pcm in ((x, a.pcm), (y, resampled(b.pcm, b.sample_rate, rate))):
        part = pcm[:n]
        out[: len(part)] = part
    return bool((np.abs(x - y) > _LEAST).any())
