"""The baseline system as a server of OpenAI's Realtime protocol."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from websockets.asyncio.server import Server, ServerConnection
from websockets.asyncio.server import serve as listen
from websockets.exceptions import ConnectionClosed

from duologue.errors import MissingPartError, UserError
from duologue.listen.silero import Silero
from duologue.live.instruments.behaviour import Behaviour
from duologue.live.instruments.peer import Peer
from duologue.live.instruments.realtime import Fields, RealtimeServer
from duologue.live.loop import run_loop
from duologue.systems.baseline.agent import Agent, Parts
from duologue.systems.baseline.knowledge import Meaning
from duologue.systems.baseline.manager import Manager, Model, language_model
from duologue.systems.baseline.mouth import Speaker
from duologue.systems.baseline.recognise import LANGUAGES, QuickRecogniser
from duologue.systems.baseline.turn_end import CLAUSE, SmartTurn
from duologue.systems.wire import Stamped


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """``voice`` is "espeak" (fast) or "kokoro"; ``language`` "en", "zh" or None to be told by the recogniser; ``llm`` a
    :class:`duologue.remote.chat.ChatEndpoint` that answers in place of the embedded knowledge; ``threads`` what the
    recogniser computes with; ``sessions`` the calls at once, beyond which a caller is told to come later;
    ``smart_turn`` also asks Smart Turn whether a turn sounds over where the words leave it open; None: where it is
    fetched."""

    voice: str = "espeak"
    language: str | None = None
    llm: Any = None
    instructions: str = ""
    threads: int = 2
    sessions: int = 8
    smart_turn: bool | None = None

    def __post_init__(self) -> None:
        if self.language not in (None, *LANGUAGES):
            raise UserError("unknown language", field="language", value=self.language, allowed=", ".join(LANGUAGES))
        for field in ("threads", "sessions"):
            if not 1 <= getattr(self, field) <= 64:
                raise UserError("out of range", field=field, value=getattr(self, field), allowed="1..64")


class Baseline:
    """The server in a thread of its own, from ``with`` to its end; ``url`` is where it listens, ``spec`` how the
    harness names it. All parts are loaded, and missing ones reported, before it listens.

        with Baseline() as server:
            ...  # realtime:ws://127.0.0.1:PORT/v1/realtime
    """

    def __init__(self, settings: Settings = Settings(), *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.settings, self.host, self._port = settings, host, port
        self.url = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, daemon=True, name="baseline system")
        self._calls = 0

    @property
    def spec(self) -> str:
        return f"realtime:{self.url}"

    def __enter__(self) -> Baseline:
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _main(self) -> None:
        try:
            run_loop(self.run())
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def run(self) -> None:
        """Serve in the running event loop until the task is cancelled or the server is left."""
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        with ThreadPoolExecutor(1, "ears") as ears, ThreadPoolExecutor(1, "lips") as lips:
            parts, model = await self._loop.run_in_executor(ears, _parts, self.settings, ears, lips)
            try:
                server = await listen(
                    lambda ws: self._call(ws, parts, model),
                    self.host,
                    self._port,
                    create_connection=_Connection,
                    compression=None,
                    max_size=8 << 20,
                    close_timeout=0.5,
                )
            except OSError as error:
                raise UserError(
                    "the server cannot listen there",
                    field="port",
                    value=self._port,
                    allowed=f"a free port of {self.host} ({error.strerror or error})",
                ) from None
            async with server:
                self.url = f"ws://{self.host}:{_port(server)}/v1/realtime"
                self._ready.set()
                await self._stop.wait()

    async def _call(self, ws: ServerConnection, parts: Parts, model: Model | None) -> None:
        if self._calls >= self.settings.sessions:
            await ws.close(1013, "all lines are taken, try again later")
            return
        self._calls += 1
        peer = Peer(ws, Behaviour(), "", [])
        try:
            await _Line(peer, parts, Manager(model, parts.meaning)).run()
        except* ConnectionClosed:
            pass
        finally:
            self._calls -= 1
            peer.end()


def serve(
    host: str = "127.0.0.1",
    port: int = 8080,
    *,
    voice: str = "espeak",
    language: str | None = None,
    llm: Any = None,
    llm_model: str = "",
    key_env: str = "OPENAI_API_KEY",
    instructions: str = "",
    threads: int = 2,
    sessions: int = 8,
    smart_turn: bool | None = None,
    ready: Callable[[str], None] = print,
) -> None:
    """Serve the baseline system until interrupted; ``ready`` is told its spec once it listens. See :class:`Settings`.

    ``llm`` is an endpoint, or the base URL of one, whose model is ``llm_model`` and whose key is in the environment
    variable ``key_env``. Raises MissingPartError where a model or package is missing, UserError for settings and ports
    that do not do.
    """
    if isinstance(llm, str):
        from duologue.remote.chat import ChatEndpoint

        llm = ChatEndpoint(llm, llm_model, key_env)
    settings = Settings(
        voice=voice,
        language=language,
        llm=llm,
        instructions=instructions,
        threads=threads,
        sessions=sessions,
        smart_turn=smart_turn,
    )
    stop = threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
    with Baseline(settings, host=host, port=port) as server:
        ready(server.spec)
        while server.alive and not stop.wait(0.5):
            pass


class _Connection(Stamped, ServerConnection):
    pass


class _Line(RealtimeServer):
    """The protocol's side of one call; what is said and heard is the agent's."""

    def __init__(self, peer: Peer, parts: Parts, manager: Manager) -> None:
        self.agent = Agent(parts, self, manager)
        super().__init__(peer, beta=False, performer=self.agent)
        self.text = ""

    async def run(self) -> None:
        async with self.agent.tasks:
            await super().run()

    async def failed(self, what: str) -> None:
        """A part of the system failed; the call goes on."""
        error = {"type": "server_error", "code": "server_error", "message": what, "param": None, "event_id": None}
        await self._event("error", error=error)

    async def begin(self) -> None:
        self.text = ""
        await super().begin()

    async def words(self, text: str) -> None:
        self.text += text
        await self._event("response.output_audio_transcript.delta", **self._place(), delta=text)

    async def understood(self, text: str) -> None:
        await self._event(
            "conversation.item.input_audio_transcription.completed",
            item_id=self._last,
            content_index=0,
            transcript=text,
            usage={"type": "duration", "seconds": 0},
        )

    async def _commit(self, event: Fields) -> None:
        self.agent.reply_now()

    async def _clear(self, event: Fields) -> None:
        self.agent.drop()
        await super()._clear(event)

    def _session(self) -> Fields:
        own = super()._session()
        own["audio"]["input"]["turn_detection"] |= {
            "silence_duration_ms": round(1000 * CLAUSE),
            "interrupt_response": True,
        }
        return own


def _parts(settings: Settings, ears: ThreadPoolExecutor, lips: ThreadPoolExecutor) -> tuple[Parts, Model | None]:
    """Everything that a call needs, loaded; in the thread that will hear."""
    silero, recogniser, voice = Silero(), QuickRecogniser(settings.threads), Speaker(settings.voice)
    silero.load()
    recogniser.load()
    lips.submit(voice.load).result()
    meaning = _meaning() if settings.llm is None else None
    for code in LANGUAGES:
        # The phrases and what is known, read and prepared.
        Manager(meaning=meaning).decide("Hello, 你好", code)
    sounds_over = None if settings.smart_turn is False else SmartTurn()
    if sounds_over is not None:
        try:
            sounds_over.load()
        except MissingPartError:
            if settings.smart_turn:
                raise
            sounds_over = None
    parts = Parts(
        silero=silero,
        recogniser=recogniser,
        voice=voice,
        sounds_over=sounds_over,
        ears=ears,
        lips=lips,
        language=settings.language or "",
        meaning=meaning,
    )
    return parts, language_model(settings.llm, settings.instructions) if settings.llm is not None else None


def _meaning() -> Meaning | None:
    """Sentence vectors of what is known, where the encoder is installed."""
    from duologue.language.meaning import SentenceEncoder

    found = Meaning(SentenceEncoder())
    try:
        for code in LANGUAGES:
            found.load(code)
    except MissingPartError:
        return None
    return found


def _port(server: Server) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])
