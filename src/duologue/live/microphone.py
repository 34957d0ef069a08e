"""A person's own side of a call, through a microphone, with the system on a loudspeaker or, better, in headphones."""

from __future__ import annotations

import hashlib
import queue
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np

from duologue.corpus.audio import Channel
from duologue.corpus.dialogue import SCHEMA_VERSION, Dialogue
from duologue.corpus.event import RealisedEvent
from duologue.corpus.interval import merge_gaps
from duologue.corpus.observation import SentTurn
from duologue.corpus.provenance import Provenance, Step
from duologue.corpus.rights import Rights
from duologue.corpus.speaker import Role, Speaker
from duologue.corpus.turn import Segment, Turn
from duologue.errors import MissingPartError, UserError
from duologue.formats.aside import aside, reveal
from duologue.formats.landing import Landing
from duologue.listen.sound import audible
from duologue.live.call import Recording
from duologue.live.corpus_of import AUDIO, SEGMENT, TURN, assigned, spread
from duologue.live.heard import Heard
from duologue.live.source import RATE
from duologue.systems.arrival import Int16


class Device(Protocol):
    """A microphone and a loudspeaker."""

    def read(self, size: int) -> Int16:
        """The next ``size`` samples that the microphone heard, int16; silence for what has not come yet."""
        ...

    def play(self, pcm: Int16, rate: int) -> None: ...

    def close(self) -> None: ...


class Microphone:
    """A :class:`duologue.live.source.Source`: whoever speaks into ``device``, for ``seconds``."""

    def __init__(self, device: Device, rate: int, seconds: float) -> None:
        self.device, self.rate, self.seconds = device, rate, seconds
        self.sent: tuple[SentTurn, ...] = ()
        self.realised: tuple[RealisedEvent, ...] = ()
        self.not_exercised: dict[str, str] = {}
        self._played = 0.0

    def frame(self, start: int, size: int, heard: Heard) -> Int16 | None:
        if start >= self.seconds * self.rate:
            self.device.close()
            return None
        self.device.play(heard.sound(self._played, heard.now), heard.rate)
        self._played = heard.now
        return self.device.read(size)


def open_device(rate: int) -> Device:
    """This machine's own microphone and loudspeaker; MissingPartError or UserError where there are none."""
    try:
        import sounddevice
    except ImportError as error:
        raise MissingPartError(
            "talking needs the package 'sounddevice'", mend="pip install 'duologue[mic]', or use --wav"
        ) from error
    except OSError as error:
        raise UserError(f"no sound library on this machine: {error}", mend="install PortAudio, or use --wav") from None
    return _Sound(sounddevice, rate)


class _Sound:
    def __init__(self, library: Any, rate: int) -> None:
        self._library = library
        self._heard: queue.SimpleQueue[Int16] = queue.SimpleQueue()
        self._rest = np.zeros(0, np.int16)
        self._out: Any = None
        try:
            self._in = library.InputStream(samplerate=rate, channels=1, dtype="int16", callback=self._take)
            self._in.start()
        except (library.PortAudioError, OSError) as error:
            raise UserError(f"no microphone: {error}", mend="plug one in, or use --wav") from None

    def _take(self, data: Any, frames: int, time: Any, status: Any) -> None:
        self._heard.put(data[:, 0].copy())

    def read(self, size: int) -> Int16:
        parts = [self._rest]
        while not self._heard.empty():
            parts.append(self._heard.get())
        all_of_it = np.concatenate(parts)
        self._rest = all_of_it[size:]
        frame = all_of_it[:size]
        return frame if len(frame) == size else np.pad(frame, (0, size - len(frame)))

    def play(self, pcm: Int16, rate: int) -> None:
        if self._out is None:
            self._out = self._library.OutputStream(samplerate=rate, channels=1, dtype="int16")
            self._out.start()
        if len(pcm):
            self._out.write(pcm[:, None])

    def close(self) -> None:
        for stream in (self._in, self._out):
            if stream is not None:
                stream.close()


def keep_spoken(
    recording: Recording, out: Path, *, system: str, speaker: str, language: str, licence: str, consent_id: str
) -> None:
    """Make the corpus ``out``, one human-machine dialogue, of a call that a person had with ``system``.

    Turns are where sound was heard; words are the system's own transcripts of both sides, their times estimated.
    UserError where nobody spoke or no consent is on record.
    """
    if not consent_id or consent_id == "not-applicable":
        raise UserError("a person's voice without consent", field="consent_id", value=consent_id)
    both = np.stack([recording.user, recording.system], axis=1)
    machine = f"system:{hashlib.sha256(system.encode()).hexdigest()[:12]}"
    transcript = [(at, d.role, d.text) for at, d in recording.transcript]
    cuts = [c.at / recording.player_rate for c in recording.cuts]
    rows: list[tuple[int, Role, Turn]] = []
    roles: tuple[tuple[int, Role], ...] = ((0, "user"), (1, "system"))
    for channel, role in roles:
        sound = merge_gaps(audible(both[:, channel].astype(np.float32) / np.float32(32_768), RATE), SEGMENT * RATE)
        groups = merge_gaps(sound, TURN * RATE)
        texts = assigned(transcript, role, cuts if role == "system" else [], groups)
        for (start, end), (said, cut) in zip(groups.tolist(), texts, strict=True):
            text, intended, words = spread(said, cut, start, end, language)
            own = [(a, b) for a, b in sound.tolist() if start <= a < end]
            turn = Turn(
                index=0,
                role=role,
                speaker=speaker if role == "user" else machine,
                addressee=machine if role == "user" else speaker,
                language=language,
                text=text,
                intended_text=intended,
                segments=tuple(Segment(audio=AUDIO, channel=channel, start=a, end=b) for a, b in own),
                words=words,
            )
            rows.append((start, role, turn))
    if not any(role == "user" for _, role, _ in rows):
        raise UserError("nobody was heard", where="microphone")
    rows.sort(key=lambda r: (r[0], r[1] == "system"))
    sha = hashlib.sha256(both.astype("<i2").tobytes()).hexdigest()
    step = Step(
        step="call",
        part="duologue",
        version=version("duologue"),
        sha256=sha,
        parameters={"system": system, "mode": "mic"},
    )
    d = Dialogue(
        schema_version=SCHEMA_VERSION,
        id=f"call-{sha[:12]}",
        track="duplex",
        tasks=("interruption",),
        languages=(language,),
        split="unassigned",
        scenario="none",
        source="human-machine",
        rights=Rights(licence=licence, consent_id=consent_id),
        groups={"speaker": (speaker,)},
        speakers=(
            Speaker(id=speaker, role="user", languages=(language,), synthetic=False, consent_id=consent_id),
            Speaker(id=machine, role="system", languages=(language,), synthetic=True),
        ),
        turns=tuple(msgspec.structs.replace(t, index=k) for k, (_, _, t) in enumerate(rows)),
        provenance=Provenance(steps=(step,)),
    )
    channels = (Channel(kind="user-mic", speakers=(speaker,)), Channel(kind="system", speakers=(machine,)))
    with aside(out) as folder:
        landing = Landing(folder)
        audio = landing.store(d, AUDIO, both, RATE, channels)
        landing.add(msgspec.structs.replace(d, audio=(audio,)))
        landing.finish(out.name, {"run": system, "mode": "mic"})
        reveal(folder, out)
