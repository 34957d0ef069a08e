"""A small corpus of both tracks and languages, written by hand, and where the real recordings are."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from duologue.corpus import read
from duologue.corpus.annotation import Annotation, EmotionAnnotation, ShiftAnnotation
from duologue.corpus.audio import Channel, Twin
from duologue.corpus.dialogue import SCHEMA_VERSION, Dialogue, Split, Track
from duologue.corpus.emotion import EmotionValue
from duologue.corpus.event import Event, RealisedEvent, Trigger
from duologue.corpus.probe import Probe
from duologue.corpus.rights import Rights
from duologue.corpus.speaker import Speaker
from duologue.corpus.truth import shifts
from duologue.corpus.turn import Segment, Turn, Word
from duologue.formats.landing import Landing

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
RATE = 16_000
RIGHTS = {"licence": "CC-BY-4.0", "consent": "consent-1", "source_url": "https://example.org", "kind": "human-machine"}


@pytest.fixture
def data() -> Path:
    if not DATA.is_dir():
        pytest.skip("the real recordings of ../shared/data are not here")
    return DATA


@pytest.fixture
def rights() -> dict[str, str]:
    return dict(RIGHTS)


def noise(seed: int, length: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3000, 3000, (length, channels)).astype(np.int16)


def words_of(text: str, start: int, end: int, language: str) -> tuple[Word, ...]:
    """Equal shares of [start, end) for each word (character in Chinese)."""
    pieces, at = list(text.rstrip(".?。？")) if language == "zh" else text.rstrip(".?").split(" "), 0
    step = (end - start) // len(pieces)
    words = []
    for i, piece in enumerate(pieces):
        at = text.index(piece, at)
        words.append(Word(piece, at, at + len(piece), start + i * step, start + (i + 1) * step))
        at += len(piece)
    return tuple(words)


def dialogue(
    id: str,
    track: Track,
    language: str,
    split: Split,
    scenario: str,
    lines: list[tuple[str, str, int, int]],
    *,
    feelings: tuple[str, ...] = (),
    task: str = "",
    position: str = "",
    reference: str = "",
) -> Dialogue:
    """``lines`` are (role, text, start, end) in samples of audio a0; system lines lie on channel 1."""
    roles = dict.fromkeys(["user", "system", *(role for role, *_ in lines)])
    turns = tuple(
        Turn(
            index=i,
            role=role,
            speaker=f"{id}-{role}",
            addressee=f"{id}-system" if role != "system" else f"{id}-user",
            language=language,
            text=text.replace("[sigh] ", ""),
            text_raw=text if "[" in text else "",
            segments=(Segment(audio="a0", channel=int(role == "system"), start=start, end=end),),
            words=words_of(text.replace("[sigh] ", ""), start, end, language),
            kind="third_party" if role == "third_party" else "turn",
        )
        for i, (role, text, start, end) in enumerate(lines)
    )
    user = [t.index for t in turns if t.role == "user"]
    annotations: tuple[Annotation, ...] = tuple(
        EmotionAnnotation(
            id=f"n{i}",
            target=f"turn:{turn}",
            rater="script",
            rater_type="intent",
            value=EmotionValue(label=label, intensity=0 if label == "neutral" else 2),
        )
        for i, (turn, label) in enumerate(zip(user, feelings, strict=False))
    )
    events: tuple[Event, ...] = ()
    if track == "duplex":
        target = next((t for t in turns if t.role == "third_party"), turns[-1])
        events = (
            Event(
                id="e0",
                kind=scenario,
                speaker=target.speaker,
                trigger=Trigger(reference_turn=0, anchor="turn_end"),
                target_turn=target.index,
                expected=("continue",),
                position=position,  # type: ignore[arg-type]
            ),
        )
    d = Dialogue(
        schema_version=SCHEMA_VERSION,
        id=id,
        track=track,
        tasks=(task or "rejection",),
        languages=(language,),
        split=split,
        scenario=scenario,
        source="synthetic",
        rights=Rights(licence="CC-BY-4.0", consent_id="not-applicable"),
        speakers=tuple(Speaker(id=f"{id}-{role}", role=role, languages=(language,), synthetic=True) for role in roles),
        turns=turns,
        events=events,
        realised=tuple(
            RealisedEvent(
                event="e0", audio="a0", channel=0, start=turns[e.target_turn].segments[0].start, end=lines[-1][3]
            )
            for e in events
        ),
        annotations=annotations,
        probes=(Probe(id="p0", task=task, turn=user[-1], question=lines[-1][1], reference=reference),)
        if reference
        else (),
    )
    stated = tuple(
        ShiftAnnotation(id=f"s{i}", target=f"turn:{s.to_turn}", rater="script", rater_type="intent", value=s)
        for i, s in enumerate(shifts(d))
    )
    return msgspec.structs.replace(d, annotations=annotations + stated)


def land(folder: Path, rows: list[tuple[Dialogue, tuple[int, int] | None]]) -> read.Corpus:
    """Write dialogues with noise for audio; a pair gives a dialogue a twin that differs there."""
    folder.mkdir(parents=True)
    landing = Landing(folder)
    for seed, (d, differs) in enumerate(rows):
        length = max(s.end for t in d.turns for s in t.segments) + 1_000
        samples = noise(seed, length, 2)
        channels = (
            Channel(kind="user-mic", speakers=tuple(s.id for s in d.speakers if s.role != "system")),
            Channel(kind="system", speakers=tuple(s.id for s in d.speakers if s.role == "system")),
        )
        audio = [landing.store(d, "a0", samples, RATE, channels)]
        if differs:
            twin = samples.copy()
            twin[differs[0] : differs[1], 0] += 1
            audio.append(landing.store(d, "twin", twin, RATE, channels, Twin(of="a0", differs=differs)))
        landing.add(msgspec.structs.replace(d, audio=tuple(audio)))
    landing.finish("small", {})
    return read.open(folder)


@pytest.fixture
def small(tmp_path: Path) -> read.Corpus:
    en = [
        ("user", "[sigh] The bus left without me.", 500, 9_000),
        ("system", "That is a pity.", 10_000, 16_000),
        ("user", "But a friend drove past.", 17_003, 25_001),
        ("system", "Lucky you.", 26_000, 30_000),
        ("user", "How did I feel?", 31_000, 38_000),
    ]
    zh = [
        ("user", "我今天很难过。", 300, 9_000),
        ("system", "怎么了？", 9_500, 14_000),
        ("user", "为什么呢？", 15_000, 22_000),
    ]
    over = [("user", "Tell me about tea.", 400, 9_000), ("system", "Tea is a leaf that people brew.", 10_000, 40_000)]
    return land(
        tmp_path / "small",
        [
            (
                dialogue(
                    "aa",
                    "emotion",
                    "en",
                    "train",
                    "dialogue",
                    en,
                    feelings=("sad", "happy", "neutral"),
                    task="trajectory",
                    reference="First sad, then happy.",
                ),
                None,
            ),
            (
                dialogue(
                    "ab",
                    "emotion",
                    "zh",
                    "dev",
                    "dialogue",
                    zh,
                    feelings=("angry", "surprised"),
                    task="reasoning",
                    reference="因为……",
                ),
                None,
            ),
            (
                dialogue(
                    "ac",
                    "emotion",
                    "en",
                    "test",
                    "clip",
                    [("user", "Look at that!", 100, 8_000)],
                    feelings=("fearful",),
                    task="recognition",
                ),
                None,
            ),
            (
                dialogue(
                    "ba",
                    "duplex",
                    "en",
                    "train",
                    "follow_up",
                    [*over, ("user", "Which leaf?", 30_000, 39_000)],
                    task="interruption",
                ),
                (30_000, 39_000),
            ),
            (
                dialogue(
                    "bb",
                    "duplex",
                    "en",
                    "train",
                    "third_party",
                    [
                        ("third_party", "Dinner is ready.", 100, 8_000),
                        ("user", "What time is it?", 9_000, 16_000),
                        ("system", "It is six.", 17_000, 25_000),
                    ],
                    position="before",
                ),
                (100, 8_000),
            ),
            (
                dialogue(
                    "bc",
                    "duplex",
                    "zh",
                    "test",
                    "backchannel",
                    [
                        ("user", "讲个故事。", 200, 8_000),
                        ("system", "从前有座山。", 9_000, 30_000),
                        ("user", "嗯。", 15_000, 18_000),
                    ],
                ),
                (15_000, 18_000),
            ),
            (dialogue("bd", "duplex", "zh", "test", "pause", [("user", "我想去那个公园。", 200, 8_000)]), None),
            (dialogue("be", "duplex", "en", "dev", "none", [("user", "Hello there.", 200, 8_000)]), None),
        ],
    )
