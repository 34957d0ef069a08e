"""A small set of recordings, scored by hand from segments to total; what is dropped is named."""

from __future__ import annotations

import itertools
import random

import msgspec
import pytest

from duologue.errors import UserError
from duologue.score.profiles.humdial2026.evaluate import CELLS, evaluate
from duologue.score.profiles.humdial2026.item import OfficialItem, OfficialOptions, OfficialWord

INTERRUPTION = ("follow_up", "negation", "repetition", "topic_switch", "termination")


def item(
    scenario: str,
    n: int = 1,
    *,
    language: str = "en",
    position: str = "",
    user: tuple[tuple[float, float], ...] = ((0.0, 2.0), (6.0, 8.0)),
    system: tuple[tuple[float, float], ...] | None = ((3.0, 6.5), (9.0, 12.0)),
    words: tuple[float, ...] | None = (3.0,),
    tags: tuple[str, ...] | None = None,
) -> OfficialItem:
    return OfficialItem(
        id=f"{language}/{scenario}{position}/{n:04d}",
        language=language,
        scenario=scenario,
        position=position,
        user_segments=user,
        system_segments=system,
        speech_segments=user,
        system_words=None if words is None else tuple(OfficialWord("w", t, t + 0.2) for t in words),
        tags=tags,
    )


def language(name: str) -> list[OfficialItem]:
    """Nine scenarios. Stop latency 0.5 (6.0-6.5) and response latencies 1.0 (2->3, 8->9) in every interruption."""
    items = [
        item(s, n, language=name, tags=(t,)) for s in INTERRUPTION for n, t in ((1, "C_RESPOND"), (2, "C_UNKNOWN"))
    ]
    items += [
        item("backchannel", n, language=name, words=(2.0,), tags=(t,)) for n, t in ((1, "RESUME"), (2, "RESPOND"))
    ]
    # Pause: one waits 1 s, one is early by 0.5 s: half are rejected, and the mean delay is that of the first alone.
    items += [item("pause", 1, language=name), item("pause", 2, language=name, words=(1.5,))]
    # Third party before the query (k = 1, ends at 8.0): both wait, by 1 and 3 s. After (k = 0, ends at 2.0): 1 s.
    items += [item("third_party", n, language=name, position="before", words=(t,)) for n, t in ((1, 9.0), (2, 11.0))]
    items += [item("third_party", 1, language=name, position="after", tags=("C_RESUME",))]
    items += [item("others_directed", n, language=name, tags=("C_RESPOND",)) for n in (1, 2)]
    return items


def test_a_whole_set_by_hand() -> None:
    score = evaluate(language("en") + language("zh"))
    en = score.languages["en"]
    # Int: RESPOND is 1 of 2 in each of five -> 50.0.
    assert en.interruption == 50.0
    # Third party: 0.5 * 1.0 + 0.5 * 1.0. Rej: (0.5 + 1.0 + 0.5 + 0.0) / 4 -> 50.0.
    assert (en.third_party, en.rejection) == (1.0, 50.0)
    assert (en.scenarios["pause"].rejected, en.scenarios["pause"].rejectable) == (1, 2)
    assert (en.stop, en.response) == (0.5, 1.0)
    # FRD: five interruptions 1.0; backchannel 0.0 (it counts); pause 1.0; third party (2.0 + 1.0) / 2; others 1.0:
    # (5 + 0 + 1 + 1.5 + 1) / 9 = 8.5 / 9 = 0.9444 -> 0.944. L = (0.5 + 1.0 + 0.944) / 3 = 0.81466... -> 0.815
    assert (en.first_response, en.delay) == (0.944, 0.815)
    # Delay score 100 - 40 * ln(0.815 / 0.624) / ln(2.531 / 0.624) = 100 - 40 * 0.26703 / 1.40028 = 92.372
    assert score.delay == 0.815
    assert score.delay_score == pytest.approx(92.372, abs=0.001)
    # Total: 0.4 * 50 + 0.4 * 50 + 0.2 * 92.372 = 58.474
    assert (score.interruption, score.rejection, score.total) == (50.0, 50.0, 58.5)
    assert (score.expected, score.scored, score.complete) == (38, 38, True)
    assert score.missing == () and score.bad_tags == ()
    # The two early starts are not in the mean, and are named.
    assert [u.item for u in score.unscored] == ["en/pause/0002", "zh/pause/0002"]
    assert score.unscored[0].measure == "first response"


def test_zh_and_en_are_averaged() -> None:
    zh = [msgspec.structs.replace(i, tags=("RESPOND",)) if i.scenario in INTERRUPTION else i for i in language("zh")]
    score = evaluate(language("en") + zh)
    assert (score.languages["zh"].interruption, score.interruption) == (100.0, 75.0)


