"""Audit of dialogue audio: chance findings per hour between unrelated corpora, and planted dialogues.

    python benchmarks/audit_dialogues.py TEST_CORPUS UNRELATED_CORPUS...

The test split of TEST_CORPUS is indexed. The other corpora are searched; a match is a true repeat, and counted apart,
where two words or three hanzi are the same at the same moment of both stretches (the same voice may say the same phrase
in both). Then dialogues of the test split are changed, put among training files and scanned with the command's code.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import audit_changes as change
import numpy as np
import soundfile

from duologue.corpus.dialogue import Dialogue
from duologue.corpus.read import open as open_corpus
from duologue.corpus.speaker import Speaker
from duologue.protect.audit import index as test_index
from duologue.protect.audit.corpus_split import of_split
from duologue.protect.audit.index import TestIndex
from duologue.protect.audit.levels import chance, level
from duologue.protect.audit.match import Match, Table
from duologue.protect.audit.scan import scan
from duologue.protect.audit.sound import mono_tracks

LEVELS = ("certain", "likely", "suspicion")
PLANTED = ("mp3", "cut", "fast")  # whole; 20 s of it; whole at 1.05 times the speed: all of them mixed down, as mp3
REACH = 0.25  # seconds by which two words may be apart and be at the same moment
LEFT_OUT = frozenset({"text", "meaning", "speakers"})


class Channel(NamedTuple):
    """A channel of the main audio of a dialogue."""

    dialogue: Dialogue
    channel: int
    samples: change.Sound
    rate: int


def channels(
    corpus: Path,
    split: str | None = None,
    *,
    channel_of: Callable[[Speaker], bool] = lambda speaker: True,
) -> Iterator[Channel]:
    """Channels of whose speakers ``channel_of`` holds for each."""
    for opened in open_corpus(corpus, split=split):
        wanted = {s.id for s in opened.dialogue.speakers if channel_of(s)}
        theirs = [set(c.speakers) <= wanted for c in opened.file().channels]
        if not any(theirs):
            continue
        samples, rate = opened.audio()
        for c, (_, mono) in enumerate(mono_tracks(samples)):
            if theirs[c]:
                yield Channel(opened.dialogue, c, mono, rate)


class Test(NamedTuple):
    """What is indexed of a split of a corpus, ready for look-ups."""

    index: TestIndex
    table: Table
    dialogues: dict[str, Dialogue]

    def item(self, match: Match) -> str:
        return self.index.items[self.index.files[self.index.tracks[match.track].file].item]

    def shared(self, match: Match) -> bool:
        return self.index.tracks[match.track].shared


def tested(corpus: Path, split: str | None) -> Test:
    index = test_index.build(corpus, split=split, without=LEFT_OUT)
    dialogues = {opened.id: opened.dialogue for opened in open_corpus(corpus, split=split)}
    return Test(index, Table([t.fingerprint() for t in index.tracks]), dialogues)


def said(dialogue: Dialogue) -> list[tuple[float, str]]:
    """(second, word) of all that anyone says; a hanzi is a word."""
    rates = {a.id: a.sample_rate for a in dialogue.audio}
    return [
        (w.start / rates[t.segments[0].audio], part)
        for t in dialogue.turns
        if t.segments
        for w in t.words
        for part in w.text.lower().split()
    ]


def repeats(match: Match, ours: Dialogue, theirs: Dialogue) -> bool:
    """Are two words, or three hanzi, the same at the same moment of both stretches?"""
    there = said(theirs)
    met = set()
    for second, word in said(ours):
        if -REACH <= second - match.offset <= match.seconds + REACH:
            at = (second - match.offset) * match.variant.speed + match.track_offset
            met.update(second for other, same in there if same == word and abs(other - at) <= REACH)
    return len(met) >= (3 if theirs.languages[0] == "zh" else 2)


def by_chance(test: Test, others: Iterator[Channel], least: float) -> tuple[list[Match], float, int]:
    """(the matches that no common words explain, the seconds that were searched, how many were true repeats).

    Of a dialogue, a dialogue of the test and a place, the best is taken alone, as a scan does.
    """
    found: list[Match] = []
    taken: set[tuple[str, str, int]] = set()
    seconds, repeated = 0.0, 0
    for other in others:
        seconds += len(other.samples) / other.rate
        matches = test.table.search(other.samples, other.rate, least=least)
        for match in sorted(matches, key=lambda m: (test.shared(m), -m.score)):
            place = (other.dialogue.id, test.item(match), round(match.offset / 3))
            if any((*place[:2], place[2] + d) in taken for d in (-1, 0, 1)):
                continue
            taken.add(place)
            if repeats(match, other.dialogue, test.dialogues[test.item(match)]):
                repeated += 1
            else:
                found.append(match)
    return found, seconds, repeated


def planted(test: Path, folder: Path) -> dict[str, str]:
    """Changed dialogues of the test split of ``test`` among its training files: {file name: dialogue}."""
    inside: dict[str, str] = {}
    for i, opened in enumerate(open_corpus(test, split="test")):
        samples, rate = opened.audio()
        x = np.asarray(samples.mean(axis=1), np.float32)
        kind = PLANTED[i % len(PLANTED)]
        if kind == "cut":
            x = x[len(x) // 4 :][: 20 * rate]
        elif kind == "fast":
            x = change.speed(x, 1.05)
        name = f"{kind}-{i}.mp3"
        soundfile.write(folder / name, x, rate, format="MP3")
        inside[name] = opened.id
    return inside


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("test", type=Path)
    options.add_argument("unrelated", type=Path, nargs="*")
    given = options.parse_args()
    test = tested(given.test, "test")
    for corpus in given.unrelated:
        began = time.process_time()
        found, seconds, repeated = by_chance(test, channels(corpus), 15.0)
        hours = seconds / 3600
        amount = (len(test.table.codes), max(seconds, 3600.0))
        levels: Counter[str | None] = Counter()
        for match in found:
            expected = level(chance(match.score, *amount))
            levels["suspicion" if expected and test.shared(match) else expected] += 1
        shared = sum(test.shared(m) and level(chance(m.score, *amount)) is not None for m in found)
        own = sorted((m.score for m in found if not test.shared(m)), reverse=True)[:5]
        print(
            f"{corpus.name}: {hours:.2f} hours of channels against {len(test.table.codes)} codes, "
            f"{repeated} true repeats; "
            + ", ".join(f"{name} {levels[name]} ({levels[name] / hours:.2f} an hour)" for name in LEVELS)
            + f"; {shared} of the suspicions are of the system's channel; highest other scores {np.round(own, 1)}; "
            + f"{seconds / (time.process_time() - began):.0f}x",
            flush=True,
        )
    with tempfile.TemporaryDirectory() as scratch:
        index, folder = Path(scratch) / "index", Path(scratch) / "mixed"
        folder.mkdir()
        test_index.write(test.index, index)
        inside = planted(given.test, folder)
        train = [p for p in of_split(given.test, "train") if p.is_dir()]
        audit = scan([folder, *train], index, without=LEFT_OUT)
        best: dict[str, str] = {}
        for f in audit.findings:
            if inside.get(Path(f.file).name) == f.item:
                best.setdefault(Path(f.file).name, f.level)
        for kind in PLANTED:
            names = [n for n in inside if n.startswith(kind)]
            print(f"planted, {kind}: {sum(best.get(n) == 'certain' for n in names)} of {len(names)} found as certain")
        rest = Counter(f.level for f in audit.findings if Path(f.file).name not in inside)
        print(f"findings in the {audit.scanned - len(inside)} training files, true repeats included: {dict(rest)}")


if __name__ == "__main__":
    main()
