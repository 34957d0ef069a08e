from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from duologue.errors import UserError
from duologue.language.meaning import SentenceEncoder
from duologue.models import store
from duologue.models.catalogue import E5
from duologue.score.content import content_units, without_copied
from duologue.score.relevance import (
    RELEVANT,
    Query,
    Relevance,
    Reply,
    choose_distractors,
    worth_of_rank,
)

EXAMPLE = (
    Path(__file__).resolve().parents[3]
    / "shared/data/fdb_examples/v1_v1.5/evaluation/example_data/user_interruption_example/1"
)
FETCHED = pytest.mark.skipif(not store.installed(E5), reason="duologue models fetch e5")

QUERY = {"en": "can I use the same method for brown rice?", "zh": "没有冰糖可以用白糖吗？"}
PREVIOUS = {"en": "how do I cook rice in an ordinary pot?", "zh": "红烧肉怎么做才能又软又不腻？"}
REFERENCE = {
    "en": "it needs more water and a longer simmer, because the bran is still on. soaking shortens that.",
    "zh": "白糖也能炒糖色，就是颜色差一点，用量再少一些，火要小，别炒糊了。",
}
GOOD = {
    "en": "Yes, just simmer it longer, about forty minutes, and pour in some extra water.",
    "zh": "可以的，少放一点，小火慢慢炒到变色就行，甜味差不多，只是没那么亮。",
}
STALE = {
    "en": "Rinse the grains, bring them to a boil, then leave the pot covered for twelve minutes.",
    "zh": "先焯水，再加酱油和八角，小火炖一个小时，最后大火收汁。",
}
OFF = {"en": "The last bus leaves at ten from the stop by the station.", "zh": "末班车十点从车站旁边那一站开。"}
HEARD = "rinse it and cook it covered for twelve minutes"
DISTRACTORS = {
    "en": (
        "what film can we watch tonight?",
        "how do I tie a bow tie?",
        "which bank gives students a free account?",
        "is it too late to plant tulips?",
        "how often should I service the boiler?",
        "do I need a visa for Vietnam?",
        "why does my laptop fan run all the time?",
        "how do I ask for a pay rise?",
        "what do I wear to a job interview?",
        "how can I fall asleep faster?",
        "where can I leave my luggage for a day?",
        "how do I teach my dog to stay?",
        "what is a good present for a godfather?",
        "how do I get red wine out of a carpet?",
        "should I take the train or the plane?",
        "how do I learn twenty words a day?",
        "can I return shoes without the box?",
        "how long does a cold last?",
        "what size of bicycle do I need?",
    ),
    "zh": (
        "今晚看什么电影好？",
        "领带怎么打？",
        "学生办哪家银行的卡合适？",
        "现在种郁金香晚不晚？",
        "热水器多久保养一次？",
        "去越南要不要签证？",
        "电脑风扇一直响怎么办？",
        "怎么跟老板提加薪？",
        "面试穿什么衣服？",
        "怎么才能快点睡着？",
        "行李可以在哪儿寄存一天？",
        "怎么教狗坐下不动？",
        "送给干爹什么礼物好？",
        "地毯上的红酒渍怎么去掉？",
        "坐高铁还是坐飞机？",
        "一天怎么背二十个单词？",
        "鞋盒丢了还能退货吗？",
        "感冒一般几天能好？",
        "自行车买多大尺寸的？",
    ),
}


@pytest.fixture(scope="module")
def judge() -> Relevance:
    return Relevance(SentenceEncoder())


def reply(text: str, language: str, *, reference: str = "", previous: str | None = None) -> Reply:
    return Reply(
        text=text,
        language=language,
        query=QUERY[language],
        previous=PREVIOUS[language] if previous is None else previous,
        reference=reference,
        distractors=DISTRACTORS[language],
    )


