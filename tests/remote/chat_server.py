"""A server on loopback that speaks the OpenAI interface truthfully, and misbehaves on demand.

Chat completions (whole and streamed), transcriptions, speech, models. It checks requests as the real ones do, counts
them, and answers by ``say``, ``hear`` and ``speak``. ``faults`` are used up one a request. Run as a script, it serves
until interrupted:

    python tests/remote/chat_server.py 8000
"""

from __future__ import annotations

import email
import io
import json
import sys
import threading
import time
import wave
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-loopback-0123456789abcdef"
MODEL = "judge-1"
Body = dict[str, Any]


class Server(ThreadingHTTPServer):
    """``seen`` holds (path, headers, body) of each request; ``most`` how many were under way at once."""

    daemon_threads = True

    def __init__(self, port: int = 0, key: str | None = KEY) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.key = key
        self.say: Callable[[Body], str] = fitting
        self.hear: Callable[[bytes, float], list[tuple[str, float, float]]] = lambda _, seconds: [("hello", 0, seconds)]
        self.speak: Callable[[Body], bytes] = lambda _: b""
        self.heard_language = "english"
        self.faults: deque[Callable[[_Handler], None]] = deque()
        self.refused_forms: set[str] = set()
        self.limit_field = "max_tokens"
        self.pause = 0.0
        self.lock = threading.Lock()
        self.seen: list[tuple[str, dict[str, str], Any]] = []
        self.under_way = self.most = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    @property
    def bodies(self) -> list[Body]:
        return [body for path, _, body in self.seen if path.endswith("/chat/completions")]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


@contextmanager
def serving(key: str | None = KEY) -> Iterator[Server]:
    server = Server(key=key)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def fitting(body: Body) -> str:
    """A JSON text that fits the schema asked for, or words where none is asked for."""
    wanted = body.get("response_format", {}).get("json_schema", {}).get("schema")
    first = body["messages"][0]["content"]
    if wanted is None and "JSON Schema:\n" in first:
        wanted = json.loads(first.split("JSON Schema:\n")[1])
    return "Fine." if wanted is None else json.dumps(_example(wanted))


