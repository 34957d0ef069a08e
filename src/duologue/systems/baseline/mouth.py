"""What the system says: an answer as sentences, synthesised one ahead, and how far it has been heard."""

from __future__ import annotations

import re

import msgspec
import numpy as np

from duologue.errors import UserError
from duologue.generate.voices.voice import Voice
from duologue.systems.arrival import Int16

RATE = 24_000
# Seconds of silence between sentences.
_GAP = 0.12
_VOICES = {
    "espeak": {"en": "en-us+f1", "zh": "cmn-latn-pinyin+f1"},
    "kokoro": {"en": "af_heart", "zh": "zf_xiaobei"},
}


class Spoken(msgspec.Struct, frozen=True):
    """A sentence: ``pcm`` int16 at 24 kHz, and for each word its first character and first sample."""

    text: str
    pcm: Int16
    starts: tuple[tuple[int, int], ...]

    def heard(self, samples: int) -> int:
        """Characters whose word has begun within the first ``samples`` samples."""
        if samples >= len(self.pcm):
            return len(self.text)
        begun = [i for i, (_, at) in enumerate(self.starts) if at < samples]
        if not begun:
            return 0
        following = begun[-1] + 1
        return self.starts[following][0] if following < len(self.starts) else len(self.text)


class Speaker:
    """Speaks with one of the project's voices, "espeak" or "kokoro", one speaker for each language."""

    def __init__(self, name: str = "espeak") -> None:
        if name not in _VOICES:
            raise UserError("unknown voice", field="voice", value=name, allowed=", ".join(_VOICES))
        self.name = name
        self._voice: Voice | None = None

    def load(self) -> None:
        """Load the voice, and speak once in each language."""
        for language, text in (("en", "Yes."), ("zh", "好。")):
            self.speak(text, language)

    def speak(self, text: str, language: str) -> Spoken:
        voice = self._voice
        if voice is None:
            from duologue import registry

            voice = self._voice = registry.load("voices", self.name)()
        wanted = _VOICES[self.name][language]
        known = [s.id for s in voice.speakers(language)]
        speech = voice.synthesise(text, language=language, speaker=wanted if wanted in known else known[0])
        x = speech.samples[speech.onset : speech.offset]
        if speech.sample_rate != RATE and len(x):
            import soxr

            x = soxr.resample(x, speech.sample_rate, RATE)
        scale = RATE / speech.sample_rate
        starts = tuple((w.char_start, round((w.start - speech.onset) * scale)) for w in speech.words)
        pcm = np.rint(np.clip(np.concatenate([x, np.zeros(round(_GAP * RATE), np.float32)]), -1, 1) * 32_767)
        return Spoken(text, pcm.astype(np.int16), starts)


def sentences(text: str) -> list[str]:
    """``text`` in the pieces that are synthesised one by one."""
    parts = [p for p in re.findall(r"[^.!?。！？]+[.!?。！？]*\s*", text) if p.strip()]
    return parts or ([text] if text.strip() else [])
