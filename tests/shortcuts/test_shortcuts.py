"""Planted shortcuts are caught, a corpus without any passes, and the statistics are what they say."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from duologue.cli.shortcuts import command
from duologue.corpus import read
from duologue.corpus.acoustics import Acoustics
from duologue.corpus.audio import Channel, Twin
from duologue.corpus.dialogue import SCHEMA_VERSION, Dialogue
from duologue.corpus.event import Event, RealisedEvent, Trigger
from duologue.corpus.rights import Rights
from duologue.corpus.speaker import Speaker
from duologue.corpus.turn import Segment, Turn
from duologue.formats.landing import Landing
from duologue.shortcuts.guess import guess, holm
from duologue.shortcuts.observe import pitches, silent
from duologue.shortcuts.search import Search, search

RATE = 16_000
SCENARIOS = ("follow_up", "backchannel", "third_party")


class Plan(msgspec.Struct):
    """What a planted dialogue is made of; a test spoils one of these by the scenario."""

    scenario: str
    number: int
    id: str
    noise: float
    pitch: float
    speaker: str
    snr: float
    lead: float
    hiss: float
    split: str


def corpus(folder: Path, spoil: Callable[[Plan], None] = lambda plan: None, count: int = 60) -> read.Corpus:
    """``count`` duplex dialogues of noise and hums in which nothing but ``spoil`` goes with the scenario."""
    rng = random.Random(5)
    folder.mkdir()
    landing = Landing(folder)
    for n in range(count):
        plan = Plan(
            scenario=SCENARIOS[n % 3],
            number=n,
            id=f"{rng.getrandbits(48):012x}",
            noise=10 ** rng.uniform(-3.2, -2.4),
            pitch=rng.uniform(90, 260),
            speaker=f"voice-{rng.randrange(12)}",
            snr=rng.uniform(5, 25),
            lead=rng.uniform(0.5, 0.9),
            hiss=1.0,
            split="train",
        )
        spoil(plan)
        _add(landing, plan, random.Random(n))
    landing.finish("planted", {})
    return read.open(folder)


def _add(landing: Landing, plan: Plan, rng: random.Random) -> None:
    noise = np.random.default_rng(plan.number)
    spans = {"user": (plan.lead, plan.lead + 1.0), "system": (2.4, 4.2), "event": (3.0, 3.4)}
    at = {k: (round(a * RATE), round(b * RATE)) for k, (a, b) in spans.items()}
    length = 5 * RATE
    clean = np.zeros((length, 2))
    clean[:, 0] = noise.normal(0, plan.noise, length)
    t = np.arange(length) / RATE

    def hum(name: str, pitch: float) -> np.ndarray:
        a, b = at[name]
        wave = sum(np.sin(2 * np.pi * k * pitch * t[: b - a]) / k for k in range(1, 9))
        return 0.08 * np.asarray(wave) * np.hanning(b - a) ** 0.2

    clean[slice(*at["user"]), 0] += hum("user", plan.pitch)
    clean[slice(*at["system"]), 1] += hum("system", 180)
    event = clean.copy()
    event[slice(*at["event"]), 0] += hum("event", plan.pitch)
    if plan.hiss != 1.0:
        # A seam: the gap that the event leaves in the twin is of another noise, outside what the system covers.
        event[round(4.6 * RATE) :, 0] *= plan.hiss
    people = ("user", plan.speaker), ("system", "machine")
    texts = {"user": "what is it", "system": "it is so", "event": "mhm"}
    turns = tuple(
        Turn(
            index=i,
            role="system" if name == "system" else "user",
            speaker="machine" if name == "system" else plan.speaker,
            addressee="machine" if name != "system" else plan.speaker,
            language="en",
            text=texts[name],
            segments=(Segment(audio="a0", channel=int(name == "system"), start=at[name][0], end=at[name][1]),),
        )
        for i, name in enumerate(spans)
    )
    d = Dialogue(
        schema_version=SCHEMA_VERSION,
        id=plan.id,
        track="duplex",
        tasks=("rejection",),
        languages=("en",),
        split=plan.split,  # type: ignore[arg-type]
        scenario=plan.scenario,
        source="synthetic",
        rights=Rights(licence="CC0-1.0", consent_id="not-applicable"),
        groups={"script_family": (f"story-{plan.number // 3 % 18}",), "noise": (f"hiss-{plan.number % 7}",)},
        speakers=tuple(
            Speaker(id=who, role=role, languages=("en",), synthetic=True)  # type: ignore[arg-type]
            for role, who in people
        ),
        turns=turns,
        events=(
            Event(
                id="e0",
                kind=plan.scenario,
                speaker=plan.speaker,
                trigger=Trigger(reference_turn=1, anchor="turn_start"),
                target_turn=2,
                expected=("stop", "respond") if plan.scenario == "follow_up" else ("continue",),
            ),
        ),
        realised=(RealisedEvent(event="e0", audio="a0", channel=0, start=at["event"][0], end=at["event"][1]),),
        acoustics=Acoustics(noise=f"hiss-{plan.number % 7}", snr_db=plan.snr),
    )
    channels = (Channel(kind="user-mic", speakers=(plan.speaker,)), Channel(kind="system", speakers=("machine",)))
    pcm = [np.rint(x * 32_767).astype(np.int16) for x in (event, clean)]
    differs = (at["event"][0], length)
    audio = (
        landing.store(d, "a0", pcm[0], RATE, channels),
        landing.store(d, "twin", pcm[1], RATE, channels, Twin(of="a0", differs=differs)),
    )
    landing.add(msgspec.structs.replace(d, audio=audio))


def found(result: Search) -> set[tuple[str, str]]:
    return {(t.target, t.clues) for t in result.shortcuts}


def test_a_corpus_without_shortcuts_passes(tmp_path: Path) -> None:
    result = search(corpus(tmp_path / "c"), permutations=999)
    assert found(result) == set()
    verdicts = {(t.target, t.clues): t.verdict for t in result.trials}
    assert verdicts["scenario", "silence"] == verdicts["scenario", "voice"] == verdicts["twin", "silence"] == "ok"
    assert verdicts["scenario", "words"] == "reported"
    assert verdicts["split", "metadata"] == "too few"


def _noise(plan: Plan) -> None:
    plan.noise = (0.0006, 0.001, 0.003)[SCENARIOS.index(plan.scenario)]


def _digital_zero(plan: Plan) -> None:
    if plan.scenario == "third_party":
        plan.noise = 0.0


def _sorted_ids(plan: Plan) -> None:
    plan.id = f"{SCENARIOS.index(plan.scenario)}{plan.id}"


def _pitch(plan: Plan) -> None:
    plan.pitch += (0.0, 60.0, 140.0)[SCENARIOS.index(plan.scenario)]


def _cast(plan: Plan) -> None:
    plan.speaker = f"voice-{3 * (plan.number % 4) + SCENARIOS.index(plan.scenario)}"


def _snr(plan: Plan) -> None:
    plan.snr += 15 * SCENARIOS.index(plan.scenario)


def _middle_snr(plan: Plan) -> None:
    """Not monotonic: the first scenario has the middle levels, the others both ends."""
    plan.snr = 15 + plan.snr / 10 if plan.scenario == "follow_up" else (4 if plan.number % 2 else 26) + plan.snr / 10


def _seam(plan: Plan) -> None:
    plan.hiss = 2.5


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (_noise, ("scenario", "silence")),
        (_digital_zero, ("scenario", "silence")),
        (_sorted_ids, ("scenario", "metadata")),
        (_pitch, ("scenario", "voice")),
        (_cast, ("scenario", "speaker")),
        (_snr, ("scenario", "room")),
        (_middle_snr, ("action", "room")),
        (_seam, ("twin", "silence")),
    ],
)
def test_a_planted_shortcut_is_caught(tmp_path: Path, spoil: Callable[[Plan], None], expected: tuple[str, str]) -> None:
    result = search(corpus(tmp_path / "c", spoil), permutations=999)
    assert expected in found(result)
    # What is planted shows in no set of clues that it does not touch; noise is heard under the voice too.
    assert {clues for _, clues in found(result)} <= {expected[1], *(("voice",) if expected[1] == "silence" else ())}


def test_a_split_that_the_id_tells_is_caught(tmp_path: Path) -> None:
    def spoil(plan: Plan) -> None:
        plan.split = ("train", "test")[plan.number // 3 % 2]
        plan.id = plan.split[-1] + plan.id

    assert ("split", "metadata") in found(search(corpus(tmp_path / "c", spoil), permutations=999))


def test_the_command_says_so_by_its_exit_code(tmp_path: Path) -> None:
    corpus(tmp_path / "clean", count=45)
    corpus(tmp_path / "bad", _sorted_ids, count=45)
    for name, code in (("clean", 0), ("bad", 1)):
        run = CliRunner().invoke(command, [str(tmp_path / name), "--json"])
        assert run.exit_code == code, run.output
        trials = json.loads(run.stdout)["trials"]
        assert any(t["verdict"] == "shortcut" for t in trials) is bool(code)
    text = CliRunner().invoke(command, [str(tmp_path / "bad")]).output
    assert "shortcut: scenario from metadata" in text


def test_a_listed_reason_excuses(tmp_path: Path) -> None:
    result = search(
        corpus(tmp_path / "c", _snr),
        permutations=999,
        listed={("scenario", "room"): "on purpose", ("action", "room"): "on purpose"},
    )
    assert found(result) == set()
    assert {t.reason for t in result.trials if t.verdict == "listed"} == {"on purpose"}


def test_equal_seeds_give_equal_results_and_samples_are_bounded(tmp_path: Path) -> None:
    c = corpus(tmp_path / "c", count=45)
    one, two = (search(c, sample=30, permutations=99, seed=3) for _ in range(2))
    assert msgspec.json.encode(one) == msgspec.json.encode(two)
    assert one.sampled == 30


def test_chance_is_where_chance_is() -> None:
    """Of 100 guesses at pure chance about 5 have p <= 0.05, whatever the groups and the balance of the labels."""
    rng = np.random.default_rng(1)
    low = 0
    for trial in range(100):
        labels = ["a" if x < 0.7 else "b" for x in rng.random(80)]
        groups = [f"g{x}" for x in rng.integers(0, 20, 80)]
        result = guess(rng.normal(size=(80, 6)), labels, groups, ["en"] * 80, permutations=99, seed=trial)
        assert result is not None
        low += result.p <= 0.05
    assert low <= 12


def test_labels_that_go_with_groups_are_moved_by_group() -> None:
    """Features shared by a group, labels given by group: 12 groups are 12 witnesses, not 120."""
    rng = np.random.default_rng(2)
    low = 0
    for trial in range(60):
        group = np.repeat(np.arange(12), 10)
        label = rng.permutation([0, 1] * 6)[group]
        x = rng.normal(size=(12, 4))[group] + 0.05 * rng.normal(size=(120, 4))
        result = guess(x, [f"l{v}" for v in label], [f"g{v}" for v in group], ["en"] * 120, permutations=99, seed=trial)
        assert result is not None
        low += result.p <= 0.05
    assert low <= 9


def test_a_guess_within_strata_takes_no_credit_for_them() -> None:
    """The language is known anyway: features that tell it alone are no clue, though labels go with the language."""
    rng = np.random.default_rng(3)
    language = rng.integers(0, 2, 200)
    label = np.where(rng.random(200) < 0.9, language, 1 - language)
    x = np.column_stack([language + 0.1 * rng.normal(size=200), rng.normal(size=200)])
    groups = [f"g{v}" for v in rng.integers(0, 40, 200)]
    result = guess(x, [f"l{v}" for v in label], groups, [f"s{v}" for v in language])
    assert result is not None
    assert result.accuracy > 0.8
    assert result.effect < 0.1


def test_constant_features_are_no_clue() -> None:
    for seed in range(20):
        labels = [str(x) for x in np.random.default_rng(seed).permutation([0, 1, 2] * 20)]
        result = guess(
            np.ones((60, 3)), labels, [str(i // 3) for i in range(60)], ["en"] * 60, permutations=199, seed=seed
        )
        assert result is not None
        assert result.p > 0.005


def test_too_little_is_said_to_be_too_little() -> None:
    assert guess(np.zeros((10, 2)), ["a", "b"] * 5, [str(i) for i in range(10)], ["en"] * 10) is None


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == [0.03, 0.06, 0.06, 0.02]
    assert holm([]) == []


@pytest.mark.parametrize("hz", [80, 120, 220, 380])
def test_pitch_of_a_hum(hz: int) -> None:
    t = np.arange(RATE) / RATE
    hum = sum(np.sin(2 * np.pi * k * hz * t) / k for k in range(1, 6))
    assert np.median(pitches(np.asarray(hum), RATE)) == pytest.approx(12 * np.log2(hz / 100), abs=0.4)


def test_silence_is_where_nobody_speaks_and_the_system_is_quiet() -> None:
    x = np.zeros((RATE, 2))
    x[8_000:9_000, 1] = 0.1
    quiet = silent(x, RATE, [(1_600, 3_200)])
    times = np.flatnonzero(quiet) * 0.02
    assert set(np.round(times[times < 0.45], 2)) == {0.0, 0.02, 0.04, 0.06, 0.08}  # 250 ms of tail fill the rest.
    assert not quiet[25:28].any()
