"""Chat completions: `POST /chat/completions` of the OpenAI interface, whole or streamed."""

from __future__ import annotations

import base64
import io
import re
import wave
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.remote.cache import Cache, digest
from duologue.remote.endpoint import Endpoint, EndpointError, MalformedError, Reply

Form = Literal["json_schema", "json_object", "text"]
# How an answer is held to a schema, from the strictest form on; a server that refuses one is asked in the next.
FORMS: tuple[Form, ...] = ("json_schema", "json_object", "text")
_DONE = re.compile(rb"(?:^|[\r\n])data: ?\[DONE\]")
_ABOUT_FORM = re.compile(r"response_format|json_schema|json_object|structured output|guided", re.IGNORECASE)


class Sound(msgspec.Struct, frozen=True):
    """Audio as part of a message: a whole wav file."""

    wav: bytes

    @classmethod
    def of(cls, samples: npt.NDArray[np.float32], sample_rate: int) -> Sound:
        """From mono samples in [-1, 1], as 16 bit."""
        return cls(wav_bytes(samples, sample_rate))


class Message(msgspec.Struct, frozen=True):
    """``role`` is "system", "user" or "assistant"; ``content`` text, or texts and sounds in order."""

    role: str
    content: str | tuple[str | Sound, ...]


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer is drawn.

    ``extra`` are further fields of the request ({"top_k": 20} for vLLM); ``omit`` names fields that the server does
    not take ("temperature", "top_p", "seed", "max_tokens") and that are left out.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 1234
    max_tokens: int = 2048
    extra: dict[str, Any] = {}
    omit: tuple[Literal["temperature", "top_p", "seed", "max_tokens"], ...] = ()


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """``schema`` is a JSON Schema that the answer should fit, {} for free text; ``prompt_sha256`` names the template
    that the messages were made from."""

    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    schema: dict[str, Any] = {}
    prompt_sha256: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a model said. ``model`` and ``fingerprint`` are the server's own words for what answered; ``form`` is how
    the schema was asked for; ``cached`` whether no request was made for it."""

    text: str
    finish_reason: str = ""
    refusal: str = ""
    model: str = ""
    fingerprint: str = ""
    form: Form = "text"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached: bool = False


class ChatEndpoint(Endpoint):
    """A chat model behind an OpenAI-compatible server; parameters as :class:`Endpoint`.

    ``stream`` asks for the answer piece by piece: the same answer, but the connection is never silent for long.
    """

    def __init__(
        self, base_url: str, model: str, key_env: str = "OPENAI_API_KEY", *, stream: bool = False, **more: Any
    ):
        super().__init__(base_url, model, key_env, **more)
        self.stream = stream
        self._form = 0  # the strictest of FORMS not refused so far
        self._limit_field = "max_tokens"

    def complete(self, request: ChatRequest, cache: Cache | None = None) -> Answer:
        """The answer to ``request``, from ``cache`` where it is known. Raises EndpointError."""
        return self._thread.run(self._answer(request, cache))

    def complete_all(
        self, requests: Sequence[ChatRequest], cache: Cache | None = None
    ) -> Generator[tuple[int, Answer | EndpointError], None, None]:
        """(index, answer or failure) as each is done, at most ``in_flight`` requests at once.

        Equal requests are made once; to all but the first of them the answer counts as ``cached``. Each answer is in
        the cache before it is yielded, and where the caller stops early, those under way are waited for and kept.
        Failures of the disk are raised.
        """
        same: dict[str, list[int]] = {}
        for index, request in enumerate(requests):
            same.setdefault(digest(self.asked(request)), []).append(index)
        groups = list(same.values())

        def call(request: ChatRequest) -> Any:
            return lambda: self._answer(request, cache)

        with closing(self.each([call(requests[indexes[0]]) for indexes in groups])) as results:
            for group, result in results:
                if isinstance(result, Exception) and not isinstance(result, EndpointError):
                    raise result
                first, *others = groups[group]
                yield first, result
                for index in others:
                    yield index, msgspec.structs.replace(result, cached=True) if isinstance(result, Answer) else result

    def asked(self, request: ChatRequest) -> dict[str, Any]:
        """What an answer depends on, as hashes and parameters: the key of the cache."""
        return {
            "kind": "chat",
            "model": self.model,
            "prompt_sha256": request.prompt_sha256,
            "parameters": {**msgspec.to_builtins(request.sampling), "schema_sha256": digest(request.schema)},
            "input_sha256": digest([_on_the_wire(m) for m in request.messages]),
        }

    async def _answer(self, request: ChatRequest, cache: Cache | None) -> Answer:
        asked = self.asked(request)
        if cache is not None and (known := cache.get(asked)) is not None:
            try:
                return msgspec.convert({**known, "cached": True}, Answer)
            except (msgspec.ValidationError, TypeError):
                pass  # not an answer of ours: asked for again and rewritten
        answer = await self._ask(request)
        if cache is not None:
            kept = msgspec.to_builtins(answer)
            del kept["cached"]
            cache.put(asked, kept)
        return answer

    async def _ask(self, request: ChatRequest) -> Answer:
        """One answer, in the strictest form and with the name of the token limit that the server takes."""
        while True:
            at = self._form if request.schema else len(FORMS) - 1
            field = self._limit_field
            try:
                return await self.request(
                    "POST",
                    "chat/completions",
                    json=self._body(request, FORMS[at], field),
                    read=lambda reply, form=FORMS[at]: self._read(reply, form),  # type: ignore[misc]
                    end=_DONE if self.stream else None,
                )
            except EndpointError as error:
                if error.kind != "refused":
                    raise
                if request.schema and at < len(FORMS) - 1 and _ABOUT_FORM.search(error.said):
                    self._form = max(self._form, at + 1)
                elif field == "max_tokens" and "max_completion_tokens" in error.said:
                    self._limit_field = "max_completion_tokens"
                else:
                    raise

    def _body(self, request: ChatRequest, form: Form, limit_field: str) -> dict[str, Any]:
        sampling = request.sampling
        messages = [_on_the_wire(m) for m in request.messages]
        body: dict[str, Any] = {"model": self.model, "messages": messages}
        for name in ("temperature", "top_p", "seed", "max_tokens"):
            if name not in sampling.omit:
                body[limit_field if name == "max_tokens" else name] = getattr(sampling, name)
        if form == "json_schema":
            named = {"name": "answer", "schema": request.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        elif request.schema:
            wanted = msgspec.json.encode(request.schema).decode()
            note = f"Answer with one JSON object that fits this JSON Schema:\n{wanted}"
            first = messages[0]
            if first["role"] == "system" and isinstance(first["content"], str):
                # Many chat templates take one system message only.
                messages[0] = {"role": "system", "content": f"{first['content']}\n\n{note}"}
            else:
                messages.insert(0, {"role": "system", "content": note})
            if form == "json_object":
                body["response_format"] = {"type": "json_object"}
        if self.stream:
            body.update(stream=True, stream_options={"include_usage": True})
        return {**body, **sampling.extra}

    def _read(self, reply: Reply, form: Form) -> Answer:
        answer = _streamed(reply.body) if "event-stream" in reply.content_type else _whole(reply.body)
        # A key may be spelled with JSON escapes, which only show once the answer is decoded.
        return msgspec.structs.replace(
            answer, form=form, text=self.without_key(answer.text), refusal=self.without_key(answer.refusal)
        )


def wav_bytes(samples: npt.NDArray[np.float32], sample_rate: int) -> bytes:
    """Mono ``samples`` in [-1, 1] as a 16 bit wav file; what lies outside is clipped."""
    pcm = np.round(np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(sample_rate)
        out.writeframes(pcm.tobytes())
    return file.getvalue()


def _on_the_wire(message: Message) -> dict[str, Any]:
    if isinstance(message.content, str):
        return {"role": message.role, "content": _valid(message.content)}
    parts: list[dict[str, Any]] = []
    for part in message.content:
        if isinstance(part, Sound):
            data = base64.b64encode(part.wav).decode()
            parts.append({"type": "input_audio", "input_audio": {"data": data, "format": "wav"}})
        else:
            parts.append({"type": "text", "text": _valid(part)})
    return {"role": message.role, "content": parts}


def _valid(text: str) -> str:
    """``text`` without lone surrogates, which JSON readers let in and UTF-8 cannot carry."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class _Said(msgspec.Struct, frozen=True):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Said = _Said()
    delta: _Said = _Said()
    finish_reason: str | None = None
    index: int = 0


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(msgspec.Struct):
    """What is read of a completion or a chunk of one; servers add much else."""

    choices: list[_Choice] = []
    model: str | None = None
    system_fingerprint: str | None = None
    usage: _Usage | None = None
    error: Any = None


