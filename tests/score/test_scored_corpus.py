"""A corpus is scored end to end: speech by the detector, words from the run, relevance by sentence vectors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from duologue.corpus.read import Corpus
from duologue.corpus.run import Run
from duologue.errors import MissingPartError
from duologue.score.parts import ears
from duologue.score.profiles.corrected.evaluate import Options, evaluate
from duologue.score.profiles.humdial2026.ears import OfficialEars
from duologue.score.profiles.humdial2026.score_run import read_tags, score_run
from duologue.score.selfcheck import selfcheck
from duologue.score.text_reader import TextReader, reader_of

# One worker builds the corpus and reads the network for all of these.
pytestmark = pytest.mark.xdist_group("scored corpus")


@pytest.fixture(scope="session")
def corpus(duplex_corpus: Path) -> Corpus:
    return Corpus(duplex_corpus, track="duplex")


@pytest.fixture(scope="session")
def reader(corpus: Corpus) -> TextReader:
    return reader_of(corpus)


@pytest.fixture(scope="session")
def heard():
    try:
        found = ears("run")
    except MissingPartError as error:
        pytest.skip(str(error))
    return found


@pytest.fixture(scope="session")
def honest_run(duplex_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from duologue.systems.degenerate.write import write_run

    out = tmp_path_factory.mktemp("honest") / "run"
    write_run(Corpus(duplex_corpus), "honest", out)
    return out


@pytest.fixture(scope="session")
def honest(corpus, honest_run, heard, reader):
    return evaluate(corpus, Run(honest_run), heard, reader)


def test_the_reference_system_does_well_everywhere(honest):
    assert honest.scored == honest.expected == len(honest.items) and not honest.accounted
    # Silero does not hear every sentence of the fast Chinese voice; a small corpus has few other queries to rank among.
    assert honest.headline.value > 0.75
    assert {c.scenario for c in honest.cells} >= {"follow_up", "pause", "third_party", "none", "all"}
    # Its behaviour is what the corpus asked for: no rule of the events fails in more than one item in ten.
    assert next(c for c in honest.cells if (c.scenario, c.language) == ("all", "all")).behaviour.value > 0.9
    assert honest.comparable == "files" and honest.system == "honest"


def test_measured_offsets_are_those_that_the_corpus_realised(honest, corpus):
    """First sounds against the words' own starts; the fast voice has a soft attack of some 10 ms."""
    errors = []
    for item in honest.items:
        d = corpus.get(item.id).dialogue
        starts = sorted(t.words[0].start / 16_000 for t in d.turns if t.role == "system" and t.words)
        for r in item.replies:
            if r.start is not None:
                errors.append(min(abs(r.start - s) for s in starts))
    assert len(errors) > 30
    assert np.median(errors) < 0.020 and np.quantile(errors, 0.9) < 0.060


def test_broken_outputs_are_accounted_for_and_change_no_other_item(honest, honest_run, corpus, heard, reader, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(honest_run, run)
    a, b, c, d, e, f = sorted(p.stem for p in run.glob("*.wav"))[:6]
    (run / f"{a}.wav").unlink()
    (run / f"{b}.wav").write_bytes(b"")
    (run / f"{c}.wav").write_bytes((run / f"{c}.wav").read_bytes()[:5000])
    x, rate = soundfile.read(run / f"{d}.wav", dtype="float32")
    x[100] = np.nan
    soundfile.write(run / f"{d}.wav", x, rate, subtype="FLOAT")
    x, rate = soundfile.read(run / f"{e}.wav", dtype="float32")
    import soxr

    soundfile.write(run / f"{e}.wav", soxr.resample(x, rate, 48_000), 48_000)
    (run / "stranger.wav").write_bytes((run / f"{f}.wav").read_bytes())
    card = evaluate(corpus, Run(run), heard, reader)
    assert card.accounted == {"failed": 3, "missing": 1} and card.scored + 4 == card.expected == honest.expected
    before, after = ({i.id: i for i in x.items} for x in (honest, card))
    for id in (a, b, c, d):
        assert after[id].utility == 0 and after[id].why
    assert "resampled from 48000 Hz" in after[e].notes
    assert after[e].utility == pytest.approx(before[e].utility, abs=0.02)
    for id in before.keys() - {a, b, c, d, e}:
        assert after[id] == before[id]
    assert card.extra_files == ("stranger.wav",)


def test_a_transcript_of_silence_is_worth_nothing(corpus, honest_run, heard, reader, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(honest_run, run)
    for path in run.glob("*.wav"):
        info = soundfile.info(path)
        soundfile.write(path, np.zeros(info.frames, np.int16), info.samplerate)
    card = evaluate(corpus, Run(run), heard, reader)
    assert card.headline.value == 0
    assert any("lie where nothing is said" in n for i in card.items for n in i.notes)


def test_filters_do_not_change_an_items_score(honest, corpus, honest_run, heard, reader):
    only = Options(keep=lambda item: item.dialogue.split == "test")
    card = evaluate(corpus, Run(honest_run), heard, reader, only)
    before = {i.id: i for i in honest.items}
    assert 0 < card.expected < honest.expected
    assert all(before[i.id] == i for i in card.items)


@pytest.mark.parametrize("per_cell", [pytest.param(1, marks=pytest.mark.long)])
def test_no_degenerate_system_reaches_the_honest_one(corpus, heard, reader, per_cell):
    from duologue.listen.speech import SpeechDetector

    found = selfcheck(corpus, heard, reader, OfficialEars(SpeechDetector()), per_cell=per_cell)
    assert found.passed, [s.system for s in found.systems if s.outranks]
    assert len(found.systems) == 23


def test_the_quick_selfcheck_tells_the_worst_from_the_honest(corpus, heard, reader):
    from duologue.listen.speech import SpeechDetector

    some = ("mute", "never_stops", "always_stops", "filler_then_late", "ghostwriter", "parrot", "peeker")
    found = selfcheck(corpus, heard, reader, OfficialEars(SpeechDetector()), per_cell=1, systems=some)
    assert found.passed
    by = {s.system: s for s in found.systems}
    assert by["mute"].corrected.value == by["ghostwriter"].corrected.value == 0
    # What the official formula gives a system that says nothing: the best delay score.
    assert by["mute"].delay == 0 and by["mute"].delay_score == 100
    assert all(by["honest"].corrected.value > by[s].corrected.value + 0.1 for s in some)


def test_the_official_numbers_of_a_run(corpus, honest_run, heard, reader, tmp_path):
    from duologue.listen.speech import SpeechDetector

    tags = tmp_path / "tags.jsonl"
    rows = [
        {"id": i.id, "tag": "RESPOND" if "stop" in e[0].expected else "RESUME"}
        for i in corpus
        if (e := i.dialogue.events)
    ]
    tags.write_text("".join(json.dumps(r) + "\n" for r in rows))
    scored = score_run(corpus, Run(honest_run), heard, OfficialEars(SpeechDetector()), reader, tags=read_tags(tags))
    assert scored.tags_from == "a file"
    # Every tag is the right one, so Int is full; dialogues of a scenario without its event have no tag and are listed.
    assert scored.score.interruption == 100.0
    untagged = {u.item for u in scored.score.unscored if u.why == "no tag"}
    assert untagged <= {i.id for i in corpus if not i.dialogue.events}
    assert 0.1 < scored.score.delay < 1.5
    assert msgspec.json.encode(scored)