@FETCHED
@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_answer_in_other_words_passes_and_every_empty_trick_fails(judge: Relevance, language: str) -> None:
    tricks = {
        "parrot": QUERY[language],
        "parrot of the query before": PREVIOUS[language],
        "parrot in a frame": {"en": "so you would like to know, {}, right", "zh": "你是想问，{}，对吧"}[
            language
        ].format(QUERY[language]),
        "one word": {"en": "Water.", "zh": "明天。"}[language],
        "fillers": {"en": "Um, let me think about that, good question.", "zh": "嗯，让我想想啊，好问题。"}[language],
        "stock": {"en": "It depends on many factors, everyone is different.", "zh": "看具体情况，每个人都不一样。"}[
            language
        ],
        "nothing": "…",
        "babble": {"en": "bako lumi fendra tostu gika melo", "zh": "鹂黼罡嬖遘戢颢鳐"}[language],
        "another language": GOOD["zh" if language == "en" else "en"],
        "the answer before": STALE[language],
        "off topic": OFF[language],
    }
    good, *rest = judge.rank(
        [reply(text, language, reference=REFERENCE[language]) for text in (GOOD[language], *tricks.values())]
    )
    assert (good.rank, good.of) == (1, 21) and good.score >= RELEVANT and good.margin > 0 and good.why == ""
    assert {name: r.score for name, r in zip(tricks, rest, strict=True) if r.score >= 0.1} == {}
    by_name = dict(zip(tricks, rest, strict=True))
    assert by_name["the answer before"].previous_wins
    assert by_name["parrot"].copied == 1.0 and by_name["parrot"].why == "copied"
    assert by_name["fillers"].empty and by_name["nothing"].why == "empty"
    assert by_name["stock"].why == "generic" and by_name["another language"].why == "language"


@FETCHED
def test_a_reference_lifts_a_like_answer_and_no_other(judge: Relevance) -> None:
    like = "It wants more water and time, since the bran is still on it."
    bare, lifted = judge.rank([reply(like, "en"), reply(like, "en", reference=REFERENCE["en"])])
    assert lifted.margin > bare.margin
    off, still = judge.rank([reply(OFF["en"], "en"), reply(OFF["en"], "en", reference=REFERENCE["en"])])
    assert still.margin == off.margin and still.score == off.score == 0


@FETCHED
def test_asking_again_makes_no_rival_of_the_question_before(judge: Relevance) -> None:
    again = replace(reply(STALE["en"], "en"), query="no, I mean, how do I cook rice in an ordinary pot?")
    (ranked,) = judge.rank([again])
    assert not ranked.previous_wins and ranked.rank == 1


@FETCHED
def test_a_turn_that_leans_on_the_query_before_is_judged_with_it(judge: Relevance) -> None:
    short = "Twelve minutes with the lid on, one and a half cups of water, that's all."
    asked = replace(
        reply(short, "en"),
        query="that's too complicated for me",
        reference="rinse it, one and a half cups of water to one of rice, and simmer it covered for twelve minutes",
    )
    (ranked,) = judge.rank([asked])
    assert ranked.of == 20 and not ranked.previous_wins and ranked.score >= RELEVANT


@FETCHED
def test_a_verdict_does_not_depend_on_the_company(judge: Relevance) -> None:
    many = [reply(t, "en") for t in (GOOD["en"], STALE["en"], OFF["en"])] + [reply(GOOD["zh"], "zh")]
    together, alone = judge.rank(many), [judge.rank([r])[0] for r in many]
    for a, b in zip(together, alone, strict=True):
        assert (a.rank, a.previous_wins, a.score) == (b.rank, b.previous_wins, b.score)
        assert a.margin == pytest.approx(b.margin, abs=2e-4)
    assert judge.rank([]) == []


@FETCHED
@pytest.mark.parametrize(
    ("said", "heard", "language", "low", "high"),
    [
        ("sure, use one and a half cups of water", "rinse it. use one and a half cups of water, then wait", "en", 1, 1),
        ("wash it and let it simmer under a lid for a dozen minutes", HEARD, "en", 0.5, 1),
        ("the last bus leaves at ten", HEARD, "en", 0, 0.1),
        ("what did you say", HEARD, "en", 0, 0.1),
        ("rinse", HEARD, "en", 0, 0),
        ("rinse it well", "", "en", 0, 0),
        ("我刚才说，小火炖一个小时，再收汁", "先焯水，小火炖一个小时，再收汁", "zh", 0.8, 1),
        ("末班车十点开", "先焯水，小火炖一个小时，再收汁", "zh", 0, 0.1),
    ],
)  # fmt: skip
def test_repeats(judge: Relevance, said: str, heard: str, language: str, low: float, high: float) -> None:
    assert low <= judge.repeats(said, heard, language) <= high


