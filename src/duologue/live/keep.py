"""Put a recording on disk: audio, protocol events, and the observation that names them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec
import numpy as np

from duologue.corpus.observation import Observation, RunStatus, SaidWord, WordsFrom
from duologue.corpus.write import encode_flac, write_atomic
from duologue.live.call import Recording
from duologue.live.source import RATE
from duologue.systems.session import FailureKind, SessionError

AUDIO, PROTOCOL = "audio", "protocol"
USER, SYSTEM = 0, 1
STATUS: dict[FailureKind, RunStatus] = {
    "system": "failed",
    "missing": "missing",
    "infrastructure": "infrastructure",
}
# More than this late and a frame may have come too late for the system's own frame.
_LATE_MS = 5.0
_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")


def file_name(id: str) -> str:
    """``id`` where it can name a file anywhere, else a name derived from it."""
    return id if _SAFE.fullmatch(id) else "x" + hashlib.sha256(id.encode()).hexdigest()[:24]


def keep(
    folder: Path,
    id: str,
    recording: Recording,
    *,
    words: tuple[SaidWord, ...] = (),
    words_from: WordsFrom = "",
    attempts: int = 1,
) -> Observation:
    """Write audio (user and system, FLAC at 16 kHz) and protocol events of item ``id``, and say what was seen."""
    failure = recording.failure
    notes = list(recording.notes)
    if recording.gaps:
        lost = sum(g.end - g.start for g in recording.gaps) * 1000 / recording.player_rate
        notes.append(f"playback ran out of audio {len(recording.gaps)} times, {lost:.0f} ms in all")
    if (late := recording.latency.get("pacing_p99", 0.0)) > _LATE_MS:
        notes.append(f"frames left up to {late:.1f} ms late (99th percentile): times are that uncertain")
    if attempts > 1:
        notes.append(f"attempt {attempts}")
    name = file_name(id)
    audio = protocol = sha = ""
    if len(recording.user):
        both = np.stack([recording.user, recording.system], axis=1)
        encoded = encode_flac(both, RATE)
        audio, sha = f"{AUDIO}/{name}.flac", encoded.pcm_sha256
        write_atomic(folder / audio, encoded.data)
    if recording.events or recording.transcript:
        protocol = f"{PROTOCOL}/{name}.jsonl"
        write_atomic(folder / protocol, _lines(recording))
    return Observation(
        id=id,
        status="ok" if failure is None else STATUS[failure.kind],
        why="" if failure is None else failure.message,
        audio=audio,
        channel=SYSTEM if audio else 0,
        user_channel=USER if audio else None,
        sample_rate=RATE,
        length=len(recording.user),
        pcm_sha256=sha,
        sent=recording.sent,
        realised=recording.realised,
        not_exercised=recording.not_exercised,
        words=words,
        words_from=words_from,
        latency=recording.latency,
        protocol=protocol,
        notes=tuple(notes),
    )


def nothing(id: str, failure: SessionError, attempts: int = 1) -> Observation:
    """An item of which nothing could be recorded."""
    notes = (f"attempt {attempts}",) if attempts > 1 else ()
    return Observation(id=id, status=STATUS[failure.kind], why=failure.message, notes=notes)


def _lines(recording: Recording) -> bytes:
    """Events as they came, after one line of the harness's own: its cuts and stalls (s) and the system's words."""
    rate = recording.player_rate
    own = {
        "at": 0.0,
        "name": "duologue.call",
        "raw": {
            "cuts": [[round(c.at / rate, 4), c.item, round(c.played / rate, 4)] for c in recording.cuts],
            "stalls": [[round(g.start / rate, 4), round(g.end / rate, 4)] for g in recording.gaps],
            "transcript": [[at, d.role, d.text] for at, d in recording.transcript],
            "left_out": recording.events_left_out,
        },
    }
    encode = msgspec.json.Encoder().encode
    return b"".join(encode(row) + b"\n" for row in (own, *recording.events))
