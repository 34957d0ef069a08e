from __future__ import annotations

import asyncio
import logging
import multiprocessing
import pickle
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import chat_server as fault
import pytest
from chat_server import KEY, MODEL, Server, serving
from clocks import NoWait

from duologue.errors import MissingPartError, UserError
from duologue.remote.cache import Cache
from duologue.remote.chat import ChatEndpoint, ChatRequest, Message
from duologue.remote.endpoint import EndpointError, Retries, Timeouts

REQUEST = ChatRequest(messages=(Message("user", "hello"),))


@pytest.fixture
def clock() -> NoWait:
    return NoWait()


@pytest.fixture
def endpoint(server: Server, clock: NoWait) -> Iterator[ChatEndpoint]:
    with ChatEndpoint(server.url, MODEL, clock=clock) as there:
        yield there


def failure(endpoint: ChatEndpoint, request: ChatRequest = REQUEST) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        endpoint.complete(request)
    return caught.value


def test_retry_after_in_seconds_is_waited_for(server: Server, endpoint: ChatEndpoint, clock: NoWait) -> None:
    server.faults.append(fault.busy("7"))
    assert endpoint.complete(REQUEST).text == "Fine."
    assert clock.slept == [7.0]
    assert len(server.seen) == 2


def test_retry_after_as_a_date_is_waited_for(server: Server, endpoint: ChatEndpoint, clock: NoWait) -> None:
    server.faults.append(fault.busy(formatdate(clock.now + 30, usegmt=True)))
    endpoint.complete(REQUEST)
    assert clock.slept == [30.0]


@pytest.mark.parametrize("value", ["soon", "-5", "nan", "1e9999", "Wed, 99 Foo 2026"])
def test_a_senseless_retry_after_is_not_obeyed(
    server: Server, endpoint: ChatEndpoint, clock: NoWait, value: str
) -> None:
    server.faults.append(fault.busy(value))
    endpoint.complete(REQUEST)
    assert len(clock.slept) == 1 and 0.5 <= clock.slept[0] <= 1.0


def test_a_retry_after_beyond_patience_ends_it(server: Server, endpoint: ChatEndpoint, clock: NoWait) -> None:
    server.faults.append(fault.busy("3600"))
    error = failure(endpoint)
    assert "3600 s" in error.message and error.kind == "busy"
    assert clock.slept == [] and len(server.seen) == 1


def test_waits_double_up_to_the_longest_and_attempts_are_bounded(
    server: Server, endpoint: ChatEndpoint, clock: NoWait
) -> None:
    server.faults.extend([fault.status(500)] * 20)
    endpoint.retries = Retries(attempts=8)
    error = failure(endpoint)
    assert len(server.seen) == 8
    # First 1 s, doubled each time, at most 30 s; each shortened by up to half.
    for slept, full in zip(clock.slept, [1, 2, 4, 8, 16, 30, 30], strict=True):
        assert full / 2 <= slept <= full
    assert len({round(s / f, 6) for s, f in zip(clock.slept, [1, 2, 4, 8, 16, 30, 30], strict=True)}) == 7
    assert error.message.startswith(f"endpoint {server.url} (model 'judge-1'): ")
    assert "answered 500" in error.message and "8 attempts" in error.message


