"""Every degenerate system is what it claims to be, on a corpus whose every sample is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import duologue
from duologue.corpus.audio import Audio, Channel, Twin
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.event import Event, RealisedEvent, Trigger
from duologue.corpus.manifest import Manifest
from duologue.corpus.observation import SaidWord
from duologue.corpus.read import Corpus, OpenDialogue
from duologue.corpus.rights import Rights
from duologue.corpus.run import Run
from duologue.corpus.speaker import Speaker
from duologue.corpus.turn import Segment, Turn, Word
from duologue.corpus.write import encode_dialogue, encode_flac, write_atomic, write_manifest, write_shard
from duologue.errors import UserError
from duologue.systems.degenerate import DEGENERATE, HONEST, Others, describe, perform
from duologue.systems.degenerate.scene import Scene, scene
from duologue.systems.degenerate.tape import Said, Tape
from duologue.systems.degenerate.write import write_run

RATE = 16_000
LENGTH = 14 * RATE
ALL = [HONEST, *DEGENERATE]

TEXTS = {
    "en": (
        "how long does rice take to cook",
        "well it takes twelve minutes once the water",
        "no sorry I meant noodles",
        "okay they need four minutes in all",
        "and what about soup then",
        "right that is done in half an hour",
        " boils and then five more",
    ),
    "zh": (
        "米饭要煮多长时间",
        "好水开了以后再煮十二分钟就",
        "不对我问的是面条",
        "嗯面条煮四分钟就可以了",
        "那汤要煮多久",
        "好半个小时就差不多了",
        "可以关火了",
    ),
}
# Scenario -> turns as (text, role, kind, segments in s), the event's turn, its interval in s, what is expected.
PLANS: dict[
    str, tuple[list[tuple[int, str, str, list[tuple[float, float]]]], int, tuple[float, float], tuple[str, ...]]
]
PLANS = {
    "negation": (
        [
            (0, "user", "turn", [(0.5, 2.0)]),
            (1, "system", "turn", [(2.4, 5.0)]),
            (2, "user", "interruption", [(4.6, 6.0)]),
            (3, "system", "turn", [(6.5, 9.0)]),
        ],
        2,
        (4.6, 6.0),
        ("stop", "respond"),
    ),
    "termination": (
        [
            (0, "user", "turn", [(0.5, 2.0)]),
            (1, "system", "turn", [(2.4, 5.0)]),
            (2, "user", "interruption", [(4.5, 5.5)]),
        ],
        2,
        (4.5, 5.5),
        ("stop", "wait"),
    ),
    "backchannel": (
        [
            (0, "user", "turn", [(0.5, 2.0)]),
            (3, "system", "turn", [(2.4, 7.0)]),
            (2, "user", "backchannel", [(4.0, 4.5)]),
            (4, "user", "turn", [(7.5, 9.0)]),
            (5, "system", "turn", [(9.4, 11.5)]),
        ],
        2,
        (4.0, 4.5),
        ("continue",),
    ),
    "third_party": (
        [
            (0, "user", "turn", [(0.5, 2.0)]),
            (3, "system", "turn", [(2.4, 7.0)]),
            (2, "third_party", "third_party", [(4.0, 5.0)]),
            (4, "user", "turn", [(7.5, 9.0)]),
            (5, "system", "turn", [(9.4, 11.5)]),
        ],
        2,
        (4.0, 5.0),
        ("ignore", "continue"),
    ),
    "pause": (
        [(0, "user", "turn", [(0.5, 1.0), (2.0, 3.0)]), (5, "system", "turn", [(3.4, 6.0)])],
        0,
        (1.0, 2.0),
        ("wait", "respond"),
    ),
}


def burst(key: str, length: int) -> np.ndarray:
    """Noise of its own for each turn, never 0: where it comes from can be told sample by sample."""
    rng = np.random.default_rng(list(key.encode()))
    return (rng.choice([-1, 1], length) * rng.integers(1000, 8000, length)).astype(np.int16)


def split(text: str, language: str, spans: list[tuple[int, int]]) -> tuple[Word, ...]:
    starts, at = [], 0
    for piece in text if language == "zh" else text.split(" "):
        starts.append((piece, at))
        at += len(piece) + (language == "en")
    halves = np.array_split(np.arange(len(starts)), len(spans))
    words = []
    for (begin, end), mine in zip(spans, halves, strict=True):
        edges = np.linspace(begin, end, len(mine) + 1).astype(int)
        for k, i in enumerate(mine):
            piece, at = starts[i]
            words.append(Word(piece, at, at + len(piece), int(edges[k]), int(edges[k + 1])))
    return tuple(words)


def make(root: Path, shard: str, language: str, scenario: str) -> Dialogue:
    id = f"{language}-{scenario}"
    plan, target, at, expected = PLANS[scenario]
    user, system, other = f"{language}-user", "sys", "passer-by"
    main, twin = (np.zeros((LENGTH, 2), np.int16) for _ in "ab")
    turns = []
    stopped = False
    for index, (text, role, kind, spans) in enumerate(plan):
        samples = [(round(a * RATE), round(b * RATE)) for a, b in spans]
        channel = int(role == "system")
        cut = text == 1
        for part, (a, b) in enumerate(samples):
            sound = burst(f"{id}{index}{part}", LENGTH)
            main[a:b, channel] = sound[: b - a]
            # In the twin a cut answer goes on for 2 s, the pause of 1 s is closed, and the event's turn is left out.
            shift = RATE if scenario == "pause" and a >= 2 * RATE else 0
            stopped = stopped or ("stop" in expected and index == target)
            if not stopped and (index != target or scenario == "pause"):
                c, d = a - shift, b - shift + (2 * RATE if cut else 0)
                twin[c:d, channel] = sound[: d - c]
        speaker = {"user": user, "system": system, "third_party": other}[role]
        turns.append(
            Turn(
                index=index,
                role=role,  # type: ignore[arg-type]
                speaker=speaker,
                addressee=user if role == "system" else system if role == "user" else "",
                language=language,
                text=TEXTS[language][text],
                segments=tuple(Segment(audio="main", channel=channel, start=a, end=b) for a, b in samples),
                words=split(TEXTS[language][text], language, samples),
                kind=kind,  # type: ignore[arg-type]
                intended_text=TEXTS[language][1] + TEXTS[language][6] if cut else "",
            )
        )
    entries = []
    for name, x in (("main", main), ("twin", twin)):
        flac = encode_flac(x, RATE)
        path = f"audio/{shard}/{id}-{name}.flac"
        write_atomic(root / path, flac.data, sync=False)
        entries.append(
            Audio(
                id=name,
                path=path,
                sha256=flac.sha256,
                pcm_sha256=flac.pcm_sha256,
                sample_rate=RATE,
                length=LENGTH,
                channels=(Channel(kind="user-mic", speakers=(user,)), Channel(kind="system", speakers=(system,))),
                twin=Twin(of="main", differs=(0, LENGTH)) if name == "twin" else None,
            )
        )
    return Dialogue(
        schema_version=1,
        id=id,
        track="duplex",
        tasks=("interruption",),
        languages=(language,),
        split="test",
        scenario=scenario,
        source="synthetic",
        rights=Rights(licence="CC0-1.0", consent_id="not-applicable"),
        groups={"script_family": (f"food/{scenario}",), "speaker": (user,)},
        speakers=tuple(
            Speaker(id=s, role=r, languages=(language,), synthetic=True)  # type: ignore[arg-type]
            for s, r in ((user, "user"), (system, "system"), (other, "third_party"))
        ),
        audio=tuple(entries),
        turns=tuple(turns),
        events=(
            Event(
                id="e",
                kind=scenario,
                speaker=user,
                trigger=Trigger(reference_turn=1, anchor="turn_start"),
                target_turn=target,
                expected=expected,  # type: ignore[arg-type]
            ),
        ),
        realised=(
            RealisedEvent(event="e", audio="main", channel=0, start=round(at[0] * RATE), end=round(at[1] * RATE)),
        ),
    )


def build(root: Path, languages: tuple[str, ...] = ("en", "zh")) -> Path:
    shards = []
    for language in languages:
        name = f"duplex-{language}-test-00000"
        lines = [encode_dialogue(make(root, name, language, scenario)) for scenario in PLANS]
        shards.append(write_shard(root, name, lines, sync=False))
    write_manifest(root, Manifest(name="small", duologue="0", shards=tuple(shards)))
    return root


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return duologue.open(build(tmp_path_factory.mktemp("degenerate") / "corpus"))


@pytest.fixture(scope="module")
def others(corpus: Corpus) -> Others:
    return Others(corpus, seed=1)


@pytest.fixture
def play(corpus: Corpus, others: Others) -> Callable[..., tuple[Scene, np.ndarray, tuple[SaidWord, ...]]]:
    """(system, dialogue) -> its scene, samples and words."""

    def apply(name: str, id: str = "en-negation", take: Any = "main", seed: int = 1) -> Any:
        item = corpus.get(id)
        return scene(item, take), *perform(name, item, others, seed=seed, take=take)

    return apply


def spoken(x: np.ndarray) -> list[tuple[float, float]]:
    """Stretches of sound in seconds, gaps under 20 ms filled: every sample of a burst sounds."""
    at = np.flatnonzero(x)
    if not len(at):
        return []
    breaks = np.flatnonzero(np.diff(at) > RATE // 50)
    edges = zip(at[np.r_[0, breaks + 1]], at[np.r_[breaks, -1]] + 1, strict=True)
    return [(round(float(a / RATE), 3), round(float(b / RATE), 3)) for a, b in edges]


def text(words: tuple[SaidWord, ...]) -> str:
    return " ".join(w.text for w in words)


# -- what holds for all --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_every_system_keeps_the_clock_and_repeats_itself(name: str, corpus: Corpus) -> None:
    """As long as the user's audio, inside full scale, words inside and in order; the same again in any order."""
    first, second = Others(corpus, seed=7), Others(corpus, seed=7)
    takes = [(item, take) for item in corpus for take in ("main", "twin")]
    played = [perform(name, item, first, seed=7, take=take) for item, take in takes]  # type: ignore[arg-type]
    for (item, take), (x, words) in zip(takes, played, strict=True):
        assert x.dtype == np.float32 and len(x) == LENGTH and np.abs(x).max() <= 1
        assert all(0 <= w.start < w.end <= LENGTH for w in words), item.id
        assert list(words) == sorted(words, key=lambda w: (w.start, w.end))
        if name not in ("echo", "ghostwriter"):
            # One voice says one word at a time, and a word has sound.
            assert all(a.end <= b.start for a, b in pairwise(words)), (item.id, take)
            assert all(x[w.start : w.end].any() for w in words), (item.id, take)
    for (item, take), (x, words) in reversed(list(zip(takes, played, strict=True))[::3]):
        again = perform(name, item, second, seed=7, take=take)  # type: ignore[arg-type]
        assert np.array_equal(again[0], x) and again[1] == words
    assert describe(name)


