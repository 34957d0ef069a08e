"""Dialogues written down as lines, and systems that answer in simulated time: no clock runs, nothing is late."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from duologue.corpus.acoustics import Acoustics
from duologue.corpus.audio import Audio, Channel
from duologue.corpus.dialogue import SCHEMA_VERSION, Dialogue
from duologue.corpus.event import Event, RealisedEvent, Trigger
from duologue.corpus.read import OpenDialogue
from duologue.corpus.rights import Rights
from duologue.corpus.speaker import Speaker
from duologue.corpus.turn import Segment, Turn
from duologue.corpus.write import encode_flac, write_atomic
from duologue.live.heard import Heard
from duologue.live.playback import Player
from duologue.live.source import RATE

NOISE = 40
ACTS = {
    "follow_up": ("stop", "respond"),
    "termination": ("stop", "wait"),
    "backchannel": ("continue",),
    "third_party": ("ignore", "continue"),
    "others_directed": ("ignore", "continue"),
    "pause": ("wait", "respond"),
}
VOICES = {"user": 6000, "third_party": 3000, "addressee": 2000}


def scripted(root: Path, lines, *, id: str = "d", scenario: str = "none", echo: float | None = None) -> OpenDialogue:
    """``lines`` are (role, kind, [(start, end), ...] in s, inside turn or None). Kinds that are events make one."""
    rng = np.random.default_rng(3)
    end = max(b for *_, spans, _ in lines for _, b in spans) + 0.5
    n = round(end * RATE)
    # The user's room is never silent: noise whose every sample is loud enough to be told from a digital zero.
    mic = (rng.integers(NOISE // 2, NOISE, n) * rng.choice([-1, 1], n)).astype(np.float64)
    system = np.zeros(n)
    turns, events, realised = [], [], []
    for k, (role, kind, spans, inside) in enumerate(lines):
        at = [(round(a * RATE), round(b * RATE)) for a, b in spans]
        for a, b in at:
            (system if role == "system" else mic)[a:b] += rng.choice([-1, 1], b - a) * VOICES.get(role, 5000)
            if role == "system" and echo is not None:
                mic[a + 800 : b + 800] += (system[a:b] * 10 ** (echo / 20))[: n - a - 800]
        pause = len(at) > 1
        turns.append(
            Turn(
                index=k,
                role=role,
                speaker=role,
                addressee="user" if role == "system" else "system",
                language="en",
                text=f"line {k}",
                segments=tuple(Segment(audio="a", channel=int(role == "system"), start=a, end=b) for a, b in at),
                kind="interruption" if kind in ("follow_up", "termination") else kind,
                inside_turn=inside,
            )
        )
        name = "pause" if pause else kind
        if name in ACTS:
            trigger = Trigger(reference_turn=inside or 0, anchor="turn_end")
            events.append(
                Event(id=f"e{k}", kind=name, speaker=role, trigger=trigger, target_turn=k, expected=ACTS[name])
            )
            a, b = (at[0][1], at[1][0]) if pause else (at[0][0], at[-1][1])
            realised.append(RealisedEvent(event=f"e{k}", audio="a", channel=0, start=a, end=b))
    both = np.stack([np.clip(x, -32_768, 32_767).astype(np.int16) for x in (mic, system)], axis=1)
    flac = encode_flac(both, RATE)
    write_atomic(root / f"{id}.flac", flac.data, sync=False)
    roles = dict.fromkeys(role for role, *_ in lines)
    d = Dialogue(
        schema_version=SCHEMA_VERSION,
        id=id,
        track="duplex",
        tasks=("interruption",),
        languages=("en",),
        split="test",
        scenario=scenario,
        source="synthetic",
        rights=Rights(licence="CC0-1.0", consent_id="not-applicable"),
        speakers=tuple(
            Speaker(id=r, role=r, languages=("en",), synthetic=True) for r in dict.fromkeys([*roles, "user", "system"])
        ),
        audio=(
            Audio(
                id="a",
                path=f"{id}.flac",
                sha256=flac.sha256,
                pcm_sha256=flac.pcm_sha256,
                sample_rate=RATE,
                length=n,
                channels=(
                    Channel(kind="user-mic", speakers=tuple(r for r in roles if r != "system")),
                    Channel(kind="system", speakers=("system",)),
                ),
            ),
        ),
        turns=tuple(turns),
        events=tuple(events),
        realised=tuple(realised),
        acoustics=Acoustics(echo_db=echo),
        canary="canary",
    )
    return OpenDialogue(d, str(root.resolve()))


class Simulated:
    """A system in simulated time at 16 kHz: answers ``after`` s behind the user's silence with ``answers`` (s each, in
    turn, the last again and again), and falls silent ``stop`` s after the user speaks into one (None: never)."""

    def __init__(self, after: float | None = 0.5, answers=(3.0,), stop: float | None = 0.2) -> None:
        self.after, self.answers, self.stop = after, list(answers), stop
        self.player = Player(RATE)
        self.loud_until = 0.0
        self.due: float | None = None
        self.cut: float | None = None

    def hear(self, now: float, frame: np.ndarray) -> None:
        """The user's frame that ended at ``now``."""
        speaking = bool(len(frame)) and int(np.abs(frame.astype(int)).max()) > 1000
        playing = self.player.playing(now)
        if speaking:
            if playing and self.stop is not None and self.cut is None:
                self.cut = now + self.stop
            self.due = None if self.after is None or (playing and self.stop is None) else now + self.after
        if self.cut is not None and now >= self.cut:
            self.player.flush(now)
            self.player.done()
            self.cut = None
        if self.due is not None and now >= self.due and not self.player.playing(now):
            self.due = None
            seconds = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            self.player.push(now, np.full(round(seconds * RATE), 8000, np.int16))
            self.player.done()


def simulate(source, system: Simulated, size: int = 320):
    """(the user's channel as sent, the system's as heard), int16 at 16 kHz, until the user has nothing more to say."""
    heard = Heard(system.player)
    frames: list[np.ndarray] = []
    longest = int(source.seconds * RATE / size) + 1
    while len(frames) <= longest:
        start = len(frames) * size
        heard.advance(start / RATE)
        frame = source.frame(start, size, heard)
        if frame is None:
            break
        assert frame.dtype == np.int16 and frame.shape == (size,)
        frames.append(frame)
        system.hear((start + size) / RATE, frame)
    user = np.concatenate(frames)
    return user, system.player.heard(0, len(user))
