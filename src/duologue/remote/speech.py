"""A synthesiser behind an OpenAI-compatible server: `POST /audio/speech`, sound as it came."""

from __future__ import annotations

from typing import Any, Literal

from duologue.errors import UserError
from duologue.remote.endpoint import Endpoint, MalformedError, Reply

SpeechFormat = Literal["wav", "flac", "pcm"]
SLOWEST, FASTEST = 0.25, 4.0
_MAGIC = {"wav": (b"RIFF", b"RF64"), "flac": (b"fLaC",)}


class SpeechEndpoint(Endpoint):
    """A synthesiser behind a server; parameters as :class:`Endpoint`. Answers of up to 64 MiB are taken."""

    def __init__(self, base_url: str, model: str, key_env: str = "OPENAI_API_KEY", **more: Any) -> None:
        super().__init__(base_url, model, key_env, **{"largest": 64 << 20, **more})

    def say(
        self,
        text: str,
        *,
        voice: str,
        response_format: SpeechFormat = "wav",
        speed: float = 1.0,
        instructions: str = "",
    ) -> bytes:
        """The server's answer for ``text``, a file of ``response_format`` (pcm: bare 16 bit samples).

        ``speed`` is sent where it is not 1, ``instructions`` where there are any. An answer that is no such file counts
        as malformed and is asked for again. Raises EndpointError; UserError for a speed outside 0.25 to 4.
        """
        if not SLOWEST <= speed <= FASTEST:
            raise UserError("no such speed", field="speed", value=speed, allowed=f"{SLOWEST} to {FASTEST:g}")
        body: dict[str, Any] = {
            "model": self.model,
            "input": text,
            "voice": voice,
            "response_format": response_format,
        }
        if speed != 1.0:
            body["speed"] = speed
        if instructions:
            body["instructions"] = instructions

        def read(reply: Reply) -> bytes:
            if not reply.body:
                raise MalformedError("an empty answer")
            if response_format in _MAGIC and not reply.body.startswith(_MAGIC[response_format]):
                raise MalformedError(f"no {response_format} file, but {reply.content_type or 'something else'}")
            return reply.body

        return self._thread.run(self.request("POST", "audio/speech", json=body, read=read))
