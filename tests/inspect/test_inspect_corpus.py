"""A corpus with planted faults: each comes first in its list, and the page shows it to a real browser."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from duologue.cli.inspect import command
from duologue.corpus.audio import Channel
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.read import Corpus
from duologue.errors import UserError
from duologue.formats.landing import Landing
from duologue.inspect.figures import Figure, Inspection, WorstList
from duologue.inspect.inspect import inspect
from duologue.listen.readback import tokens
from duologue.models import store
from duologue.models.catalogue import WHISPER
from duologue.report.inspect_page import render

sys.path.append(str(Path(__file__).parents[1] / "report"))
from browser import look, parse

# The recogniser hears a dozen turns.
pytestmark = pytest.mark.long
RATE = 16_000
HOSTILE = "<img src=x onerror=alert(1)>\"'&"
LINES = {
    "d0": "I would like to book a table for four people on Friday.",
    "wrong": "My sister is moving to another city next month.",
    "clipped": "Can you tell me what the weather will be tomorrow?",
    "silent": "There is a letter for you on the table.",
    "late": "How long does it take to walk to the station?",
    "noisy": "Where did you put the keys of the car?",
}
ANSWER = "I am glad to help you with that."


def _speak(text: str, speaker: str) -> np.ndarray:
    import soxr

    from duologue.generate.prosody import Prosody
    from duologue.generate.voices.espeak import EspeakVoice

    speech = EspeakVoice().synthesise(text, language="en", speaker=speaker, prosody=Prosody(), seed=1)
    x = soxr.resample(speech.samples, speech.sample_rate, RATE)
    return np.asarray(0.3 * x / np.abs(x).max(), np.float32)


def _turn(index: int, role: str, text: str, start: int, end: int) -> dict[str, object]:
    words = [[text.split()[0], 0, len(text.split()[0]), start, end, "estimated"]]
    return {
        "index": index, "role": role, "speaker": f"{role}-1", "addressee": "", "language": "en", "text": text,
        "segments": [{"audio": "a0", "channel": int(role == "system"), "start": start, "end": end}],
        "words": words if role == "user" else [],
    }  # fmt: skip


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("espeakng_loader", reason="the fast voice is not installed")
    pytest.importorskip("faster_whisper", reason="the recogniser is not installed")
    if not store.installed(WHISPER):
        pytest.skip("the recogniser is not there: duologue models fetch whisper")
    from duologue.generate.voices.espeak import EspeakVoice

    root = tmp_path_factory.mktemp("faulty") / "c"
    root.mkdir()
    landing, rng = Landing(root), np.random.default_rng(0)
    who = [s.id for s in EspeakVoice().speakers("en")][:2]
    answer = _speak(ANSWER, who[1])
    for name, text in LINES.items():
        said = _speak("Bananas are yellow, but most apples are green." if name == "wrong" else text, who[0])
        start, gap = RATE, 5 * RATE if name == "late" else RATE // 5
        reply = start + len(said) + gap
        audio = np.zeros((reply + len(answer) + RATE, 2), np.float32)
        audio[:, 0] = rng.normal(0, 0.02 if name == "noisy" else 0.001, len(audio))
        audio[start : start + len(said), 0] += 12 * said if name == "clipped" else said
        audio[reply : reply + len(answer), 1] = answer
        if name == "silent":
            audio[:, 0] = 0
        told = ANSWER + HOSTILE if name == "late" else ANSWER
        d = msgspec.convert(
            {
                "schema_version": 1, "id": name, "track": "duplex", "tasks": ["interruption"], "languages": ["en"],
                "split": "test" if name == "d0" else "train", "scenario": "none", "source": "synthetic",
                "rights": {"licence": "CC0-1.0", "consent_id": "not-applicable"},
                "speakers": [
                    {"id": f"{r}-1", "role": r, "languages": ["en"], "synthetic": r == "system", "voice": r + HOSTILE}
                    for r in ("user", "system")
                ],
                "turns": [
                    _turn(0, "user", text, start, start + len(said)),
                    _turn(1, "system", told, reply, reply + len(answer)),
                ],
            },
            Dialogue,
        )  # fmt: skip
        channels = (Channel(kind="user-mic", speakers=("user-1",)), Channel(kind="system", speakers=("system-1",)))
        pcm = np.clip(np.round(audio * 32767), -32768, 32767).astype(np.int16)
        landing.add(msgspec.structs.replace(d, audio=(landing.store(d, "a0", pcm, RATE, channels),)))
    landing.finish("faulty", {})
    return root


@pytest.fixture(scope="module")
def found(faulty: Path) -> Inspection:
    return inspect(Corpus(faulty), sample=6, seed=3)


def _list(found: Inspection, name: str) -> WorstList:
    return next(x for x in found.worst if x.name == name)


def _figure(found: Inspection, name: str, of: str) -> Figure:
    return next(f for f in found.figures if (f.name, f.of) == (name, of))


def test_planted_faults_come_first(found: Inspection) -> None:
    errors = _list(found, "highest error of read-back").items
    # What drowns in noise may be misheard as much.
    assert {"wrong", "silent"} <= {e.dialogue for e in errors[:3]} <= {"wrong", "silent", "noisy"}
    assert next(x for x in errors if x.dialogue == "silent").value == 1.0  # every word is missing
    assert next(x for x in errors if x.dialogue == "wrong").text == LINES["wrong"]
    assert [x.dialogue for x in _list(found, "clipped").items] == ["clipped"]
    dead = _list(found, "digital silence where somebody should speak").items[0]
    assert (dead.dialogue, dead.value, dead.note) == ("silent", 1.0, "user-mic")
    assert _list(found, "quietest").items[0].dialogue == "silent"
    assert _list(found, "loudest").items[0].dialogue == "clipped"
    assert _list(found, "lowest SNR").items[0].dialogue == "noisy"
    late = _list(found, "oddest floor transfers").items[0]
    assert (late.dialogue, late.value) == ("late", 5.0)


def _distance(a: list[str], b: list[str]) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


def test_an_error_rate_is_edits_over_words(found: Inspection) -> None:
    for x in _list(found, "highest error of read-back").items:
        wanted, heard = tokens(x.text, "en"), tokens(x.heard, "en")
        assert x.value == pytest.approx(_distance(wanted, heard) / len(wanted), abs=1e-4)
    whole = _figure(found, "WER", "en")
    assert whole.n == 12 and whole.value is not None and whole.low is not None and whole.high is not None
    # The two bad turns are 18 words of about 110: 60 by the user and six answers of 8.
    assert whole.value > 18 / 130 and whole.low <= whole.value <= whole.high


def test_what_is_counted_by_hand(found: Inspection) -> None:
    # One of 6 user channels is clipped, one is silent all along; the system's are neither.
    assert _figure(found, "channels with clipping", "user-mic").value == pytest.approx(1 / 6)
    assert _figure(found, "channels with clipping", "system").value == 0
    # Five transfers of 0.2 s and one of 5 s: at 0.15 s none has happened and half of the real ones have.
    assert _figure(found, "Kolmogorov-Smirnov distance to real meetings", "en").value == pytest.approx(0.5)
    assert _figure(found, "floor-transfer offset, median", "en").value == pytest.approx(0.2)
    assert _figure(found, "overlapped transfers", "en").value == 0
    # The user's turns alone have a word time, and all of them are estimated.
    assert _figure(found, "word times that are estimated", "").value == 1
    assert _figure(found, "turns with text but no word times", "").value == 0.5
    synthetic = _figure(found, "synthetic speech", "").value
    assert synthetic is not None and 0.3 < synthetic < 0.7
    # Every answer is the same; the user's lines are all different.
    assert _figure(found, "dialogues worded as an earlier one", "en").value == 0
    # White noise of 0.001: -60 dBFS, speech near -20.
    snr = _figure(found, "SNR as estimated, mean", "user-mic")
    assert snr.value is not None and 25 < snr.value < 50


def test_every_figure_says_n_and_how_or_why_not(found: Inspection) -> None:
    for f in found.figures:
        assert f.how or f.missing, f
        assert (f.value is None) == bool(f.missing), f
        assert f.missing or f.counted, f
    assert _figure(found, "emotions told by prosody, accuracy", "").missing
    assert found.sample == 6 and found.seed == 3


def test_a_part_that_is_not_installed_is_a_row_that_says_so(faulty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("resemblyzer", "distillmos", "faster_whisper"):
        monkeypatch.setitem(sys.modules, name, None)
    x = inspect(Corpus(faulty), sample=1, seed=0)
    assert "duologue[speaker]" in _figure(x, "similarity, same speaker", "").missing
    assert "distillmos" in _figure(x, "DistillMOS", "").missing
    assert "duologue[asr]" in _figure(x, "WER or CER", "").missing


def test_the_page_shows_it_all_to_a_browser(faulty: Path, found: Inspection, tmp_path: Path) -> None:
    page = render(Corpus(faulty), found)
    tree = parse(page)
    assert not [t for t, _ in tree.tags if t == "img"]
    assert not re.findall(r"url\(|@import|https?://", page)
    assert page.count("data:audio/") == sum(len(w.items) for w in found.worst)
    seen = look(page, 390, tmp_path)
    assert seen.scroll <= seen.inner and not seen.complaints and not seen.flat
    assert seen.heard is not None and seen.heard > 0.5
    assert "onerror=alert(1)" in seen.text and "Kolmogorov" in seen.text


def test_the_verb_prints_json_and_text_and_repeats_itself(faulty: Path, tmp_path: Path) -> None:
    args = [str(faulty), "--sample", "2", "--seed", "4", "--skip", "read-back", "--skip", "quality"]
    first, second = (CliRunner().invoke(command, [*args, "--json"]) for _ in range(2))
    assert first.exit_code == 0, first.output
    assert first.stdout == second.stdout
    x = msgspec.json.decode(first.stdout, type=Inspection)
    assert (x.sample, x.dialogues) == (2, 6)
    assert _figure(x, "WER or CER", "").missing == "left out by --skip"
    rttm = tmp_path / "m.rttm"
    rttm.write_text("".join(f"SPEAKER m 1 {a} 1 <NA> <NA> {w} <NA> <NA>\n" for a, w in ((0, "A"), (1.2, "B"))))
    text = CliRunner().invoke(command, [*args, "--split", "test", "--meetings", str(rttm)])
    assert text.exit_code == 0, text.output
    assert "1 dialogues" in text.output and "left out by --skip" in text.output
    none = CliRunner().invoke(command, [str(faulty), "--sample", "0", "--skip", "read-back"])
    assert none.exit_code == 0, none.output


def test_wrong_questions_are_refused(faulty: Path) -> None:
    with pytest.raises(UserError, match="unknown part"):
        inspect(Corpus(faulty), skip=("speed",))
    with pytest.raises(UserError, match="negative"):
        inspect(Corpus(faulty), sample=-1)
