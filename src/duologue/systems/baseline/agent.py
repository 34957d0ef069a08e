"""The system's side of one call: hears the user frame by frame, decides whose turn it is, and speaks.

Speech that comes while the system speaks is first only watched. A voice that is not the enrolled one, a listener's
signal and words for somebody else are ignored; a request or a matter stops the answer. Where neither is known after
:data:`HOLD` seconds of speech, the answer is held back, and taken up again if the words turn out to be none of the
system's business. The first speaker whose matter was understood is enrolled.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.errors import UserError
from duologue.listen.silero import FRAME, Silero
from duologue.listen.silero import RATE as EAR_RATE
from duologue.listen.voiceprint import SAME, SAME_SHORT, VoicePrint, voiceprint
from duologue.systems.arrival import Int16
from duologue.systems.baseline.knowledge import Meaning
from duologue.systems.baseline.manager import SORRY, Decision, Floor, Manager
from duologue.systems.baseline.mouth import RATE, Spoken, sentences
from duologue.systems.baseline.recognise import Utterance
from duologue.systems.baseline.turn_end import leaves_open, patience

Floats = npt.NDArray[np.float32]
T = TypeVar("T")
_log = logging.getLogger(__name__)
# What a network or a voice fails with while it computes: its own runtime's errors, no memory, a part that went missing.
_FAILURES = (RuntimeError, MemoryError, UserError)

_SPEECH, _SILENCE = 0.5, 0.35
# Seconds: of speech before it counts; kept before it; of silence before the words are asked for.
_LEAST, _BEFORE, _PEEK = 0.1, 0.3, 0.2
# Speech over an answer: seconds after which the words so far are asked for, and after which it is held back; a
# listener's signal does not go on for longer than the last.
_EARLY, HOLD, _SIGNAL = 0.4, 0.8, 1.3
# Speech that begins so soon after an answer of ours belongs to the turn that we had taken for over, if it was not long
# before; it stops us after so much speech.
_TOO_SOON, _JUST_ENDED, _YIELD = 0.8, 2.2, 0.6
# A turn is given up where the recogniser has not answered after so much silence.
_PATIENCE_WITH_EARS = 12.0
# Silence after which it asks what was meant, where nobody has been understood yet.
_ASK_BACK = 2.5
# Audio goes out in pieces of this length, this far ahead of being played.
_PIECE, _AHEAD = 0.1, 0.5
_KEPT = 45.0
# Voiced seconds after which a voice is compared for the first and for the second time.
_SOME, _ENOUGH = 0.6, 1.2


class Line(Protocol):
    """How a protocol says what happens; offsets are milliseconds of the user's audio since the call began."""

    async def started(self, offset_ms: int, interrupts: bool) -> None: ...

    async def stopped(self, offset_ms: int) -> None: ...

    async def understood(self, text: str) -> None: ...

    async def begin(self) -> None: ...

    async def words(self, text: str) -> None: ...

    async def say(self, pcm: Int16) -> None: ...

    async def finish(self, *, cancelled: bool) -> None: ...

    async def failed(self, what: str) -> None: ...


class Recogniser(Protocol):
    def hear(self, samples: Floats, language: str | None = None, lean: float = 0.0) -> Utterance: ...


class Synthesiser(Protocol):
    def speak(self, text: str, language: str) -> Spoken: ...


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What the calls of a server share. ``ears`` and ``lips`` are executors of one thread each: the recogniser's and
    the voice's, so that frames keep flowing. ``sounds_over`` and ``meaning`` may be None; ``language`` "" lets the
    recogniser tell."""

    silero: Silero
    recogniser: Recogniser
    voice: Synthesiser
    sounds_over: Callable[[Floats], float] | None
    ears: Executor
    lips: Executor
    language: str = ""
    meaning: Meaning | None = None


class _Turn:
    """The user's speech since ``start`` (samples at 16 kHz), ``last`` the end of its last voiced frame."""

    def __init__(self, start: int, over: bool) -> None:
        self.start, self.last, self.over = start, start, over
        self.voiced = 0
        self.joined = False
        self.held = False
        self.told = False
        self.job: asyncio.Task[None] | None = None
        # What was recognised, and the ``last`` that it covers; how the turn sounded then.
        self.words: Utterance | None = None
        self.covers = -1
        self.asked = -1
        self.sounds_over: float | None = None
        # How often the voice was compared, and what came of it; where this speech itself began.
        self.compared, self.stranger = 0, False
        self.own = start
        self.judged = False


