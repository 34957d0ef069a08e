"""A local program as a voice: text in, a sound file out.

The command is split as a shell would but run without one; places in its words are filled in afterwards, so that what
is put in is never more than one argument. The text is on its standard input as well.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from duologue.errors import UserError
from duologue.generate.voices.borrowed import BorrowedOptions, BorrowedVoice, Line
from duologue.generate.voices.options import read_options
from duologue.remote.cache import digest

_LARGEST = 64 << 20
_TAIL = 300


class CommandOptions(BorrowedOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A recipe's ``options: {command: {...}}``: ``command`` is "say --text {text_file} --out {output}", say.

    Places: ``{text}``, ``{text_file}`` (UTF-8), ``{output}`` (standard output counts where it is not named),
    ``{speaker}``, ``{language}``, ``{speed}``, ``{instructions}`` and ``{seed}``. ``timeout`` is for one line.
    """

    command: str


class CommandVoice(BorrowedVoice):
    """See docs/voices-of-your-own.md."""

    name = "command"

    def __init__(self, options: CommandOptions) -> None:
        super().__init__(options)
        try:
            self._argv = shlex.split(options.command)
        except ValueError as error:
            raise UserError(f"not a command: {error}", field="options.command.command") from None
        if not self._argv:
            raise UserError("no program is named", field="options.command.command", allowed="say --out {output}")
        self.version = digest(self._argv)[:12]

    @classmethod
    def configured(cls, options: Mapping[str, Any]) -> CommandVoice:
        """From a recipe's options; UserError where they are wrong."""
        return cls(read_options(cls.name, options, CommandOptions, "voices-of-your-own.md"))

    def part(self, line: Line) -> dict[str, Any]:
        seeded = any("{seed}" in word for word in self._argv)
        return {"part": self.name, "command_sha256": digest(self._argv), **({"seed": line.seed} if seeded else {})}

    def say(self, line: Line) -> bytes:
        with tempfile.TemporaryDirectory(prefix="duologue-") as folder:
            text, output, errors = Path(folder, "text.txt"), Path(folder, "output.wav"), Path(folder, "errors.txt")
            text.write_text(line.text, encoding="utf-8")
            places = {
                "text": line.text,
                "text_file": str(text),
                "output": str(output),
                "speed": f"{line.speed:g}",
                "seed": str(line.seed),
            }
            places |= {"speaker": line.speaker, "language": line.language, "instructions": line.instructions}
            self._run([_filled(word, places) for word in self._argv], text, output, errors)
            if not output.is_file() or output.stat().st_size > _LARGEST:
                raise UserError(f"it wrote no output, or over {_LARGEST:,} bytes", where=self._argv[0])
            return output.read_bytes()

    def _run(self, argv: list[str], text: Path, output: Path, errors: Path) -> None:
        named = any("{output}" in word for word in self._argv)
        with (
            text.open("rb") as given,
            errors.open("wb") as log,
            (Path(os.devnull) if named else output).open("wb") as out,
        ):
            try:
                process = subprocess.Popen(argv, stdin=given, stdout=out, stderr=log, start_new_session=True)
            except (OSError, ValueError) as error:
                raise UserError(f"it cannot be run: {error}", where=argv[0]) from None
            try:
                code = process.wait(self._options.timeout)
            except subprocess.TimeoutExpired:
                raise UserError(f"it took longer than {self._options.timeout:g} s", where=argv[0]) from None
            finally:
                # It and all that it started.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if code:
            said = " ".join(errors.read_bytes().decode("utf-8", "replace").split())[-_TAIL:]
            raise UserError(f"it ended with exit code {code}: {said}", where=argv[0])


def _filled(word: str, places: Mapping[str, str]) -> str:
    """``word`` with its places filled in once: what is put in is not looked at again."""
    pieces = word.split("{")
    done = [pieces[0]]
    for piece in pieces[1:]:
        name, brace, rest = piece.partition("}")
        done.append(places[name] + rest if brace and name in places else "{" + piece)
    return "".join(done)
