"""Duplex scripts: every scenario and its neighbour in both languages, events that hold together, no half-made lines."""

from __future__ import annotations

import itertools
import random
import re
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duologue.corpus.event import INTERRUPTION, SCENARIOS
from duologue.errors import UserError
from duologue.generate.script import Brief, Script
from duologue.generate.scripts.duplex import axes, families, write
from duologue.generate.scripts.duplex.content import phrases, topics
from duologue.generate.scripts.grammar import expand

LANGUAGES = ("en", "zh")
ALL = (*SCENARIOS, "none")
CLOSED = "，。！？；：、,.!?;:"


def brief(**given: object) -> Brief:
    scenario = str(given.get("scenario", "none"))
    language = str(given.get("language", "en"))
    plain: dict[str, object] = {
        "language": language,
        "track": "duplex",
        "task": "interruption" if scenario in INTERRUPTION else "rejection",
        "scenario": scenario,
        "family": families(language, scenario)[0],
        "user_turns": 2,
        "seed": 1,
    }
    return Brief(**{**plain, **given})  # type: ignore[arg-type]


def holds_together(script: Script) -> None:
    """What every script must keep, whatever was asked for."""
    lines = script.lines
    assert lines and lines[-1].text
    for i, line in enumerate(lines):
        assert line.text == line.text.strip() and "  " not in line.text
        assert not re.search(r"[{}|<>^~\[\]]", line.text), line.text
        assert not re.search(r"[,，、]\s*[.。?？!！,，、]|[.。?？!！]{2}|\s[,.?!]|^[,，.。]", line.text), line.text
        assert line.text[-1] in ".。?？!！", line.text
        if script.language == "en":
            assert not re.search(r"\ba (?!one\b)[aeio]\w", line.text.lower()), line.text
            assert not re.search(r"[.?!] [a-z]", line.text) and not line.text[0].islower(), line.text
        else:
            assert " " not in line.text, line.text
        if line.over is not None:
            assert line.over < i and lines[line.over].role == "system", (i, line)
        assert (line.kind == "interruption") <= (line.over is not None)
        assert (line.kind == "backchannel") <= (line.over is not None)
        for offset in line.pause_at:
            assert 0 < offset < len(line.text)
            assert line.text[offset - 1] not in CLOSED and line.text[offset] not in CLOSED, (line.text, offset)
            if script.language == "en":
                assert line.text[offset] == " " or line.text[offset - 1] == " "
        assert line.to != line.role or line.role == "third_party"
    for event in script.events:
        at, expected = lines[event.line], event.expected
        assert 0 <= event.reference_line < len(lines)
        if event.response_line is not None:
            assert event.response_line > event.line and lines[event.response_line].role == "system"
        if event.kind in INTERRUPTION:
            assert at.kind == "interruption" and at.over == event.reference_line < event.line and expected[0] == "stop"
            assert ("respond" in expected) == (event.response_line is not None) == (event.kind != "termination")
        elif event.kind == "backchannel":
            assert at.kind == "backchannel" and expected == ("continue",) and event.response_line is None
        elif event.kind == "pause":
            assert at.pause_at and event.line == event.reference_line and expected == ("wait", "respond")
        elif event.kind == "third_party":
            assert at.role == at.kind == "third_party" and expected[0] == "ignore"
            assert event.position == ("before" if at.over is None else "after")
            reference = lines[event.reference_line]
            if event.position == "before":
                assert reference.role == "user" and event.reference_line > event.line
            else:
                assert event.reference_line == at.over
        else:
            assert at.kind == "others_directed" and at.to == "addressee" and expected[0] == "ignore"
            assert lines[event.reference_line].role == "user" and event.reference_line < event.line
    for before, after in itertools.pairwise(i for i, x in enumerate(lines) if x.role == "system" and x.over is None):
        assert any(x.role == "user" for x in lines[before:after]), "two answers in a row"


briefs = st.fixed_dictionaries(
    {
        "language": st.sampled_from(LANGUAGES),
        "scenario": st.sampled_from(ALL),
        "user_turns": st.integers(1, 5),
        "events": st.integers(0, 3),
        "contrast": st.booleans(),
        "position": st.sampled_from(("", "before", "after")),
        "seed": st.integers(0, 2**62),
        "register": st.sampled_from(("", "casual", "formal")),
        "pick": st.integers(0, 10_000),
    }
)


