"""A voice that hums each word: no speech, but a whole voice by Duologue's protocol, to copy and fill."""

import re

import numpy as np

from duologue.errors import UserError
from duologue.generate.prosody import NEUTRAL, Prosody
from duologue.generate.voices.voice import Speech, SpokenWord, VoiceSpeaker

RATE = 16_000
EDGE = RATE // 50
# A Latin word or number, or one Chinese character.
WORD = re.compile(r"[A-Za-z0-9']+|[\u4e00-\u9fff]")
# Hz of eight speakers: enough for train, dev, test and the system.
PITCH = {"f1": 210, "f2": 225, "f3": 240, "f4": 255, "m1": 105, "m2": 115, "m3": 125, "m4": 135}


class BeeperVoice:
    """See :class:`duologue.generate.voices.voice.Voice`."""

    name = "beeper"
    version = "1"
    sample_rate = RATE

    def weights_sha256(self) -> str:
        return ""

    def speakers(self, language: str) -> tuple[VoiceSpeaker, ...]:
        return tuple(
            VoiceSpeaker(
                id=id,
                languages=("en", "zh"),
                sex="female" if id.startswith("f") else "male",
                age="adult",
                parent=id,
            )
            for id in PITCH
        )

    def synthesise(
        self, text: str, *, language: str, speaker: str, prosody: Prosody = NEUTRAL, seed: int = 0
    ) -> Speech:
        if speaker not in PITCH:
            raise UserError("unknown speaker", field="speaker", value=speaker, allowed=", ".join(PITCH))
        hertz = PITCH[speaker] * 2 ** (prosody.f0_shift / 12)
        level = 0.1 * 10 ** (prosody.gain / 20)
        pieces = [np.zeros(EDGE, np.float32)]
        words = []
        at = EDGE
        for found in WORD.finditer(text):
            length = round((0.08 + 0.05 * len(found.group())) * prosody.tempo * RATE)
            t = np.arange(length) / RATE
            hum = sum(np.sin(2 * np.pi * k * hertz * t) / k for k in range(1, 12))
            fade = np.minimum(1.0, np.minimum(np.arange(length), np.arange(length)[::-1]) / 160)
            pieces.append((level * hum * fade).astype(np.float32))
            words.append(SpokenWord(found.start(), found.end(), at, at + length))
            at += length
        pieces.append(np.zeros(EDGE, np.float32))
        samples = np.concatenate(pieces) if words else np.zeros(0, np.float32)
        return Speech(
            samples=samples,
            sample_rate=RATE,
            words=tuple(words),
            source="exact",
            onset=EDGE if words else 0,
            offset=at if words else 0,
        )
