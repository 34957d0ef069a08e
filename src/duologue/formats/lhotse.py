"""Lhotse manifests and Shar, written in Lhotse's own JSON (lhotse.readthedocs.io, "Representing a corpus", "Shar").

    OUT/duologue_{recordings,supervisions}_{split}.jsonl.gz, duologue_cuts_{split}.jsonl.gz
    OUT/audio/{split}/{id}.flac                     which the manifests name relative to OUT
    OUT/shar/{split}/cuts.{000000}.jsonl.gz, recording.{000000}.tar

One recording and one cut a dialogue, with all its channels; one supervision a turn, from the begin of its first stretch
to the end of its last, so that supervisions overlap as speech does. Word times are the alignment "word", their source
its place of a score: none. ``custom`` of a supervision holds the turn's stretches, kind and emotion; ``custom`` of a
cut the rest: scenario, events on the clock, split.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from duologue.corpus.audio import Audio
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.read import Corpus
from duologue.corpus.truth import emotions
from duologue.corpus.write import is_main, write_atomic
from duologue.formats.aside import aside, reveal
from duologue.formats.format import ExportOptions, ExportReport
from duologue.formats.tarball import TarShard
from duologue.formats.training import Chosen, chosen

# Dialogues in one Shar shard.
SHARD = 1000


def export(corpus: Corpus, out: Path, options: ExportOptions) -> ExportReport:
    """Write manifests, audio and Shar; one dialogue is in memory at a time."""
    pick = Chosen(corpus, options)
    with aside(out) as folder:
        splits: dict[str, _Split] = {}
        try:
            for item, audio in chosen(pick):
                d = item.dialogue
                if d.split not in splits:
                    splits[d.split] = _Split(folder, d.split)
                splits[d.split].add(d, audio)
        finally:
            for split in splits.values():
                split.close()
        reveal(folder, out)
    return pick.report(files=pick.count + sum(s.files for s in splits.values()))


class _Lines:
    """A .jsonl.gz file without a clock in its header."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._raw: IO[bytes] = path.open("wb")
        self._gzip = gzip.GzipFile("", "wb", 6, self._raw, mtime=0)

    def add(self, row: Mapping[str, Any]) -> None:
        self._gzip.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")

    def close(self) -> None:
        self._gzip.close()
        self._raw.close()


class _Split:
    def __init__(self, folder: Path, split: str) -> None:
        self._folder, self._split = folder, split
        kinds = ("recordings", "supervisions", "cuts")
        self._manifests = {k: _Lines(folder / f"duologue_{k}_{split}.jsonl.gz") for k in kinds}
        self._cuts: _Lines | None = None
        self._tar: TarShard | None = None
        self._count = 0
        self.files = len(kinds)

    def add(self, d: Dialogue, flac: bytes) -> None:
        audio = next(a for a in d.audio if is_main(a))
        path = f"audio/{self._split}/{d.id}.flac"
        write_atomic(self._folder / path, flac, sync=False)
        kept = recording(d, audio, path)
        said = supervisions(d, audio)
        self._manifests["recordings"].add(kept)
        for row in said:
            self._manifests["supervisions"].add(row)
        self._manifests["cuts"].add(cut(d, audio, kept, said))
        if self._count % SHARD == 0:
            self._next(self._count // SHARD)
        self._count += 1
        there = recording(d, audio, "", "shar")
        assert self._cuts is not None and self._tar is not None
        self._cuts.add(cut(d, audio, there, said))
        self._tar.add(
            [(f"{d.id}.flac", flac), (f"{d.id}.json", json.dumps(there, ensure_ascii=False).encode() + b"\n")]
        )

    def _next(self, number: int) -> None:
        self._end_shard()
        at = self._folder / "shar" / self._split
        self._cuts, self._tar = _Lines(at / f"cuts.{number:06d}.jsonl.gz"), TarShard(at / f"recording.{number:06d}.tar")
        self.files += 2

    def _end_shard(self) -> None:
        if self._cuts is not None and self._tar is not None:
            self._cuts.close()
            self._tar.close()

    def close(self) -> None:
        self._end_shard()
        for lines in self._manifests.values():
            lines.close()


def recording(d: Dialogue, audio: Audio, source: str, kind: str = "file") -> dict[str, Any]:
    """A Lhotse ``Recording``: its id is the dialogue's, its duration in seconds."""
    channels = list(range(len(audio.channels)))
    return {
        "id": d.id,
        "sources": [{"type": kind, "channels": channels, "source": source}],
        "sampling_rate": audio.sample_rate,
        "num_samples": audio.length,
        "duration": audio.length / audio.sample_rate,
        "channel_ids": channels,
    }


def supervisions(d: Dialogue, audio: Audio) -> list[dict[str, Any]]:
    """A Lhotse ``SupervisionSegment`` for each turn that the main audio holds, in order of turns; seconds."""
    rate, felt = audio.sample_rate, emotions(d)
    sexes = {s.id: s.sex for s in d.speakers}
    rows = []
    for t in d.turns:
        own = [s for s in t.segments if s.audio == audio.id]
        if not own:
            continue
        channels = sorted({s.channel for s in own})
        start, end = own[0].start, own[-1].end
        row: dict[str, Any] = {
            "id": f"{d.id}-{t.index}",
            "recording_id": d.id,
            "start": start / rate,
            "duration": _span(start, end, rate),
            "channel": channels[0] if len(channels) == 1 else channels,
            "text": t.text,
            "language": t.language,
            "speaker": t.speaker,
        }
        if sexes.get(t.speaker) in ("female", "male"):
            row["gender"] = sexes[t.speaker]
        custom: dict[str, Any] = {
            "turn": t.index,
            "role": t.role,
            "kind": t.kind,
            "addressee": t.addressee,
            "segments": [[s.start / rate, s.end / rate] for s in own],
        }
        if t.index in felt:
            custom |= {"emotion": felt[t.index].label, "intensity": felt[t.index].intensity}
        if t.words:
            custom["word_source"] = "exact" if all(w.source == "exact" for w in t.words) else "estimated"
        row["custom"] = custom
        if t.words:
            row["alignment"] = {"word": [[w.text, w.start / rate, _span(w.start, w.end, rate), None] for w in t.words]}
        rows.append(row)
    return rows


def cut(d: Dialogue, audio: Audio, kept: Mapping[str, Any], said: list[dict[str, Any]]) -> dict[str, Any]:
    """A Lhotse cut over the whole recording: ``MonoCut`` of one channel, else ``MultiCut``."""
    many = len(audio.channels) > 1
    kinds = {e.id: e for e in d.events}
    rate = audio.sample_rate
    return {
        "id": d.id,
        "start": 0,
        "duration": kept["duration"],
        "channel": kept["channel_ids"] if many else 0,
        "supervisions": said,
        "recording": kept,
        "custom": {
            "track": d.track,
            "scenario": d.scenario,
            "split": d.split,
            "source": d.source,
            "licence": d.rights.licence,
            "channel_kinds": [c.kind for c in audio.channels],
            "events": [
                {
                    "id": r.event,
                    "kind": kinds[r.event].kind,
                    "expected": list(kinds[r.event].expected),
                    "channel": r.channel,
                    "start": r.start / rate,
                    "end": r.end / rate,
                }
                for r in d.realised
                if r.audio == audio.id and r.event in kinds
            ],
        },
        "type": "MultiCut" if many else "MonoCut",
    }


def _span(start: int, end: int, rate: int) -> float:
    return (end - start) / rate