@settings(max_examples=500, deadline=None)
@given(briefs)
def test_every_brief_holds_together_or_is_refused_clearly(drawn: dict[str, object]) -> None:
    pick = int(str(drawn.pop("pick")))
    known = families(str(drawn["language"]), str(drawn["scenario"]))
    asked = brief(**drawn, family=known[pick % len(known)])
    try:
        script = write(asked)
    except UserError as error:
        assert asked.scenario in ("pause", "termination") and asked.events > asked.user_turns
        assert "events" in str(error) and "allowed" in str(error)
        return
    assert script == write(asked)
    assert script.scenario == asked.scenario and script.family == asked.family
    holds_together(script)
    if asked.contrast and asked.scenario != "none":
        assert len(script.events) <= 1
        assert all(e.kind == "follow_up" and asked.scenario == "others_directed" for e in script.events)
    else:
        assert len(script.events) == (0 if asked.scenario == "none" else asked.events)
        assert {e.kind for e in script.events} <= {asked.scenario}
        if asked.scenario == "third_party" and asked.position:
            assert {e.position for e in script.events} <= {asked.position}
    ordinary = [x for x in script.lines if x.role == "user" and x.kind == "turn"]
    assert len(ordinary) == asked.user_turns + (asked.contrast and len(ordinary) > asked.user_turns)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("scenario", ALL)
def test_all_scenarios_events_and_turns(language: str, scenario: str) -> None:
    for turns, events, seed in itertools.product(range(1, 6), range(4), range(3)):
        family = families(language, scenario)[(turns * 7 + events * 3 + seed) % len(families(language, scenario))]
        asked = brief(language=language, scenario=scenario, family=family, user_turns=turns, events=events, seed=seed)
        if scenario in ("pause", "termination") and events > turns:
            with pytest.raises(UserError):
                write(asked)
        else:
            holds_together(write(asked))


