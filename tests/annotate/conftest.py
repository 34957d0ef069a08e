"""Two small dialogues written by hand: feelings that change, and a duplex one with an event, in both languages."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from duologue.corpus import read
from duologue.corpus.annotation import EmotionAnnotation, ShiftAnnotation
from duologue.corpus.audio import Channel
from duologue.corpus.dialogue import SCHEMA_VERSION, Dialogue, Track
from duologue.corpus.emotion import EmotionValue
from duologue.corpus.rights import Rights
from duologue.corpus.speaker import Role, Speaker
from duologue.corpus.truth import shifts
from duologue.corpus.turn import Segment, Turn
from duologue.formats.landing import Landing

RATE = 16_000
DATA = Path(__file__).parents[2] / ".." / "shared" / "data"


@pytest.fixture
def data() -> Path:
    if not DATA.is_dir():
        pytest.skip("the real recordings of ../shared/data are not here")
    return DATA


def dialogue(id: str, track: Track, language: str, lines: list[tuple[Role, str]], felt: dict[int, str]) -> Dialogue:
    """Turns of one second, half a second apart; the system on channel 1; ``felt`` are gold labels by intent."""
    d = Dialogue(
        schema_version=SCHEMA_VERSION,
        id=id,
        track=track,
        tasks=("trajectory",) if track == "emotion" else ("rejection",),
        languages=(language,),
        split="train",
        scenario="dialogue" if track == "emotion" else "backchannel",
        source="synthetic",
        rights=Rights(licence="CC-BY-4.0", consent_id="not-applicable"),
        speakers=tuple(
            Speaker(id=f"{id}-{role}", role=role, languages=(language,), synthetic=True)
            for role in dict.fromkeys(r for r, _ in lines)
        ),
        turns=tuple(
            Turn(
                index=i,
                role=role,
                speaker=f"{id}-{role}",
                addressee="",
                language=language,
                text=text,
                segments=(
                    Segment(
                        audio="a0", channel=int(role == "system"), start=8_000 + i * 24_000, end=24_000 + i * 24_000
                    ),
                ),
            )
            for i, (role, text) in enumerate(lines)
        ),
        annotations=tuple(
            EmotionAnnotation(
                id=f"emotion-{i}",
                target=f"turn:{i}",
                rater="recipe",
                rater_type="intent",
                status="gold",
                value=EmotionValue(label=label, intensity=2),
            )
            for i, label in felt.items()
        ),
    )
    stated = tuple(
        ShiftAnnotation(id=f"s{i}", target=f"turn:{s.to_turn}", rater="recipe", rater_type="intent", value=s)
        for i, s in enumerate(shifts(d))
    )
    return msgspec.structs.replace(d, annotations=d.annotations + stated)


@pytest.fixture
def spoken(tmp_path: Path) -> read.Corpus:
    """Dialogues "aa" (en, emotion), "ab" (zh, emotion; a character beyond the BMP), "ba" (en, duplex)."""
    rows = [
        dialogue(
            "aa",
            "emotion",
            "en",
            [
                ("user", "I lost the key | the only one."),
                ("system", "Oh no."),
                ("user", "It was in my pocket!"),
                ("system", "Good."),
                ("user", "I lost the key again."),
            ],
            {0: "sad", 2: "happy", 4: "angry"},
        ),
        dialogue(
            "ab",
            "emotion",
            "zh",
            [("user", "𠮷野家关门了，我好难过。"), ("system", "怎么了？"), ("user", "算了，不说了。")],
            {0: "sad", 2: "sad"},
        ),
        dialogue(
            "ba", "duplex", "en", [("user", "Tell me about tea."), ("system", "Tea is a leaf."), ("user", "Mhm.")], {}
        ),
    ]
    folder = tmp_path / "spoken"
    folder.mkdir()
    landing = Landing(folder)
    for seed, d in enumerate(rows):
        samples = np.random.default_rng(seed).integers(-3000, 3000, (len(d.turns) * 24_000 + 8_001, 2)).astype(np.int16)
        channels = (
            Channel(kind="user-mic", speakers=(f"{d.id}-user",)),
            Channel(kind="system", speakers=(f"{d.id}-system",)),
        )
        landing.add(msgspec.structs.replace(d, audio=(landing.store(d, "a0", samples, RATE, channels),)))
    landing.finish("spoken", {})
    return read.open(folder)
