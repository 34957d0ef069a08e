"""A local command per item: `command:./infer {input} {output}`.

The words of the spec are the command's arguments, split as a shell would but run without one. ``{input}`` is a wav file
with the user's microphone (16 kHz, 16 bit, mono); the command writes ``{output}``, audio of any format and rate on
the same clock, and beside it, if it knows them, the words of ``{output}`` with the suffix .json in the official form.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import tempfile
from contextlib import suppress
from pathlib import Path

from duologue.corpus.dialogue import Dialogue
from duologue.corpus.observation import SaidWord
from duologue.corpus.recording import read_recording
from duologue.corpus.run import LARGEST_AUDIO, read_words
from duologue.errors import UserError
from duologue.systems.arrival import Int16
from duologue.systems.session import FailureKind, SessionError
from duologue.systems.system import Answer, Settings

RATE = 16_000
# What a command may still do after it was asked to end.
_GRACE = 2.0
_TAIL = 2_000


class CommandSystem:
    at_once = 0

    def __init__(self, command: str, settings: Settings = Settings()) -> None:
        self.spec = f"command:{command}"
        self.time_limit = settings.time_limit
        try:
            self.argv = shlex.split(command)
        except ValueError as error:
            raise UserError(f"not a command: {error}", field="system", value=command) from None
        for place in ("{input}", "{output}"):
            if not any(place in word for word in self.argv):
                raise UserError(
                    f"the command does not say where {place} goes",
                    field="system",
                    value=command,
                    allowed="command:./infer {input} {output}",
                )

    async def answer(self, dialogue: Dialogue, user: Int16, sample_rate: int) -> Answer:
        """Run the command on ``user``; it sees nothing of ``dialogue``, not even the name."""
        import soundfile

        with tempfile.TemporaryDirectory(prefix="duologue-") as folder:
            heard, said = Path(folder, "input.wav"), Path(folder, "output.wav")
            soundfile.write(heard, user, sample_rate, subtype="PCM_16")
            await self._run(heard, said, Path(folder, "errors.txt"))
            return self._read(said, len(user) / sample_rate)

    async def _run(self, heard: Path, said: Path, errors: Path) -> None:
        argv = [w.replace("{input}", str(heard)).replace("{output}", str(said)) for w in self.argv]
        with errors.open("wb") as log:
            try:
                process = await asyncio.create_subprocess_exec(
                    *argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                why = getattr(error, "strerror", None) or str(error)
                raise self._failed("cannot be run", "infrastructure", why) from None
        try:
            async with asyncio.timeout(self.time_limit):
                code = await process.wait()
        except TimeoutError:
            raise self._failed(f"took longer than {self.time_limit:g} s", "system") from None
        finally:
            await _end(process)
        if code:
            how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise self._failed(how, "system", _last_words(errors))

    def _read(self, said: Path, seconds: float) -> Answer:
        if not said.is_file():
            raise self._failed("wrote no output", "missing")
        if said.stat().st_size > LARGEST_AUDIO:
            raise self._failed(f"wrote more than {LARGEST_AUDIO:,} bytes", "system")
        notes: list[str] = []
        words: tuple[SaidWord, ...] = ()
        try:
            recording = read_recording(said, rate=RATE, channels="mix", keep_clipped=True)
        except UserError as error:
            shown = f"{error.what} (got {error.value!r})" if error.value is not None else error.what
            raise self._failed(f"its output is {shown}", "system") from None
        notes += recording.notes
        texts = said.with_suffix(".json")
        if texts.is_file():
            try:
                words = read_words(texts, RATE)
            except UserError as error:
                notes.append(f"transcript not read: {error.message}")
        return Answer(
            pcm=recording.samples[:, 0],
            sample_rate=RATE,
            words=words,
            words_from="run" if words else "",
            notes=tuple(notes),
        )

    def _failed(self, what: str, kind: FailureKind, said: str = "") -> SessionError:
        return SessionError(what, where=self.spec, kind=kind, said=said)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the command and all that it started."""
    group = process.pid
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await process.wait()
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    if process.returncode is None:
        await process.wait()


def _last_words(errors: Path) -> str:
    """The end of what the command wrote to its standard error, on one line."""
    with errors.open("rb") as file:
        file.seek(max(0, errors.stat().st_size - _TAIL))
        text = file.read().decode("utf-8", "replace")
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return flat[-300:]
