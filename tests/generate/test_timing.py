from itertools import pairwise
from random import Random
from statistics import NormalDist

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duologue.generate.timing import (
    OFFSETS_EN,
    OFFSETS_ZH,
    REPLY,
    Offsets,
    Timeline,
    TimingSettings,
    Utterance,
    arrange,
    draw_offset,
    dyad_effect,
    quantile,
)

RATE = 16_000
DYAD = ("user", "system")


def run(lines: list[Utterance], seed: int = 0, timing: TimingSettings = TimingSettings()) -> Timeline:
    return arrange(lines, timing, language="en", dyad=DYAD, rng=Random(seed), sample_rate=RATE)


def words(seconds: float, step: float = 0.3) -> dict:
    """Length and boundaries of a line whose words end every ``step`` seconds, a clause at every fourth."""
    ends = tuple(round(x * RATE) for x in np.arange(step, seconds + 1e-9, step))
    return {"length": ends[-1], "boundaries": ends, "clause": tuple(i % 4 == 3 for i in range(len(ends)))}


ASK = Utterance(role="user", kind="turn", **words(2.1))
ANSWER = Utterance(role="system", kind="turn", **words(9.0))


def test_a_quantile_lies_on_the_line_between_two_points_of_the_table() -> None:
    table = ((0.0, -1.0), (0.5, 0.0), (1.0, 4.0))
    assert [quantile(table, p) for p in (0.0, 0.25, 0.5, 0.75, 1.0)] == [-1.0, -0.5, 0.0, 2.0, 4.0]
    assert quantile(((0.1, 2.0), (0.9, 3.0)), 0.0) == 2.0
    assert quantile(((0.1, 2.0), (0.9, 3.0)), 1.0) == 3.0


@pytest.mark.parametrize("offsets", [OFFSETS_EN, OFFSETS_ZH, REPLY])
def test_drawn_offsets_follow_their_table(offsets: Offsets) -> None:
    rng = Random(1)
    drawn = np.quantile(
        [draw_offset(offsets, rng.gauss(0, 1), rng) for _ in range(20_000)], [p for p, _ in offsets.quantiles[1:-1]]
    )
    assert drawn == pytest.approx([x for _, x in offsets.quantiles[1:-1]], abs=0.05)


def test_a_dyad_keeps_its_own_tempo_and_dyads_differ() -> None:
    effects = [dyad_effect(f"u{i}", "s") for i in range(400)]
    assert dyad_effect("u7", "s") == effects[7]
    rng = Random(3)
    drawn = np.array([[quantile_rank(draw_offset(OFFSETS_EN, e, rng)) for _ in range(20)] for e in effects])
    # Intraclass correlation on the normal scale, by one-way analysis of variance.
    between, within = 20 * np.var(drawn.mean(axis=1), ddof=1), np.mean(np.var(drawn, axis=1, ddof=1))
    assert (between - within) / (between + 19 * within) == pytest.approx(OFFSETS_EN.dyad, abs=0.06)


def quantile_rank(seconds: float) -> float:
    """The standard normal value whose probability the table gives ``seconds``."""
    p, x = zip(*OFFSETS_EN.quantiles, strict=True)
    return NormalDist().inv_cdf(min(max(np.interp(seconds, x, p), 1e-4), 1 - 1e-4))


def test_realised_transfers_of_one_corpus_match_the_target() -> None:
    """User offsets as they come out of whole dialogues, over many dyads, beside the table they are drawn from."""
    realised, replies = [], []
    for seed in range(2500):
        line = arrange(
            [ASK, ANSWER] * 4,
            TimingSettings(),
            language="en",
            dyad=(f"u{seed}", "s"),
            rng=Random(seed),
            sample_rate=RATE,
        )
        for i, place in enumerate(line.placements):
            if place is not None and place.offset is not None:
                (realised if i % 2 == 0 else replies).append(place.offset / RATE)
    for p, target in OFFSETS_EN.quantiles[1:-1]:
        assert np.quantile(realised, p) == pytest.approx(target, abs=0.05 if p <= 0.75 else 0.1)
    assert min(realised) >= -OFFSETS_EN.max_overlap - 1e-3
    assert min(replies) > 0.0 and 0.4 < np.median(replies) < 0.56 and max(replies) < 1.1


@pytest.mark.parametrize("seed", range(40))
def test_an_interruption_begins_on_a_word_end_in_the_middle_and_the_answer_breaks_off(seed: int) -> None:
    cut_in = Utterance(role="user", kind="interruption", over=1, **words(1.2))
    line = run([ASK, ANSWER, cut_in, ANSWER], seed)
    host, place, reply = line.placements[1], line.placements[2], line.placements[3]
    assert host is not None and place is not None and reply is not None
    at = place.start - host.start
    assert at in ANSWER.boundaries and at == ANSWER.boundaries[place.word or 0]
    assert 0.2 <= at / ANSWER.length <= 0.8
    assert host.cut is not None
    reaction, fade = host.cut[0] - at, host.cut[1]
    assert 0.2 <= reaction / RATE <= 0.7 and 0.02 <= fade / RATE <= 0.12
    assert reply.start > max(place.end, host.end)


