"""The LLM writer: asks, checks, tells the model what is wrong, and keeps everything that was said."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from duologue.corpus.dialogue import Situation, Track
from duologue.errors import UserError
from duologue.generate.script import Brief, Script
from duologue.generate.scripts.diversity import Likeness
from duologue.generate.scripts.embedded import EmbeddedWriter
from duologue.generate.scripts.llm.layout import Layout, Slot, layout
from duologue.generate.scripts.llm.options import LOCAL, LlmOptions, read_options
from duologue.generate.scripts.llm.prompt import Prompts, read_prompts
from duologue.generate.scripts.llm.spending import Pace, Spending
from duologue.generate.scripts.llm.wire import Read, misfits, schema
from duologue.generate.scripts.written import brief_key
from duologue.generate.seeds import derive, stream
from duologue.judge.answer import whole_object
from duologue.remote.cache import Cache
from duologue.remote.chat import Answer, ChatEndpoint, ChatRequest, Message, Sampling
from duologue.remote.endpoint import Retries

VERSION = "1"
_SHOWN = 20_000  # characters of an answer that are kept or shown to the model again
_FINDINGS = 12


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One answer and what was wrong with it. ``model`` and ``fingerprint`` are the server's own words."""

    said: str
    findings: tuple[str, ...] = ()
    model: str = ""
    fingerprint: str = ""
    finish_reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted script in the cache, and how it came about."""

    script: Script
    attempts: tuple[Attempt, ...]


class RefusedScriptError(UserError):
    """No attempt passed the check; ``attempts`` holds them all."""

    def __init__(self, what: str, attempts: Iterable[Attempt], **more: Any) -> None:
        super().__init__(what, **more)
        self.attempts = tuple(attempts)


class LlmWriter:
    """A :class:`~duologue.generate.script.Writer` that asks a chat model.

    Families and axes are the embedded writer's. The number and order of the lines, feelings and events follow from the
    brief (``layout.py``); the model gives words, quotes and reasons. An accepted script is in the cache under what it
    depends on (brief, wording, model, sampling), so that asking again makes no request and gives the same script. Safe
    to use from several threads and processes at once.
    """

    name = "llm"
    remote = True
    local_options = LOCAL

    def __init__(self, options: LlmOptions) -> None:
        self.options = options
        self.prompts: Prompts = read_prompts(options.prompts)
        self.version = f"{VERSION}+{self.prompts.sha256[:12]}"
        self.requests_at_once = options.requests_at_once
        self.spending = Spending(options)
        self.requests = 0
        self._pace = Pace(options.requests_per_minute)
        self._base = EmbeddedWriter()
        self._answers = Cache(options.folder / "answers")
        self._scripts = Cache(options.folder / "scripts")
        self._endpoint: ChatEndpoint | None = None
        self._lock = threading.Lock()
        self._alike: dict[str, Likeness] = {}
        self._seen: set[Path] = set()
        self._stopping = threading.Event()

    @classmethod
    def configured(cls, options: Mapping[str, Any]) -> LlmWriter:
        """From a recipe's ``options: {llm: {...}}``; UserError where they are wrong."""
        return cls(read_options(options))

    def families(self, language: str, track: Track, scenario: str) -> tuple[str, ...]:
        return self._base.families(language, track, scenario)

    def axes(self, language: str, track: Track, family: str) -> dict[str, tuple[str, ...]]:
        return self._base.axes(language, track, family)

    def write(self, brief: Brief) -> Script:
        """The script for ``brief``.

        Raises RefusedScriptError where no attempt passed the check, EndpointError where the server failed for good and
        BudgetError where the budget is used up.
        """
        asked = self._asked(brief)
        if (known := self._kept(asked)) is not None:
            return known.script
        with self._lock:
            self._likeness(brief.language)  # what is missing is said before anything is paid for
        plan = layout(brief)
        read = Read(brief, plan, self._situation(brief), self.version)
        attempts: list[Attempt] = []
        parts = list(plan.parts(self.options.turns_at_once))
        for n, slots in enumerate(parts):
            self._part(brief, plan, slots, read, attempts, n, last=n == len(parts) - 1)
        assert read.script is not None
        self._scripts.put(asked, msgspec.to_builtins(Kept(script=read.script, attempts=tuple(attempts))))
        return read.script

    def remember(self, id: str, script: Script) -> None:
        """Let no further script nearly repeat ``script``."""
        with self._lock:
            self._likeness(script.language).meet(_users(script), id)

    def origin(self, brief: Brief) -> dict[str, Any]:
        """Where the script for ``brief`` came from: model, prompt hash, parameters and all attempts; {} if unknown."""
        asked = self._asked(brief)
        kept = self._kept(asked)
        if kept is None:
            return {}
        rest = {k: asked[k] for k in ("model", "prompt_sha256", "parameters")}
        return {**rest, "attempts": msgspec.to_builtins(kept.attempts)}

    def stop(self) -> None:
        """Begin no further request; those under way are finished and kept."""
        self._stopping.set()

    def close(self) -> None:
        """Close the connections."""
        if self._endpoint is not None:
            self._endpoint.close()

    # -- one part of a script ------------------------------------------------------------------------------------

    def _part(
        self,
        brief: Brief,
        plan: Layout,
        slots: tuple[Slot, ...],
        read: Read,
        attempts: list[Attempt],
        number: int,
        last: bool,
    ) -> None:
        """Ask for ``slots`` until they pass, at most ``attempts`` times."""
        wanted = schema(plan, slots, number == 0, last)
        messages = self._messages(brief, plan, slots, read)
        opening = messages
        for attempt in range(self.options.attempts):
            seed = derive(brief.seed, "llm", number, attempt) % (1 << 31)
            answer = self._ask(brief, messages, wanted, seed)
            findings = self._take(brief, answer, wanted, read, last)
            attempts.append(
                Attempt(
                    said=(answer.text or answer.refusal)[:_SHOWN],
                    findings=tuple(findings),
                    model=answer.model,
                    fingerprint=answer.fingerprint,
                    finish_reason=answer.finish_reason,
                    prompt_tokens=answer.prompt_tokens,
                    completion_tokens=answer.completion_tokens,
                )
            )
            if not findings:
                return
            messages = opening
            if answer.text.strip():
                said = Message("assistant", answer.text[:_SHOWN])
                messages = (*opening, said, Message("user", self.prompts.mend(brief, findings[:_FINDINGS])))
        raise RefusedScriptError(
            f"refused after {self.options.attempts} attempts: {'; '.join(attempts[-1].findings[:3])}",
            attempts,
            where=f"{brief.language} {brief.task} {brief.scenario} {brief.family}",
        )

    def _messages(self, brief: Brief, plan: Layout, slots: tuple[Slot, ...], read: Read) -> tuple[Message, ...]:
        s = read.situation
        axes = {"relationship": s.relationship, "setting": s.setting, "register": s.register}
        request = self.prompts.request(brief, plan, slots, read.so_far(), axes)
        return Message("system", self.prompts.system(brief)), Message("user", request)

    def request(self, brief: Brief) -> ChatRequest:
        """The first request that ``brief`` leads to."""
        plan = layout(brief)
        slots = next(plan.parts(self.options.turns_at_once))
        read = Read(brief, plan, self._situation(brief), self.version)
        wanted = schema(plan, slots, True, len(slots) == len(plan.slots))
        seed = derive(brief.seed, "llm", 0, 0) % (1 << 31)
        return self._chat(brief, self._messages(brief, plan, slots, read), wanted, seed)

    def _chat(self, brief: Brief, messages: tuple[Message, ...], wanted: dict[str, Any], seed: int) -> ChatRequest:
        o = self.options
        sampling = Sampling(
            temperature=o.temperature, top_p=o.top_p, seed=seed, max_tokens=o.max_tokens, extra=o.extra, omit=o.omit
        )
        return ChatRequest(
            messages=messages, sampling=sampling, schema=wanted, prompt_sha256=self.prompts.sha256_of(brief)
        )

    def _take(self, brief: Brief, answer: Answer, wanted: dict[str, Any], read: Read, last: bool) -> list[str]:
        """What is wrong with ``answer``; nothing where it was taken."""
        if answer.refusal or answer.finish_reason == "content_filter":
            return [f"the model declined: {answer.refusal[:200] or answer.finish_reason}"]
        if answer.finish_reason == "length":
            return [f"the answer was cut off at {self.options.max_tokens} tokens; write less"]
        try:
            found = whole_object(answer.text)
        except ValueError as error:
            return [f"answer: is not one JSON object: {error}"]
        if wrong := list(misfits(found, wanted)):
            return wrong
        if not read.take(found, last):
            return list(read.findings)
        if last and read.script is not None and (twin := self._repeats(read.script, brief_key(brief))):
            return [f"lines: the user's words nearly repeat those of another dialogue ({twin}); tell another story"]
        return []

    # -- the server ----------------------------------------------------------------------------------------------

    def _ask(self, brief: Brief, messages: tuple[Message, ...], wanted: dict[str, Any], seed: int) -> Answer:
        request = self._chat(brief, messages, wanted, seed)
        endpoint = self._server()
        known = self._answers.get(endpoint.asked(request))
        if known is not None:
            return msgspec.convert({**known, "cached": True}, Answer)
        if self.options.offline:
            raise UserError(
                f"no script for a dialogue of {brief.language} {brief.task} {brief.scenario} in the cache",
                where=str(self.options.folder),
                field="options.llm.offline",
                mend="name the cache that it was written with, or let the model be asked",
            )
        if self._stopping.is_set():
            raise UserError("stopped before the model was asked")
        size = len(msgspec.json.encode([m.content for m in messages])) + len(msgspec.json.encode(wanted))
        held = self.spending.hold(size)
        try:
            self._pace.wait()
            with self._lock:
                self.requests += 1
            answer = endpoint.complete(request, self._answers)
            counted = answer.prompt_tokens + answer.completion_tokens > 0
            # A server that does not count is taken to have used what it could at most.
            self.spending.note(
                answer.prompt_tokens if counted else size,
                answer.completion_tokens if counted else len(answer.text.encode()),
            )
        finally:
            self.spending.release(held)
        return answer

    def _server(self) -> ChatEndpoint:
        with self._lock:
            if self._endpoint is None:
                o = self.options
                self._endpoint = ChatEndpoint(
                    o.base_url or "http://localhost/v1",
                    o.model,
                    o.key_env,
                    stream=o.stream,
                    timeouts=o.timeouts,
                    retries=Retries(attempts=o.retries),
                    in_flight=o.requests_at_once,
                    plain_http=o.plain_http,
                )
            return self._endpoint

    # -- what is kept --------------------------------------------------------------------------------------------

    def _asked(self, brief: Brief) -> dict[str, Any]:
        o = self.options
        return {
            "kind": "script",
            "model": o.model,
            "prompt_sha256": self.prompts.sha256_of(brief),
            "parameters": {
                "writer": VERSION,
                "temperature": o.temperature,
                "top_p": o.top_p,
                "max_tokens": o.max_tokens,
                "extra": o.extra,
                "omit": list(o.omit),
                "turns_at_once": o.turns_at_once,
            },
            "brief_sha256": brief_key(brief),
        }

    def _kept(self, asked: Mapping[str, Any]) -> Kept | None:
        found = self._scripts.get(asked)
        try:
            return None if found is None else msgspec.convert(found, Kept)
        except msgspec.ValidationError:
            return None

    def _repeats(self, script: Script, name: str) -> str | None:
        """The script that ``script`` nearly repeats, among all in the cache and all that were remembered.

        A script that repeats none is remembered in the same breath, so that two under way cannot both pass.
        """
        with self._lock:
            self._look_round()
            alike = self._likeness(script.language)
            users = _users(script)
            twin = alike.meet(users, keep=False)
            if twin is None:
                alike.meet(users, name[:12])
            return twin

    def _look_round(self) -> None:
        """Take in scripts that other runs and processes have put into the cache since."""
        for path in sorted(self._scripts.folder.glob("??/*.json")):
            if path in self._seen:
                continue
            self._seen.add(path)
            try:
                kept = msgspec.json.decode(path.read_bytes(), type=_Entry).answer
            except (OSError, msgspec.DecodeError, UnicodeDecodeError):
                continue
            alike = self._likeness(kept.script.language)
            users = _users(kept.script)
            if alike.meet(users, keep=False) is None:
                alike.meet(users, path.stem[:12])

    def _likeness(self, language: str) -> Likeness:
        if language not in self._alike:
            self._alike[language] = Likeness(language)
        return self._alike[language]

    def _situation(self, brief: Brief) -> Situation:
        """Where and with whom; what the brief leaves open is drawn from its seed."""
        rng = stream(brief.seed, "llm", "situation")
        chosen = {}
        for axis, options in self.axes(brief.language, brief.track, brief.family).items():
            drawn = rng.choice(options) if options else ""
            chosen[axis] = getattr(brief, axis) or drawn
        return Situation(domain=brief.family.split("/")[0], **chosen)


class _Entry(msgspec.Struct, frozen=True):
    answer: Kept


def _users(script: Script) -> str:
    """What near-duplicates are measured on: the user's words, as in ``duologue scripts check``."""
    return "\n".join(line.text for line in script.lines if line.role == "user")