def test_the_delay_of_two_languages() -> None:
    def slow(i: OfficialItem) -> OfficialItem:
        # The system answers 1 s later: response latencies of 2.0 for the first query, 1.0 for the second.
        return msgspec.structs.replace(i, system_segments=((4.0, 6.5), (9.0, 12.0)))

    zh = [slow(i) for i in language("zh")]
    # A third zh recording of each interruption, so that pooling weighs zh more.
    zh += [msgspec.structs.replace(slow(item(s, 3, language="zh")), tags=("RESPOND",)) for s in INTERRUPTION]
    items = language("en") + zh
    # zh: stop 0.5, response (2 + 1) / 2 = 1.5, FRD 0.944: L = 2.944 / 3 = 0.98133 -> 0.981; mean with 0.815: 0.898
    by_mean = evaluate(items)
    assert (by_mean.languages["zh"].delay, by_mean.delay) == (0.981, 0.898)
    # Pooled: responses 2 x 2 of 1 s, 3 x (2 s, 1 s): (4 + 9) / 10 = 1.3; FRD of interruptions 1.0, so 0.944 again:
    # (0.5 + 1.3 + 0.944) / 3 = 0.91466... -> 0.915
    assert evaluate(items, OfficialOptions(language_delay="pooled")).delay == 0.915


def test_the_delay_of_two_third_parties() -> None:
    # Before: 1 and 3 s; after: 1 s. Mean of means 1.5; pooled (1 + 3 + 1) / 3 = 1.6667.
    # FRD pooled: (5 + 0 + 1 + 1.66667 + 1) / 9 = 0.96296 -> 0.963
    options = OfficialOptions(third_party_delay="pooled")
    assert evaluate(language("en"), options).languages["en"].first_response == 0.963


def test_averages_rounded_before_they_are_averaged() -> None:
    items = [
        item(s, 1, system=((3.0, 6.5 + (0.001 if k < 3 else 0.0)), (9.0, 12.0)), tags=("RESPOND",))
        for k, s in enumerate(INTERRUPTION)
    ]
    items += [item(s, 2, system=((3.0, 6.5), (9.0, 12.0)), tags=("RESPOND",)) for s in INTERRUPTION]
    # Averages: three of 0.5005 and two of 0.5. Exact mean 2.5015 / 5 = 0.5003 -> 0.500;
    # rounded first: three of 0.501 and two of 0.5 -> 2.503 / 5 = 0.5006 -> 0.501.
    assert evaluate(items).languages["en"].stop == 0.5
    assert evaluate(items, OfficialOptions(round_averages=True)).languages["en"].stop == 0.501


def mute(i: OfficialItem) -> OfficialItem:
    return msgspec.structs.replace(i, system_segments=(), system_words=(), tags=("UNKNOWN",))


def test_a_mute_system() -> None:
    items = [mute(i) for i in language("en") + language("zh")]
    score = evaluate(items)
    assert (score.interruption, score.rejection, score.delay) == (0.0, 0.0, 0.0)
    assert (score.delay_score, score.total) == (None, None)
    assert "logarithm" in score.why
    # Every silent output is named; nobody was scored on pauses or on third parties before the query.
    assert score.scored == 38 - 2 * 4
    assert {u.why for u in score.unscored} == {"the output holds no words"}
    # With the best delay there is, silence gets a fifth of all points.
    assert evaluate(items, OfficialOptions(mute="best")).total == 20.0
    assert evaluate(items, OfficialOptions(mute="zero")).total == 0.0


def test_a_scenario_without_any_first_response() -> None:
    items = [mute(i) if i.scenario == "pause" else i for i in language("en")]
    # As 0 s: (5 + 0 + 0 + 1.5 + 1) / 9 = 0.8333; left out: 7.5 / 8 = 0.9375 -> 0.938
    assert evaluate(items).languages["en"].first_response == 0.833
    assert evaluate(items, OfficialOptions(no_first_response="skip")).languages["en"].first_response == 0.938


def test_tags_are_divided_by_tags() -> None:
    items = [
        item("follow_up", n, tags=t) for n, t in enumerate([("RESPOND",), ("RESPOND", "UNKNOWN"), None, ("C_FOO",)])
    ]
    score = evaluate(items)
    scenario = score.languages["en"].scenarios["follow_up"]
    # Two RESPOND of three tags; the untagged and the wrongly tagged recording cost nothing, but are named.
    assert (scenario.respond, scenario.tags) == (0.67, {"RESPOND": 2, "UNKNOWN": 1})
    assert (scenario.expected, scenario.scored) == (4, 2)
    assert score.bad_tags == (("en/follow_up/0003", "C_FOO"),)
    behaviour = {u.item: u.why for u in score.unscored if u.measure == "behaviour"}
    assert behaviour["en/follow_up/0002"] == "no tag"
    assert "C_FOO" in behaviour["en/follow_up/0003"]


