"""Turns and floor from audio: by hand, on speech whose turns are known, and on real meetings with RTTM."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from duologue.annotate.audio import DETECTED, annotate, open_source, own_stretches
from duologue.annotate.floor import floor
from duologue.annotate.rewrite import rewrite
from duologue.annotate.turns_file import correct, write_turns
from duologue.corpus import read
from duologue.corpus.annotation import LabelAnnotation, TimeAnnotation
from duologue.corpus.check import check
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.turn import Segment
from duologue.errors import MissingPartError, UserError
from duologue.formats import rttm
from duologue.formats.format import ImportOptions
from duologue.listen.words import Heard

RIGHTS = ImportOptions(
    licence="CC-BY-4.0", consent="c1", source_url="https://example.org", kind="human-human", language="en"
)


def moved(d: Dialogue, places: list[list[tuple[int, int]]]) -> Dialogue:
    """``d`` with its turns at these samples."""
    turns = tuple(
        msgspec.structs.replace(
            t,
            segments=tuple(Segment(audio="a0", channel=t.segments[0].channel, start=a, end=b) for a, b in spans),
            words=(),
        )
        for t, spans in zip(d.turns, places, strict=True)
    )
    return msgspec.structs.replace(d, turns=turns)


def test_floor_by_hand(spoken: read.Corpus) -> None:
    """At 16 kHz: user 0.5-2.0 s; system 1.8-3.8 s, silent from 2.8 to 3.1; user 3.2-3.7 s, inside the system's turn.

    Overlap: 1.8-2.0 and 3.2-3.7 = 0.7 s of 5.0000625 s. One floor transfer: 1.8 - 2.0 = -0.2 s. The last turn takes no
    floor: 0.5 s long, a candidate for a backchannel. 2.8-3.1 is silence of everybody: a candidate for a pause.
    """
    item = spoken.get("ba")
    d = moved(item.dialogue, [[(8_000, 32_000)], [(28_800, 44_800), (49_600, 60_800)], [(51_200, 59_200)]])
    found, notes = floor(d)
    assert found.overlap == pytest.approx(0.7 / (d.audio[0].length / 16_000))
    assert found.speech == pytest.approx((1.5 + 0.8 + 0.7) / (d.audio[0].length / 16_000))
    assert found.offsets == (-0.2,)
    assert (found.backchannels, found.pauses) == (1, 1)
    times = [(a.value.label, a.value.start, a.value.end) for a in notes if isinstance(a, TimeAnnotation)]
    assert times == [("overlap", 28_800, 32_000), ("overlap", 51_200, 59_200), ("pause", 44_800, 49_600)]
    said = [(a.target, a.value) for a in notes if isinstance(a, LabelAnnotation)]
    assert said == [
        ("turn:1", {"floor-transfer-offset": "-0.2000", "after-turn": "0"}),
        ("turn:2", {"candidate": "backchannel", "during-turn": "1"}),
    ]


def test_a_silence_that_another_fills_is_no_pause(spoken: read.Corpus) -> None:
    d = moved(
        spoken.get("ba").dialogue,
        [[(8_000, 12_000)], [(28_800, 44_800), (49_600, 60_800)], [(45_000, 47_000)]],
    )
    assert floor(d)[0].pauses == 0


def test_two_channels_tell_the_turns(duplex_corpus: Path, tmp_path: Path) -> None:
    """Turns are taken away and found again from sound: the overlap's share of the time within 3 points of the truth."""
    pytest.importorskip("onnxruntime", reason="the speech detector is not installed")
    from duologue.listen.speech import SpeechDetector

    truth = read.open(duplex_corpus, language="en", split="train")
    chosen = [o.id for o in truth if o.dialogue.scenario in ("follow_up", "backchannel", "pause")]

    def bare(d: Dialogue) -> Dialogue:
        mic = d.audio[0].channels[0]
        user = next(s.id for s in d.speakers if s.role == "user")
        channels = (msgspec.structs.replace(mic, speakers=(user,)), *d.audio[0].channels[1:])
        audio = tuple(msgspec.structs.replace(a, channels=channels) for a in d.audio)
        return msgspec.structs.replace(
            d, audio=audio, turns=(), events=(), realised=(), annotations=(), scenario="none", probes=()
        )

    rewrite(truth, tmp_path / "bare", bare, {})
    corpus = read.open(tmp_path / "bare")
    try:
        detector = SpeechDetector()
        detector.segments(np.zeros(16_000, np.float32))
    except UserError as error:
        pytest.skip(error.message)
    r = annotate(corpus, tmp_path / "out", detector=detector, listener=None)
    assert r.written, r.findings
    assert r.words == "not asked for"
    for id in chosen:
        wanted, _ = floor(truth.get(id).dialogue)
        assert abs(r.dialogues[id].overlap - wanted.overlap) < 0.03, id
        d = read.open(tmp_path / "out").get(id).dialogue
        assert {a.instrument for a in d.annotations if a.id.startswith("turn-")} == {DETECTED}
        assert all(a.rater_type == "model" for a in d.annotations)
    # Once more on top of itself: what was found before is replaced, not doubled.
    again = annotate(read.open(tmp_path / "out"), tmp_path / "again", detector=None, listener=None)
    assert again.dialogues == r.dialogues
    one, two = (read.open(tmp_path / n).get(chosen[0]).dialogue for n in ("out", "again"))
    assert one == two


