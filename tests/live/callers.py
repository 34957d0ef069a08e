"""Users made by hand, and dialogues that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from duologue.corpus.audio import Audio, Channel
from duologue.corpus.dialogue import SCHEMA_VERSION, Dialogue
from duologue.corpus.observation import SentTurn
from duologue.corpus.read import OpenDialogue
from duologue.corpus.rights import Rights
from duologue.corpus.speaker import Speaker
from duologue.corpus.turn import Segment, Turn
from duologue.corpus.write import encode_flac, write_atomic
from duologue.live.source import RATE, Recorded, resampled

Spans = Sequence[tuple[float, float]]


def voice(spans: Spans, seconds: float) -> np.ndarray:
    """Noise in ``spans`` (s), its edges loud, and digital silence elsewhere, int16 [n] at 16 kHz."""
    pcm = np.zeros(round(seconds * RATE), np.int16)
    rng = np.random.default_rng(5)
    for start, end in spans:
        a, b = round(start * RATE), round(end * RATE)
        pcm[a:b] = (rng.standard_normal(b - a) * 3000).clip(-9000, 9000)
        pcm[a : a + 16] = pcm[b - 16 : b] = 12_000
    return pcm


def user(spans: Spans, seconds: float):
    """What makes the user's side of a call: turns 0, 2, 4, ... in ``spans``."""

    def make(rate: int) -> Recorded:
        sent = tuple(SentTurn(2 * k, round(a * RATE), round(b * RATE)) for k, (a, b) in enumerate(spans))
        return Recorded(resampled(voice(spans, seconds), RATE, rate), rate, sent=sent)

    return make


def dialogue(root: Path, id: str, spans: Spans = ((0.1, 0.4),), seconds: float = 0.6) -> OpenDialogue:
    """A dialogue on disk whose user speaks in ``spans``; its system's channel is silent."""
    user_pcm = voice(spans, seconds)
    flac = encode_flac(np.stack([user_pcm, np.zeros_like(user_pcm)], axis=1), RATE)
    name = f"{len(list(root.glob('*.flac')))}.flac"
    write_atomic(root / name, flac.data, sync=False)
    turns = tuple(
        Turn(
            index=2 * k,
            role="user",
            speaker="u",
            addressee="s",
            language="en",
            text="hello",
            segments=(Segment(audio="a", channel=0, start=round(a * RATE), end=round(b * RATE)),),
        )
        for k, (a, b) in enumerate(spans)
    )
    d = Dialogue(
        schema_version=SCHEMA_VERSION,
        id=id,
        track="duplex",
        tasks=("interruption",),
        languages=("en",),
        split="test",
        scenario="none",
        source="synthetic",
        rights=Rights(licence="CC0-1.0", consent_id="not-applicable"),
        speakers=(
            Speaker(id="u", role="user", languages=("en",), synthetic=True),
            Speaker(id="s", role="system", languages=("en",), synthetic=True),
        ),
        audio=(
            Audio(
                id="a",
                path=name,
                sha256=flac.sha256,
                pcm_sha256=flac.pcm_sha256,
                sample_rate=RATE,
                length=flac.length,
                channels=(Channel(kind="user-mic", speakers=("u",)), Channel(kind="system", speakers=("s",))),
            ),
        ),
        turns=turns,
    )
    return OpenDialogue(d, str(root.resolve()))