@pytest.mark.parametrize("language", LANGUAGES)
def test_content_is_wide_and_whole(language: str) -> None:
    known = topics(language)
    assert len({t.domain for t in known.values()}) >= 12 and len(known) >= 40
    for family, topic in known.items():
        everything = (topic.main, *topic.later, *topic.corrections, *topic.switches)
        assert topic.main.gist and topic.main.key and topic.contexts, family
        assert any("<cut/>" in q for q in topic.main.questions), family
        assert len(topic.later) >= 3 and len(topic.switches) >= 2 and topic.corrections, family
        for exchange in everything:
            assert exchange.answers and exchange.questions, family
            for template in (*exchange.questions, *itertools.chain(*exchange.answers), *exchange.gist):
                expand(template, {"filler": ""}, random.Random(1), language=language)
        for question in (*topic.main.questions, *(q for x in (*topic.later, *topic.switches) for q in x.questions)):
            assert "<pause/>" in question, (family, question)
        assert set(axes(language, family)) == {"relationship", "setting", "register"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_phrases_expand_whichever_alternative_is_drawn(language: str) -> None:
    slots = {"topic": "x", "key": "y", "name": "z", "call": "w", "filler": ""}
    rng = random.Random(3)
    for name, section in phrases(language).items():
        assert len(section) == len(set(section)), name
        for template in section:
            for _ in range(12):
                assert expand(template.removeprefix("@home "), slots, rng, language=language).text


AGREE = r"\b(?:did|do) you (?:taken|locked|called|moved|finished|texted|invited)\b"
AGREE += r"|\bhave you (?:take|lock|feed|call|move|finish|text|invite)\b|\bdoes this the\b"


@pytest.mark.parametrize(("section", "words"), [("en", AGREE), ("zh", r"[a-z]{3,}")])
def test_alternatives_of_a_phrase_agree_and_leave_no_slot_as_a_word(section: str, words: str) -> None:
    slots = {"topic": "X", "key": "X", "name": "X", "call": "X", "filler": ""}
    rng = random.Random(5)
    for templates in phrases(section).values():
        for template in templates:
            for text in {expand(template.removeprefix("@home "), slots, rng, language=section).text for _ in range(40)}:
                assert not re.search(words, text), text


def test_no_answer_starts_as_if_it_had_said_yes() -> None:
    """To "will the trains run?": "sure. The first ones are often canceled" contradicts itself."""
    yes = ("Sure. ", "Of course. ", "Certainly. ", "No problem. ", "Absolutely. ", "Alright, ", "Yes, I can help")
    asks = re.compile(r"(?:^|[.:,] )(?:can|is|are|do|does|will|should|may)\b[^.?]*\?$", re.I)
    polar = 0
    for seed in range(400):
        script = write(brief(family=families("en", "none")[seed % 48], user_turns=3, seed=seed))
        for asked, answer in itertools.pairwise(script.lines):
            if asked.role == "user" and asks.search(asked.text):
                polar += 1
                assert not answer.text.startswith(yes), (asked.text, answer.text)
    assert polar > 100


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_are_stressed_and_feelings_are_heard_as_laughs_and_sighs(language: str) -> None:
    stressed, marked, corrected = 0, Counter[str](), 0
    for seed in range(300):
        script = write(brief(language=language, scenario="negation", events=1, user_turns=2, seed=seed))
        for line in script.lines:
            if line.emphasis:
                start, end = line.emphasis
                assert line.role == "user" and 0 <= start < end <= len(line.text)
                stressed += 1
            for mark in re.findall(r"\[(\w+)\]", line.text_raw):
                marked[mark, line.feeling.label] += 1
        corrected += script.lines[script.events[0].line].emphasis is not None
    assert stressed > 60 and corrected > 100
    assert {m for m, _ in marked} == {"sigh", "laughter"}
    assert not {("laughter", "sad"), ("laughter", "angry"), ("sigh", "happy")} & set(marked)


def test_stop_requests_are_taken_up_again_in_many_dialogues() -> None:
    resumed = 0
    for seed in range(60):
        script = write(brief(scenario="termination", user_turns=3, seed=seed))
        [event] = script.events
        assert event.response_line is None
        if event.expected == ("stop", "wait", "resume"):
            resumed += 1
            assert [x.role for x in script.lines[event.line + 1 : event.line + 3]] == ["user", "system"]
    assert 15 < resumed < 50


@pytest.mark.parametrize("language", LANGUAGES)
def test_backchannel_words_also_answer_the_system(language: str) -> None:
    words = set()
    for seed in range(150):
        script = write(brief(language=language, scenario="backchannel", contrast=True, seed=seed))
        assert not script.events
        asked = [i for i, x in enumerate(script.lines[:-2]) if x.role == "system" and x.text[-1] in "?？"]
        words |= {script.lines[i + 1].text for i in asked}
    said = {expand(t, {}, random.Random(0), language=language).text for t in phrases(language)["backchannel"]}
    assert len(words & said) > 10


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_prefix_is_complete_in_one_item_and_unfinished_in_another(language: str) -> None:
    family = families(language, "pause")[0]
    whole = {
        write(brief(language=language, scenario="pause", contrast=True, family=family, seed=s)).lines[0].text
        for s in range(200)
    }
    heads = set()
    for seed in range(200):
        script = write(brief(language=language, scenario="pause", family=family, user_turns=1, seed=seed))
        heads |= {script.lines[0].text[:p].strip() for p in script.lines[0].pause_at}
    assert heads & {w.rstrip("?？") for w in whole}


@pytest.mark.parametrize("language", LANGUAGES)
def test_feelings_do_not_give_the_scenario_away(language: str) -> None:
    rng = random.Random(4)
    seen: dict[str, Counter[str]] = {s: Counter() for s in ALL}
    for seed in range(1500):
        scenario = ALL[seed % 10]
        family = rng.choice(families(language, scenario))
        for x in write(brief(language=language, scenario=scenario, family=family, seed=seed)).lines:
            if x.role == "user":
                seen[scenario][x.feeling.label] += 1
    for scenario, counts in seen.items():
        assert counts["neutral"] / counts.total() > 0.55, scenario
        assert {"happy", "angry", "surprised"} <= set(counts), scenario


@pytest.mark.parametrize("language", LANGUAGES)
def test_dialogues_differ(language: str) -> None:
    rng = random.Random(9)
    texts = Counter()
    started = time.process_time()
    for seed in range(2000):
        scenario = rng.choice(ALL)
        family = rng.choice(families(language, scenario))
        script = write(brief(language=language, scenario=scenario, family=family, user_turns=2, seed=seed))
        texts["\n".join(x.text for x in script.lines)] += 1
    assert max(texts.values()) == 1
    assert (time.process_time() - started) / 2000 < 0.004


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"language": "fr"}, "language"),
        ({"family": "cooking/nothing"}, "family"),
        ({"scenario": "shout"}, "scenario"),
        ({"user_turns": 0}, "user_turns"),
        ({"user_turns": 9}, "user_turns"),
        ({"events": 4, "scenario": "follow_up"}, "events"),
        ({"events": -1, "scenario": "follow_up"}, "events"),
        ({"relationship": "dragon"}, "relationship"),
        ({"task": "empathy"}, "task"),
        ({"track": "emotion"}, "track"),
    ],
)
def test_bad_briefs_name_the_field(change: dict[str, object], field: str) -> None:
    good = brief()
    fields = {k: getattr(good, k) for k in good.__struct_fields__}
    with pytest.raises(UserError) as error:
        write(Brief(**{**fields, **change}))
    assert error.value.field == field