def _example(schema: Body) -> Any:
    if "enum" in schema:
        return schema["enum"][len(schema["enum"]) // 2]
    if schema.get("type") == "object":
        return {name: _example(inner) for name, inner in schema["properties"].items()}
    return {"string": "as asked", "integer": 3, "number": 0.5, "boolean": True, "array": []}[schema["type"]]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        if not self._may_enter():
            return
        if self.path != "/v1/models":
            self.refuse(404, f"Unknown request URL: GET {self.path}", "invalid_request_error")
            return
        self.answer({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "tests"}]})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]) if "Content-Length" in self.headers else 0)
        if "Content-Length" not in self.headers:
            raw = self._chunks()
        with self.server.lock:
            self.server.under_way += 1
            self.server.most = max(self.server.most, self.server.under_way)
            if self.headers.get("Content-Type", "").startswith("multipart/form-data"):
                self.body: Any = self._form(raw)
            else:
                self.body = json.loads(raw)
            self.server.seen.append((self.path, dict(self.headers), self.body))
            fault = self.server.faults.popleft() if self.server.faults else None
        try:
            time.sleep(self.server.pause)
            if fault is not None:
                fault(self)
            elif self._may_enter():
                routes = {"/v1/chat/completions": self.chat, "/v1/audio/transcriptions": self._transcribe}
                routes["/v1/audio/speech"] = self._speak
                unknown = lambda: self.refuse(404, f"Unknown request URL: POST {self.path}")  # noqa: E731
                routes.get(self.path, unknown)()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with self.server.lock:
                self.server.under_way -= 1

    def chat(self, say: Callable[[Body], str] | None = None) -> None:
        body = self.body
        if body.get("model") != MODEL:
            self.refuse(404, f"The model `{body.get('model')}` does not exist", code="model_not_found")
            return
        if problem := self._problem(body):
            self.refuse(400, problem)
            return
        text = (say or self.server.say)(body)
        prompt = sum(len(json.dumps(m)) for m in body["messages"]) // 4
        usage = {"prompt_tokens": prompt, "completion_tokens": len(text), "total_tokens": prompt + len(text)}
        if body.get("stream"):
            self._stream(text, usage)
        else:
            message = {"role": "assistant", "content": text, "refusal": None}
            self.answer(completion(message, usage))

    def _problem(self, body: Body) -> str:
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            return "Invalid 'messages': empty array."
        for m in messages:
            if m.get("role") not in ("system", "user", "assistant"):
                return f"Invalid value: '{m.get('role')}'."
            for part in m["content"] if isinstance(m["content"], list) else ():
                if part["type"] not in ("text", "input_audio"):
                    return f"Invalid value: '{part['type']}'."
        if not 0 <= body.get("temperature", 1) <= 2 or not 0 <= body.get("top_p", 1) <= 1:
            return "Invalid sampling: out of range."
        other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}[self.server.limit_field]
        if other in body:
            return f"Unsupported parameter: '{other}' is not supported. Use '{self.server.limit_field}' instead."
        form = body.get("response_format", {"type": "text"})
        if form["type"] in self.server.refused_forms:
            return f"response_format of type '{form['type']}' is not supported by this model"
        if form["type"] == "json_schema":
            named = form["json_schema"]
            if not named.get("name") or named["schema"].get("additionalProperties") is not False:
                return "Invalid schema for response_format 'answer'"
        return ""

    def _stream(self, text: str, usage: Body) -> None:
        self.begin_stream()
        self.event(chunk({"role": "assistant", "content": ""}))
        self.piece(b": keep-alive\r\n\r\n")
        for i in range(0, len(text), 7):
            self.event(chunk({"content": text[i : i + 7]}))
        self.event(chunk({}, "stop"))
        if self.body.get("stream_options", {}).get("include_usage"):
            self.event({**chunk({}), "choices": [], "usage": usage})
        self.piece(b"data: [DONE]\n\n")
        self.piece(b"")

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def event(self, value: Any) -> None:
        self.piece(b"data: " + json.dumps(value).encode() + b"\n\n")

    def piece(self, data: bytes) -> None:
        """One chunk of a chunked body; b"" ends it."""
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def answer(self, value: Any, status: int = 200, **headers: str) -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status: int, message: str, code: str | None = None, **headers: str) -> None:
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        self.answer({"error": error}, status, **headers)

    def _may_enter(self) -> bool:
        if self.server.key is None or self.headers.get("Authorization") == f"Bearer {self.server.key}":
            return True
        sent = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.refuse(401, f"Incorrect API key provided: {sent}.", "invalid_api_key")
        return False

    def _transcribe(self) -> None:
        form = self.body
        with wave.open(io.BytesIO(form["file"])) as sound:
            seconds = sound.getnframes() / sound.getframerate()
        if form.get("response_format") != "verbose_json":
            self.answer({"text": " ".join(w for w, _, _ in self.server.hear(form["file"], seconds))})
            return
        words = self.server.hear(form["file"], seconds)
        joiner = "" if self.server.heard_language == "chinese" else " "
        text = joiner.join(w for w, _, _ in words)
        out: Body = {
            "task": "transcribe",
            "language": self.server.heard_language,
            "duration": seconds,
            "text": text,
            "segments": [
                {
                    "id": 0, "seek": 0, "start": 0.0, "end": seconds, "text": text, "tokens": [1], "temperature": 0.0,
                    "avg_logprob": -0.25, "compression_ratio": 1.0, "no_speech_prob": 0.01,
                }
            ],
        }  # fmt: skip
        if "word" in form.get("timestamp_granularities[]", []):
            out["words"] = [{"word": w, "start": a, "end": b} for w, a, b in words]
        self.answer(out)

    def _speak(self) -> None:
        body = self.body
        if not body.get("model") or not body.get("voice") or not body.get("input"):
            self.refuse(400, "Missing required parameter: 'model', 'voice' or 'input'.")
        elif not 0.25 <= body.get("speed", 1) <= 4:
            self.refuse(400, "Invalid 'speed': out of range.")
        else:
            data = self.server.speak(body)
            self.send_response(200)
            self.send_header("Content-Type", f"audio/{body.get('response_format', 'mp3')}")
            # As real servers do: sent as it is made.
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for i in range(0, len(data), 30_000):
                self.piece(data[i : i + 30_000])
            self.piece(b"")

    def _form(self, raw: bytes) -> Body:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        form: Body = {}
        for part in email.message_from_bytes(head + raw).get_payload():
            name = part.get_param("name", header="Content-Disposition")
            data = part.get_payload(decode=True)
            if part.get_filename():
                form[name] = data
            elif name.endswith("[]"):
                form.setdefault(name, []).append(data.decode())
            else:
                form[name] = data.decode()
        return form

    def _chunks(self) -> bytes:
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data