@pytest.mark.parametrize(
    "broken",
    [
        fault.busy(),
        fault.status(500),
        fault.status(502),
        fault.status(503),
        fault.status(408),
        fault.truncated_json,
        fault.cut,
        fault.not_json,
        fault.garbage,
        fault.closes,
        fault.huge_head,
    ],
)
def test_what_passes_is_tried_again(server: Server, endpoint: ChatEndpoint, broken: Callable[..., None]) -> None:
    server.faults.append(broken)
    assert endpoint.complete(REQUEST).text == "Fine."
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("broken", "kind", "lasting", "says"),
    [
        (fault.status(400, "context too long"), "refused", False, "context too long"),
        (fault.status(400, "This model's maximum context length is 8192 tokens"), "refused", False, "8192"),
        (fault.status(400, "Invalid model name passed in model=x"), "address", True, "/v1"),
        (fault.status(422, "The model `x` does not exist"), "address", True, "/v1"),
        (fault.status(422, "no"), "refused", False, "422"),
        (fault.status(401), "key", True, "OPENAI_API_KEY"),
        (fault.status(403), "key", True, "OPENAI_API_KEY"),
        (fault.status(404), "address", True, "/v1"),
        (fault.status(429, "over", "insufficient_quota"), "quota", True, "quota"),
        (fault.redirect("/v1/elsewhere"), "redirect", True, "base URL"),
        (fault.endless, "too-large", False, "100,000 bytes"),
        (fault.compressed, "refused", False, "compressed"),
    ],
)
def test_what_does_not_pass_is_asked_once(
    server: Server, endpoint: ChatEndpoint, broken: Callable[..., None], kind: str, lasting: bool, says: str
) -> None:
    server.faults.append(broken)
    endpoint.largest = 100_000
    error = failure(endpoint)
    assert (error.kind, error.lasting) == (kind, lasting)
    assert says in error.message and server.url in error.message
    assert len(server.seen) == 1


@pytest.mark.parametrize("slow", [fault.drip, fault.drip_head])
def test_an_answer_that_drips_ends_at_the_total_limit(server: Server, slow: Callable[..., None]) -> None:
    server.faults.append(slow)
    limits = Timeouts(read=5, total=0.3)
    with ChatEndpoint(server.url, MODEL, timeouts=limits, retries=Retries(attempts=1)) as endpoint:
        error = failure(endpoint)
    assert error.kind == "timeout" and "0.3 s" in error.message


def test_silence_ends_at_the_read_limit(server: Server) -> None:
    server.pause = 1.0
    limits = Timeouts(read=0.1, total=30)
    with ChatEndpoint(server.url, MODEL, timeouts=limits, retries=Retries(attempts=1)) as endpoint:
        error = failure(endpoint)
    assert error.kind == "timeout" and "nothing came for 0.1 s" in error.message


def test_nobody_there(clock: NoWait) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with ChatEndpoint(url, MODEL, clock=clock) as endpoint:
            error = failure(endpoint)
    assert error.kind == "network" and url in error.message and len(clock.slept) == 4


def test_a_redirect_is_not_followed_to_another_host(server: Server, endpoint: ChatEndpoint) -> None:
    with serving() as other:
        server.faults.append(fault.redirect(f"{other.url}/chat/completions"))
        error = failure(endpoint)
        assert other.seen == []
    assert "127.0.0.1" in error.message and "not followed" in error.message


