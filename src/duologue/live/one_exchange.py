"""One exchange: a query from a file is asked, and what came back is put on one timeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from duologue.corpus.observation import SentTurn
from duologue.corpus.recording import read_recording
from duologue.errors import UserError
from duologue.listen.sound import audible
from duologue.live.call import Recording
from duologue.live.source import RATE, Recorded, resampled


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """At ``at`` seconds of the call; ``by`` is "user", "system" or "call"."""

    at: float
    by: str
    what: str


def asking(path: Path) -> Callable[[int], Recorded]:
    """What makes the user's side of a call that asks what ``path`` holds in its first channel, as it is.

    UserError where it is no recording, or nothing can be heard in it.
    """
    pcm = np.ascontiguousarray(read_recording(path, rate=RATE, keep_clipped=True).samples[:, 0])
    spans = audible(pcm.astype(np.float32) / np.float32(32_768), RATE)
    if not len(spans):
        raise UserError("nothing can be heard in it", where=str(path))
    sent = (SentTurn(0, int(spans[0, 0]), int(spans[-1, 1])),)
    return lambda rate: Recorded(resampled(pcm, RATE, rate), rate, sent=sent)


def timeline(recording: Recording) -> list[Moment]:
    """What happened in a call, in order: speech of both sides as it sounded, words as they came, cuts and stalls."""
    moments = []
    for s in recording.sent:
        moments.append(Moment(at=s.start / RATE, by="user", what="begins to speak"))
        moments.append(Moment(at=s.end / RATE, by="user", what="falls silent"))
    for a, b in audible(recording.system.astype(np.float32) / np.float32(32_768), RATE, gap=0.2).tolist():
        moments.append(Moment(at=a / RATE, by="system", what="is heard"))
        moments.append(Moment(at=b / RATE, by="system", what=f"falls silent after {(b - a) / RATE:.2f} s"))
    text: dict[str, tuple[float, str]] = {}
    for at, delta in recording.transcript:
        begun, so_far = text.get(delta.role, (at, ""))
        # A second without a piece begins another text.
        if so_far and at - begun > 1.0:
            moments.append(Moment(at=begun, by=delta.role, what=f"in its own transcript: {so_far.strip()}"))
            begun, so_far = at, ""
        text[delta.role] = (begun, so_far + delta.text)
    moments += [
        Moment(at=at, by=role, what=f"in its own transcript: {said.strip()}")
        for role, (at, said) in text.items()
        if said.strip()
    ]
    rate = recording.player_rate
    moments += [
        Moment(at=c.at / rate, by="call", what=f"playback cut off, {c.lost / rate:.2f} s thrown away")
        for c in recording.cuts
    ]
    moments += [
        Moment(at=g.start / rate, by="call", what=f"playback runs out for {(g.end - g.start) / rate:.2f} s")
        for g in recording.gaps
    ]
    if recording.failure is not None:
        at = len(recording.user) / RATE
        moments.append(Moment(at=at, by="call", what=recording.failure.message))
    return sorted((msgspec.structs.replace(m, at=round(m.at, 3)) for m in moments), key=lambda m: m.at)
