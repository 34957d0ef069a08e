import random
import re
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duologue.corpus.emotion import DUOLOGUE
from duologue.errors import UserError
from duologue.generate.script import Brief, Feeling, Script
from duologue.generate.scripts.embedded import EmbeddedWriter
from duologue.generate.scripts.emotion.material import FEELINGS, material
from duologue.generate.scripts.grammar import expand, parse, variants

WRITER = EmbeddedWriter()
LANGUAGES = ("en", "zh")
FAMILIES = {language: WRITER.families(language, "emotion", "dialogue") for language in LANGUAGES}

feelings = st.one_of(
    st.just(Feeling()), st.builds(Feeling, label=st.sampled_from(FEELINGS), intensity=st.integers(1, 3))
)


@st.composite
def briefs(draw: st.DrawFn) -> Brief:
    language = draw(st.sampled_from(LANGUAGES))
    family = draw(st.sampled_from(FAMILIES[language]))
    scenario = draw(st.sampled_from(("dialogue", "dialogue", "clip", "conflict_clip")))
    turns = draw(st.integers(3, 5)) if scenario == "dialogue" else 1
    felt = tuple(draw(feelings) for _ in range(turns))
    tasks = {
        "dialogue": ("trajectory", "reasoning", "empathy"),
        "clip": ("recognition", "expression", "empathy"),
        "conflict_clip": ("recognition", "empathy"),
    }
    if scenario == "conflict_clip":
        said, heard = draw(st.permutations(DUOLOGUE.labels))[:2]
        felt = (Feeling(label=heard, intensity=2 if heard != "neutral" else 0, semantic=said, acoustic=heard),)
    axes = WRITER.axes(language, "emotion", family)
    return Brief(
        language=language,
        track="emotion",
        task=draw(st.sampled_from(tasks[scenario])),
        scenario=scenario,
        family=family,
        user_turns=turns,
        feelings=felt,
        seed=draw(st.integers(0, 2**62)),
        relationship=draw(st.sampled_from(axes["relationship"])),
        setting=draw(st.sampled_from(axes["setting"])),
        register=draw(st.sampled_from(axes["register"])),
    )


BROKEN = re.compile(r"[{}\[\]<>|*@#\ue000]|  | [,.!?;:]|[,.!?;:，。！？；]{2}|\b(a|the|an|to|of) \1\b|^\W*$", re.I)
VOWEL = re.compile(r"\ba (?:[aeio](?!ne\b|nce)|u(?!ni|se|su))|\ban (?![aeiou]|hour|hono|heir|[fhlmnrsx]\b)", re.I)