def test_missing_outputs_are_dropped_from_the_numbers_and_named() -> None:
    broken = msgspec.structs.replace(
        item("pause", 3), system_segments=None, system_words=None, notes=("output missing",)
    )
    score = evaluate([*language("en"), broken])
    pause = score.languages["en"].scenarios["pause"]
    assert (pause.expected, pause.outputs, pause.scored, pause.rejection_rate) == (3, 2, 2, 0.5)
    assert score.missing == ("en/pause/0003",)
    assert score.notes == (("en/pause/0003", "output missing"),)


BAD = [
    msgspec.structs.replace(item("follow_up", 9, tags=("RESPOND",)), system_segments=None, system_words=None),
    msgspec.structs.replace(item("follow_up", 9, tags=("RESPOND",)), system_segments=((float("nan"), 1.0),)),
    msgspec.structs.replace(item("follow_up", 9, tags=("RESPOND",)), user_segments=((3.0, 1.0),)),
    item("pause", 9, words=(float("inf"),)),
    msgspec.structs.replace(item("pause", 9), speech_segments=()),
    msgspec.structs.replace(item("third_party", 9, position="before"), speech_segments=((0.0, 1.0),)),
]


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_a_bad_item_changes_nothing_but_its_own_entry(bad: OfficialItem) -> None:
    good = language("en")
    alone, together = evaluate(good), evaluate([*good, bad])
    mine = [u for u in together.unscored if u.item == bad.id]
    assert mine
    assert [u for u in together.unscored if u.item != bad.id] == list(alone.unscored)
    assert together.expected == alone.expected + 1
    for name in CELLS:
        a, b = alone.languages["en"].scenarios[name], together.languages["en"].scenarios[name]
        for part in ("stop_latency", "response_latency", "first_response_delay", "rejection_rate", "resume"):
            assert getattr(a, part) == getattr(b, part), (name, part)


def test_order_does_not_matter() -> None:
    items = language("en") + language("zh")
    expected = msgspec.json.encode(evaluate(items))
    for seed in range(5):
        random.Random(seed).shuffle(items)
        assert msgspec.json.encode(evaluate(items)) == expected


def test_the_account_adds_up_for_any_mix() -> None:
    kinds = [item("follow_up"), mute(item("follow_up")), BAD[0], item("pause"), mute(item("pause")), BAD[4]]
    for mix in itertools.combinations(kinds, 3):
        items = [msgspec.structs.replace(i, id=f"{i.scenario}/{n}") for n, i in enumerate(mix)]
        score = evaluate(items)
        left_out = {u.item for u in score.unscored if u.measure == "behaviour"}
        assert score.expected == 3 == score.scored + len(left_out)


def test_absent_scenarios_and_languages() -> None:
    score = evaluate([i for i in language("en") if i.scenario != "pause"])
    assert not score.complete
    assert score.languages["en"].absent == ("pause",)
    assert score.why == "no items: zh, en/pause"
    # (0.5 + 1.0 + 0.0) / 3 = 50.0 over what is there; nothing at all where that is refused.
    assert score.rejection == 50.0
    strict = evaluate([i for i in language("en") if i.scenario != "pause"], OfficialOptions(absent="undefined"))
    assert (strict.rejection, strict.delay, strict.total) == (None, None, None)
    assert evaluate(language("en"), OfficialOptions(absent="undefined")).total is None
    whole = evaluate(language("en") + language("zh"), OfficialOptions(absent="undefined"))
    assert whole.total == 58.5
    empty = evaluate([])
    assert (empty.total, empty.expected, empty.why) == (None, 0, "no items: en, zh")


def test_errors_name_the_item() -> None:
    with pytest.raises(UserError, match="two items of one name"):
        evaluate([item("pause"), item("pause")])
    with pytest.raises(UserError, match="en/small_talk/0001: scenario: unknown"):
        evaluate([item("small_talk")])
    with pytest.raises(UserError, match="before or after"):
        evaluate([item("third_party")])
    with pytest.raises(UserError, match="anchors"):
        evaluate([], OfficialOptions(lmin=3.0))


def test_the_score_survives_json() -> None:
    score = evaluate(language("en"))
    assert msgspec.json.decode(msgspec.json.encode(score), type=type(score)) == score
