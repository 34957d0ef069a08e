"""The dialogue: one line of a corpus, and everything that is known about it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from duologue.corpus.acoustics import Acoustics
from duologue.corpus.annotation import Annotation
from duologue.corpus.audio import Audio
from duologue.corpus.bounds import Name, Positive
from duologue.corpus.event import Event, RealisedEvent
from duologue.corpus.probe import Probe
from duologue.corpus.provenance import Provenance
from duologue.corpus.rights import Rights
from duologue.corpus.speaker import Speaker
from duologue.corpus.turn import Turn

SCHEMA_VERSION = 1

Track = Literal["emotion", "duplex"]
Split = Literal["train", "dev", "test", "unassigned"]
SourceKind = Literal["synthetic", "human-human", "human-machine", "synthetic-user-machine", "acted"]
TRACKS: tuple[Track, ...] = ("emotion", "duplex")
SPLITS: tuple[Split, ...] = ("train", "dev", "test", "unassigned")
LANGUAGES = ("en", "zh")
# Track 1's tasks and track 2's two families of scenarios.
TASKS: dict[str, tuple[str, ...]] = {
    "emotion": ("trajectory", "reasoning", "empathy", "recognition", "expression"),
    "duplex": ("interruption", "rejection"),
}


class Situation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The axes of diversity: what the talk is about, and who talks where in which tone."""

    domain: str = ""
    relationship: str = ""
    setting: str = ""
    register: str = ""


class Dialogue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One dialogue.

    Times are integer samples of the audio they name, half-open, with one origin per dialogue. ``scenario`` is
    one of the nine duplex scenarios, "none" for a duplex dialogue without an event, or for track 1 "clip",
    "conflict_clip" or "dialogue". ``groups`` maps a kind ("speaker", "parent_voice", "script_family", "noise",
    "room", "source_recording") to the ids that a split must keep on one side.
    """

    schema_version: Positive
    id: Name
    track: Track
    tasks: tuple[str, ...]
    languages: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)]
    split: Split
    scenario: str
    source: SourceKind
    rights: Rights
    situation: Situation = Situation()
    groups: dict[str, tuple[str, ...]] = {}
    speakers: tuple[Speaker, ...] = ()
    audio: tuple[Audio, ...] = ()
    turns: tuple[Turn, ...] = ()
    events: tuple[Event, ...] = ()
    realised: tuple[RealisedEvent, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    probes: tuple[Probe, ...] = ()
    acoustics: Acoustics = Acoustics()
    provenance: Provenance = Provenance()
    canary: str = ""
