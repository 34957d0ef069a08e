"""Audit of dialogue audio: chance findings per hour between unrelated corpora, and planted dialogues.

    python benchmarks/audit_dialogues.py TEST_CORPUS UNRELATED_CORPUS...

The test split of TEST_CORPUS is indexed. The other corpora are searched; a match is a true repeat, and not counted,
where the two stretches have three words or six hanzi in a row in common (the same voice may say the same phrase in
both). Then dialogues of the test split are changed, put among training files and scanned with the command's code.
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
from duologue.protect.audit.fingerprint import fingerprint
from duologue.protect.audit.levels import chance, level
from duologue.protect.audit.match import Match, Table
from duologue.protect.audit.scan import scan
from duologue.protect.audit.sound import mono_tracks

LEVELS = ("certain", "likely", "suspicion")
PLANTED = ("mp3", "cut", "fast")  # whole; 20 s of it; whole at 1.05 times the speed: all of them mixed down, as mp3
REACH = 0.3  # seconds beside a stretch whose words count as in it


class Channel(NamedTuple):
    """A channel of the main audio of a dialogue; ``channel`` -1 is the sum of all."""

    dialogue: Dialogue
    channel: int
    samples: change.Sound
    rate: int


def channels(
    corpus: Path,
    split: str | None = None,
    *,
    sums: bool = False,
    channel_of: Callable[[Speaker], bool] = lambda speaker: True,
) -> Iterator[Channel]:
    """Channels, of whose speakers ``channel_of`` holds for each, and with ``sums`` the sum of all channels."""
    for opened in open_corpus(corpus, split=split):
        wanted = {s.id for s in opened.dialogue.speakers if channel_of(s)}
        theirs = [set(c.speakers) <= wanted for c in opened.file().channels]
        if not any(theirs):
            continue
        samples, rate = opened.audio()
        for c, (_, mono) in enumerate(mono_tracks(samples)):
            if theirs[c]:
                yield Channel(opened.dialogue, c, mono, rate)
        if sums:
            yield Channel(opened.dialogue, -1, samples.sum(axis=1), rate)


def said(of: Channel, start: float, end: float) -> list[str]:
    """The words that anyone says between ``start`` and ``end`` seconds, in the order of turns."""
    low, high = (start - REACH) * of.rate, (end + REACH) * of.rate
    words = [w.text.lower() for t in of.dialogue.turns for w in t.words if w.end > low and w.start < high]
    return [part for x in words for part in x.split()]


def repeats(match: Match, ours: Channel, theirs: Channel) -> bool:
    a = said(ours, match.offset, match.offset + match.seconds)
    b = said(theirs, match.track_offset, match.track_offset + match.seconds * match.variant.speed)
    n = 6 if theirs.dialogue.languages[0] == "zh" else 3
    rows = {tuple(a[i : i + n]) for i in range(len(a) - n + 1)}
    return any(tuple(b[i : i + n]) in rows for i in range(len(b) - n + 1))


def by_chance(test: list[Channel], others: Iterator[Channel], least: float) -> tuple[Table, list[Match], float, int]:
    """(table, the matches that no common words explain, seconds that were searched, how many were true repeats)."""
    table = Table([fingerprint(t.samples, t.rate) for t in test])
    found: list[Match] = []
    seconds, repeated = 0.0, 0
    for other in others:
        seconds += len(other.samples) / other.rate
        for match in table.search(other.samples, other.rate, least=least):
            if repeats(match, other, test[match.track]):
                repeated += 1
            else:
                found.append(match)
    return table, found, seconds, repeated


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
    test = list(channels(given.test, "test", sums=True))
    for corpus in given.unrelated:
        began = time.process_time()
        table, found, seconds, repeated = by_chance(test, channels(corpus), 20.0)
        hours = seconds / 3600
        amount = (len(table.codes), max(seconds, 3600.0))
        levels = Counter(level(chance(m.score, *amount)) for m in found)
        highest = sorted((m.score for m in found), reverse=True)[:5]
        print(
            f"{corpus.name}: {hours:.2f} hours of channels against {len(table.codes)} codes, {repeated} true repeats; "
            + ", ".join(f"{name} {levels[name]} ({levels[name] / hours:.2f} an hour)" for name in LEVELS)
            + f"; highest scores {np.round(highest, 1)}; {seconds / (time.process_time() - began):.0f}x",
            flush=True,
        )
    with tempfile.TemporaryDirectory() as scratch:
        index, folder = Path(scratch) / "index", Path(scratch) / "mixed"
        folder.mkdir()
        left_out = frozenset({"text", "meaning", "speakers"})
        test_index.write(test_index.build(given.test, split="test", without=left_out), index)
        inside = planted(given.test, folder)
        train = [p for p in of_split(given.test, "train") if p.is_dir()]
        audit = scan([folder, *train], index, without=left_out)
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