def completion(message: Body, usage: Body | None = None, reason: str = "stop") -> Body:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": f"{MODEL}-2026-01-01",
        "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        "usage": usage or {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def chunk(delta: Body, reason: str | None = None) -> Body:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": f"{MODEL}-2026-01-01",
        "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}],
    }


# Faults: what a request gets instead of an answer.


def busy(retry_after: str = "") -> Callable[[_Handler], None]:
    def fault(h: _Handler) -> None:
        h.refuse(
            429, "Rate limit reached", "rate_limit_exceeded", **({"Retry_After": retry_after} if retry_after else {})
        )

    return fault


def status(code: int, message: str = "out of order", error: str | None = None) -> Callable[[_Handler], None]:
    return lambda h: h.refuse(code, message, error)


def saying(text: str) -> Callable[[_Handler], None]:
    """A well-formed completion with these words."""
    return lambda h: h.chat(lambda _: text)


def refusing(h: _Handler) -> None:
    h.answer(completion({"role": "assistant", "content": None, "refusal": "I cannot help with that."}))


def truncated_json(h: _Handler) -> None:
    h.answer(json.dumps(completion({"role": "assistant", "content": "hello", "refusal": None})).encode()[:150])


def cut(h: _Handler) -> None:
    """Promises more than it sends."""
    h.send_response(200)
    h.send_header("Content-Length", "5000")
    h.end_headers()
    h.wfile.write(b'{"choices": [')
    h.close_connection = True


def stream_cut(h: _Handler) -> None:
    h.begin_stream()
    h.event(chunk({"role": "assistant", "content": "half an ans"}))
    h.piece(b"")


def not_json(h: _Handler) -> None:
    h.answer(b"<html>Welcome to the gateway</html>")


def garbage(h: _Handler) -> None:
    h.wfile.write(b"\x00\x01\x02 no http at all\r\n\r\n")
    h.close_connection = True


def closes(h: _Handler) -> None:
    h.close_connection = True


def endless(h: _Handler) -> None:
    h.begin_stream()
    while True:
        h.event(chunk({"content": "and so on " * 1000}))


def drip(h: _Handler) -> None:
    """A byte at a time, each well within the read timeout, without end."""
    h.send_response(200)
    h.send_header("Content-Length", "1000000")
    h.end_headers()
    while True:
        h.wfile.write(b" ")
        h.wfile.flush()
        time.sleep(0.02)


def drip_head(h: _Handler) -> None:
    h.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        h.wfile.write(b"a")
        h.wfile.flush()
        time.sleep(0.02)


def huge_head(h: _Handler) -> None:
    h.send_response(200)
    for i in range(40):
        h.send_header(f"X-Filler-{i}", "f" * 10_000)
    h.end_headers()
    h.close_connection = True


def redirect(to: str) -> Callable[[_Handler], None]:
    return lambda h: h.answer(b"", 307, Location=to)


def compressed(h: _Handler) -> None:
    h.answer(b"\x1f\x8b" + bytes(100), Content_Encoding="gzip")


def echo_key(code: int, escaped: bool = False) -> Callable[[_Handler], None]:
    """Sends the key back: in an error, or (200) in an answer, plain or with JSON escapes."""

    def fault(h: _Handler) -> None:
        key = h.headers["Authorization"]
        if code != 200:
            h.refuse(code, f"you sent {key}")
            return
        data = json.dumps(completion({"role": "assistant", "content": f"you sent {key}", "refusal": None}))
        h.answer((data.replace("sk-", "\\u0073k-") if escaped else data).encode())

    return fault


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        server = Server(int(sys.argv[1]) if len(sys.argv) > 1 else 8000, key=None)
        print(f"serving {MODEL} at {server.url}")
        server.serve_forever()
