"""Items out to raters, their answers back, agreement worked by hand, gold that points to what it came from."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from duologue.annotate import answer as answers
from duologue.annotate.adjudicate import adjudicate
from duologue.annotate.answer import CauseSeen, Emotion, EventSeen, ShiftSeen, TimeSeen
from duologue.annotate.assign import assign
from duologue.annotate.guidelines import guidelines
from duologue.annotate.item import items, known
from duologue.annotate.judgements import agreement, by_item, disputes, write_disputes
from duologue.annotate.send import ASSIGNMENT, FORMATS, JUDGED, Format, send
from duologue.annotate.take_in import take_in
from duologue.corpus import read
from duologue.corpus.audio import Audio, Channel
from duologue.corpus.check import check
from duologue.corpus.dialogue import SCHEMA_VERSION, Dialogue
from duologue.corpus.rights import Rights
from duologue.corpus.truth import emotions
from duologue.corpus.turn import Segment, Turn
from duologue.errors import UserError

ROOT = Path(__file__).parents[2]


def tree(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def said_by(corpus: read.Corpus) -> dict[tuple[str, str], Any]:
    """(item, rater) -> answer of everything that people said."""
    return {(id, a.rater): x for o in corpus for id, (_, own) in by_item(o.dialogue).items() for a, x in own}


def fill(sheets: Path, format: Format, said: dict[tuple[str, str], str], corpus: read.Corpus) -> None:
    """Write the answers (as lines) into what was sent, as a rater working in that form would."""
    dialogues = {i.id: o.dialogue for o in corpus for i in items(o.dialogue, answers.LAYERS)}
    for path in sorted(p for p in sheets.rglob("*") if p.suffix in (".csv", ".jsonl", ".TextGrid")):
        if path.suffix == ".csv":
            rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
            with path.open("w", encoding="utf-8", newline="") as f:
                table = csv.DictWriter(f, rows[0].keys())
                table.writeheader()
                table.writerows(r | {"answer": said.get((r["item"], r["rater"]), "")} for r in rows)
        elif path.suffix == ".jsonl":
            rows = [json.loads(x) for x in path.read_text().splitlines()]
            lines = [json.dumps(r | {"answer": said.get((r["item"], r["rater"]), "")}) for r in rows]
            path.write_text("\n".join(lines))
        else:
            text = path.read_text()
            for (item, rater), line in said.items():
                if rater == path.parent.name:
                    text = text.replace(f'"{item}: ?"', '"' + f"{item}: {line}".replace('"', '""') + '"')
            path.write_text(text)
    assert dialogues


LINES = {
    "emotion": ["sad 2", "happy 3", "neutral 0", "angry 1"],
    "shift": ["yes", "no"],
    "event": ["none", "backchannel", "third_party"],
}


def made_up(corpus: read.Corpus, raters: tuple[str, ...], layers: tuple[answers.Layer, ...]) -> dict[Any, str]:
    """An answer of every rater to every item, all different kinds of them."""
    said, n = {}, 0
    for o in corpus:
        for i in items(o.dialogue, layers):
            for r in raters:
                n += 1
                if i.layer == "cause":
                    text = o.dialogue.turns[0].text
                    x = CauseSeen("none") if n % 3 == 0 else CauseSeen("event", 0, (n % 5, n % 5 + 4), n % 2 == 0)
                    said[i.id, r] = answers.write(x, o.dialogue, i.turn)
                    assert len(text) > 9
                elif i.layer == "time":
                    said[i.id, r] = answers.write(TimeSeen(n * 7, n * 7 + 12_345), o.dialogue, i.turn)
                else:
                    lines = LINES[i.layer]
                    said[i.id, r] = lines[n % len(lines)]
    return said


@pytest.mark.parametrize("format", [f for f in FORMATS if f != "labelstudio"])
def test_what_raters_say_comes_back_whole(spoken: read.Corpus, tmp_path: Path, format: Format) -> None:
    before = tree(Path(spoken.root))
    sent = send(spoken, tmp_path / "out", ["ann", "bo"], format=format)
    # aa: 3 user turns -> 3 emotion, 2 shift, 3 cause; ab: 2, 1, 2; ba: 2, 1, 2 and 2 events.
    assert sent.layers == {"emotion": 7, "shift": 4, "cause": 7, "event": 2}
    assert sent.load == {"ann": 20, "bo": 20}
    said = made_up(spoken, ("ann", "bo"), JUDGED)
    fill(tmp_path / "out", format, said, spoken)
    report = take_in(spoken, [tmp_path / "out"], tmp_path / "rated")
    assert (report.rows, report.taken, report.open, report.refused, report.missing) == (40, 40, 0, 0, 0)
    assert report.written, report.findings
    rated = read.open(tmp_path / "rated")
    known_ = known(spoken.manifest)
    dialogues = {o.id: o.dialogue for o in spoken}
    asked = {i.id: i for d in dialogues.values() for i in items(d, JUDGED)}
    wanted = {
        (id, r): answers.read(asked[id].layer, line, dialogues[asked[id].dialogue], asked[id].turn, known_)
        for (id, r), line in said.items()
    }
    assert said_by(rated) == wanted
    assert not check(tmp_path / "rated").findings
    assert tree(Path(spoken.root)) == before


def test_label_studio_brings_back_what_it_was_given(spoken: read.Corpus, tmp_path: Path) -> None:
    """Answers go out as predictions and come back as annotations, as its export gives them, offsets in UTF-16."""
    said = made_up(spoken, ("ann", "bo"), JUDGED)
    send(spoken, tmp_path / "first", ["ann", "bo"])
    fill(tmp_path / "first", "csv", said, spoken)
    take_in(spoken, [tmp_path / "first"], tmp_path / "rated")
    rated = read.open(tmp_path / "rated")
    send(rated, tmp_path / "out", ["cy", "dee"], format="labelstudio", blind=False)
    n = 0
    for path in sorted((tmp_path / "out").rglob("*.json")):
        if path.name == ASSIGNMENT:
            continue
        tasks = json.loads(path.read_text())
        for t in tasks:
            assert (path.parent / t["data"]["audio"]).is_file()
            if "predictions" in t:
                t["annotations"] = [{"id": n, "completed_by": 1, "result": t.pop("predictions")[0]["result"]}]
                n += 1
        path.write_text(json.dumps(tasks))
        config = (path.with_suffix(".xml")).read_text()
        names = {r["from_name"] for t in tasks for a in t.get("annotations", []) for r in a["result"]}
        assert all(f'name="{name}"' in config for name in names)
    report = take_in(rated, [tmp_path / "out"], tmp_path / "again")
    assert report.written and report.taken == report.rows == n == 40, report.findings
    again = said_by(read.open(tmp_path / "again"))
    for o in rated:
        for id, (item, _) in by_item(o.dialogue).items():
            assert again[id, "cy"] == again[id, "dee"]
            # Gold by intent counts before what people said.
            first = said_by(rated)[id, "ann"]
            if item.layer == "emotion" and o.dialogue.track == "emotion":
                first = Emotion(emotions(o.dialogue)[item.turn].label, 2)
            assert again[id, "cy"] == first


def test_a_label_studio_export_by_hand(spoken: read.Corpus, tmp_path: Path) -> None:
    """A cause marked in "1 A: 𠮷野家关门了，我好难过。": units 9-11 of UTF-16 are 关门.

    The head takes 5 units and the first character 2; in the turn those are code points 3-5.
    """
    send(spoken, tmp_path / "out", ["ann", "bo"], format="labelstudio", layers=["cause", "emotion"])
    item = next(i for i in items(spoken.get("ab").dialogue, ["cause"]) if i.turn == 0)
    path = tmp_path / "out" / "ann" / "cause.json"
    task = next(t for t in json.loads(path.read_text()) if t["data"]["item"] == item.id)
    place = {"start": 9, "end": 11, "text": "关门"}
    head = {"id": "Dx_aB91ISN", "to_name": "text", "origin": "manual"}
    result = [
        head | {"from_name": "cause", "type": "labels", "value": place | {"labels": ["event"]}},
        head | {"from_name": "explicit", "type": "choices", "value": place | {"choices": ["no"]}},
    ]
    done = {"id": 7, "was_cancelled": False, "completed_by": 10, "lead_time": 4.2, "result": result}
    skipped = {"id": 8, "was_cancelled": True, "completed_by": 10, "result": []}
    path.write_text(json.dumps([task | {"id": 1, "project": 83, "annotations": [done, skipped], "predictions": []}]))
    report = take_in(spoken, [path], tmp_path / "rated", skip_bad=True)
    assert (report.rows, report.taken) == (1, 1)
    assert said_by(read.open(tmp_path / "rated")) == {(item.id, "ann"): CauseSeen("event", 0, (3, 5), False)}
    result[0]["value"] = {"start": 3, "end": 30, "labels": ["event"]}
    path.write_text(json.dumps([task | {"annotations": [done]}]))
    report = take_in(spoken, [path], tmp_path / "no", skip_bad=True)
    assert report.refused == 1 and not report.written
    assert any("not the words of one turn" in f.what for f in report.findings)


@pytest.mark.parametrize("format", ["csv", "textgrid", "labelstudio"])
def test_times_come_back_to_the_sample(spoken: read.Corpus, tmp_path: Path, format: Format) -> None:
    send(spoken, tmp_path / "out", ["ann", "bo"], format=format, layers=["time"], blind=False)
    if format == "labelstudio":
        for path in (tmp_path / "out").rglob("time.json"):
            tasks = json.loads(path.read_text())
            path.write_text(json.dumps([t | {"annotations": t["predictions"]} for t in tasks]))
    report = take_in(spoken, [tmp_path / "out"], tmp_path / "rated")
    assert report.written and report.taken == 22, report.findings
    for o in read.open(tmp_path / "rated"):
        for item, own in by_item(o.dialogue).values():
            s = o.dialogue.turns[item.turn].segments[0]
            assert [x for _, x in own] == [TimeSeen(s.start, s.end)] * 2
    assert agreement(read.open(tmp_path / "rated"), resamples=0).time.start_p95 == 0  # type: ignore[union-attr]


def test_blind_items_tell_nothing(spoken: read.Corpus, tmp_path: Path) -> None:
    for format in FORMATS:
        send(spoken, tmp_path / format, ["ann", "bo"], format=format)
        for path in (tmp_path / format / "ann").rglob("*"):
            if path.suffix in (".csv", ".jsonl", ".json", ".TextGrid"):
                text = path.read_text()
                assert "predictions" not in text and "recipe" not in text and "train" not in text
                assert '"aa' not in text and "aa-user" not in text
            assert not {"aa", "ab", "ba", "backchannel"} & {path.stem}
    with (tmp_path / "csv" / "ann" / "items.csv").open(encoding="utf-8-sig", newline="") as f:
        assert {row["answer"] for row in csv.DictReader(f)} == {""}
    with pytest.raises(UserError, match="would show where turns lie"):
        send(spoken, tmp_path / "x", ["ann", "bo"], layers=["time", "emotion"])


def test_every_bad_row_is_a_finding(spoken: read.Corpus, tmp_path: Path) -> None:
    send(spoken, tmp_path / "out", ["ann", "bo", "cy"], layers=["emotion", "cause"])
    folder = tmp_path / "out"
    with (folder / "ann" / "items.csv").open(encoding="utf-8-sig", newline="") as f:
        rows = list(csv.DictReader(f))
    emotion = [r for r in rows if r["layer"] == "emotion"]
    cause = [r for r in rows if r["layer"] == "cause"]
    bad = [
        emotion[0] | {"answer": "melancholy 2"},
        emotion[1] | {"answer": "sad 7"},
        emotion[1] | {"answer": "sad 1"},
        cause[0] | {"answer": "event | 1 | no | words that nobody said"},
        cause[1] | {"answer": "event | 99 | no | the key"},
        {"item": "0123456789ab", "rater": "ann", "answer": "sad 1"},
        emotion[0] | {"rater": "nobody", "answer": "sad 1"},
    ]
    sheet = tmp_path / "out" / "ann" / "items.csv"
    with sheet.open("w", encoding="utf-8", newline="") as f:
        table = csv.DictWriter(f, rows[0].keys())
        table.writeheader()
        table.writerows(bad)
    report = take_in(spoken, [sheet], tmp_path / "rated")
    assert not report.written and not (tmp_path / "rated").exists()
    assert report.rows == report.taken + report.open + report.refused == 7
    told = "\n".join(f.what for f in report.findings)
    for what in (
        "unknown emotion (got 'melancholy')",
        "no intensity (got '7')",
        "a second answer by the same rater",
        "these words are not in that turn",
        "no such turn (got '99')",
        "not of this corpus (got '0123456789ab')",
        "was not asked this item (got 'nobody')",
        "did not come back from bo",
    ):
        assert what in told
    assert report.taken == 0


def rate(spoken: read.Corpus, tmp_path: Path, by_rater: dict[str, list[str]]) -> read.Corpus:
    """The seven emotion items, in the order of the corpus, as each rater judged them."""
    order = [i.id for o in spoken for i in items(o.dialogue, ["emotion"])]
    send(spoken, tmp_path / "out", list(by_rater), layers=["emotion"], each=len(by_rater))
    said = {(i, r): v for r, values in by_rater.items() for i, v in zip(order, values, strict=True)}
    fill(tmp_path / "out", "csv", said, spoken)
    report = take_in(spoken, [tmp_path / "out"], tmp_path / "rated")
    assert report.written, report.findings
    return read.open(tmp_path / "rated")


def test_alpha_of_two_raters_by_hand(spoken: read.Corpus, tmp_path: Path) -> None:
    """Seven items: five times both sad, once both happy, once sad and happy.

    Coincidences: o(sad, sad) = 10, o(happy, happy) = 2, o(sad, happy) = o(happy, sad) = 1; n(sad) = 11, n(happy) = 3,
    n = 14. alpha = 1 - (n - 1) sum o d / sum n n d = 1 - 13 * 2 / (2 * 11 * 3) = 1 - 26/66 = 0.6061: provisional.
    """
    rated = rate(spoken, tmp_path, {"ann": ["sad 2"] * 6 + ["happy 2"], "bo": ["sad 2"] * 5 + ["happy 2"] * 2})
    found = agreement(rated, resamples=0)
    label = next(m for m in found.alphas if m.question == "emotion")
    assert label.alpha.value == pytest.approx(1 - 26 / 66)
    assert label.provisional and found.provisional == ("emotion",)
    # All intensities are equal: there is nothing to tell chance from, and that is no agreement.
    assert next(m for m in found.alphas if m.question == "emotion intensity").alpha.value is None
    (dispute,) = disputes(rated)
    assert dispute.answers == {"ann": "sad 2", "bo": "happy 2"}


def test_gold_points_to_what_it_was_decided_from(spoken: read.Corpus, tmp_path: Path) -> None:
    # The duplex dialogue's two turns come first, then three of "aa", two of "ab".
    first = ["sad 2", "sad 2", "angry 2", "happy 2", "sad 2", "calm 1", "calm 1"]
    second = ["sad 2", "sad 2", "sad 2", "happy 1", "sad 2", "calm 1", "happy 1"]
    third = ["sad 3", "sad 2", "fearful 1", "happy 3", "sad 2", "calm 1", "calm 1"]
    rated = rate(spoken, tmp_path, {"ann": first, "bo": second, "cy": third})
    found = disputes(rated)
    assert len(found) == 2  # item 3: three labels; item 7: two against one
    write_disputes(found, tmp_path / "decide.csv")
    text = (tmp_path / "decide.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    three = next(r for r in rows if "fearful" in r["answers"])
    three["decision"] = "悲伤 3"
    with (tmp_path / "decide.csv").open("w", encoding="utf-8", newline="") as f:
        table = csv.DictWriter(f, rows[0].keys())
        table.writeheader()
        table.writerows(rows)
    careful = adjudicate(rated, tmp_path / "decide.csv", tmp_path / "careful")
    assert (careful.agreed, careful.majority, careful.decided, len(careful.open)) == (5, 0, 1, 1)
    r = adjudicate(rated, tmp_path / "decide.csv", tmp_path / "gold", rater="dee", majority=True)
    assert (r.agreed, r.majority, r.decided, r.open) == (5, 1, 1, ())
    assert r.superseded == 5  # what the recipe meant for the five turns of track emotion
    assert not check(tmp_path / "gold").findings
    gold = read.open(tmp_path / "gold")
    d = gold.get("aa").dialogue
    decided = next(a for a in d.annotations if a.status == "gold" and a.target == "turn:0")
    assert decided.rater == "dee" and len(decided.gold_of) == 3
    assert {a.rater for a in d.annotations if a.id in decided.gold_of} == {"ann", "bo", "cy"}
    assert {i: v.label for i, v in emotions(d).items()} == {0: "sad", 2: "happy", 4: "sad"}
    assert emotions(d)[2].intensity == 2  # the lower median of 2, 1, 3
    most = next(a for a in gold.get("ab").dialogue.annotations if a.status == "gold" and a.target == "turn:2")
    assert most.rater == "majority" and len(most.gold_of) == 2
    with pytest.raises(UserError, match="a column is missing"):
        (tmp_path / "bad.csv").write_text("item,label\n")
        adjudicate(rated, tmp_path / "bad.csv", tmp_path / "x")


@given(
    sizes=st.dictionaries(st.text("abcdef", min_size=1), st.integers(1, 30), min_size=1, max_size=40),
    raters=st.integers(2, 6),
    each=st.integers(2, 4),
)
def test_loads_are_even(sizes: dict[str, int], raters: int, each: int) -> None:
    names = [f"r{k}" for k in range(raters)]
    if each > raters:
        with pytest.raises(UserError):
            assign(sizes, names, each)
        return
    dealt = assign(sizes, names, each)
    assert set(dealt) == set(sizes) and all(len(set(who)) == each for who in dealt.values())
    load = [sum(sizes[d] for d, who in dealt.items() if r in who) for r in names]
    assert max(load) - min(load) <= max(sizes.values())
    assert assign(dict(reversed(sizes.items())), names, each) == dealt


@given(st.data())
def test_any_answer_survives_its_line(data: st.DataObject) -> None:
    d = one_turn(data.draw(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=2, max_size=40)))
    text = d.turns[0].text
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    answer: answers.Answer = data.draw(
        st.sampled_from(
            [
                Emotion("fearful", 3),
                ShiftSeen(False),
                EventSeen("pause"),
                CauseSeen("none"),
                CauseSeen("latent", 0, (start, end), False),
                TimeSeen(start, start + 1 + end),
            ]
        )
    )
    layer: Any = type(answer).__struct_config__.tag
    k = sample_known()
    assert answers.read(layer, answers.write(answer, d, 0), d, 0, k) == answer


def one_turn(text: str) -> Dialogue:
    """A dialogue of one turn that says ``text``."""
    audio = Audio(
        id="a0",
        path="a",
        sha256="",
        pcm_sha256="",
        sample_rate=44_100,
        length=100_000,
        channels=(Channel(kind="user-mic", speakers=("u",)),),
    )
    segment = Segment(audio="a0", channel=0, start=0, end=100_000)
    return Dialogue(
        schema_version=SCHEMA_VERSION,
        id="x",
        track="emotion",
        tasks=("trajectory",),
        languages=("en",),
        split="train",
        scenario="dialogue",
        source="synthetic",
        rights=Rights(licence="CC-BY-4.0", consent_id="not-applicable"),
        audio=(audio,),
        turns=(
            Turn(
                index=0,
                role="user",
                speaker="u",
                addressee="",
                language="en",
                text=unicodedata.normalize("NFC", text),
                segments=(segment,),
            ),
        ),
    )


def sample_known() -> answers.Known:
    from duologue.corpus.emotion import DUOLOGUE
    from duologue.corpus.event import SCENARIOS

    return answers.Known(DUOLOGUE, SCENARIOS)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_guidelines_define_everything_that_is_asked(language: str) -> None:
    text = guidelines(language)
    k = sample_known()
    for name in (*k.taxonomy.labels, *k.scenarios, *answers.CAUSES):
        assert f"| {name}" in text, name
    assert (ROOT / "docs" / "guidelines" / f"{language}.md").read_text(encoding="utf-8") == text


def test_the_verb(spoken: read.Corpus, tmp_path: Path) -> None:
    from duologue.cli import cli

    def call(*args: object, code: int = 0) -> str:
        result = CliRunner().invoke(cli, ["annotate", *map(str, args)])
        assert result.exit_code == code, result.output
        return result.output

    assert "情绪" in call("guidelines", "zh")
    out = call("export", spoken.root, "-o", tmp_path / "out", "--raters", "ann,bo", "--layers", "emotion")
    assert "7 items of 3 dialogues" in out
    assert "nothing written" in call("import", spoken.root, tmp_path / "out", "-o", tmp_path / "rated", code=1)
    order = [i.id for o in spoken for i in items(o.dialogue, ["emotion"])]
    fill(tmp_path / "out", "csv", {(i, r): "sad 1" for i in order for r in ("ann", "bo")}, spoken)
    assert "14 rows: 14 taken" in call("import", spoken.root, tmp_path / "out", "-o", tmp_path / "rated")
    assert "undefined" in call("agree", tmp_path / "rated")
    assert "0 items to decide" in call("disagreements", tmp_path / "rated", "-o", tmp_path / "d.csv")
    assert "gold: 7 agreed" in call("adjudicate", tmp_path / "rated", "-o", tmp_path / "gold")
