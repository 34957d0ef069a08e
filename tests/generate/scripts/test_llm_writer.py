"""The LLM writer against a server that speaks the protocol truthfully, and misbehaves on demand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[2] / "remote"))

import chat_server
from chat_server import KEY, MODEL, Server, serving
from llm_model import Model, compose

from duologue.cli import cli
from duologue.corpus.check import check
from duologue.corpus.event import SCENARIOS
from duologue.corpus.read import Corpus
from duologue.corpus.scenario import Scenario
from duologue.errors import UserError
from duologue.generate.build import build, choose_voices
from duologue.generate.plan import Plan
from duologue.generate.recipe import Recipe, read_recipe
from duologue.generate.reproduce import reproduce
from duologue.generate.script import Brief, Feeling
from duologue.generate.scripts.check_file import check_file
from duologue.generate.scripts.inspect import breaches
from duologue.generate.scripts.llm.layout import layout
from duologue.generate.scripts.llm.options import read_options
from duologue.generate.scripts.llm.prompt import TASKS, read_prompts
from duologue.generate.scripts.llm.spending import BudgetError, Pace
from duologue.generate.scripts.llm.writer import LlmWriter, RefusedScriptError
from duologue.generate.scripts.write_file import write_file
from duologue.generate.scripts.written import read_scripts

pytest.importorskip("httpx")
pytest.importorskip("datasketch")
pytest.importorskip("espeakng_loader", reason="the fast voice is not installed")

COUNTS = """
  - {track: emotion, task: trajectory, scenarios: [dialogue], turns: [3], train: 1}
  - {track: emotion, task: reasoning, scenarios: [dialogue], turns: [3], train: 1}
  - {track: emotion, task: empathy, scenarios: [dialogue], turns: [3], train: 1}
  - {track: emotion, task: recognition, scenarios: [clip, conflict_clip], train: 1}
  - {track: emotion, task: expression, scenarios: [clip], train: 1}
  - track: duplex
    scenarios: [follow_up, negation, repetition, topic_switch, termination, backchannel, pause, third_party,
                others_directed, none, drum]
    turns: [2]
    train: 1
"""
RECIPE = """
name: asked
seed: 6
voices: {en: espeak, zh: espeak}
acoustics: {room_share: 0.0, noise_share: 0.0}
writer: llm
options:
  llm: {base_url: "URL", model: judge-1, cache: "CACHE", MORE}
scenarios:
  - name: drum
    family: rejection
    about: somebody drums on the table
    role: third_party
    to: third_party
    kind: third_party
    when: [before, over]
    expected: [ignore, continue]
    expected_before: [ignore, respond]
