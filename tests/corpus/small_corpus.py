"""A small corpus of both tracks and languages, written to disk without the builder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from duologue.corpus.acoustics import Acoustics, Position
from duologue.corpus.annotation import Cause, CauseAnnotation, EmotionAnnotation, Shift, ShiftAnnotation
from duologue.corpus.audio import Audio, Channel, ChannelKind, Twin
from duologue.corpus.dialogue import Dialogue, Situation, Split
from duologue.corpus.emotion import EmotionValue
from duologue.corpus.event import Event, RealisedEvent, Trigger
from duologue.corpus.manifest import Manifest
from duologue.corpus.probe import Probe
from duologue.corpus.provenance import Provenance, Step
from duologue.corpus.rights import Rights
from duologue.corpus.speaker import Speaker
from duologue.corpus.turn import Segment, Turn, Word
from duologue.corpus.write import encode_dialogue, encode_flac, write_atomic, write_manifest, write_shard

RATE = 16_000
# Per language: what the user says, what the system says, what the user then says over it.
LINES = {
    "en": (
        "I lost my {thing} {place} and {n} people watched me look for it",
        "Oh no, that sounds awful",
        "Wait",
    ),
    "zh": ("我{place}把{thing}弄丢了，有{n}个人看着我找", "真糟糕，听起来很难受", "等等"),
}
# What is lost and where differs in each dialogue, so that no two say nearly the same.
THINGS = {
    "en": ("umbrella", "passport", "violin", "grandfather's watch", "left shoe", "library book", "hamster", "suitcase"),
    "zh": ("雨伞", "护照", "小提琴", "爷爷的手表", "左脚的鞋", "图书馆的书", "仓鼠", "行李箱"),
}
PLACES = {
    "en": ("on the early train", "in a crowded museum", "during dinner with neighbours"),
    "zh": ("在清早的火车上", "参观博物馆的时候", "跟邻居吃晚饭那天"),
}


def words_of(text: str, language: str, start: int, end: int) -> tuple[Word, ...]:
    """Even words: split at spaces in English, one a character in Chinese; punctuation belongs to no word."""
    spans, begin = [], None
    for i, c in enumerate(text + " "):
        if c.isalnum():
            if begin is not None and language == "zh":
                spans.append((begin, i))
            if begin is None or language == "zh":
                begin = i
        elif begin is not None:
            spans.append((begin, i))
            begin = None
    step = (end - start) // len(spans)
    return tuple(Word(text[a:b], a, b, start + k * step, start + (k + 1) * step - 10) for k, (a, b) in enumerate(spans))


def tone(length: int, spans: list[tuple[int, int]], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.integers(-20, 20, length).astype(np.float64)
    for start, end in spans:
        x[start:end] += 6000 * np.sin(2 * np.pi * rng.uniform(100, 300) / RATE * np.arange(end - start))
    return x.astype(np.int16)


def make(root: Path, shard: str, number: int, track: str, language: str, split: Split) -> Dialogue:
    """A dialogue of three turns, whose last one interrupts; twin for duplex; its audio is written."""
    id = f"d{number:04d}"
    user, system = f"u-{split}-{language}", "sys"
    where = {"thing": THINGS[language][number % 8], "place": PLACES[language][number // 8]}
    texts = [t.format(n=number + 100, **where) for t in LINES[language]]
    spans = [(1600, 33600), (36800, 52800), (48000, 56000)]
    length = 64_000
    channels = np.stack(
        [tone(length, [spans[0], spans[2]], number * 2 + 1), tone(length, [spans[1]], number * 2 + 2)], axis=1
    )
    kinds: list[tuple[ChannelKind, str]] = [("user-mic", user), ("system", system)]
    entries = []
    for name, samples, twin in (
        ("main", channels, None),
        ("twin", channels.copy(), Twin(of="main", differs=(48000, 56000))),
    )[: 2 if track == "duplex" else 1]:
        if twin:
            samples[slice(*twin.differs), 0] = 7
        flac = encode_flac(samples, RATE)
        path = f"audio/{shard}/{id}-{name}.flac"
        write_atomic(root / path, flac.data, sync=False)
        entries.append(
            Audio(
                id=name,
                path=path,
                sha256=flac.sha256,
                pcm_sha256=flac.pcm_sha256,
                sample_rate=RATE,
                length=flac.length,
                channels=tuple(Channel(kind=k, speakers=(s,)) for k, s in kinds),
                twin=twin,
            )
        )
    turns = tuple(
        Turn(
            index=i,
            role="system" if i == 1 else "user",
            speaker=system if i == 1 else user,
            addressee=user if i == 1 else system,
            language=language,
            text=texts[i],
            segments=(Segment(audio="main", channel=int(i == 1), start=spans[i][0], end=spans[i][1]),),
            words=words_of(texts[i], language, *spans[i]),
            kind="interruption" if i == 2 else "turn",
            intended_text=texts[1] + texts[1] if i == 1 else "",
        )
        for i in range(3)
    )
    emotion = {"rater": "writer", "rater_type": "intent"}
    annotations = (
        EmotionAnnotation(id="a1", target="turn:0", value=EmotionValue(label="sad", intensity=2), **emotion),
        EmotionAnnotation(id="a2", target="turn:2", value=EmotionValue(label="angry", intensity=1), **emotion),
        CauseAnnotation(
            id="a3",
            target="turn:0",
            value=Cause(emotion_turn=0, evidence_turn=0, span=(0, 14), cause_kind="event", explicit=True),
            **emotion,
        ),
        ShiftAnnotation(
            id="a4",
            target="turn:2",
            value=Shift(speaker=user, from_turn=0, to_turn=2, from_label="sad", to_label="angry", causes=("a3",)),
            **emotion,
        ),
    )
    duplex = track == "duplex"
    return Dialogue(
        schema_version=1,
        id=id,
        track="duplex" if duplex else "emotion",
        tasks=("interruption",) if duplex else ("trajectory",),
        languages=(language,),
        split=split,
        scenario="termination" if duplex else "dialogue",
        source="synthetic",
        rights=Rights(licence="CC-BY-4.0", consent_id="not-applicable"),
        situation=Situation(domain="travel", relationship="strangers", setting="street", register="casual"),
        groups={
            "speaker": (user,),
            "script_family": (f"travel/{split}-{language}-{number}",),
            "noise": (f"hum-{split}",),
        },
        speakers=(
            Speaker(
                id=user, role="user", languages=(language,), synthetic=True, voice=user, parent_voice=user, sex="female"
            ),
            Speaker(id=system, role="system", languages=(language,), synthetic=True, voice="sys", parent_voice="sys"),
        ),
        audio=tuple(entries),
        turns=turns,
        events=(
            Event(
                id="e1",
                kind="termination",
                speaker=user,
                trigger=Trigger(reference_turn=1, anchor="word_end", word=2, offset=0.1),
                target_turn=2,
                expected=("stop", "wait"),
                addressee=system,
                context_end=1,
            ),
        )
        if duplex
        else (),
        realised=(RealisedEvent(event="e1", audio="main", channel=0, start=48000, end=56000, reaction=(50000, 52800)),)
        if duplex
        else (),
        annotations=annotations,
        probes=()
        if duplex
        else (Probe(id="p1", task="trajectory", turn=2, question=texts[2], reference="From sad to angry."),),
        acoustics=Acoustics(
            noise=f"hum-{split}",
            noise_source="generated",
            snr_db=20.0,
            positions=(Position(speaker=user, distance=0.5),),
        ),
        provenance=Provenance(
            recipe_sha256="0" * 64, steps=(Step(step="voice", part="tone", version="1", seed=str(number)),)
        ),
        canary="canary-1",
    )


def build(root: Path, **changes: Any) -> Manifest:
    """The whole small corpus: tracks x languages x splits, two dialogues each."""
    shards, number = [], 0
    for track in ("emotion", "duplex"):
        for language in ("en", "zh"):
            for split in ("train", "dev", "test"):
                name = f"{track}-{language}-{split}-00000"
                lines = []
                for _ in range(2):
                    lines.append(encode_dialogue(make(root, name, number, track, language, split)))  # type: ignore[arg-type]
                    number += 1
                shards.append(write_shard(root, name, reversed(lines), sync=False))
    manifest = Manifest(name="small", duologue="0", shards=tuple(shards), recipe_sha256="0" * 64)
    return write_manifest(root, msgspec.structs.replace(manifest, **changes))
