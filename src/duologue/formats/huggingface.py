"""Hugging Face: Parquet shards with the sound inside, and a data card.

    OUT/README.md                                             the card; its head says configurations, splits, licence
    OUT/data/{track}-{language}-{split}-{00000}.parquet       ``load_dataset("parquet", ...)`` or ``load_dataset(OUT)``

A row is a dialogue: ``audio`` (the main file's bytes and name, all channels), what one filters by, turns with words and
emotion, events on the clock, and ``dialogue``, the corpus's own line with everything. Times are seconds.
Needs the extra ``huggingface`` (pyarrow).
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from duologue.corpus.audio import Audio
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.read import Corpus
from duologue.corpus.truth import emotions
from duologue.corpus.write import encode_dialogue, is_main
from duologue.formats.aside import aside, reveal
from duologue.formats.format import ExportOptions, ExportReport
from duologue.formats.training import Chosen, chosen

# Bytes of sound after which a shard is closed, and a group of rows, which is what stays in memory.
SHARD = 400 * 2**20
GROUP = 16 * 2**20

_WORD = {"text": "string", "start": "float64", "end": "float64", "source": "string"}
_SEGMENT = {"channel": "int32", "start": "float64", "end": "float64"}
_TURN = {
    "index": "int32",
    "role": "string",
    "speaker": "string",
    "addressee": "string",
    "kind": "string",
    "language": "string",
    "text": "string",
    "segments": [_SEGMENT],
    "words": [_WORD],
    "emotion": "string",
    "intensity": "int32",
}
_EVENT = {
    "id": "string",
    "kind": "string",
    "speaker": "string",
    "channel": "int32",
    "start": "float64",
    "end": "float64",
    "expected": ["string"],
}
# Column -> its type: a name, a struct as a dict, a list as a list of one.
COLUMNS: dict[str, Any] = {
    "id": "string",
    "audio": "audio",
    "track": "string",
    "language": "string",
    "scenario": "string",
    "source": "string",
    "licence": "string",
    "synthetic": "bool",
    "seconds": "float64",
    "channels": ["string"],
    "turns": [_TURN],
    "events": [_EVENT],
    "dialogue": "string",
}


def export(corpus: Corpus, out: Path, options: ExportOptions) -> ExportReport:
    """Write shards and card; a group of rows is in memory at a time."""
    pick, schema = Chosen(corpus, options), _schema()
    shards: dict[str, _Shard] = {}
    numbers: Counter[str] = Counter()
    licences: set[str] = set()
    with aside(out) as folder:
        (folder / "data").mkdir()
        try:
            for item, audio in chosen(pick):
                d = item.dialogue
                licences.add(d.rights.licence)
                key = f"{d.track}-{d.languages[0]}-{d.split}"
                if key in shards and shards[key].size >= SHARD:
                    shards.pop(key).close()
                if key not in shards:
                    # One shard is open at a time: a corpus holds its dialogues by track, language and split.
                    for open_ in shards.values():
                        open_.flush()
                    shards[key] = _Shard(folder / "data" / f"{key}-{numbers[key]:05d}.parquet", schema)
                    numbers[key] += 1
                shards[key].add(_row(d, audio), len(audio))
        finally:
            for shard in shards.values():
                shard.close()
        (folder / "README.md").write_text(_card(corpus, pick, sorted(numbers), sorted(licences)), encoding="utf-8")
        reveal(folder, out)
    return pick.report(files=1 + sum(numbers.values()))


class _Shard:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema, self.size = schema, 0
        # Sound is compressed already.
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False)
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    def add(self, row: dict[str, Any], size: int) -> None:
        self._rows.append(row)
        self._bytes += size
        self.size += size
        if self._bytes >= GROUP:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows, self._bytes = [], 0

    def close(self) -> None:
        self.flush()
        self._writer.close()


def _arrow(kind: Any) -> pa.DataType:
    if isinstance(kind, dict):
        return pa.struct([(name, _arrow(k)) for name, k in kind.items()])
    if isinstance(kind, list):
        return pa.list_(_arrow(kind[0]))
    if kind == "audio":
        return pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return {"string": pa.string(), "float64": pa.float64(), "int32": pa.int32(), "bool": pa.bool_()}[kind]


def _feature(kind: Any) -> Any:
    """The type as ``datasets.Features`` writes it; a list as a list of one, which all its versions read."""
    if isinstance(kind, dict):
        return {name: _feature(k) for name, k in kind.items()}
    if isinstance(kind, list):
        return [_feature(kind[0])]
    if kind == "audio":
        return {"_type": "Audio"}
    return {"dtype": kind, "_type": "Value"}


def _schema() -> pa.Schema:
    features = {name: _feature(kind) for name, kind in COLUMNS.items()}
    return pa.schema(
        [(name, _arrow(kind)) for name, kind in COLUMNS.items()],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )


def _row(d: Dialogue, data: bytes) -> dict[str, Any]:
    audio = next(a for a in d.audio if is_main(a))
    return {
        "id": d.id,
        "audio": {"bytes": data, "path": f"{d.id}.flac"},
        "track": d.track,
        "language": d.languages[0],
        "scenario": d.scenario,
        "source": d.source,
        "licence": d.rights.licence,
        "synthetic": any(s.synthetic for s in d.speakers),
        "seconds": audio.length / audio.sample_rate,
        "channels": [c.kind for c in audio.channels],
        "turns": _turns(d, audio),
        "events": _events(d, audio),
        "dialogue": encode_dialogue(d).decode().rstrip("\n"),
    }


def _turns(d: Dialogue, audio: Audio) -> list[dict[str, Any]]:
    rate, felt = audio.sample_rate, emotions(d)
    return [
        {
            "index": t.index,
            "role": t.role,
            "speaker": t.speaker,
            "addressee": t.addressee,
            "kind": t.kind,
            "language": t.language,
            "text": t.text,
            "segments": [
                {"channel": s.channel, "start": s.start / rate, "end": s.end / rate}
                for s in t.segments
                if s.audio == audio.id
            ],
            "words": [
                {"text": w.text, "start": w.start / rate, "end": w.end / rate, "source": w.source} for w in t.words
            ],
            "emotion": felt[t.index].label if t.index in felt else None,
            "intensity": felt[t.index].intensity if t.index in felt else None,
        }
        for t in d.turns
    ]


def _events(d: Dialogue, audio: Audio) -> list[dict[str, Any]]:
    rate, known = audio.sample_rate, {e.id: e for e in d.events}
    return [
        {
            "id": r.event,
            "kind": known[r.event].kind,
            "speaker": known[r.event].speaker,
            "channel": r.channel,
            "start": r.start / rate,
            "end": r.end / rate,
            "expected": list(known[r.event].expected),
        }
        for r in d.realised
        if r.audio == audio.id and r.event in known
    ]


def _card(corpus: Corpus, pick: Chosen, keys: list[str], licences: list[str]) -> str:
    """The card: YAML for machines, then words for people."""
    manifest = corpus.manifest
    pairs = sorted({tuple(k.rpartition("-")[0].split("-", 1)) for k in keys})

    def config(name: str, prefix: str, own: list[str]) -> dict[str, Any]:
        splits = [s for s in ("train", "dev", "test", "unassigned") if any(k.endswith(f"-{s}") for k in own)]
        return {
            "config_name": name,
            "data_files": [{"split": s, "path": f"data/{prefix}-{s}-*.parquet"} for s in splits],
        }

    configs = [config("default", "*", keys) | {"default": True}]
    configs += [config(f"{t}-{n}", f"{t}-{n}", [k for k in keys if k.startswith(f"{t}-{n}-")]) for t, n in pairs]
    head = {
        "pretty_name": manifest.name,
        "language": sorted({n for _, n in pairs}),
        "license": licences[0].lower() if len(licences) == 1 else "other",
        **({} if len(licences) == 1 else {"license_name": " AND ".join(licences)}),
        "task_categories": ["audio-classification", "automatic-speech-recognition"],
        "tags": ["spoken-dialogue", "full-duplex", "emotion", "duologue"],
        "configs": configs,
    }
    counts = "\n".join(f"| {split} | {n} |" for split, n in sorted(pick.written.items()))
    test = "The answers of the test split are in it: train nothing on it." if pick.written["test"] else ""
    return f"""---
{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---

# {manifest.name}

Spoken dialogues with turns, words, emotions and full-duplex events on one clock. Corpus `{manifest.corpus_sha256}`,
exported by duologue.

| split | dialogues |
|---|---|
{counts}

`audio` holds every channel (`channels` says which: the user's microphone, the system). Times are seconds; words whose
`source` is "estimated" were placed by a recogniser. `synthetic` says whether synthesised voices speak. `dialogue` is
the corpus's own line with everything that is known, times in samples. Licence: {", ".join(licences)}. {test}
"""
