"""What is exported in the challenge's layout is scored from it: scenario folders, and a shuffled set with its key."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from duologue.corpus.read import Corpus
from duologue.formats import humdial
from duologue.formats.format import ExportOptions
from duologue.score.profiles.humdial2026.evaluate import evaluate
from duologue.score.profiles.humdial2026.layout import find
from duologue.score.profiles.humdial2026.read import read_items


class Everything:
    """Hears speech from the first sample to the last."""

    def segments(self, samples: npt.NDArray[np.float32], *, merge_gap: float = 0.0) -> npt.NDArray[np.int64]:
        return np.array([[0, len(samples)]], np.int64)


def test_an_export_with_answers(small: Corpus, tmp_path: Path) -> None:
    humdial.export(small, tmp_path / "out", ExportOptions(answers=True))
    folder = find(tmp_path / "out")
    found = {f.id.rpartition("/")[0]: f for f in folder.files}
    assert {(f.language, f.scenario, f.position) for f in folder.files} == {
        ("en", "follow_up", ""),
        ("en", "third_party", "before"),
        ("zh", "backchannel", ""),
        ("zh", "pause", ""),
    }
    assert all(f.system and f.system_words and f.sentence for f in folder.files)
    before = found["HD-Track2/train/en/Third-party_Speech"]
    assert before.clean_user is not None and before.clean_user_words is not None
    assert dict(folder.problems) == {
        "HD-Track2/dev/en/No_Event/0010_0001": "a dialogue without an event, which has no official score"
    }
    items = {i.scenario: i for i in read_items(folder, Everything())}
    assert all(i.notes == () for i in items.values())
    # bb: the query ends at sample 16,000, the answer's first word starts at 17,000.
    third = evaluate([items["third_party"]]).languages["en"].scenarios["third_party_before"]
    assert (third.first_response_delay, third.rejection_rate) == (1000 / 16_000, 1.0)


def test_a_shuffled_export_with_its_key(small: Corpus, tmp_path: Path) -> None:
    key = tmp_path / "key.jsonl"
    humdial.export(small, tmp_path / "out", ExportOptions(key=key))
    folder = find(tmp_path / "out" / "HD-Track2" / "test", key=key)
    assert {(f.language, f.scenario) for f in folder.files} == {("zh", "backchannel"), ("zh", "pause")}
    assert folder.problems == ()
    assert all(f.user is not None and f.system is None for f in folder.files)
    assert sum(f.clean_user is not None for f in folder.files) == 1
    score = evaluate(read_items(folder, Everything()))
    assert set(score.missing) == {f.id for f in folder.files}
