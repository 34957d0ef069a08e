"""What one run of a system leaves of one dialogue: all that scorers read besides the dialogue itself.

A run is a folder (see :mod:`duologue.corpus.run`). Times are samples of the run's own clock at ``sample_rate``, whose
origin is the first sample of the user's audio as it was sent.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from duologue.corpus.bounds import Count, Name, Positive, SampleRate
from duologue.corpus.event import RealisedEvent

RUN_VERSION = 1

# "ok": the system was run, whatever it did; "missing": it left nothing; "failed": what it left cannot be read;
# "infrastructure": the harness or the network failed, not the system.
RunStatus = Literal["ok", "missing", "failed", "infrastructure"]
RunMode = Literal["files", "fixed", "adaptive"]
# Who wrote the words down: the run itself, a recogniser, or the corpus (for outputs whose words are known).
WordsFrom = Literal["", "run", "recogniser", "corpus"]


class SaidWord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One word (one character or word in Chinese) from ``start`` to ``end`` (samples), as a JSON array."""

    text: str
    start: Count
    end: Count


class SentTurn(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Samples [start, end) of the user's channel in which turn ``turn`` of the dialogue was really played."""

    turn: Count
    start: Count
    end: Count


class Observation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One dialogue as it went.

    ``audio`` is relative to the run's folder: the system as a listener heard it in channel ``channel``; where the run
    kept the user's audio as sent, it is in ``user_channel``. ``pcm_sha256`` is of that file's int16 samples.
    ``sent`` and ``realised`` tell where turns and events really fell; a run of ready files leaves both empty, since
    its user's audio is the dialogue's own. ``not_exercised`` maps an event's id to why it could not happen (the system
    was late, silent or brief). ``why`` explains a status that is not "ok". ``latency`` splits delays in milliseconds
    (network, server, audible); ``protocol`` names a JSON Lines file of raw protocol events in the run's folder.
    """

    id: Name
    status: RunStatus
    why: str = ""
    audio: str = ""
    channel: Count = 0
    user_channel: Count | None = None
    sample_rate: SampleRate = 16_000
    length: Count = 0
    pcm_sha256: str = ""
    sent: tuple[SentTurn, ...] = ()
    realised: tuple[RealisedEvent, ...] = ()
    not_exercised: dict[str, str] = {}
    words: tuple[SaidWord, ...] = ()
    words_from: WordsFrom = ""
    latency: dict[str, float] = {}
    protocol: str = ""
    looks_ahead: bool | None = None
    notes: tuple[str, ...] = ()


class RunManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``run.json``: which system was run on what, and how. Without it a folder is a run of ready files.

    ``corpus_sha256`` is of the corpus the run heard, "" where unknown; ``parameters`` holds what else shaped the run.
    """

    run_version: Annotated[int, msgspec.Meta(ge=1, le=RUN_VERSION)] = RUN_VERSION
    system: str = ""
    mode: RunMode = "files"
    corpus_sha256: str = ""
    frame_ms: Positive = 20
    parameters: dict[str, Any] = {}
