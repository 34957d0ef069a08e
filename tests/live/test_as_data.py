"""What a call leaves as data: a person's own voice only with consent, and words where sound was heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from callers import voice

from duologue.corpus.check import check
from duologue.corpus.read import Corpus
from duologue.errors import UserError
from duologue.live.call import CallSettings, Recording, call
from duologue.live.corpus_of import assigned, spread
from duologue.live.instruments import Behaviour, Instrument
from duologue.live.loop import run_loop
from duologue.live.microphone import Microphone, keep_spoken
from duologue.live.source import RATE, resampled
from duologue.systems.spec import open_system


class Tape:
    """A device whose microphone hears a recording; what is played on it is kept."""

    def __init__(self, pcm: np.ndarray) -> None:
        self.pcm, self.at, self.closed = pcm, 0, False
        self.played: list[np.ndarray] = []

    def read(self, size: int) -> np.ndarray:
        part = self.pcm[self.at : self.at + size]
        self.at += size
        return np.pad(part, (0, size - len(part)))

    def play(self, pcm: np.ndarray, rate: int) -> None:
        self.played.append(pcm)

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="module")
def spoken() -> tuple[Recording, Tape]:
    """Somebody speaks for half a second, and hears the answer."""
    tapes = []

    def make(rate: int) -> Microphone:
        tapes.append(Tape(resampled(voice([(0.2, 0.7)], 2.0), RATE, rate)))
        return Microphone(tapes[0], rate, 2.0)

    with Instrument("realtime", Behaviour(reply_after=0.3, reply=0.5, text="Hello there.")) as server:
        session = open_system(server.spec).session()  # type: ignore[union-attr]
        recording = run_loop(call(session, make, CallSettings(tail=0.0)))
    assert recording.failure is None
    return recording, tapes[0]


def test_a_person_hears_what_the_recording_says_was_heard(spoken) -> None:
    recording, tape = spoken
    assert tape.closed
    played = np.concatenate(tape.played)
    heard = np.flatnonzero(np.abs(recording.system.astype(int)) > 500)
    own = np.flatnonzero(np.abs(played.astype(int)) > 500)
    # The instrument speaks at 24 kHz.
    assert own[0] / 24_000 == pytest.approx(heard[0] / RATE, abs=0.001)
    assert own[-1] / 24_000 == pytest.approx(heard[-1] / RATE, abs=0.001)


def test_a_call_with_consent_is_a_human_machine_dialogue(spoken, tmp_path: Path) -> None:
    told = {"system": "realtime:ws://127.0.0.1:1", "speaker": "ann", "language": "en", "licence": "CC-BY-4.0"}
    keep_spoken(spoken[0], tmp_path / "call", consent_id="form-7", **told)
    assert check(tmp_path / "call").findings == []
    (item,) = Corpus(tmp_path / "call")
    d = item.dialogue
    assert d.source == "human-machine" and d.rights.consent_id == "form-7"
    assert [(s.role, s.synthetic, s.consent_id) for s in d.speakers] == [
        ("user", False, "form-7"),
        ("system", True, ""),
    ]
    user, system = d.turns
    assert (user.role, system.role, system.text) == ("user", "system", "Hello there.")
    assert [(w.text, w.source) for w in system.words] == [("Hello", "estimated"), ("there.", "estimated")]
    assert user.segments[0].start / RATE == pytest.approx(0.2, abs=0.01)
    assert user.segments[-1].end / RATE == pytest.approx(0.7, abs=0.01)
    for consent in ("", "not-applicable"):
        with pytest.raises(UserError, match="without consent"):
            keep_spoken(spoken[0], tmp_path / "none", consent_id=consent, **told)
    silent = Recording(user=np.zeros(RATE, np.int16), system=np.zeros(RATE, np.int16))
    with pytest.raises(UserError, match="nobody was heard"):
        keep_spoken(silent, tmp_path / "none", consent_id="form-7", **told)
    assert not (tmp_path / "none").exists()


def test_text_goes_to_the_sound_that_it_came_ahead_of() -> None:
    # Two answers, at 1-2 s and 4-5 s; text comes at 0.9 s, while the first is heard, before the second and after it.
    groups = np.array([(1, 2), (4, 5)], np.int64) * RATE
    pieces = [(0.9, "system", "One"), (1.5, "system", " and two."), (3.9, "system", "Three"), (5.5, "system", " four")]
    pieces.append((1.2, "user", "not mine"))
    assert assigned(pieces, "system", [2.05], groups) == [("One and two.", True), ("Three four", False)]
    assert assigned(pieces, "system", [], groups[:0]) == []


def test_words_fill_the_sound_in_order_and_a_cut_answer_keeps_what_was_said() -> None:
    text, intended, words = spread("Go left now", False, 0, 9000, "en")
    # 2 + 4 + 3 letters in 9,000 samples.
    assert [(w.text, w.start, w.end) for w in words] == [("Go", 0, 2000), ("left", 2000, 6000), ("now", 6000, 9000)]
    assert (text, intended) == ("Go left now", "")
    # At 15 characters a second one second is enough for "Go left, then" (13), not for "right" (19).
    text, intended, words = spread("Go left, then right, then stop.", True, 0, RATE, "en")
    assert text == "Go left, then" and intended == "Go left, then right, then stop."
    assert words[-1].end == RATE and all(text[w.char_start : w.char_end] == w.text for w in words)
    # Hanzi are words of their own; 4.5 of them are said in a second.
    text, _, words = spread("先往左走，然后右转。", True, 0, RATE, "zh")
    assert text == "先往左走" and [w.text for w in words] == list("先往左走")