class _Answer:
    """An answer on its way: sentences as they are synthesised, sent and heard."""

    def __init__(self, text: str, language: str) -> None:
        self.text, self.language = text, language
        self.spoken: list[Spoken] = []
        self.began: float | None = None
        self.sent = 0
        self.done = False
        self.task: asyncio.Task[None] | None = None

    def samples(self, now: float) -> int:
        """Samples that have been played at monotonic ``now``."""
        return 0 if self.began is None else max(0, min(self.sent, round((now - self.began) * RATE)))

    def split(self, now: float) -> tuple[str, str]:
        """What has been heard at ``now``, and the rest from the last comma or stop before it."""
        left, heard = self.samples(now), 0
        for s in self.spoken:
            heard += s.heard(left)
            left -= len(s.pcm)
            if left <= 0:
                break
        at = max((self.text.rfind(c, 0, heard) + 1 for c in ",.!?;:，。！？；："), default=0)
        return self.text[:heard], self.text[at:].lstrip() if heard < len(self.text) else ""


class Agent:
    """``hear`` takes the user's audio as it comes (int16, 24 kHz); everything else follows from it."""

    def __init__(self, parts: Parts, line: Line, manager: Manager) -> None:
        self.parts, self.line, self.manager = parts, line, manager
        # Set while the call lasts: what goes wrong in one of its tasks ends the call.
        self.tasks = asyncio.TaskGroup()
        self._stream = parts.silero.stream()
        import soxr

        self._to_16k = soxr.ResampleStream(RATE, EAR_RATE, 1, dtype="float32", quality="MQ")
        # The user's audio at 16 kHz: `_audio` begins at sample `_first`; Silero has heard up to `_heard`.
        self._audio = np.zeros(0, np.float32)
        self._first = self._heard = 0
        self._run = 0
        self._turn: _Turn | None = None
        self._before: _Turn | None = None
        self._answer: _Answer | None = None
        self._last: tuple[str, str] = ("", "")
        self._user: VoicePrint | None = None
        self._lean = 0.0
        self._closing: asyncio.Task[None] | None = None
        self._language = parts.language or "en"

    # What the protocol calls.

    async def hear(self, pcm: Int16, at: float) -> None:
        """The user's next samples, whose message arrived at monotonic ``at``."""
        x = self._to_16k.resample_chunk(pcm.astype(np.float32) / 32_768)
        if len(x):
            self._audio = np.concatenate([self._audio, x])
            if len(self._audio) > 2 * _KEPT * EAR_RATE:
                cut = len(self._audio) - round(_KEPT * EAR_RATE)
                self._audio, self._first = self._audio[cut:], self._first + cut
        for p in self._stream.feed(x):
            self._heard += FRAME
            await self._frame(float(p))

    def reply_now(self) -> None:
        """The client asks for a reply: the turn is over."""
        if self._turn is not None:
            self._close(self._turn)

    async def cancel(self) -> None:
        """The client breaks off the answer."""
        await self._stop()

    def drop(self) -> None:
        """The client throws away what it sent."""
        self._turn = None

    def end(self) -> None:
        answer = self._answer.task if self._answer else None
        job = self._turn.job if self._turn else None
        for task in (answer, job, self._closing):
            if task is not None:
                task.cancel()

    # Hearing.

    @property
    def speaking(self) -> bool:
        """Whether an answer is being played, or is about to be."""
        a = self._answer
        return a is not None and not (a.done and a.samples(time.monotonic()) >= a.sent)

    async def _frame(self, p: float) -> None:
        turn = self._turn
        if p >= _SPEECH:
            self._run += 1
            if turn is None and self._run * FRAME >= _LEAST * EAR_RATE:
                turn = await self._onset()
        elif p < _SILENCE:
            self._run = 0
        if turn is None or turn is not self._turn:
            return
        if p >= _SPEECH or (p >= _SILENCE and self._run):
            turn.last = self._heard
            turn.voiced += 1
        await self._watch(turn)

    async def _onset(self) -> _Turn:
        over = self.speaking
        start = self._heard - self._run * FRAME - round(_BEFORE * EAR_RATE)
        turn = self._turn = _Turn(max(self._first, start), over)
        turn.last = self._heard
        before, answer = self._before, self._answer
        began = answer.began if answer else None
        fresh = over and (began is None or time.monotonic() - began < _TOO_SOON)
        if fresh and before is not None and self._heard - before.last < _JUST_ENDED * EAR_RATE:
            # They had only paused: we were too early.
            turn.start, turn.joined = before.start, True
        if not over:
            await self._tell_start(turn)
        return turn

    async def _watch(self, turn: _Turn) -> None:
        """What the frame just heard changes for ``turn``."""
        silence = (self._heard - turn.last) / EAR_RATE
        if silence >= _PEEK and turn.asked < turn.last and turn.job is None:
            self._listen(turn, judged=True)
        if turn.over and not turn.held and self.speaking:
            await self._over(turn, silence)
        current = turn.covers >= turn.last
        text = turn.words.text if current and turn.words else None
        language = turn.words.language if turn.words else self._language
        wait = patience(text, language, turn.sounds_over if current else None)
        if (current and silence >= wait) or silence >= _PATIENCE_WITH_EARS:
            self._close(turn)

    async def _over(self, turn: _Turn, silence: float) -> None:
        """Speech over an answer: ignore it, hold the answer back, or go on watching."""
        spoken = turn.voiced * FRAME / EAR_RATE
        stranger = self._is_stranger(turn)
        if turn.joined and stranger and turn.compared > 1:
            turn.start, turn.joined = turn.own, False
        if turn.joined:
            if spoken >= _YIELD:
                await self._hold(turn)
            return
        if spoken >= _EARLY and turn.asked < 0 and turn.job is None:
            self._listen(turn, judged=False)
        if stranger:
            return
        if turn.words is not None and not turn.judged and turn.covers >= 0:
            turn.judged = True
            decision = self.manager.decide(turn.words.text, turn.words.language, self._floor(True))
            if decision.move != "ignore" and decision.act not in ("greeting", "thanks"):
                await self._hold(turn)
        elif spoken >= HOLD and silence < _PEEK and (spoken >= _SIGNAL or not self._harmless(turn)):
            await self._hold(turn)

    def _harmless(self, turn: _Turn) -> bool:
        """Whether what was understood so far is nothing, a signal, or for somebody else."""
        words = turn.words
        return words is not None and self.manager.decide(words.text, words.language).act in (
            "nothing",
            "backchannel",
            "others",
        )

    def _is_stranger(self, turn: _Turn) -> bool:
        """Whether the voice is not the enrolled one's, as soon as there is enough of it; False until then."""
        for known, least, same in ((0, _SOME, SAME_SHORT), (1, _ENOUGH, SAME)):
            if self._user is not None and turn.compared == known and turn.voiced * FRAME >= least * EAR_RATE:
                turn.compared = known + 1
                found = voiceprint(self._sound(turn.own, turn.last))
                turn.stranger = found is not None and found.distance(self._user) > same
        return turn.stranger

    def _sound(self, start: int, end: int) -> Floats:
        return self._audio[max(0, start - self._first) : max(0, end - self._first)]

    def _listen(self, turn: _Turn, *, judged: bool) -> None:
        """Have the words up to now recognised; ``judged``: and whether the turn sounds over."""
        turn.asked = turn.last
        covers, sound = turn.last, self._sound(turn.start, self._heard)
        turn.job = self.tasks.create_task(self._recognise(turn, covers, sound, judged))

    async def _recognise(self, turn: _Turn, covers: int, sound: Floats, judged: bool) -> None:
        parts = self.parts

        def work() -> tuple[Utterance, float | None]:
            words = parts.recogniser.hear(sound, parts.language or None, self._lean)
            self.manager.read(words.text, words.language)
            asked = judged and leaves_open(words.text, words.language)
            return words, parts.sounds_over(sound) if asked and parts.sounds_over else None

        try:
            turn.words, turn.sounds_over = await self._aside(parts.ears, work)
            turn.covers, turn.judged = covers, False
        except _FAILURES as error:
            await self.line.failed(f"the words could not be recognised: {error}")
            turn.words, turn.covers = Utterance(text="", language=self._language), covers
        finally:
            turn.job = None

    # Deciding.

    def _close(self, turn: _Turn) -> None:
        """The turn is over; what follows from it is done aside, so that frames keep flowing."""
        if self._turn is turn:
            self._turn = None
            self._closing = self.tasks.create_task(self._conclude(turn))

    async def _conclude(self, turn: _Turn) -> None:
        if turn.covers < turn.last:
            if turn.job is not None:
                with suppress(asyncio.CancelledError):
                    await turn.job
            if turn.covers < turn.last:
                await self._recognise(turn, turn.last, self._sound(turn.start, turn.last + EAR_RATE // 5), False)
        words = turn.words
        assert words is not None
        self._lean = 0.8 * self._lean + words.evidence
        decision = self.manager.decide(words.text, words.language, self._floor(turn.over, known=self._user is not None))
        stranger = self._is_stranger(turn)
        if stranger and decision.act != "stop" and not turn.joined:
            decision = Decision(move="ignore", act=decision.act)
        _log.info(
            "%.2f-%.2f s %s over=%s held=%s stranger=%s -> %s %s",
            turn.start / EAR_RATE, turn.last / EAR_RATE, words, turn.over, turn.held, stranger, decision.act,
            decision.move,
        )  # fmt: skip
        if decision.move == "ignore":
            if turn.told:
                await self.line.stopped(turn.last * 1000 // EAR_RATE)
            if turn.held:
                await self._resume()
            elif self._user is None and decision.act == "matter" and not turn.over:
                await self._ask_back(words.language)
            return
        await self._stop()
        await self._tell_start(turn)
        await self.line.stopped(turn.last * 1000 // EAR_RATE)
        await self.line.understood(words.text)
        self._before = turn
        self._language = words.language
        if decision.evidence > 0 or self._user is not None:
            self._enrol(turn)
        self.manager.said(decision, words.text, words.language)
        if decision.text or decision.composed:
            self._speak(decision.text, words.language)

    async def _ask_back(self, language: str) -> None:
        """Ask what was meant, unless somebody speaks soon: the first words may have been no words to the system."""
        heard = self._heard
        await asyncio.sleep(_ASK_BACK)
        if self._turn is None and self._before is None and self._heard > heard:
            self._speak(SORRY[language], language)

    def _enrol(self, turn: _Turn) -> None:
        found = voiceprint(self._sound(turn.start, turn.last))
        if found is None:
            return
        if self._user is None:
            self._user = found
        elif found.distance(self._user) <= SAME:
            self._user = self._user.joined(found)

    def _floor(self, over: bool, known: bool = True) -> Floor:
        heard, rest = self._last
        if self._answer is not None:
            heard, rest = self._answer.split(time.monotonic())
        return Floor(over=over, heard=heard, rest=rest, known=known)

    async def _tell_start(self, turn: _Turn) -> None:
        if not turn.told:
            turn.told = True
            await self.line.started((turn.start + round(_BEFORE * EAR_RATE)) * 1000 // EAR_RATE, False)

    # Speaking.

    async def _hold(self, turn: _Turn) -> None:
        """Fall silent for the user; what was not heard is kept."""
        turn.held = True
        await self._stop(turn)

    async def _stop(self, turn: _Turn | None = None) -> None:
        answer, self._answer = self._answer, None
        if answer is None:
            return
        now = time.monotonic()
        unheard = not (answer.done and answer.samples(now) >= answer.sent)
        self._last = answer.split(now)
        if answer.task is not None:
            answer.task.cancel()
        if unheard:
            if turn is not None:
                turn.told = True
            at = (turn.start if turn else self._heard) * 1000 // EAR_RATE
            await self.line.started(at, True)
            if not answer.done and answer.began is not None:
                await self.line.finish(cancelled=True)

    async def _resume(self) -> None:
        _, rest = self._last
        if rest:
            self._speak(rest, self._language)

    def _speak(self, text: str, language: str) -> None:
        answer = self._answer = _Answer(text, language)
        answer.task = self.tasks.create_task(self._deliver(answer))

    async def _deliver(self, answer: _Answer) -> None:
        try:
            if not answer.text:
                answer.text = await self._composed(answer.language)
            await self._say(answer)
        except _FAILURES as error:
            await self.line.failed(f"the answer could not be said: {error}")
        answer.done = True
        if answer.began is not None:
            await self.line.finish(cancelled=False)

    async def _composed(self, language: str) -> str:
        """What the model answers, which takes as long as it likes in a thread of its own."""
        try:
            text = await asyncio.to_thread(self.manager.compose, language)
        except UserError as error:
            await self.line.failed(f"the model gave no answer: {error}")
            text = SORRY[language]
        self.manager.answered(text)
        return text

    async def _say(self, answer: _Answer) -> None:
        pieces = sentences(answer.text)
        speak = self.parts.voice.speak

        def synthesised(k: int) -> asyncio.Future[Spoken]:
            text = pieces[k]
            return asyncio.ensure_future(self._aside(self.parts.lips, lambda: speak(text, answer.language)))

        coming = synthesised(0)
        for k in range(len(pieces)):
            spoken = await coming
            if k + 1 < len(pieces):
                coming = synthesised(k + 1)
            if answer.began is None:
                await self.line.begin()
                answer.began = time.monotonic()
            answer.spoken.append(spoken)
            told = 0
            for start in range(0, len(spoken.pcm), round(_PIECE * RATE)):
                ahead = answer.began + answer.sent / RATE - time.monotonic()
                if ahead < 0:
                    # The player ran dry: what comes now is heard from now on.
                    answer.began -= ahead
                elif ahead > _AHEAD:
                    await asyncio.sleep(ahead - _AHEAD)
                piece = spoken.pcm[start : start + round(_PIECE * RATE)]
                if (upto := spoken.heard(start + len(piece))) > told:
                    await self.line.words(spoken.text[told:upto])
                    told = upto
                await self.line.say(piece)
                answer.sent += len(piece)

    async def _aside(self, where: Executor, work: Callable[[], T]) -> T:
        result: Any = await asyncio.get_running_loop().run_in_executor(where, work)
        return result  # type: ignore[no-any-return]