@pytest.mark.parametrize("name", ["random_talker", "wrong_topic", "quiet_babble"])
def test_another_seed_says_something_else(name: str, corpus: Corpus) -> None:
    item = corpus.get("en-negation")
    a, b = (perform(name, item, Others(corpus, seed=s), seed=s)[0] for s in (1, 2))
    assert not np.array_equal(a, b)


# -- the yardstick -------------------------------------------------------------------------------------------


def test_honest_is_the_reference(play: Any, corpus: Corpus) -> None:
    for item in corpus:
        _, x, words = play(HONEST, item.id)
        assert np.array_equal(x, item.audio(1)[0])
        said = [w for t in item.dialogue.turns if t.role == "system" for w in t.words]
        assert words == tuple(SaidWord(w.text, w.start, w.end) for w in said)
        assert np.array_equal(play(HONEST, item.id, "twin")[1], item.audio(1, which="twin")[0])


def test_a_twin_has_no_events(play: Any) -> None:
    s, x, words = play(HONEST, "en-negation", "twin")
    # The answer runs on to 7.0 s; its last words are spread over what the corpus gives no times for.
    assert spoken(x) == [(2.4, 7.0)] and len(s.heard) == 1 and s.events == ()
    assert text(words) == TEXTS["en"][1] + TEXTS["en"][6] and words[-1].end == 7 * RATE
    s, x, words = play(HONEST, "zh-pause", "twin")
    # The pause of 1 s is closed: asked from 0.5 to 2.0, answered from 2.4 to 5.0.
    assert [(h.start, h.end) for h in s.heard] == [(RATE // 2, 2 * RATE)]
    assert spoken(x) == [(2.4, 5.0)] and words[0].start == round(2.4 * RATE)
    assert len(play(HONEST, "en-backchannel", "twin")[0].heard) == 2


def test_a_pause_that_is_heard_longer_than_it_is(corpus: Corpus) -> None:
    """The event says 0.94 s, the twin leaves out 1 s: the answer's samples tell where it really lies there."""
    item = corpus.get("en-pause")
    heard = msgspec.structs.replace(item.dialogue.realised[0], start=round(1.03 * RATE), end=round(1.97 * RATE))
    s = scene(OpenDialogue(msgspec.structs.replace(item.dialogue, realised=(heard,)), corpus.root), "twin")
    assert [(a.at, a.end) for a in s.answers] == [(round(2.4 * RATE), 5 * RATE)]
    assert [(h.start, h.end) for h in s.heard] == [(RATE // 2, 2 * RATE)]


# -- silence -------------------------------------------------------------------------------------------------


def test_mute_and_ghostwriter(play: Any) -> None:
    _, x, words = play("mute")
    assert not x.any() and words == ()
    _, x, words = play("ghostwriter")
    assert not x.any() and words == play(HONEST)[2] and words


def test_hum_is_one_tone_all_the_time(play: Any) -> None:
    _, x, words = play("hum")
    power = np.abs(np.fft.rfft(x)) ** 2
    peak = int(power.argmax())
    assert peak * RATE / LENGTH == 120 and power[peak - 2 : peak + 3].sum() > 0.999 * power.sum()
    # 100 ms are 12 whole periods: each at -20 dBFS.
    levels = 20 * np.log10(np.sqrt((x.reshape(-1, 1600) ** 2).mean(axis=1)))
    assert levels == pytest.approx(-20, abs=0.01) and words == ()


def test_quiet_babble_is_there_all_the_time_and_hardly_audible(play: Any) -> None:
    _, x, words = play("quiet_babble")
    assert 20 * np.log10(np.sqrt((x**2).mean())) == pytest.approx(-50, abs=0.01)
    assert np.sqrt((x.reshape(-1, 8000) ** 2).mean(axis=1)).min() > 10 ** (-60 / 20) and words == ()


# -- the user's own words ------------------------------------------------------------------------------------


def test_echo(play: Any) -> None:
    s, x, words = play("echo", "zh-third_party")
    assert np.array_equal(x[4800:], s.user[:-4800]) and not x[:4800].any()
    assert words == tuple(SaidWord(w.text, w.start + 4800, w.end + 4800) for h in s.heard for w in h.words)


def test_parrot(play: Any) -> None:
    s, x, words = play("parrot", "en-negation")
    # Turns end at 2.0 and 6.0 and last 1.5 and 1.4 s.
    assert spoken(x) == [(2.3, 3.8), (6.3, 7.7)]
    assert np.array_equal(x[round(2.3 * RATE) : round(3.8 * RATE)], s.user[RATE // 2 : 2 * RATE])
    assert text(words) == TEXTS["en"][0] + " " + TEXTS["en"][2]


# -- the right words at the wrong time -----------------------------------------------------------------------


def test_never_stops(play: Any) -> None:
    s, x, words = play("never_stops")
    # From 2.4 s on, over the interruption and to the end; 0.2 s between two rounds of 4.6 s.
    assert spoken(x) == [(2.4, 7.0), (7.2, 11.8), (12.0, 14.0)]
    assert np.array_equal(x[round(7.2 * RATE) : round(11.8 * RATE)], s.answers[0].whole.samples)
    assert text(words).startswith(TEXTS["en"][1] + TEXTS["en"][6] + " well it")


def test_always_stops(play: Any) -> None:
    # Signal from 4.0 s on: silent from 4.2 until the next answer. A bystander has the same effect.
    assert spoken(play("always_stops", "en-backchannel")[1]) == [(2.4, 4.2), (9.4, 11.5)]
    assert spoken(play("always_stops", "zh-third_party")[1]) == [(2.4, 4.2), (9.4, 11.5)]
    assert spoken(play("always_stops", "en-negation")[1]) == [(2.4, 4.8), (6.5, 9.0)]


def test_stutterer(play: Any) -> None:
    s, x, words = play("stutterer", "en-termination")
    # Silent at 4.7, on again 0.3 s after "stop" ended at 5.5; 4.6 s in all.
    assert spoken(x) == [(2.4, 4.7), (5.8, 8.1)]
    whole = s.answers[0].whole.samples
    assert np.array_equal(x[round(5.8 * RATE) : round(8.1 * RATE)], whole[round(2.3 * RATE) :])
    assert text(words) == TEXTS["en"][1] + TEXTS["en"][6]


def test_restarter(play: Any) -> None:
    s, x, words = play("restarter", "en-backchannel")
    # Silent at 4.2; from 4.8 the answer of 4.6 s again, until 0.2 s after the user asks on at 7.5; then the next.
    assert spoken(x) == [(2.4, 4.2), (4.8, 7.7), (9.4, 11.5)]
    begin = round(4.8 * RATE)
    assert np.array_equal(x[begin : begin + RATE], s.answers[0].said.samples[:RATE])
    assert text(words).count("okay they") == 2
    assert spoken(play("restarter", "en-negation")[1]) == spoken(play(HONEST, "en-negation")[1])


def test_early_talker(play: Any) -> None:
    s, x, _ = play("early_talker", "en-backchannel")
    assert spoken(x) == [(0.5, 5.1), (7.5, 9.6)]
    assert np.array_equal(x[RATE // 2 : RATE], s.answers[0].said.samples[: RATE // 2])
    # Two answers without a gap: the second begins at 4.6, as soon as the user opens their mouth.
    assert spoken(play("early_talker", "en-negation")[1]) == [(0.5, 7.1)]


def test_filler_only_and_filler_then_late(play: Any, others: Others) -> None:
    s, x, words = play("filler_only", "en-backchannel")
    filler = others.filler("en")
    assert text(filler.words) in ("well", "okay", "right") and text(words) == text(filler.words * 2)
    length = len(filler) / RATE
    assert spoken(x) == [(2.2, pytest.approx(2.2 + length, abs=1e-3)), (9.2, pytest.approx(9.2 + length, abs=1e-3))]
    s, x, words = play("filler_then_late", "en-pause")
    # Asked until 3.0: filler at 3.2, the answer of 2.6 s from 8.0.
    assert spoken(x) == [(3.2, pytest.approx(3.2 + length, abs=1e-3)), (8.0, 10.6)]
    assert np.array_equal(x[8 * RATE : round(10.6 * RATE)], s.answers[0].said.samples)


def test_peeker(play: Any) -> None:
    _, x, _ = play("peeker", "en-negation")
    # The answers start where the questions end, 2.0 and 6.0; silent 0.3 s before the interruption at 4.6.
    assert spoken(x) == [(2.0, 4.3), (6.0, 8.5)]
    assert spoken(play("peeker", "en-backchannel")[1]) == [(2.0, 6.6), (9.0, 11.1)]


def test_answers_everyone(play: Any) -> None:
    s, x, _ = play("answers_everyone", "en-third_party")
    # The bystander ends at 5.0: from 5.3 something else is said.
    begin = round(5.3 * RATE)
    assert np.array_equal(x[:begin][: -RATE // 100], s.reference[:begin][: -RATE // 100])
    later = x[begin : begin + RATE]
    assert later.any() and not np.array_equal(later, s.reference[begin : begin + RATE])
    assert spoken(x)[-1] == (9.4, 11.5)


# -- the wrong words at the right time -----------------------------------------------------------------------


def test_one_word(play: Any) -> None:
    _, x, words = play("one_word", "en-backchannel")
    assert text(words) == "okay right"
    assert [round(a, 4) for a, _ in spoken(x)] == [2.2, 9.2]


def test_nodder(play: Any) -> None:
    _, x, words = play("nodder")
    stretches = spoken(x)
    assert [a for a, _ in stretches] == [1.5 * k for k in range(1, 10)]
    assert all(b - a <= 0.7 for a, b in stretches) and len(words) == 9


@pytest.mark.parametrize("name", ["wrong_language", "wrong_topic", "same_answer", "one_behind"])
def test_flawless_timing(name: str, play: Any) -> None:
    """Sound only where the reference sounds, from its first sample on, and cut where it was cut."""
    for id in ("en-negation", "zh-backchannel"):
        s, x, _ = play(name, id)
        assert not x[s.reference == 0].any()
        for a in s.answers:
            assert x[a.at : a.at + 100].all()
            assert not np.array_equal(x[a.at : a.at + 100], s.reference[a.at : a.at + 100]) or name == "same_answer"


def test_wrong_language(play: Any) -> None:
    assert text(play("wrong_language", "zh-negation")[2]).replace(" ", "").isascii()
    assert not text(play("wrong_language", "en-negation")[2]).isascii()


def test_same_answer_and_one_behind(play: Any, others: Others) -> None:
    for id in ("en-negation", "en-backchannel", "en-third_party"):
        s, _, words = play("same_answer", id)
        for a in s.answers:
            first = [w for w in words if a.at <= w.start < a.end][:3]
            assert text(tuple(first)) == text(others.same_answer("en").words[:3])
    s, x, words = play("one_behind", "en-backchannel")
    second = s.answers[1]
    assert np.array_equal(x[second.at : second.at + RATE], s.answers[0].said.samples[:RATE])


def test_random_talker_speaks_of_other_things(play: Any, corpus: Corpus) -> None:
    _, x, words = play("random_talker", "en-negation")
    openings = {a.said.samples[:100].tobytes(): item.id for item in corpus for a in scene(item).answers}
    at = np.flatnonzero(x)
    starts = at[np.r_[True, np.diff(at) > RATE // 50]]
    sources = [openings[x[a : a + 100].tobytes()] for a in starts]
    assert sources and "en-negation" not in sources and words
    assert spoken(x)[0][0] >= 1


# -- runs on disk --------------------------------------------------------------------------------------------


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


@pytest.mark.parametrize("name", ALL)
def test_a_run_reads_back_without_a_problem(name: str, corpus: Corpus, others: Others, tmp_path: Path) -> None:
    half = duologue.open(corpus.root, language="en")
    assert write_run(half, name, tmp_path / "run", seed=1, twins=True) == len(half)
    run = Run(tmp_path / "run")
    assert run.manifest.system == name and run.manifest.corpus_sha256 == corpus.manifest.corpus_sha256
    for item in half:
        for twin in (False, True):
            x, seen = run.system(run.observe(item.dialogue, twin=twin), item.dialogue, item)
            assert (seen.status, seen.why, seen.notes) == ("ok", "", ())
            want, words = perform(name, item, others, seed=1, take="twin" if twin else "main")
            assert np.abs(x - want).max() <= 0.5 / 32_768 and seen.words == words
    assert run.extra == [] and run.broken == []


def test_workers_do_not_show(corpus: Corpus, tmp_path: Path) -> None:
    write_run(corpus, "random_talker", tmp_path / "one", seed=3)
    write_run(corpus, "random_talker", tmp_path / "two", seed=3, workers=2)
    assert list(files(tmp_path / "one")) == list(files(tmp_path / "two"))
    assert not (tmp_path / "one" / "clean").exists()


def test_filters_hold_and_do_not_change_what_is_said(corpus: Corpus, tmp_path: Path) -> None:
    """One scenario of one language still draws its strangers from the whole corpus."""
    narrow = duologue.open(corpus.root, language="en", scenario="pause")
    assert write_run(narrow, "wrong_language", tmp_path / "narrow", seed=3) == 1
    write_run(corpus, "wrong_language", tmp_path / "all", seed=3)
    assert (tmp_path / "narrow" / "en-pause.wav").read_bytes() == (tmp_path / "all" / "en-pause.wav").read_bytes()


def test_what_cannot_be_written_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such system") as caught:
        write_run(corpus, "perfect", tmp_path / "run")
    assert "honest, mute" in caught.value.allowed
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.wav").write_bytes(b"precious")
    with pytest.raises(UserError, match="not empty"):
        write_run(corpus, "mute", tmp_path / "run")
    alone = duologue.open(build(tmp_path / "english", ("en",)))
    with pytest.raises(UserError, match="no dialogue of another language"):
        write_run(alone, "wrong_language", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_dialogue_without_a_reference_is_refused_by_name(corpus: Corpus) -> None:
    item = corpus.get("en-pause")
    main = msgspec.structs.replace(item.dialogue.audio[0], channels=(Channel(kind="user-mic"), Channel(kind="mixed")))
    bare = OpenDialogue(msgspec.structs.replace(item.dialogue, audio=(main,)), corpus.root)
    with pytest.raises(UserError, match="dialogue en-pause: no reference system"):
        perform("mute", bare, Others(corpus, seed=0), seed=0)


# -- the tape ------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.booleans(), st.integers(-200, 2200), st.integers(0, 900)), max_size=12))
@settings(max_examples=100)
def test_a_tape_says_one_thing_at_a_time(steps: list[tuple[bool, int, int]]) -> None:
    """Whatever is said and hushed: words do not overlap, lie inside, and silence has none."""
    tape = Tape(2000)
    for say, at, length in steps:
        if say:
            words = tuple(SaidWord(str(i), i, min(i + 100, length)) for i in range(0, length, 100))
            tape.say(Said(np.ones(length, np.float32), words), at)
        elif at >= 0:
            tape.hush(at, at + length)
    for a, b in pairwise(tape.words):
        assert a.end <= b.start
    for w in tape.words:
        assert 0 <= w.start <= w.end <= 2000
        assert w.start == w.end or tape.samples[w.start : w.end].any()
    assert np.abs(tape.samples).max() <= 1