@FETCHED
def test_continues(judge: Relevance) -> None:
    before, rest = "rinse it well. use one and a half cups of water,", "and simmer it covered for twelve minutes"
    assert judge.continues(before, rest, "en") > 0.5
    assert judge.continues(before, f"as I was saying, {rest}", "en", f"{before} {rest}") > 0.8
    for other in (
        before,
        "okay",
        "",
        "um, let me think",
        "is there anything else I can help you with?",
        "先把肉焯水再炖一个小时",
    ):
        assert judge.continues(before, other, "en") < 0.1
    assert judge.continues(before, "the last bus leaves at ten from the station", "en", f"{before} {rest}") < 0.1
    assert judge.continues("先焯水，再放冰糖，", "小火炖一个小时，最后收汁", "zh") > 0.5
    assert judge.continues("", rest, "en") == 0


def test_the_worth_of_a_rank_is_nothing_by_chance() -> None:
    # n = 3: h = (1 + 1/2 + 1/3)/3 = 11/18; rank 1: 1; rank 2: (1/2 - 11/18)/(7/18) < 0 -> 0.
    assert [worth_of_rank(r, 3) for r in (1, 2, 3)] == [1, 0, 0]
    # n = 21: H = 3.645359, h = 0.173589; rank 2: (0.5 - 0.173589)/0.826411 = 0.394974.
    assert worth_of_rank(2, 21) == pytest.approx(0.394974, abs=1e-6)
    assert sum(worth_of_rank(r, 21) for r in range(1, 22)) / 21 < 0.09
    assert worth_of_rank(1, 1) == 0


def test_distractors_are_of_other_families_and_stay() -> None:
    pool = [Query(f"{f} {i}", "en", f) for f in "abcd" for i in range(9)] + [Query("水", "zh", "w")]
    chosen = choose_distractors(pool, language="en", family="a", seed="x")
    assert len(chosen) == len(set(chosen)) == 20 and not any(q.startswith("a") for q in chosen)
    # Three families share twenty places: seven, seven and six.
    assert sorted(sum(q.startswith(f) for q in chosen) for f in "bcd") == [6, 7, 7]
    assert chosen == choose_distractors(list(reversed(pool)), language="en", family="a", seed="x")
    assert chosen != choose_distractors(pool, language="en", family="a", seed="y")
    assert choose_distractors(pool, language="zh", family="a", seed="x") == ("水",)
    assert "b 1" not in choose_distractors(pool, language="en", family="a", seed="x", exclude=["b 1"])


def test_what_is_copied() -> None:
    # Matter of the reply: cooking, rice, takes, longer, water; the first two are the query's cook and rice.
    left, share = without_copied("cooking rice takes longer and water", "how do I cook rice?", "en")
    assert left == "takes longer and water" and share == pytest.approx(2 / 5)
    left, share = without_copied("先焯水就不腻", "怎么做才不腻？", "zh")
    # 不 is of a closed class: it stays, and does not count. Matter: 先, 焯, 水, 腻; copied: 腻.
    assert left == "先焯水就不" and share == pytest.approx(1 / 4)
    assert without_copied("", "anything", "en") == ("", 0.0)
    assert content_units("it's kiitos, with the stress on the first part", "en") == 4


@pytest.mark.parametrize("bad", [{"language": "de"}, {"query": "…"}])
def test_what_cannot_be_judged_is_named(bad: dict[str, str]) -> None:
    with pytest.raises(UserError, match=r"language|query"):
        Relevance(SentenceEncoder()).rank([replace(reply("yes", "en"), **bad)])


@FETCHED
@pytest.mark.skipif(not EXAMPLE.is_dir(), reason="no real system's reply in ../shared/data/fdb_examples")
def test_a_real_systems_reply_to_an_interruption(judge: Relevance) -> None:
    (event,) = json.loads((EXAMPLE / "interrupt.json").read_text("utf-8"))
    said = json.loads((EXAMPLE / "output.json").read_text("utf-8"))["text"]
    asked = replace(
        reply(said, "en"), query=event["interrupt"], previous=event["context"], distractors=DISTRACTORS["en"]
    )
    stale = replace(asked, text="Try some on habits and focus, and one about how people get over a setback.")
    first, second = judge.rank([asked, stale])
    assert first.rank == 1 and first.score >= RELEVANT
    assert second.previous_wins and second.score == 0
