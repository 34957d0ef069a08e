"""Voices behind an OpenAI-compatible server (`POST /audio/speech`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import soxr

from duologue.errors import UserError
from duologue.generate.voices.borrowed import RATE, BorrowedOptions, BorrowedVoice, Line
from duologue.generate.voices.characters import Characters
from duologue.generate.voices.options import read_options
from duologue.generate.voices.voice import Samples
from duologue.remote.clock import Clock
from duologue.remote.endpoint import Retries, Timeouts
from duologue.remote.speech import SpeechEndpoint

# Seconds that a connection may take; a whole attempt has ``timeout``.
_CONNECT = 10.0
LEDGER = "characters.jsonl"


class OpenaiOptions(BorrowedOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A recipe's ``options: {openai: {...}}``: what all such voices have, and where the server is.

    ``response_format`` "pcm" is bare mono samples of 16 bit, lowest byte first, at ``pcm_rate`` Hz. ``retries`` counts
    the tries of one request that the server failed, ``attempts`` the answers that may turn out bad.
    ``budget_characters`` holds for all that a cache folder has ever asked ``model`` to say.
    """

    model: str
    base_url: str = ""
    key_env: str = "OPENAI_API_KEY"
    plain_http: bool = False
    retries: Annotated[int, msgspec.Meta(ge=1)] = 5
    budget_characters: Annotated[int, msgspec.Meta(ge=1)] | None = None
    response_format: Literal["wav", "flac", "pcm"] = "wav"
    pcm_rate: Annotated[int, msgspec.Meta(ge=8_000, le=192_000)] = RATE


class OpenaiVoice(BorrowedVoice):
    """See docs/voices-of-your-own.md. ``clock`` is the time to wait by after a failure of the server."""

    name = "openai"
    local_options = BorrowedVoice.local_options | {"base_url", "key_env", "plain_http", "retries", "budget_characters"}

    def __init__(self, options: OpenaiOptions, clock: Clock | None = None) -> None:
        super().__init__(options)
        self.version, self.form = options.model, options.response_format
        self._format = options.response_format
        self._pcm_rate = options.pcm_rate
        self._characters = Characters(self._folder / LEDGER, options.model, options.budget_characters)
        # A cache that holds every line needs no server.
        self._endpoint = (
            SpeechEndpoint(
                options.base_url,
                options.model,
                options.key_env,
                timeouts=Timeouts(connect=_CONNECT, read=options.timeout, total=options.timeout),
                retries=Retries(attempts=options.retries),
                plain_http=options.plain_http,
                clock=clock,
            )
            if options.base_url
            else None
        )

    @classmethod
    def configured(cls, options: Mapping[str, Any]) -> OpenaiVoice:
        """From a recipe's options; UserError where they are wrong."""
        return cls(read_options(cls.name, options, OpenaiOptions, "voices-of-your-own.md"))

    def part(self, line: Line) -> dict[str, Any]:
        rate = {"pcm_rate": self._pcm_rate} if self._format == "pcm" else {}
        return {"part": self.name, "model": self.version, **rate}

    def say(self, line: Line) -> bytes:
        if self._endpoint is None:
            raise UserError(
                "which server? The cache lacks this line",
                where=str(self._folder),
                mend="options.openai.base_url, an address such as http://localhost:8000/v1",
            )
        self._characters.check(line.text)
        data = self._endpoint.say(
            line.text,
            voice=line.speaker,
            response_format=self._format,
            speed=line.speed,
            instructions=line.instructions,
        )
        self._characters.note(line.text)
        return data

    def read(self, path: Path) -> Samples:
        if self._format != "pcm":
            return super().read(path)
        data = path.read_bytes()
        if len(data) % 2:
            raise UserError("cut short: half a sample at its end")
        samples = np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32_768)
        found: Samples = soxr.resample(samples, self._pcm_rate, RATE, quality="VHQ")
        return found
