"""One call: the user's frames go out on the clock, what comes in is played to the user, and all of it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress

import msgspec
import numpy as np

from duologue.corpus.event import RealisedEvent
from duologue.corpus.observation import SaidWord, SentTurn
from duologue.errors import UserError
from duologue.live.clock import Clock, Pacer, SystemClock, phase
from duologue.live.heard import Heard
from duologue.live.latency import split_latency
from duologue.live.playback import Cut, Gap, Player
from duologue.live.said import Mark, said_words
from duologue.live.source import RATE, Source, fit, resampled
from duologue.systems.arrival import Audio, Flush, Int16, ProtocolEvent, ResponseDone, TranscriptDelta
from duologue.systems.session import Hangup, Session, SessionError

# What is kept of a call's protocol events; the rest is counted.
MOST_EVENTS, MOST_BYTES = 20_000, 16 << 20
# A frame that is later than this is no longer a person talking: the machine is overloaded or was put to sleep.
BEHIND = 1.0
# Audio that a system may send ahead of its playback: half an hour.
_LONGEST_QUEUE = 1800.0
_encode = msgspec.json.Encoder().encode


class CallSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``frame_ms`` is the length of a frame; ``tail`` how long (s) the call listens after the user's last word;
    ``delay`` how much (s) playback holds back against jitter; ``limit`` the longest that a call may take (s)."""

    frame_ms: int = 20
    tail: float = 8.0
    delay: float = 0.0
    limit: float = 1800.0

    def __post_init__(self) -> None:
        for field, low, high in (("frame_ms", 5, 200), ("tail", 0, 120), ("delay", 0, 5), ("limit", 1, 86_400)):
            value = getattr(self, field)
            if not low <= value <= high:
                raise UserError("out of range", field=field, value=value, allowed=f"{low}..{high}")


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A protocol event at ``at`` seconds since the origin."""

    at: float
    name: str
    raw: dict[str, object]


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """What a call leaves. ``user`` as sent and ``system`` as heard are int16 [n] at 16 kHz, of one length.

    ``words`` are those of the system's transcript that were heard, their times estimated, in samples at 16 kHz.
    ``gaps`` and ``cuts`` are in samples at ``player_rate``. ``failure`` is why the call ended too soon, if it did.
    """

    user: Int16
    system: Int16
    sent: tuple[SentTurn, ...] = ()
    realised: tuple[RealisedEvent, ...] = ()
    not_exercised: dict[str, str] = {}
    events: tuple[Kept, ...] = ()
    events_left_out: int = 0
    transcript: tuple[tuple[float, TranscriptDelta], ...] = ()
    words: tuple[SaidWord, ...] = ()
    latency: dict[str, float] = {}
    player_rate: int = RATE
    gaps: tuple[Gap, ...] = ()
    cuts: tuple[Cut, ...] = ()
    pacing: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    failure: SessionError | None = None


async def call(
    session: Session,
    source: Callable[[int], Source],
    settings: CallSettings = CallSettings(),
    *,
    clock: Clock | None = None,
    index: int = 0,
    background: Executor | None = None,
) -> Recording:
    """Call once, from opening to closing. ``source`` makes the user's side for the session's input rate.

    ``index`` numbers calls that run at the same time, so that their frames are spread. What takes long is computed in
    ``background``; calls at the same time share one of a single thread, since every thread that computes takes the
    interpreter from the frames for a while. Raises SessionError where the
    call could not begin; a failure in the middle is in the recording, with what had been heard by then.
    """
    clock = clock or SystemClock()
    try:
        await session.open()
        return await _Call(session, settings, clock, background).run(source, index)
    finally:
        await asyncio.shield(session.close())


class _Call:
    def __init__(self, session: Session, settings: CallSettings, clock: Clock, background: Executor | None) -> None:
        self.session, self.settings, self.clock = session, settings, clock
        self.background = background
        for rate in (session.input_rate, session.output_rate):
            if rate * settings.frame_ms % 1000:
                raise UserError(
                    "a frame is no whole number of samples",
                    field="frame_ms",
                    value=settings.frame_ms,
                    allowed=f"a multiple that fits {rate} Hz, such as 20",
                )
        self.size = session.input_rate * settings.frame_ms // 1000
        self.player = Player(session.output_rate, settings.delay)
        self.heard = Heard(self.player)
        self.origin = 0.0
        self.events: list[Kept] = []
        self.event_bytes = self.left_out = 0
        self.transcript: list[tuple[float, TranscriptDelta]] = []
        # Pieces of the system's transcript, by the sample of the player's from which they are heard.
        self.said: list[Mark] = []
        self.frames: list[Int16] = []
        self.notes: list[str] = []

    async def run(self, make: Callable[[int], Source], index: int) -> Recording:
        loop = asyncio.get_running_loop()
        try:
            source = await loop.run_in_executor(self.background, make, self.session.input_rate)
        except UserError as error:
            what = "the user's side cannot be played"
            raise SessionError(what, where=self.session.where, kind="infrastructure", said=error.message) from None
        frame = self.settings.frame_ms / 1000
        self.origin = self.clock.now() + phase(index, frame)
        pacer = Pacer(self.clock, frame, self.origin)
        receiver = asyncio.create_task(self._receive())
        failure: SessionError | None = None
        try:
            await self._talk(source, pacer, receiver)
        except SessionError as error:
            failure = error
        finally:
            receiver.cancel()
            with suppress(asyncio.CancelledError, SessionError):
                await receiver
        return await loop.run_in_executor(self.background, self._recording, source, pacer, failure)

    async def _talk(self, source: Source, pacer: Pacer, receiver: asyncio.Task[None]) -> None:
        """Send the user's frames and then silence, until the tail is over; raises what ended the call before."""
        silence = np.zeros(self.size, np.int16)
        tail = round(self.settings.tail * 1000 / self.settings.frame_ms)
        longest = int(source.seconds * 1000 / self.settings.frame_ms) + 1
        talking, line, spoken = True, True, 0
        while tail > 0 or talking:
            if line:
                if receiver.done():
                    line = self._ended(receiver, talking)
                    continue
                late = await pacer.next()
                if late > BEHIND:
                    raise SessionError(
                        f"this machine fell behind by {late:.1f} s",
                        where=self.session.where,
                        kind="infrastructure",
                        mend="run fewer sessions at once",
                    )
                if self.clock.now() - self.origin > self.settings.limit:
                    what = f"the call took longer than {self.settings.limit:g} s"
                    raise SessionError(what, where=self.session.where, kind="infrastructure")
            start = len(self.frames) * self.size
            self.heard.advance(start / self.session.input_rate)
            frame = source.frame(start, self.size, self.heard) if talking else None
            if frame is None:
                talking = False
                tail -= 1
                frame = silence
            else:
                spoken += 1
                if spoken >= longest:
                    talking = False
            self.frames.append(frame)
            # Into a line that the system has closed the user talks on, but nobody has to wait for it.
            if line:
                try:
                    await self.session.send(frame)
                except SessionError:
                    # What came before the line went dead tells better why.
                    await asyncio.wait([receiver], timeout=0.5)
                    if not receiver.done():
                        raise
                    continue
                pacer.sent()

    def _ended(self, receiver: asyncio.Task[None], talking: bool) -> bool:
        """Raise what ended the receiver, unless it is the system's own goodbye after it had said something."""
        try:
            receiver.result()
        except Hangup as error:
            at = self.clock.now() - self.origin
            if talking and not self.heard.voice:
                what = f"closed the connection after {at:.2f} s without having said anything"
                raise SessionError(what, where=error.where, kind="system", said=error.said) from None
            self.notes.append(f"the system hung up at {at:.2f} s")
        return False

    async def _receive(self) -> None:
        async for arrival in self.session.arrivals():
            at = arrival.at - self.origin
            if isinstance(arrival, Audio):
                self.player.push(at, arrival.pcm, arrival.item)
                if self.player.end / self.player.rate - at > _LONGEST_QUEUE:
                    what = "sent half an hour of audio ahead of its playback"
                    raise SessionError(what, where=self.session.where, kind="system")
            elif isinstance(arrival, Flush):
                self.said = [m for m in self.said if m[0] < at * self.player.rate]
                for cut in self.player.flush(at):
                    await self.session.truncate(cut.item, cut.played * 1000 / self.player.rate)
            elif isinstance(arrival, TranscriptDelta):
                if len(self.transcript) < MOST_EVENTS:
                    self.heard.note(at, arrival)
                    self.transcript.append((round(at, 4), arrival))
                    if arrival.role == "system" and arrival.text:
                        self.said.append((max(self.player.end, round(at * self.player.rate)), arrival.text))
            elif isinstance(arrival, ResponseDone):
                self.player.done()
            elif isinstance(arrival, ProtocolEvent):
                self.event_bytes += len(_encode(arrival.raw))
                if len(self.events) < MOST_EVENTS and self.event_bytes <= MOST_BYTES:
                    self.events.append(Kept(at=round(at, 4), name=arrival.name, raw=arrival.raw))
                else:
                    self.left_out += 1

    def _recording(self, source: Source, pacer: Pacer, failure: SessionError | None) -> Recording:
        user = np.concatenate(self.frames) if self.frames else np.zeros(0, np.int16)
        seconds = len(user) / self.session.input_rate
        system = self.player.heard(0, round(seconds * self.player.rate))
        user, system = resampled(user, self.session.input_rate, RATE), resampled(system, self.player.rate, RATE)
        length = round(seconds * RATE)
        user, system = fit(user, length), fit(system, length)
        sent = tuple(s for s in source.sent if s.start < length)
        latency = split_latency(sent, system, RATE, self.player.pieces, self.player.rate, self.session.round_trips())
        if pacer.errors:
            latency |= {f"pacing_p{q}": round(pacer.percentile(q), 3) for q in (50, 99)}
            latency["pacing_max"] = round(pacer.percentile(100), 3)
        if self.left_out:
            self.notes.append(f"{self.left_out} further protocol events not kept")
        return Recording(
            user=user,
            system=system,
            sent=sent,
            realised=tuple(source.realised),
            not_exercised=dict(source.not_exercised),
            events=tuple(self.events),
            events_left_out=self.left_out,
            transcript=tuple(self.transcript),
            words=said_words(self.said, self.player.stretches(), RATE / self.player.rate),
            latency=latency,
            player_rate=self.player.rate,
            gaps=tuple(self.player.gaps),
            cuts=tuple(self.player.cuts),
            pacing=tuple(pacer.errors),
            notes=tuple(self.notes),
            failure=failure,
        )