@settings(max_examples=300, deadline=None)
@given(briefs())
def test_a_script_keeps_every_promise(brief: Brief):
    script = WRITER.write(brief)
    assert script == WRITER.write(brief)
    users = [i for i, line in enumerate(script.lines) if line.role == "user"]
    assert len(users) == brief.user_turns
    assert [line.role for line in script.lines] == (["user", "system"] * len(users))[: len(script.lines)]
    if brief.task == "expression":
        assert script.lines[1].feeling == brief.feelings[0] and script.lines[0].feeling == Feeling()
    else:
        assert tuple(script.lines[i].feeling for i in users) == brief.feelings
    for line in script.lines:
        assert not BROKEN.search(line.text), line.text
        assert brief.language == "en" or not re.search(r"[。，！？] |的事的事", line.text), line.text
        assert brief.language == "zh" or not VOWEL.search(line.text), line.text
        assert re.sub(r"\[[a-z]+\] ?", "", line.text_raw).replace(" ", "") in ("", line.text.replace(" ", ""))
        if line.emphasis:
            assert line.text[slice(*line.emphasis)].strip()
    for cause in script.causes:
        start, end = cause.span
        assert cause.evidence_line <= cause.emotion_line and cause.explanation
        assert 0 <= start < end <= len(script.lines[cause.evidence_line].text)
    if brief.task != "expression":
        words = [(f.semantic or f.label) for f in brief.feelings]
        assert {c.emotion_line for c in script.causes} == {2 * i for i, w in enumerate(words) if w != "neutral"}
    (probe,) = script.probes
    assert probe.task == brief.task and probe.reference
    if brief.task == "trajectory":
        assert probe.answer.split(">") == [f.label for f in brief.feelings[:-1]]
        assert probe.reference == script.lines[-1].text
    if brief.task == "empathy" and brief.scenario == "dialogue":
        felt = [i for i, f in enumerate(brief.feelings) if f.label != "neutral"]
        assert probe.target_line == 2 * (felt[1] if len(felt) > 1 else felt[0] if felt else brief.user_turns - 1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_is_enough_material(language: str):
    stock = material(language)
    assert len(stock.stories) >= 60
    assert len({family.split("/")[0] for family in stock.stories}) >= 12
    for story in stock.stories.values():
        assert all(len(story.events[label]) >= 2 for label in DUOLOGUE.labels), story.family
    for label in FEELINGS:
        for strength, group in stock.phrases["feel"][label].items():
            assert sum(variants(t) for t in (*group["link"], *group["show"])) > 19, (label, strength)
    for questions in (stock.phrases["question"]["trajectory"], stock.phrases["question"]["reasoning_all"]):
        assert sum(variants(t) for kind in questions.values() for t in kind) >= 28


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_event_of_every_story_expands(language: str):
    slots = {"P": "Ann", "he": "she", "him": "her", "his": "her", "day": "Monday", "num": "three", "name": "Mrs. Lang"}
    for story in material(language).stories.values():
        for label, events in story.events.items():
            for event in events:
                parse(event.template)
                text = expand(event.template, slots, random.Random(1), language=language).text
                assert not BROKEN.search(text), (story.family, label, text)
                mentions = "{P}" in event.template or "{he}" not in event.template
                assert mentions or language == "zh", (story.family, event.template)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_ordered_pair_can_be_a_shift(language: str):
    rng = random.Random(4)
    for a, b in permutations(DUOLOGUE.labels, 2):
        felt = tuple(Feeling(label=x, intensity=0 if x == "neutral" else 2) for x in (a, b, "neutral"))
        script = WRITER.write(dialogue(language, rng.choice(FAMILIES[language]), felt))
        assert script.probes[0].answer == f"{a}>{b}"


def dialogue(language: str, family: str, felt: tuple[Feeling, ...], task: str = "trajectory", seed: int = 5) -> Brief:
    return Brief(
        language=language,
        track="emotion",
        task=task,
        scenario="dialogue",
        family=family,
        user_turns=len(felt),
        feelings=felt,
        seed=seed,
    )


def test_causes_are_explicit_latent_and_earlier():
    kinds: set[str] = set()
    explicit: set[bool] = set()
    earlier = 0
    felt = (Feeling(), Feeling(label="angry", intensity=2), Feeling(label="angry", intensity=3), Feeling())
    for seed in range(200):
        script: Script = WRITER.write(dialogue("en", FAMILIES["en"][seed % 60], felt, "reasoning", seed))
        for cause in script.causes:
            kinds.add(cause.cause_kind)
            explicit.add(cause.explicit)
            earlier += cause.evidence_line < cause.emotion_line
    assert kinds >= {"event", "interpersonal", "latent"} and explicit == {True, False} and earlier > 20


def test_feelings_are_often_not_named():
    """The emotion words must not give the label away."""
    names = re.compile(r"\b(angry|mad|furious|livid|annoy\w*|fuming)\b", re.I)
    felt = (Feeling(label="angry", intensity=2), Feeling(label="sad", intensity=2), Feeling())
    texts = [WRITER.write(dialogue("en", FAMILIES["en"][i % 60], felt, seed=i)).lines[0].text for i in range(300)]
    assert sum(bool(names.search(t)) for t in texts) < 120


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"family": "work/promotoin"}, "work/promotion"),
        ({"feelings": (Feeling(),)}, "user_turns"),
        ({"feelings": (Feeling(label="glad", intensity=1), Feeling(), Feeling())}, "unknown emotion"),
        ({"feelings": (Feeling(label="sad"), Feeling(), Feeling())}, "intensity"),
        ({"task": "expression"}, "trajectory"),
        ({"relationship": "pilot"}, "relationship"),
        ({"register": "rude"}, "casual, formal"),
        ({"language": "fr"}, "en, zh"),
    ],
)
def test_a_brief_that_cannot_be_met_is_refused(change: dict[str, object], says: str):
    values = {
        "language": "en",
        "track": "emotion",
        "task": "trajectory",
        "scenario": "dialogue",
        "family": "work/promotion",
        "user_turns": 3,
        "seed": 1,
        "feelings": (Feeling(), Feeling(label="sad", intensity=1), Feeling()),
    }
    with pytest.raises(UserError) as error:
        WRITER.write(Brief(**{**values, **change}))
    assert says in str(error.value)