counts: COUNTS
"""
FEEL = Feeling(label="sad", intensity=2)
TELLS = Brief(
    language="en",
    track="emotion",
    task="reasoning",
    scenario="dialogue",
    family="work/newjob",
    user_turns=3,
    seed=8,
    feelings=(FEEL, Feeling(label="happy", intensity=1), Feeling()),
)
STOPS = Brief(
    language="zh",
    track="duplex",
    task="interruption",
    scenario="termination",
    family="work/interview",
    user_turns=2,
    seed=3,
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving() as running:
        yield running


def make(server: Server, folder: Path, *briefs: Brief, **more: Any) -> tuple[LlmWriter, Model]:
    options = {"base_url": server.url, "model": MODEL, "cache": str(folder), **more}
    writer = LlmWriter.configured(options)
    model = Model(writer, briefs)
    server.say = model.say
    return writer, model


def recipe_at(folder: Path, server: Server, counts: str = COUNTS, more: str = "requests_at_once: 4") -> Path:
    text = RECIPE.replace("URL", server.url).replace("CACHE", str(folder / "cache"))
    (folder / "asked.yaml").write_text(text.replace("MORE", more).replace("COUNTS", counts))
    return folder / "asked.yaml"


def planned(recipe: Recipe) -> tuple[LlmWriter, list[Brief], dict[str, Any]]:
    _, voices, _ = choose_voices(recipe)
    writer = LlmWriter.configured(recipe.options["llm"])
    return writer, [item.brief for item in Plan(recipe, writer, voices)], voices


# -- the whole way ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_every_task_and_scenario_is_written_checked_built_and_reproduced_without_a_further_request(
    tmp_path: Path, server: Server, stream: bool
) -> None:
    path = recipe_at(tmp_path, server, more=f"requests_at_once: 4, stream: {str(stream).lower()}")
    recipe = read_recipe(path)
    writer, briefs, _ = planned(recipe)
    server.say = Model(writer, briefs).say
    server.pause = 0.01
    out = tmp_path / "s.jsonl"
    done = CliRunner().invoke(cli, ["scripts", "write", str(path), "-o", str(out), "--json"])
    report = json.loads(done.stdout)
    assert (report["written"], report["refused"], done.exit_code) == (34, [], 0)
    assert check_file(out) == (34, [])
    # Several at once, never more than asked for; and in the plan's order all the same.
    assert 1 < server.most <= 4
    assert [w.brief for _, w in read_scripts(out)] == briefs
    for _, w in read_scripts(out):
        assert w.origin["model"] == MODEL
        assert w.origin["prompt_sha256"] == writer.prompts.sha256_of(w.brief)
        assert w.origin["attempts"][-1]["said"]
        assert w.origin["attempts"][-1]["model"] == f"{MODEL}-2026-01-01"
    asked = len(server.seen)
    assert report["requests"] == asked
    if stream:
        return
    # A build that names the writer alone takes every script from the cache, in worker processes too. (A recipe with
    # fewer rows plans the same dialogues.)
    few = (
        *(q for q in recipe.counts if q.task in ("reasoning", "recognition")),
        msgspec.structs.replace(recipe.counts[-1], scenarios=("termination", "drum"), languages=("zh",)),
    )
    build(msgspec.structs.replace(recipe, counts=few), tmp_path / "direct", workers=2)
    words = {w.id: [line.text for line in w.script.lines] for _, w in read_scripts(out)}
    told = {i.id: [t.intended_text or t.text for t in i.dialogue.turns] for i in Corpus(tmp_path / "direct")}
    assert len(told) == 8
    assert told == {id: words[id] for id in told}
    # So small a corpus has empty splits; else nothing is to be found.
    assert {f.message for f in check(tmp_path / "direct").findings} == {"an empty split of a task and language"}
    # Where the server and the cache were is the building machine's own, and told again.
    kept = (tmp_path / "direct" / "recipe.yaml").read_text()
    assert MODEL in kept and server.url not in kept and str(tmp_path) not in kept
    cache = recipe.options["llm"]["cache"]
    again = reproduce(tmp_path / "direct", tmp_path / "scratch", sample=2, local={"llm": {"cache": cache}})
    assert again.reproduced, again
    assert again.remote == ("llm",)
    assert len(server.seen) == asked
    for file in (p for p in tmp_path.rglob("*") if p.is_file()):
        assert KEY.encode() not in file.read_bytes(), file


def test_stopped_in_the_middle_it_goes_on_and_asks_only_for_what_is_missing(tmp_path: Path, server: Server) -> None:
    path = recipe_at(tmp_path, server, "[{track: duplex, scenarios: [none], languages: [en], turns: [1], train: 6}]")
    recipe = read_recipe(path)
    writer, briefs, voices = planned(recipe)
    server.say = Model(writer, briefs).say

    class StoppedError(Exception): ...

    def stop_after_three(n: int, seen: list[int] = []) -> None:  # noqa: B006
        seen.append(n)
        if len(seen) == 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        write_file(recipe, voices, tmp_path / "s.jsonl", stop_after_three)
    report = write_file(recipe, voices, tmp_path / "s.jsonl")
    assert (report.written, report.kept) == (3, 3)
    # What was under way when it stopped was kept: nothing was asked twice.
    assert len(server.bodies) == 6
    whole = (tmp_path / "s.jsonl").read_bytes()
    assert write_file(recipe, voices, tmp_path / "anew.jsonl").requests == 0
    assert (tmp_path / "anew.jsonl").read_bytes() == whole


def test_where_a_model_lives_and_what_it_may_cost_are_no_part_of_a_recipes_identity(
    tmp_path: Path, server: Server
) -> None:
    recipe = read_recipe(recipe_at(tmp_path, server))
    local = {
        "base_url": "http://localhost:1/v1",
        "key_env": "OTHER",
        "cache": "/elsewhere",
        "requests_at_once": 9,
        "requests_per_minute": 5.0,
        "budget_tokens": 5,
        "attempts": 7,
        "offline": True,
        "stream": True,
        "timeouts": {"read": 1.0},
    }
    moved = msgspec.structs.replace(recipe, options={"llm": {**recipe.options["llm"], **local}})
    assert moved.identity() == recipe.identity()
    warmer = msgspec.structs.replace(recipe, options={"llm": {**recipe.options["llm"], "temperature": 0.5}})
    assert warmer.identity() != recipe.identity()


# -- the check and its findings ------------------------------------------------------------------------------------


def _set(answer: dict[str, Any], *way: Any) -> dict[str, Any]:
    *path, last, value = way
    node = answer
    for key in path:
        node = node[key]
    node[last] = value
    return answer


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda a: json.dumps(a)[:-40], "is not one JSON object"),
        (lambda a: "I would rather tell you a joke.", "is not one JSON object"),
        (lambda a: {"text": "hello"}, "answer.lines: is missing"),
        (lambda a: _set(a, "lines", "u1", "text", 7), "answer.lines.u1.text: is no string"),
        (lambda a: _set(a, "lines", "u9", {"text": "One more thing."}), "answer.lines.u9: is not asked for"),
        (lambda a: _set(a, "lines", "u1", "cause", "kind", "weather"), "'weather' is none of 'event'"),
        (lambda a: _set(a, "lines", "u1", "cause", "quote", "never said"), "lines.u1.cause.quote: 'never said'"),
        (lambda a: _set(a, "lines", "u1", "emphasis", "zebra"), "lines.u1.emphasis: 'zebra'"),
        (lambda a: _set(a, "lines", "s1", "text", "我觉得这件事真的让你很难过。"), "lines.s1.text: another language"),
        (
            lambda a: _set(a, "lines", "s1", "text", "Well {name}, I am sorry."),
            "lines.s1.text: what no voice reads out",
        ),
        (lambda a: _set(a, "lines", "s1", "text", "so " * 120), "lines.s1.text: too long"),
        (lambda a: _set(a, "lines", "s1", "text", "I see || you are sad."), "lines.s1.text: ||"),
        (lambda a: _set(a, "answer", " "), "answer.answer: is empty"),
    ],
)
def test_what_is_wrong_is_told_to_the_model_which_mends_it(
    tmp_path: Path, server: Server, spoil: Any, told: str
) -> None:
    writer, model = make(server, tmp_path, TELLS)
    model.spoil = lambda answer, attempt: answer if attempt else spoil(answer)
    script = writer.write(TELLS)
    assert not list(breaches(script, TELLS))
    first, second = server.bodies
    assert len(first["messages"]) == 2
    assert [m["role"] for m in second["messages"]] == ["system", "user", "assistant", "user"]
    assert told in second["messages"][3]["content"]
    bad, good = writer.origin(TELLS)["attempts"]
    assert any(told in f for f in bad["findings"])
    assert not good["findings"]


def test_spans_are_the_code_points_of_what_was_quoted(tmp_path: Path, server: Server) -> None:
    writer, model = make(server, tmp_path, TELLS)

    def say(answer: dict[str, Any], attempt: int) -> dict[str, Any]:
        # Decomposed on the wire: "é" is one code point in the script.
        answer["lines"]["u1"] |= {"text": "At the cafe\u0301 my boss laughed at me today.", "emphasis": "laughed"}
        answer["lines"]["u1"]["cause"] |= {"line": "u1", "quote": "my boss laughed at me"}
        return answer

    model.spoil = say
    script = writer.write(TELLS)
    # "At the café my boss...": A t _ t h e _ c a f é _ are 12 code points, "my boss " 8 more.
    assert script.lines[0].text == "At the café my boss laughed at me today."
    assert script.causes[0].span == (12, 33)
    assert script.lines[0].emphasis == (20, 27)


def test_pauses_are_where_the_marks_were(tmp_path: Path, server: Server) -> None:
    for language, text, clean, at in (
        ("en", "How do I um, || cook the rice?", "How do I um, cook the rice?", (12,)),
        ("zh", "这个米饭嗯，||要怎么煮呀？", "这个米饭嗯，要怎么煮呀？", (6,)),
    ):
        family = "cooking/rice" if language == "en" else "cooking/dumplings"
        brief = Brief(
            language=language, track="duplex", task="rejection", scenario="pause", family=family, user_turns=1, seed=2
        )
        writer, model = make(server, tmp_path, brief)
        model.spoil = lambda a, n, text=text: _set(a, "lines", "u1", "text", text)
        script = writer.write(brief)
        assert (script.lines[0].text, script.lines[0].pause_at) == (clean, at)
        assert script.events[0].expected == ("wait", "respond")


@pytest.mark.parametrize(
    ("brief", "name", "text", "told"),
    [
        ("pause", "u1", "How do I cook rice?", "one or two pauses"),
        ("pause", "u1", "I want rice. || How do I cook it?", "not after a sentence"),
        ("backchannel", "b1", "yes and what would you say about brown rice then", "a signal of listening"),
        ("follow_up", "s1", "Just boil it.", "too short to be spoken over"),
    ],
)
def test_the_rules_of_a_scenario_are_checked(
    tmp_path: Path, server: Server, brief: str, name: str, text: str, told: str
) -> None:
    wanted = Brief(
        language="en", track="duplex", task="rejection", scenario=brief, family="cooking/rice", user_turns=1, seed=2
    )
    writer, model = make(server, tmp_path, wanted, attempts=2)
    model.spoil = lambda a, n: _set(a, "lines", name, "text", text)
    with pytest.raises(RefusedScriptError, match="refused after 2 attempts") as refused:
        writer.write(wanted)
    assert [any(told in f for f in a.findings) for a in refused.value.attempts] == [True, True]


def test_a_dialogue_that_was_told_before_is_refused_here_and_in_another_process(tmp_path: Path, server: Server) -> None:
    twin = msgspec.structs.replace(TELLS, seed=9)
    writer, model = make(server, tmp_path, TELLS, twin, attempts=1)
    schema = writer.request(TELLS).schema
    model.spoil = lambda answer, attempt: compose(TELLS, schema)
    writer.write(TELLS)
    with pytest.raises(RefusedScriptError, match="nearly repeat"):
        writer.write(twin)
    # Another writer has seen nothing but the folder.
    other, _ = make(server, tmp_path, TELLS, twin, attempts=1)
    with pytest.raises(RefusedScriptError, match="nearly repeat"):
        other.write(twin)
    assert other.write(TELLS) == writer.write(TELLS)
    # More attempts go on after those that were made.
    more, model = make(server, tmp_path, TELLS, twin, attempts=2)
    before = len(server.bodies)
    more.write(twin)
    assert len(server.bodies) == before + 1


def test_turn_by_turn_each_request_holds_the_dialogue_so_far(tmp_path: Path, server: Server) -> None:
    writer, _ = make(server, tmp_path, TELLS, turns_at_once=1)
    schema = LlmWriter.configured({"model": MODEL, "offline": True, "cache": str(tmp_path / "x")}).request(TELLS).schema
    whole = compose(TELLS, schema)

    def say(body: dict[str, Any]) -> str:
        wanted = body["response_format"]["json_schema"]["schema"]["properties"]
        part = {"lines": {n: whole["lines"][n] for n in wanted["lines"]["properties"]}}
        return json.dumps(part | {f: whole[f] for f in wanted if f != "lines"})

    server.say = say
    script = writer.write(TELLS)
    assert len(server.bodies) == 3
    last = server.bodies[-1]["messages"][1]["content"]
    assert all(f"{n}: {whole['lines'][n]['text']}" in last for n in ("u1", "s1", "u2", "s2"))
    assert [line.text for line in script.lines] == [
        whole["lines"][n]["text"] for n in ("u1", "s1", "u2", "s2", "u3", "s3")
    ]


# -- a server that misbehaves --------------------------------------------------------------------------------------


def test_a_busy_or_broken_server_is_asked_again(tmp_path: Path, server: Server) -> None:
    writer, _ = make(server, tmp_path, TELLS)
    server.faults.extend([chat_server.busy("0"), chat_server.status(500), chat_server.truncated_json])
    assert writer.write(TELLS).lines
    assert len(server.seen) == 4


def test_a_refusal_is_an_attempt_and_the_next_has_another_seed(tmp_path: Path, server: Server) -> None:
    writer, _ = make(server, tmp_path, TELLS)
    server.faults.append(chat_server.refusing)
    writer.write(TELLS)
    first, second = server.bodies
    assert first["seed"] != second["seed"]
    assert "I cannot help with that." in writer.origin(TELLS)["attempts"][0]["findings"][0]


@pytest.mark.parametrize(
    ("fault", "more", "kind"),
    [
        (chat_server.endless, {"stream": True}, "too-large"),
        (chat_server.drip, {"timeouts": {"total": 0.3}, "retries": 1}, "timeout"),
        (chat_server.status(400, "bad words"), {}, "refused"),
    ],
)
def test_one_answer_that_never_ends_refuses_one_dialogue_and_the_rest_is_written(
    tmp_path: Path, server: Server, fault: Any, more: dict[str, Any], kind: str
) -> None:
    path = recipe_at(tmp_path, server, "[{track: duplex, scenarios: [none], languages: [zh], turns: [1], train: 3}]")
    recipe = read_recipe(path)
    recipe = msgspec.structs.replace(recipe, options={"llm": {**recipe.options["llm"], **more}})
    writer, briefs, voices = planned(recipe)
    server.say = Model(writer, briefs).say
    server.faults.append(fault)
    report = write_file(recipe, voices, tmp_path / "s.jsonl")
    assert (report.written, len(report.refused), report.stopped) == (2, 1, "")
    again = write_file(recipe, voices, tmp_path / "s.jsonl")
    assert (again.written, again.kept, again.refused) == (1, 2, ())
    assert check_file(tmp_path / "s.jsonl") == (3, [])


def test_a_wrong_key_stops_everything_at_once_and_is_shown_nowhere(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-000000000000")
    path = recipe_at(tmp_path, server, more="requests_at_once: 1")
    done = CliRunner().invoke(cli, ["scripts", "write", str(path), "-o", str(tmp_path / "s.jsonl")])
    assert done.exit_code == 1
    assert "stopped: " in done.stderr and "refused the key" in done.stderr
    assert len(server.seen) == 1
    assert "sk-wrong" not in done.output


def test_what_was_refused_is_reported_in_full(tmp_path: Path, server: Server) -> None:
    path = recipe_at(tmp_path, server, "[{track: duplex, scenarios: [none], languages: [en], turns: [1], train: 2}]")
    writer, briefs, _ = planned(read_recipe(path))
    model = Model(writer, briefs)
    # One of the two is answered in Chinese, whatever is said to the model.
    chosen = writer.request(briefs[0]).messages[1].content

    def say(body: dict[str, Any]) -> str:
        answer = json.loads(model.say(body))
        if body["messages"][1]["content"] == chosen:
            answer["lines"]["u1"]["text"] = "我想问一下这个到底应该怎么弄才好呢？"
        return json.dumps(answer, ensure_ascii=False)

    server.say = say
    report = tmp_path / "refused.jsonl"
    done = CliRunner().invoke(
        cli, ["scripts", "write", str(path), "-o", str(tmp_path / "s.jsonl"), "--report", str(report)]
    )
    assert done.exit_code == 1
    assert "1 scripts new, 0 kept, 1 refused" in done.stdout
    (row,) = map(json.loads, report.read_text().splitlines())
    assert row["brief"]["language"] == "en"
    assert [("another language" in a["findings"][0], "我想问" in a["said"]) for a in row["attempts"]] == [
        (True, True)
    ] * 3


# -- budgets --------------------------------------------------------------------------------------------------------


def test_a_budget_of_tokens_stops_before_it_is_passed_and_goes_on_when_raised(tmp_path: Path, server: Server) -> None:
    counts = "[{track: duplex, scenarios: [none], languages: [en], turns: [1], train: 5}]"
    recipe = read_recipe(
        recipe_at(tmp_path, server, counts, "max_tokens: 1500, budget_tokens: 9000, requests_at_once: 2")
    )
    writer, briefs, voices = planned(recipe)
    server.say = Model(writer, briefs).say
    report = write_file(recipe, voices, tmp_path / "s.jsonl")
    assert "might go over the budget" in report.stopped
    assert 0 < report.written < 5
    assert sum(report.tokens) <= 9000
    raised = {"llm": {**recipe.options["llm"], "budget_tokens": 900_000}}
    report = write_file(msgspec.structs.replace(recipe, options=raised), voices, tmp_path / "s.jsonl")
    assert report.written + report.kept == 5
    assert len(server.bodies) == 5


def test_a_budget_of_money_counts_what_the_server_counted(tmp_path: Path, server: Server) -> None:
    prices = {"usd_per_million_in": 2.0, "usd_per_million_out": 10.0, "max_tokens": 1000}
    writer, _ = make(server, tmp_path, TELLS, STOPS, budget_usd=1.0, **prices)
    writer.write(TELLS)
    prompt, completion = writer.spending.tokens
    spent = writer.spending.usd(prompt, completion)
    assert spent == pytest.approx((2 * prompt + 10 * completion) / 1e6)
    # Another process with the same folder goes on from there: it may spend a hundredth of a cent more.
    poor, _ = make(server, tmp_path, TELLS, STOPS, budget_usd=spent + 1e-4, **prices)
    assert poor.write(TELLS).lines
    with pytest.raises(BudgetError, match="budget_usd"):
        poor.write(STOPS)


def test_requests_keep_their_distance() -> None:
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(30, lambda: now[0], sleep)
    for _ in range(3):
        pace.wait()
    now[0] += 60
    pace.wait()
    # Thirty a minute are two seconds apart; after a minute's rest nobody waits.
    assert slept == [2.0, 2.0]


def test_offline_nothing_is_asked_and_what_is_missing_is_named(tmp_path: Path, server: Server) -> None:
    writer, _ = make(server, tmp_path, TELLS)
    script = writer.write(TELLS)
    asked = len(server.seen)
    offline = LlmWriter.configured({"model": MODEL, "cache": str(tmp_path), "offline": True})
    assert offline.write(TELLS) == script
    with pytest.raises(UserError, match="in the cache"):
        offline.write(STOPS)
    assert len(server.seen) == asked


# -- options, prompts, layouts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({}, "options.llm"),
        ({"model": "m"}, "options.llm.base_url"),
        ({"model": "m", "base_url": "http://h/v1", "speed": 3}, "options.llm.speed"),
        ({"model": "m", "base_url": "http://h/v1", "temperature": "hot"}, "options.llm.temperature"),
        ({"model": "m", "base_url": "http://h/v1", "requests_at_once": 0}, "options.llm.requests_at_once"),
        ({"model": "m", "base_url": "http://h/v1", "budget_usd": 3.0}, "options.llm.budget_usd"),
    ],
)
def test_options_that_are_wrong_are_named(options: dict[str, Any], field: str) -> None:
    with pytest.raises(UserError) as error:
        read_options(options)
    assert error.value.field == field


def test_a_prompt_of_ones_own_replaces_ours_and_changes_what_is_asked(tmp_path: Path, server: Server) -> None:
    (tmp_path / "mine" / "en").mkdir(parents=True)
    (tmp_path / "mine" / "en" / "reasoning.txt").write_text("Tell it my way: {emotions}. {Braces} and % stay.")
    plain, _ = make(server, tmp_path / "c", TELLS)
    own, _ = make(server, tmp_path / "c", TELLS, prompts=str(tmp_path / "mine"))
    said = own.request(TELLS).messages[1].content
    assert said.startswith("Tell it my way: clearly sad; mildly happy; neutral. {Braces} and % stay.")
    assert own.prompts.sha256_of(TELLS) != plain.prompts.sha256_of(TELLS)
    # Other tasks are asked as before: their scripts stay in the cache.
    assert own.prompts.sha256_of(STOPS) == plain.prompts.sha256_of(STOPS)
    assert own.version != plain.version


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("en/reasoning.txt", "Write {feelings}.", "unknown placeholder"),
        ("en/request.txt", "{task} {so_far}", "a placeholder is missing"),
        ("en/resoning.txt", "Write.", "a file that no task uses"),
        ("zh/words.yaml", "parts: {}", "is missing"),
        ("zh/none.txt", "  ", "is empty"),
    ],
)
def test_a_prompt_that_cannot_serve_is_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message):
        read_prompts(str(tmp_path))


def test_each_task_has_a_prompt_in_each_language_and_no_place_stays_open(tmp_path: Path) -> None:
    writer = LlmWriter.configured({"model": "m", "offline": True, "cache": str(tmp_path)})
    described = Scenario(name="hum", family="rejection", about="a hum", expected=("continue",), kind="backchannel")
    feelings = {
        "clip": (FEEL,),
        "conflict_clip": (Feeling(label="sad", acoustic="sad", semantic="happy", intensity=2),),
    }
    for language in ("en", "zh"):
        for task in TASKS:
            emotion = task in TASKS[:6]
            clip = task in ("clip", "conflict_clip", "expression")
            scenario = "hum" if task == "described" else task
            if emotion:
                scenario = "clip" if task == "expression" else task if clip else "dialogue"
            felt = feelings.get(scenario, TELLS.feelings) if emotion else ()
            for contrast in (False,) if emotion or task == "none" else (False, True):
                brief = Brief(
                    language=language,
                    track="emotion" if emotion else "duplex",
                    task=("recognition" if "clip" in task else task) if emotion else "rejection",
                    scenario=scenario,
                    family=writer.families(language, "emotion" if emotion else "duplex", "clip" if emotion else "none")[
                        0
                    ],
                    user_turns=len(felt) or 2,
                    seed=1,
                    feelings=felt,
                    contrast=contrast,
                    described=described if task == "described" else None,
                )
                system, user = (m.content for m in writer.request(brief).messages)
                assert "{" not in system + user, (language, task)
                # Chinese is asked for in Chinese.
                assert any("\u4e00" <= c <= "\u9fff" for c in user) == (language == "zh")
                if contrast:
                    assert ("the neighbour" if language == "en" else "近似") in user


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_layout_of_a_scenario_does_not_depend_on_what_the_model_says(scenario: str) -> None:
    counts = set()
    for seed in range(30):
        brief = msgspec.structs.replace(
            STOPS, scenario=scenario, seed=seed, user_turns=3, events=2, position="before" if seed % 2 else "after"
        )
        plan = layout(brief)
        assert layout(brief) == plan
        assert len(plan.events) == 2
        assert sum(s.name[0] == "u" for s in plan.slots) == 3
        assert [s.turn for s in plan.slots] == sorted(s.turn for s in plan.slots)
        names = [s.name for s in plan.slots]
        assert len(set(names)) == len(names)
        assert all(names.index(s.over) < names.index(s.name) for s in plan.slots if s.over)
        counts.add(tuple((s.name, s.halts) for s in plan.slots))
        if scenario == "termination":
            resumed = [e for e in plan.events if "resume" in e.expected]
            assert len(resumed) == sum(s.part == "resumes" for s in plan.slots)
    assert len(counts) > 1


def test_a_process_that_is_killed_leaves_a_cache_that_another_goes_on_with(tmp_path: Path, server: Server) -> None:
    counts = "[{track: duplex, scenarios: [none], languages: [en], turns: [1], train: 6}]"
    path = recipe_at(tmp_path, server, counts, "requests_at_once: 2")
    recipe = read_recipe(path)
    writer, briefs, voices = planned(recipe)
    model = Model(writer, briefs)
    command = [sys.executable, "-c", "from duologue.cli import main; main()", "scripts", "write", str(path), "-o"]
    child = subprocess.Popen([*command, str(tmp_path / "s.jsonl")], env={**os.environ}, stderr=subprocess.DEVNULL)

    def say(body: dict[str, Any]) -> str:
        if len(server.bodies) > 3:
            child.kill()
        return model.say(body)

    server.say = say
    child.wait()
    server.say = model.say
    report = write_file(recipe, voices, tmp_path / "s.jsonl")
    assert report.written + report.kept == 6
    assert report.refused == ()
    # At most what was under way when it died was asked again.
    assert len(server.bodies) <= 6 + 2
    assert check_file(tmp_path / "s.jsonl") == (6, [])