_DECODER = msgspec.json.Decoder(_Completion)


def _completion(data: bytes) -> _Completion:
    try:
        found = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"no completion: {error}") from None
    if found.error:
        raise MalformedError(f"an error with a good status: {found.error}")
    return found


def _whole(body: bytes) -> Answer:
    found = _completion(body)
    if not found.choices:
        raise MalformedError("no choices in it")
    choice = found.choices[0]
    if choice.message.content is None and choice.message.refusal is None and not choice.finish_reason:
        raise MalformedError("no text in it")
    return _answer(
        found, choice.message.content or "", choice.message.refusal or "", choice.finish_reason or "", found.usage
    )


def _streamed(body: bytes) -> Answer:
    """Put the pieces of an event stream together (the HTML standard's server-sent events)."""
    text, refusal, reason = [], [], ""
    usage: _Usage | None = None
    last: _Completion | None = None
    done = False
    for event in body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n"):
        data = b"\n".join(line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:"))
        if not data:
            continue
        if data.strip() == b"[DONE]":
            done = True
            break
        last = _completion(data)
        usage = last.usage or usage
        for choice in last.choices:
            if choice.index == 0:
                text.append(choice.delta.content or "")
                refusal.append(choice.delta.refusal or "")
                reason = choice.finish_reason or reason
    if last is None or not (done or reason):
        raise MalformedError("the stream ended in the middle")
    return _answer(last, "".join(text), "".join(refusal), reason, usage)


def _answer(found: _Completion, text: str, refusal: str, reason: str, usage: _Usage | None) -> Answer:
    return Answer(
        text=text,
        finish_reason=reason,
        refusal=refusal,
        model=found.model or "",
        fingerprint=found.system_fingerprint or "",
        prompt_tokens=usage.prompt_tokens if usage else 0,
        completion_tokens=usage.completion_tokens if usage else 0,
    )
