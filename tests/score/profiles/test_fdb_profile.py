"""Full-Duplex-Bench v1 by hand, against scipy, and on the benchmark's own examples."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duologue.errors import UserError
from duologue.score.profiles.fdb import (
    FdbItem,
    FdbWord,
    backchannels,
    divergence,
    evaluate,
    latency,
    read_distributions,
    takes_over,
    timing,
    words_in,
)

DATA = Path(__file__).parents[3] / ".." / "shared" / "data" / "fdb_examples" / "v1_v1.5" / "evaluation"


def words(*rows: tuple[float, float | None]) -> tuple[FdbWord, ...]:
    return tuple(FdbWord("w", start, end) for start, end in rows)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([], False),
        ([(0.0, 0.3)], False),
        ([(0.0, 0.3), (0.4, 0.6), (0.7, 0.999)], False),  # three words in less than a second
        ([(0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8)], True),  # four words
        ([(0.0, 0.3), (0.7, 1.0)], True),  # exactly a second
        ([(0.0, 0.3), (0.9, None)], False),  # an open end: from start to start, 0.9 s
        ([(0.0, 0.3), (1.0, None)], True),
    ],
)
def test_takeover(said: list[tuple[float, float | None]], expected: bool) -> None:
    assert takes_over(words(*said)) is expected


def test_latency_is_never_negative() -> None:
    assert latency(words((3.36, 3.9)), 2.01) == pytest.approx(1.35)
    assert latency(words((1.0, 1.5)), 2.01) == 0


def test_words_of_a_stretch() -> None:
    said = words((0.0, 0.5), (0.9, 1.1), (1.2, 1.4), (1.9, 2.3), (2.0, 2.5), (2.5, 3.0))
    # [1, 2] is touched by the second (runs in), third (inside), fourth (runs out) and fifth (starts at its end).
    assert words_in(said, 1.0, 2.0) == 4
    # Open ends: one that starts before the stretch's end may still run, and is left out.
    assert words_in(words((1.5, None)), 1.0, 2.0) == 0
    # A word over the whole stretch counts once.
    assert words_in(words((0.0, 5.0)), 1.0, 2.0) == 1


@pytest.mark.parametrize(
    ("segments", "said", "taken", "found"),
    [
        ([], [], False, []),
        ([(1.0, 1.6)], [(1.0, 1.5)], False, [(1.0, 1.6)]),
        ([(1.0, 2.0)], [(1.0, 1.5)], True, []),  # a second long is no backchannel
        ([(1.0, 1.6)], [(1.0, 1.2), (1.2, 1.4), (1.4, 1.6)], True, []),  # three words are none
        ([(1.0, 4.0)], [(1.0, 1.5)], True, []),
        ([(1.0, 4.1)], [], True, []),  # longer than 3 s, whatever is said
        # A takeover throws away what came before it ...
        ([(1.0, 1.5), (3.0, 5.0)], [], True, []),
        # ... a later backchannel undoes it ...
        ([(3.0, 5.0), (7.0, 7.5)], [], False, [(7.0, 7.5)]),
        # ... and a long stretch ends the look but keeps what was found.
        ([(1.0, 1.5), (3.0, 7.0), (8.0, 8.5)], [], True, [(1.0, 1.5)]),
    ],
)
def test_backchannels(
    segments: list[tuple[float, float]],
    said: list[tuple[float, float]],
    taken: bool,
    found: list[tuple[float, float]],
) -> None:
    assert backchannels(segments, words(*said)) == (taken, found)


def test_timing_in_bins_of_a_fifth_of_a_second() -> None:
    # 1 s is int(5) + 1 = 6 bins. 0.25-0.5 touches bins 1 and 2; 0.9-2.0 bins 4 and 5, beyond the end nothing.
    np.testing.assert_allclose(timing([(0.25, 0.5), (0.9, 2.0)], 1.0), [0, 0.25, 0.25, 0, 0.25, 0.25], atol=1e-9)


def test_divergence_by_hand() -> None:
    # P = (1, 0), Q = (1/2, 1/2), M = (3/4, 1/4): KL(P|M) = ln(4/3) = 0.28768;
    # KL(Q|M) = 1/2 ln(2/3) + 1/2 ln 2 = 1/2 ln(4/3) = 0.14384. Half their sum 0.21576, its root 0.46450.
    assert divergence(np.array([1.0, 0.0]), [0.5, 0.5]) == pytest.approx(0.46450, abs=1e-5)
    assert divergence(np.array([0.5, 0.5]), [3.0, 3.0]) == 0
    assert divergence(np.array([1.0, 0.0]), [0.0, 1.0]) == pytest.approx(math.sqrt(math.log(2)))
    # Two bins stretched to three: (1, 0) becomes (1, 0.5, 0) / 1.5.
    assert divergence(np.array([2 / 3, 1 / 3, 0.0]), [1.0, 0.0]) == pytest.approx(0, abs=1e-7)


@settings(deadline=None)
@given(
    st.lists(st.floats(0.001, 1), min_size=2, max_size=30),
    st.lists(st.floats(0.001, 1), min_size=2, max_size=30),
)
def test_divergence_is_scipys(a: list[float], b: list[float]) -> None:
    spatial = pytest.importorskip("scipy.spatial.distance")
    p = np.array(a) / sum(a)
    stretched = np.interp(np.linspace(0, 1, len(a)), np.linspace(0, 1, len(b)), b)
    with np.errstate(invalid="ignore"):  # scipy takes the root of -1e-17 where the two are equal
        expected = spatial.jensenshannon(p, stretched)
    assert divergence(p, b) == pytest.approx(0 if math.isnan(expected) else expected, abs=1e-7)


def test_a_run_of_every_task() -> None:
    items = [
        FdbItem(id="1", task="pause", words=words((1.0, 1.4))),
        FdbItem(id="2", task="pause", words=words((1.0, 3.0))),
        FdbItem(id="3", task="pause"),
        FdbItem(id="1", task="turn_taking", words=words((3.0, 5.0)), event_end=2.0),
        FdbItem(id="2", task="turn_taking", words=words((1.0, 5.0)), event_end=2.0),
        FdbItem(id="3", task="turn_taking", words=(), event_end=2.0),
        FdbItem(id="4", task="turn_taking", words=words((3.0, 5.0))),
        # It talks on over the interruption (latency 0), and another answers after 1.5 s.
        FdbItem(id="1", task="interruption", words=words((0.0, 1.0), (5.5, 6.5), (6.5, 9.0)), event_end=6.0),
        FdbItem(id="2", task="interruption", words=words((0.0, 1.0), (7.5, 9.0)), event_end=6.0),
        # It fell silent before the interruption's end and said no more.
        FdbItem(id="3", task="interruption", words=words((0.0, 5.0)), event_end=6.0),
    ]
    score = evaluate(items).tasks
    assert (score["pause"].takeover_rate, score["pause"].expected, score["pause"].unscored) == (0.5, 3, ("3",))
    # Latencies 1.0 and 0 (early) over the two that took the turn.
    turn = score["turn_taking"]
    assert (turn.takeover_rate, turn.latency, turn.unscored) == (2 / 3, 0.5, ("4",))
    assert (score["interruption"].takeover_rate, score["interruption"].latency) == (2 / 3, 0.75)
    assert all(t.expected == t.scored + len(t.unscored) for t in score.values())


def test_backchannels_of_a_run() -> None:
    common = {"task": "backchannel", "duration": 10.0}
    items = [
        FdbItem(id="1", words=words((2.0, 2.3)), segments=((2.0, 2.5), (6.0, 6.4)), human=(1.0,) * 51, **common),
        FdbItem(id="2", words=(), human=(1.0,) * 51, **common),
        FdbItem(id="3", words=(), segments=((2.0, 2.5),), **common),
        FdbItem(id="4", words=(), task="backchannel"),
    ]
    found = evaluate(items)
    score = found.tasks["backchannel"]
    # 2, 0 and 1 backchannels in 10 s each: (0.2 + 0 + 0.1) / 3.
    assert score.frequency == pytest.approx(0.1)
    # Silence is as far from people as can be, 1. The first: bins 10-12 and 30-32, six of 51 with a sixth each.
    # P = 1/6 on six, Q = 1/51 everywhere, M = (1/6 + 1/51) / 2 = 0.09314 on six and 1/102 elsewhere:
    # KL(P|M) = ln(0.16667 / 0.09314) = 0.58194; KL(Q|M) = 6/51 ln(0.01961 / 0.09314) + 45/51 ln 2
    # = 0.11765 * -1.55813 + 0.88235 * 0.69315 = 0.42829. Root of half the sum: sqrt(0.50512) = 0.71072
    assert found.items[0].jsd == pytest.approx(0.71072, abs=1e-4)
    assert score.jsd == pytest.approx((0.71072 + 1) / 2, abs=1e-4)
    assert (score.compared, score.scored, score.unscored) == (2, 3, ("4",))
    assert found.items[2].jsd is None


def test_bad_items_touch_nobody_else() -> None:
    bad = FdbItem(id="9", task="turn_taking", words=words((float("nan"), 1.0)), event_end=0.0)
    good = FdbItem(id="1", task="turn_taking", words=words((3.0, 5.0)), event_end=2.0)
    score = evaluate([bad, good])
    assert score.tasks["turn_taking"].latency == 1.0
    assert score.items[1].why == "a word's time is no number"
    with pytest.raises(UserError, match="two recordings"):
        evaluate([good, good])


@pytest.mark.parametrize(
    "content", ["[]", "{", '{"1": [0, 0]}', '{"1": [1, -1]}', '{"1": "x"}', '{"1": [NaN]}', '{"1": []}']
)
def test_distributions_that_are_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "people.json"
    path.write_text(content)
    with pytest.raises(UserError, match="people"):
        read_distributions(path)


def example(task: str) -> tuple[dict[str, object], tuple[FdbWord, ...]]:
    folder = DATA / "example_data" / f"{task}_example" / "1"
    if not folder.is_dir():
        pytest.skip("no examples in ../shared/data/fdb_examples")
    said = json.loads((folder / "output.json").read_text())["chunks"]
    event = next(
        json.loads(p.read_text())[0] for p in folder.iterdir() if p.stem in ("pause", "turn_taking", "interrupt")
    )
    return event, tuple(FdbWord(c["text"], *c["timestamp"]) for c in said)


def test_the_pause_example() -> None:
    # Twelve words from 0.0 to 4.68 s, while the user pauses: it takes over.
    _, said = example("pause_handling")
    assert evaluate([FdbItem(id="1", task="pause", words=said)]).tasks["pause"].takeover_rate == 1


def test_the_turn_taking_example() -> None:
    # The user's turn ends at 2.01 s (the mark's start), the answer begins at 3.36 s.
    event, said = example("smooth_turn_taking")
    end = event["timestamp"][0]  # type: ignore[index]
    task = evaluate([FdbItem(id="1", task="turn_taking", words=said, event_end=end)]).tasks["turn_taking"]
    assert task.takeover_rate == 1
    assert task.latency == pytest.approx(1.35)


def test_the_interruption_example() -> None:
    # The interruption ends at 13.144 s, the answer begins at 17.224 s.
    event, said = example("user_interruption")
    end = event["timestamp"][1]  # type: ignore[index]
    task = evaluate([FdbItem(id="1", task="interruption", words=said, event_end=end)]).tasks["interruption"]
    assert task.takeover_rate == 1
    assert task.latency == pytest.approx(4.08)


def test_peoples_backchannels_in_the_examples() -> None:
    path = DATA / "icc_gt_distribution.json"
    if not path.is_file():
        pytest.skip("no examples in ../shared/data/fdb_examples")
    people = read_distributions(path)
    assert len(people) == 55
    assert all(sum(shares) == pytest.approx(1) for shares in people.values())
    # Whoever speaks where people do is nearer to them than one who speaks where they never do.
    human = people["0"]
    duration = (len(human) - 1) * 0.2 + 0.1
    often, never = int(np.argmax(human)), int(np.argmin(human))

    def far(at: int) -> float:
        item = FdbItem(
            id="0",
            task="backchannel",
            words=(),
            segments=((at * 0.2 + 0.05, at * 0.2 + 0.1),),
            duration=duration,
            human=human,
        )
        jsd = evaluate([item]).items[0].jsd
        assert jsd is not None
        return jsd

    assert far(often) < far(never) <= 1