def test_meetings_with_rttm(data: Path, tmp_path: Path) -> None:
    """The turns are those of the RTTM, so its overlap is what is found, in all 14 excerpts."""
    src = data / "ami_overlap_en" / "tests_data"
    corpus, problems = open_source(src, tmp_path / "in", RIGHTS)
    assert not problems
    r = annotate(corpus, tmp_path / "out", detector=None, listener=None)
    assert r.written and len(r.dialogues) == 14
    for item in corpus:
        assert r.dialogues[item.id].overlap == pytest.approx(rttm.overlap_of(item.dialogue).of_time, abs=1e-4)
    assert not check(tmp_path / "out").findings


def test_one_channel_without_turns_is_refused(tmp_path: Path) -> None:
    src = tmp_path / "src"
    src.mkdir()
    soundfile.write(src / "one.wav", np.full(16_000, 0.01), 16_000)
    with pytest.raises(UserError, match="not two channels, and no RTTM says who speaks"):
        open_source(src, tmp_path / "in", RIGHTS)


def test_crosstalk_is_no_speech_of_this_channel() -> None:
    """A copy 20 dB down and 5 ms late is the other channel's; a voice of its own as quiet is not."""
    random = np.random.default_rng(0)
    loud, own = (random.normal(0, 0.1, 16_000).astype(np.float32) for _ in range(2))
    leak = np.roll(loud, 80) * np.float32(0.1)
    span = np.array([[2_000, 14_000]], np.int64)
    assert len(own_stretches(leak, loud, span)) == 0
    assert len(own_stretches(own * np.float32(0.1), loud, span)) == 1
    assert len(own_stretches(own, loud, span)) == 1


def test_recordings_of_two_channels(tmp_path: Path) -> None:
    src = tmp_path / "src"
    src.mkdir()
    soundfile.write(src / "call.wav", np.random.default_rng(0).uniform(-0.1, 0.1, (8_000, 2)), 8_000)
    corpus, problems = open_source(src, tmp_path / "in", RIGHTS)
    (item,) = corpus
    assert not problems and item.dialogue.turns == ()
    assert [c.speakers for c in item.dialogue.audio[0].channels] == [(s.id,) for s in item.dialogue.speakers]
    assert not check(tmp_path / "in").findings


def test_turns_out_and_in_again(spoken: read.Corpus, duplex_corpus: Path, tmp_path: Path) -> None:
    for name, corpus in (("hand", spoken), ("made", read.open(duplex_corpus, language="zh", split="train"))):
        file = tmp_path / f"{name}.jsonl"
        assert write_turns(corpus, file) == sum(len([t for t in o.dialogue.turns if t.segments]) for o in corpus)
        r = correct(corpus, file, tmp_path / name, rater="ann")
        assert r.written and r.notes == ("0 dialogues changed",), r.problems
        assert [o.dialogue for o in read.open(tmp_path / name)] == [o.dialogue for o in corpus]


def test_a_person_corrects_turns(spoken: read.Corpus, tmp_path: Path) -> None:
    write_turns(spoken, tmp_path / "t.jsonl")
    rows = [json.loads(x) for x in (tmp_path / "t.jsonl").read_text().splitlines()]
    own = [r for r in rows if r["dialogue"] == "ba"]
    own[2] |= {"kind": "backchannel", "text": "Mhm, yes.", "segments": [[3.6, 4.1]]}
    own.append({"dialogue": "ba", "speaker": "ba-user", "text": "Thanks.", "segments": [[4.3, 4.6]]})
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(r) for r in own))
    r = correct(spoken, tmp_path / "t.jsonl", tmp_path / "out", rater="ann")
    assert r.written, r.problems
    d = read.open(tmp_path / "out").get("ba").dialogue
    assert [t.text for t in d.turns] == ["Tell me about tea.", "Tea is a leaf.", "Mhm, yes.", "Thanks."]
    assert d.turns[2].kind == "backchannel" and d.turns[2].segments[0].start == 57_600
    own[0]["segments"] = [[0.5, 99.0]]
    (tmp_path / "t.jsonl").write_text("\n".join([*(json.dumps(r) for r in own), "{broken"]))
    r = correct(spoken, tmp_path / "t.jsonl", tmp_path / "no", rater="ann")
    assert not r.written and len(r.problems) == 2 and not (tmp_path / "no").exists()


class Absent:
    """A recogniser that is not installed."""

    def hear(self, *_: object, **__: object) -> Heard:
        raise MissingPartError("the recogniser needs the package 'faster_whisper'", mend="pip install 'duologue[asr]'")


def test_without_a_recogniser_a_row_says_so(spoken: read.Corpus, tmp_path: Path) -> None:
    def mute(d: Dialogue) -> Dialogue:
        turns = tuple(msgspec.structs.replace(t, text="") for t in d.turns)
        return msgspec.structs.replace(d, turns=turns)

    rewrite(spoken, tmp_path / "mute", mute, {})
    r = annotate(read.open(tmp_path / "mute"), tmp_path / "out", detector=None, listener=Absent())
    assert r.written and "pip install" in r.words
    for item in read.open(tmp_path / "out"):
        (row,) = (a for a in item.dialogue.annotations if a.id == "floor-words")
        assert isinstance(row, LabelAnnotation) and row.value["words"] == r.words
    assert not check(tmp_path / "out").findings