def test_reactions_and_fades_are_not_constant() -> None:
    cut_in = Utterance(role="user", kind="interruption", over=1, **words(1.2))
    cuts = {run([ASK, ANSWER, cut_in], seed).placements[1].cut for seed in range(20)}  # type: ignore[union-attr]
    assert len(cuts) == 20


def test_after_a_request_for_silence_the_next_turn_waits() -> None:
    stop = Utterance(role="user", kind="interruption", over=1, silences=True, **words(0.6))
    for seed in range(20):
        line = run([ASK, ANSWER, stop, ASK, ANSWER], seed)
        gap = line.placements[3].start - line.placements[2].end  # type: ignore[union-attr]
        assert 1.5 <= gap / RATE <= 5.0


def test_an_answer_of_one_word_can_still_be_interrupted() -> None:
    short = Utterance(role="system", kind="turn", length=8000, boundaries=(8000,), clause=(True,))
    cut_in = Utterance(role="user", kind="interruption", over=1, **words(1.2))
    line = run([ASK, short, cut_in])
    host = line.placements[1]
    assert host is not None and host.cut is not None
    assert host.cut[0] > 0 and host.end < host.start + short.length


def test_pauses_are_drawn_both_under_and_over_the_merge_gap() -> None:
    line = Utterance(role="user", kind="turn", pauses=(10_000, 20_000), **words(2.1))
    drawn = [p / RATE for seed in range(100) for p in run([line], seed).placements[0].pauses]  # type: ignore[union-attr]
    assert 0.3 <= min(drawn) < 0.6 < max(drawn) <= 2.5
    assert 0.05 < np.mean([p < 0.6 for p in drawn]) < 0.3


KINDS = st.sampled_from(["turn", "backchannel", "third_party", "others_directed", "interruption"])


@st.composite
def dialogues(draw: st.DrawFn) -> list[Utterance]:
    """Any mixture of turns and overs, sensible or not: over empty lines, cut lines, themselves, later lines."""
    lines: list[Utterance] = []
    for _ in range(draw(st.integers(1, 9))):
        over = draw(st.none() | st.integers(0, 9))
        kind = draw(KINDS) if over is not None else "turn"
        role = "third_party" if kind == "third_party" else draw(st.sampled_from(["user", "system"]))
        if kind != "turn":
            role = "third_party" if kind == "third_party" else "user"
        size = draw(st.sampled_from([0, 1, 200, 3_000, 30_000, 160_000]))
        ends = tuple(sorted(draw(st.sets(st.integers(1, size), max_size=8)) | {size})) if size else ()
        pauses = tuple(sorted(draw(st.sets(st.integers(1, size - 1), max_size=2)))) if size > 10 else ()
        lines.append(
            Utterance(
                role=role,  # type: ignore[arg-type]
                kind=kind,  # type: ignore[arg-type]
                length=size,
                over=over,
                boundaries=ends,
                clause=tuple(False for _ in ends),
                pauses=pauses if role == "user" else (),
            )
        )
    return lines


@settings(max_examples=300, deadline=None)
@given(dialogues(), st.integers(0, 9))
def test_whatever_the_script_nobody_speaks_over_themselves(lines: list[Utterance], seed: int) -> None:
    line = run(lines, seed)
    spoken = [(u, p) for u, p in zip(lines, line.placements, strict=True) if p is not None]
    assert len(spoken) == sum(u.length > 0 for u in lines)
    for role in ("user", "system"):
        spans = sorted((p.start, p.end) for u, p in spoken if u.role == role)
        assert all(a[1] <= b[0] for a, b in pairwise(spans)), (role, spans)
    for _, p in spoken:
        assert 0 <= p.start < p.end <= line.length
        assert p.cut is None or (p.cut[0] >= 0 and p.cut[1] >= 1)
    assert run(lines, seed) == line


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pause": [2.0, 1.0]}, "pause"),
        ({"interruption_at": [0.2, 1.2]}, "interruption_at"),
        ({"reaction": [-0.1, 0.2]}, "reaction"),
        ({"en": {"quantiles": [[0.5, 0.1]], "dyad": 0.1, "max_overlap": 0.5}}, "two"),
        ({"en": {"quantiles": [[0.5, 0.1], [0.4, 0.2]], "dyad": 0.1, "max_overlap": 0.5}}, "rise"),
        ({"pauze": [0.1, 0.2]}, "pauze"),
    ],
)
def test_settings_refuse_what_cannot_be(change: dict, message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.convert(change, TimingSettings)