def test_wrong_key_and_no_key(server: Server, endpoint: ChatEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mistaken-000000")
    assert "refused the key (401)" in failure(endpoint).message
    monkeypatch.delenv("OPENAI_API_KEY")
    error = failure(endpoint)
    assert "none was given" in error.message and "set the environment variable OPENAI_API_KEY" in error.message
    assert "Authorization" not in server.seen[-1][1]


def test_the_key_comes_from_the_variable_that_is_named(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mistaken-000000")
    monkeypatch.setenv("JUDGE_KEY", f" {KEY}\n")
    with ChatEndpoint(server.url, MODEL, key_env="JUDGE_KEY") as endpoint:
        assert endpoint.complete(REQUEST).text == "Fine."
    monkeypatch.setenv("JUDGE_KEY", "sk-schlüssel")
    with pytest.raises(UserError, match="JUDGE_KEY") as caught:
        ChatEndpoint(server.url, MODEL, key_env="JUDGE_KEY")
    assert "schl" not in caught.value.message


@pytest.mark.parametrize("echo", [fault.echo_key(400), fault.echo_key(401), fault.echo_key(500), fault.echo_key(404)])
def test_a_key_that_the_server_echoes_is_not_shown(
    server: Server, endpoint: ChatEndpoint, echo: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.faults.extend([echo] * 5)
    error = failure(endpoint)
    assert "[key]" in error.message
    assert KEY not in error.message + str(error.args) + caplog.text
    chain: BaseException | None = error
    while chain is not None:
        assert KEY not in repr(chain)
        chain = chain.__cause__ or chain.__context__


@pytest.mark.parametrize("escaped", [False, True])
def test_a_key_in_an_answer_is_neither_used_nor_kept(
    server: Server, endpoint: ChatEndpoint, escaped: bool, tmp_path: Path
) -> None:
    server.faults.append(fault.echo_key(200, escaped))
    answer = endpoint.complete(REQUEST, Cache(tmp_path))
    assert answer.text == "you sent Bearer [key]"
    kept = [p.read_text() for p in tmp_path.rglob("*") if p.is_file()]
    assert len(kept) == 1 and KEY not in kept[0] and "[key]" in kept[0]


def test_a_short_key_is_no_secret_and_leaves_answers_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Local servers take any word for a key; it may be part of an answer."""
    monkeypatch.setenv("OPENAI_API_KEY", "EMPTY")
    server.key = "EMPTY"
    server.say = lambda body: "The box is EMPTY."
    with ChatEndpoint(server.url, MODEL) as endpoint:
        assert endpoint.complete(REQUEST).text == "The box is EMPTY."


def test_an_endpoint_shows_and_pickles_no_key_and_works_after(server: Server, endpoint: ChatEndpoint) -> None:
    endpoint.complete(REQUEST)
    data = pickle.dumps(ChatEndpoint(server.url, MODEL))
    assert KEY not in repr(endpoint) and KEY.encode() not in data
    with pickle.loads(data) as again:
        assert again.complete(REQUEST).text == "Fine."


def test_an_endpoint_works_after_a_fork(server: Server, endpoint: ChatEndpoint) -> None:
    endpoint.complete(REQUEST)
    context = multiprocessing.get_context("fork")
    said = context.SimpleQueue()
    child = context.Process(target=lambda: said.put(endpoint.complete(REQUEST).text))
    child.start()
    child.join(20)
    assert child.exitcode == 0 and said.get() == "Fine."
    assert endpoint.complete(REQUEST).text == "Fine."


def test_an_endpoint_works_inside_a_running_loop(server: Server, endpoint: ChatEndpoint) -> None:
    async def notebook() -> str:
        return endpoint.complete(REQUEST).text

    assert asyncio.run(notebook()) == "Fine."


def test_never_more_than_four_in_flight_and_really_four(server: Server, endpoint: ChatEndpoint) -> None:
    """Each answer waits until four requests are under way, so fewer would never end."""
    together = threading.Barrier(4, timeout=20)

    def say(body: Any) -> str:
        together.wait()
        return "Fine."

    server.say = say
    requests = [ChatRequest(messages=(Message("user", f"item {i}"),)) for i in range(32)]
    assert sorted(i for i, a in endpoint.complete_all(requests)) == list(range(32))
    assert server.most == 4 and len(server.seen) == 32


def test_threads_share_the_limit(server: Server, endpoint: ChatEndpoint) -> None:
    together = threading.Barrier(4, timeout=20)
    server.say = lambda body: "Fine." if together.wait() >= 0 else ""
    ask = lambda: [endpoint.complete(REQUEST) for _ in range(2)]  # noqa: E731
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30)
    assert server.most == 4 and len(server.seen) == 16


def test_after_too_many_requests_all_others_wait_as_well(server: Server, endpoint: ChatEndpoint) -> None:
    """One request is told to wait 50 s; the next one, sent meanwhile, waits out what is left before it is sent."""
    server.faults.append(fault.busy("50"))
    endpoint.retries = Retries(attempts=1)
    failing = Retries(attempts=2)

    class Held(NoWait):
        """Its first wait lets the second request run first."""

        async def sleep(self, seconds: float) -> None:
            self.slept.append(seconds)
            if len(self.slept) == 1:
                self.now += 20
                await asyncio.sleep(0.2)
            else:
                self.now += seconds

    clock = Held()
    with ChatEndpoint(server.url, MODEL, clock=clock, retries=failing, in_flight=2) as there:

        async def both() -> None:
            first = asyncio.ensure_future(there._answer(REQUEST, None))
            while not clock.slept:
                await asyncio.sleep(0.01)
            await there._answer(REQUEST, None)
            await first

        there._thread.run(both())
    assert clock.slept[:2] == [50.0, 30.0]


def test_a_caller_that_leaves_does_not_sit_out_the_waits(server: Server) -> None:
    """Four requests are told to wait, a minute at least; the first one answered makes the caller leave."""
    server.faults.extend([fault.busy("100"), fault.status(500), fault.busy("100")])
    slow = Retries(first=100, longest=100)
    with ChatEndpoint(server.url, MODEL, retries=slow) as endpoint:
        for _, answer in endpoint.complete_all([ChatRequest(messages=(Message("user", str(i)),)) for i in range(9)]):
            assert not isinstance(answer, EndpointError)
            break
    assert len(server.seen) <= 9 + 3


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from duologue.remote import endpoint as module

    module._httpx.cache_clear()
    monkeypatch.setitem(sys.modules, "httpx", None)
    with (
        ChatEndpoint("http://127.0.0.1:9/v1", MODEL) as there,
        pytest.raises(MissingPartError, match="remote") as caught,
    ):
        there.complete(REQUEST)
    assert "pip install 'duologue[remote]'" in caught.value.message


@pytest.mark.parametrize(
    "url",
    ["localhost:8000", "ftp://host/v1", "", "https://", "https://host/v1?api-key=1", "http://host:99999/v1"],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UserError, match="base_url"):
        ChatEndpoint(url, MODEL, key_env="")


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(UserError, match="environment variable") as caught:
        ChatEndpoint("https://me:hunter22@host/v1", MODEL)
    assert "hunter22" not in caught.value.message
    with pytest.raises(UserError) as caught:
        ChatEndpoint("me:hunter22@host/v1", MODEL)
    assert "hunter22" not in caught.value.message
    for url in ("host/v1?api-key=hunter22", "https://host/v1?api-key=hunter22"):
        with pytest.raises(UserError) as caught:
            ChatEndpoint(url, MODEL)
        assert "hunter22" not in caught.value.message


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1"),
        ("http://localhost:8000/", "http://localhost:8000/v1"),
        ("https://host.example/api/v3/", "https://host.example/api/v3"),
        (" http://[::1]:9/v1 ", "http://[::1]:9/v1"),
    ],
)
def test_addresses_are_brought_into_one_form(given: str, used: str) -> None:
    assert ChatEndpoint(given, MODEL, key_env="").base_url == used


def test_a_key_does_not_travel_unencrypted_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(UserError, match="unencrypted") as caught:
        ChatEndpoint("http://192.0.2.7:8000/v1", MODEL)
    assert KEY not in caught.value.message
    ChatEndpoint("http://192.0.2.7:8000/v1", MODEL, plain_http=True)
    ChatEndpoint("http://192.0.2.7:8000/v1", MODEL, key_env="")
    ChatEndpoint("http://127.0.0.1:8000/v1", MODEL)


def test_terminal_codes_in_a_servers_words_are_not_printed(server: Server, endpoint: ChatEndpoint) -> None:
    server.faults.append(fault.status(400, "\x1b[2Jgone\x07\n\u202e" + "x" * 5000))
    message = failure(endpoint).message
    assert message.isprintable() and len(message) < 600
