"""Voices of a server and of a program, which speak with espeak's sound here and misbehave when told to."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
import soxr

sys.path.insert(0, str(Path(__file__).parents[2] / "remote"))

import chat_server as fault
from chat_server import KEY, Server, serving
from clocks import NoWait

from duologue.errors import MissingPartError, UserError
from duologue.generate.prosody import Prosody
from duologue.generate.voices.command import CommandVoice
from duologue.generate.voices.espeak import EspeakVoice
from duologue.generate.voices.instructions import instructions, speed
from duologue.generate.voices.level import NEUTRAL_DB, mean_level
from duologue.generate.voices.openai import OpenaiOptions, OpenaiVoice

pytest.importorskip("httpx")
pytest.importorskip("espeakng_loader", reason="the fast voice is not installed")
SAID = "We are going to the station together this morning."
SPEAKERS = {"anna": {"sex": "female", "age": "adult", "languages": ["en"], "voice": "en-us+f2"}}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving() as running:
        yield running


def spoken(text: str = SAID, language: str = "en") -> bytes:
    voice = EspeakVoice()
    speech = voice.synthesise(text, language=language, speaker=voice.speakers(language)[0].id)
    return wav(speech.samples, speech.sample_rate)


def wav(samples: Any, rate: int = 24_000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.clip(samples, -1, 1), rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def options(folder: Path, **more: Any) -> dict[str, Any]:
    return {"speakers": SPEAKERS, "cache": str(folder), "readback": "never", **more}


def voice(server: Server, folder: Path, **more: Any) -> OpenaiVoice:
    given = options(folder, base_url=server.url, model="tts", **more)
    return OpenaiVoice(msgspec.convert(given, OpenaiOptions), clock=NoWait())


def say(v: Any, text: str = SAID, **more: Any) -> Any:
    return v.synthesise(text, language="en", speaker="anna", **more)


def giving(data: bytes) -> Callable[[Any], None]:
    return lambda h: h.answer(data)


def test_prosody_is_told_in_words_and_one_speed() -> None:
    assert (instructions(Prosody()), speed(Prosody())) == ("", 1.0)
    sad = Prosody(gain=-3, tempo=1.2, f0_shift=-1.5, f0_range=0.8, breath=2)
    assert instructions(sad) == "Speak softer, much slower, lower in pitch, flatter, breathier."
    # 1 / 1.2 = 0.833, to the nearest twentieth 0.85.
    assert speed(sad) == 0.85


def test_a_line_is_asked_for_once_brought_to_level_and_then_answered_offline(server: Server, tmp_path: Path) -> None:
    server.faults.extend([fault.busy("0"), fault.status(500), giving(spoken())])
    first = say(voice(server, tmp_path), prosody=Prosody(gain=4))
    assert len(server.seen) == 3 and server.seen[-1][2]["instructions"] == "Speak louder."
    assert server.seen[-1][2]["voice"] == "en-us+f2"
    assert mean_level(first.samples, 600) == pytest.approx(NEUTRAL_DB + 4, abs=0.1)
    assert first.source == "estimated" and SAID[: first.words[0].char_end] == "We"
    assert len(first.words) == 9 and first.words[0].start == first.onset and first.words[-1].end == first.offset
    again = say(voice(server, tmp_path, offline=True), prosody=Prosody(gain=4), seed=9)
    assert np.array_equal(again.samples, first.samples) and again.words == first.words and len(server.seen) == 3
    with pytest.raises(UserError, match=r"offline and its cache lacks a line of speaker 'anna'.*Another"):
        say(voice(server, tmp_path, offline=True), "Another line that nobody has said.")


def test_an_altered_sound_file_is_not_used(server: Server, tmp_path: Path) -> None:
    server.faults.append(giving(spoken()))
    say(voice(server, tmp_path))
    (kept,) = (tmp_path / "sounds").rglob("*.wav")
    kept.write_bytes(kept.read_bytes()[:-2] + b"\1\1")
    with pytest.raises(UserError, match="cache lacks"):
        say(voice(server, tmp_path, offline=True))


@pytest.mark.parametrize(
    ("bad", "finding"),
    [
        (wav(np.zeros(48_000)), "silent"),
        (wav(np.sign(np.sin(np.arange(72_000) / 30))), "clipped"),
        (wav(np.sin(np.arange(2_400) / 9) * 0.3), "lasts 0.10 s"),
        (spoken()[:9_000], "its sound is"),
    ],
)
def test_a_bad_sound_is_asked_for_again_and_refused_by_name(
    server: Server, tmp_path: Path, bad: bytes, finding: str
) -> None:
    server.faults.extend([giving(bad), giving(spoken())])
    assert len(say(voice(server, tmp_path / "a")).words) == 9 and len(server.seen) == 2
    server.faults.extend([giving(bad)] * 2)
    with pytest.raises(UserError, match=f"voice 'openai', speaker 'anna': .*{finding}.*2 attempts.*") as error:
        say(voice(server, tmp_path / "b", attempts=2))
    assert error.value.value == SAID and not list(tmp_path.glob("b/sounds/**/*.wav"))


@pytest.mark.long
def test_wrong_words_and_another_language_are_heard(server: Server, tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper")
    more = {"readback": "always", "attempts": 1}
    for bad, finding in (
        (spoken("My brother has bought a yellow bicycle for his daughter."), "other words.*heard: "),
        (spoken("今天天气很好，我们一起去公园散步吧。", "zh"), "another language|other words"),
    ):
        server.faults.append(giving(bad))
        with pytest.raises(UserError, match=finding):
            say(voice(server, tmp_path, **more))
    # Asked again, it says the right words; where they lie is what the recogniser hears, within the sound.
    server.faults.extend([giving(spoken("My brother has bought a yellow bicycle.")), giving(spoken())])
    found = say(voice(server, tmp_path, **{**more, "attempts": 2}))
    assert len(found.words) == 9 and found.source == "estimated" and not server.faults
    known = EspeakVoice().synthesise(SAID, language="en", speaker=EspeakVoice().speakers("en")[0].id)
    wrong = [abs(a.start / 24_000 - b.start / known.sample_rate) for a, b in zip(found.words, known.words, strict=True)]
    assert np.median(wrong) < 0.2
    (kept,) = (tmp_path / "lines").rglob("*.json")
    answer = json.loads(kept.read_text())["answer"]
    assert "station" in answer["heard"] and answer["attempts"] == 2


def test_a_program_is_run_without_a_shell_and_gets_each_place_as_one_word(tmp_path: Path) -> None:
    (tmp_path / "sound.wav").write_bytes(spoken())
    program = tmp_path / "say.py"
    program.write_text(
        "import json, shutil, sys\n"
        "said = [*sys.argv[2:], open(sys.argv[2]).read(), sys.stdin.read()]\n"
        f"json.dump(said, open({str(tmp_path / 'seen')!r}, 'w'))\n"
        f"shutil.copy({str(tmp_path / 'sound.wav')!r}, sys.argv[1])\n"
    )
    command = (
        f"{sys.executable} {program} {{output}} {{text_file}} '{{instructions}}' {{speaker}};id {{speed}} {{seed}}"
    )
    v = CommandVoice.configured(options(tmp_path / "cache", command=command))
    assert say(v, prosody=Prosody(gain=3, tempo=1.25), seed=7).source == "estimated"
    seen = json.loads((tmp_path / "seen").read_text())
    assert seen[1:] == ["Speak louder, much slower.", "en-us+f2;id", "0.8", "7", SAID, SAID]


@pytest.mark.parametrize(
    ("command", "finding"),
    [("false {output}", "exit code 1"), ("sleep 30 {output}", "longer than 0.3"), ("/none {output}", "cannot be run")],
)
def test_a_program_that_fails_is_named(tmp_path: Path, command: str, finding: str) -> None:
    if command.startswith("sleep"):
        command = "sh -c 'sleep 30' {output}"
    with pytest.raises(UserError, match=finding):
        say(CommandVoice.configured(options(tmp_path, command=command, timeout=0.3)))


def test_wrong_options_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="modle"):
        OpenaiVoice.configured(options(tmp_path, base_url="http://localhost:1/v1", modle="x"))
    with pytest.raises(UserError, match="No closing quotation"):
        CommandVoice.configured(options(tmp_path, command="say 'x"))
    with pytest.raises(UserError, match="command"):
        CommandVoice.configured(options(tmp_path))
    with pytest.raises(UserError, match="attempts"):
        OpenaiVoice.configured(options(tmp_path, model="x", attempts=0))
    with pytest.raises(UserError, match="no speakers"):
        OpenaiVoice.configured({"speakers": {}, "model": "x"})


@pytest.mark.parametrize(("form", "rate"), [("wav", 8_000), ("wav", 44_100), ("flac", 48_000), ("pcm", 16_000)])
def test_any_form_and_rate_is_the_same_speech(server: Server, tmp_path: Path, form: str, rate: int) -> None:
    espeak = EspeakVoice()
    speech = espeak.synthesise(SAID, language="en", speaker=espeak.speakers("en")[0].id)
    samples = np.clip(soxr.resample(speech.samples, speech.sample_rate, rate), -1, 1)
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="RAW" if form == "pcm" else form, subtype="PCM_16")
    server.speak = lambda body: file.getvalue()
    v = voice(server, tmp_path, response_format=form, pcm_rate=rate)
    found = say(v)
    assert server.seen[0][2]["response_format"] == form
    seconds = len(speech.samples) / speech.sample_rate
    assert (found.sample_rate, len(found.samples)) == (24_000, pytest.approx(seconds * 24_000, abs=3))
    # The file is kept as it came, under its own hash.
    (kept,) = (tmp_path / "sounds").rglob(f"*.{form}")
    assert kept.stem == hashlib.sha256(file.getvalue()).hexdigest() and kept.read_bytes() == file.getvalue()


def test_a_cache_needs_no_server_and_a_missing_line_asks_for_one(server: Server, tmp_path: Path) -> None:
    server.speak = lambda body: spoken()
    first = say(voice(server, tmp_path))
    alone = OpenaiVoice.configured(options(tmp_path, model="tts"))
    assert np.array_equal(say(alone).samples, first.samples) and len(server.seen) == 1
    with pytest.raises(UserError, match=r"'openai', speaker 'anna': which server.*Quite another line") as error:
        say(alone, "Quite another line for nobody.")
    assert "base_url" in error.value.mend


def test_the_key_is_nowhere_in_the_cache(server: Server, tmp_path: Path) -> None:
    server.speak = lambda body: spoken()
    say(voice(server, tmp_path))
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(files) == 4 and not any(KEY.encode() in p.read_bytes() for p in files)
    assert not any(server.url.encode() in p.read_bytes() for p in files)


def test_a_budget_of_characters_holds_over_runs_and_bad_answers_count(server: Server, tmp_path: Path) -> None:
    # SAID has 50 characters; the silent answer is paid for like the good one, the failure is not.
    server.faults.extend([fault.status(500), giving(wav(np.zeros(48_000)))])
    server.speak = lambda body: spoken()
    say(voice(server, tmp_path, budget_characters=140))
    assert len(SAID) == 50 and len(server.seen) == 3
    with pytest.raises(UserError, match=r"100 of 140 characters are spent"):
        say(voice(server, tmp_path, budget_characters=140), SAID.replace("morning", "evening"))
    say(voice(server, tmp_path, budget_characters=140))  # the cache costs nothing
    say(voice(server, tmp_path, budget_characters=150), SAID.replace("morning", "evening"))
    assert len(server.seen) == 4


def test_a_feeling_is_told_by_name_and_is_another_line(server: Server, tmp_path: Path) -> None:
    server.speak = lambda body: spoken()
    for feeling in ("angry", "neutral", "angry"):
        say(voice(server, tmp_path), feeling=feeling)
    assert [b.get("instructions") for _, _, b in server.seen] == ["The speaker feels angry.", None]


def test_who_has_no_recogniser_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUOLOGUE_MODELS", str(tmp_path / "none"))
    given = {"model": "tts", "base_url": "http://localhost:9/v1"}
    (notice,) = OpenaiVoice.configured(options(tmp_path, **given, readback="auto")).notices
    assert "not read back" in notice and "duologue models fetch whisper" in notice
    with pytest.raises(MissingPartError, match="recogniser"):
        OpenaiVoice.configured(options(tmp_path, **given, readback="always")).ready()


def test_a_program_may_write_to_standard_output_and_a_refused_line_gets_another_seed(tmp_path: Path) -> None:
    (tmp_path / "sound.wav").write_bytes(spoken())
    program = tmp_path / "say.py"
    # Seed 7 gives nothing, seed 8 speaks.
    program.write_text(
        "import sys\nif sys.argv[1] == '8':\n"
        f"    sys.stdout.buffer.write(open({str(tmp_path / 'sound.wav')!r}, 'rb').read())\n"
    )
    v = CommandVoice.configured(options(tmp_path / "cache", command=f"{sys.executable} {program} {{seed}}"))
    assert len(say(v, seed=7).words) == 9
    one = CommandVoice.configured(
        options(tmp_path / "cache", command=f"{sys.executable} {program} {{seed}}", attempts=1)
    )
    with pytest.raises(UserError, match=r"'command', speaker 'anna': .*empty file.*1 attempts"):
        say(one, seed=6)
