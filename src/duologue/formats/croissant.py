"""Croissant: JSON-LD that says what the files beside it hold (MLCommons Croissant 1.0, with its RAI vocabulary).

    OUT/croissant.json
    OUT/dialogues-{split}.jsonl              a flat row a dialogue, and its whole line of the corpus as ``dialogue``
    OUT/sound-{split}-{000000}.tar           the main audio files, byte for byte, named as the rows' ``audio`` says

Every file is named with size and SHA-256. What the RAI fields say is counted from the corpus, not claimed.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import IO, Any

from duologue.corpus.annotation import EmotionAnnotation
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.read import Corpus
from duologue.corpus.write import encode_dialogue, is_main
from duologue.formats.aside import aside, reveal
from duologue.formats.format import ExportOptions, ExportReport
from duologue.formats.tarball import TarShard, key_of
from duologue.formats.training import Chosen, chosen

# A tar file is closed once it holds this many bytes.
SHARD = 1024 * 2**20
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
# Field of a row, its type, what it is.
_FIELDS = (
    ("id", "sc:Text", "the dialogue's id"),
    ("audio", "sc:Text", "name of its sound in the tar files"),
    ("audio_sha256", "sc:Text", "SHA-256 of that file"),
    ("track", "sc:Text", "emotion or duplex"),
    ("language", "sc:Text", "main language"),
    ("scenario", "sc:Text", "full-duplex scenario, or kind of emotional item"),
    ("source", "sc:Text", "who speaks: synthetic, human-human, human-machine, synthetic-user-machine, acted"),
    ("licence", "sc:Text", "SPDX expression"),
    ("seconds", "sc:Float", "length of the sound"),
    ("sample_rate", "sc:Integer", "Hz"),
    ("channels", "sc:Integer", "channels of the sound: 0 the user's microphone, 1 the system, where both exist"),
    ("turns", "sc:Integer", "number of turns"),
    ("text", "sc:Text", "what is said, a line a turn"),
    ("dialogue", "sc:Text", "the whole dialogue as JSON: turns, words, events, emotions, causes, provenance"),
)


def export(corpus: Corpus, out: Path, options: ExportOptions) -> ExportReport:
    """Write rows, sound and their description; one dialogue is in memory at a time."""
    pick, seen = Chosen(corpus, options), _Seen()
    rows: dict[str, IO[bytes]] = {}
    shards: dict[str, TarShard] = {}
    sound: dict[str, list[str]] = {}
    with aside(out) as folder:
        try:
            for item, data in chosen(pick):
                d = item.dialogue
                if d.split not in rows:
                    rows[d.split], sound[d.split] = (folder / f"dialogues-{d.split}.jsonl").open("wb"), []
                if d.split in shards and shards[d.split].size >= SHARD:
                    shards.pop(d.split).close()
                if d.split not in shards:
                    name = f"sound-{d.split}-{len(sound[d.split]):06d}.tar"
                    shards[d.split] = TarShard(folder / name)
                    sound[d.split].append(name)
                rows[d.split].write(json.dumps(_row(d), ensure_ascii=False).encode() + b"\n")
                shards[d.split].add([(f"{key_of(d.id)}.flac", data)])
                seen.add(d)
        finally:
            for file in rows.values():
                file.close()
            for shard in shards.values():
                shard.close()
        described = describe(corpus, folder, sound, seen)
        (folder / "croissant.json").write_text(json.dumps(described, ensure_ascii=False, indent=1) + "\n", "utf-8")
        reveal(folder, out)
    return pick.report(files=1 + len(rows) + sum(map(len, sound.values())))


class _Seen:
    """What the description counts while the dialogues go by."""

    def __init__(self) -> None:
        self.licences: set[str] = set()
        self.languages: set[str] = set()
        self.urls: set[str] = set()
        self.holders: set[str] = set()
        self.sources: Counter[str] = Counter()
        self.raters: Counter[str] = Counter()
        self.real = self.estimated = self.words = 0

    def add(self, d: Dialogue) -> None:
        self.licences.add(d.rights.licence)
        self.languages.update(d.languages)
        self.urls.update({d.rights.source_url} - {""})
        self.holders.update({d.rights.holder} - {""})
        self.sources[d.source] += 1
        self.real += any(not s.synthetic for s in d.speakers)
        self.raters.update(a.rater_type for a in d.annotations if isinstance(a, EmotionAnnotation))
        for t in d.turns:
            self.words += len(t.words)
            self.estimated += sum(w.source == "estimated" for w in t.words)


def describe(corpus: Corpus, folder: Path, sound: dict[str, list[str]], seen: _Seen) -> dict[str, Any]:
    """The description of the files in ``folder``; ``sound`` maps a split to its tar files."""
    m = corpus.manifest
    name = "".join(c if c.isalnum() or c in "-_" else "-" for c in m.name) or "corpus"
    distribution: list[dict[str, Any]] = []
    record_sets: list[dict[str, Any]] = []
    for split, tars in sorted(sound.items()):
        rows = f"dialogues-{split}.jsonl"
        distribution.append(_file(folder / rows, "application/jsonlines"))
        distribution += [_file(folder / tar, "application/x-tar") for tar in tars]
        distribution.append(
            {
                "@type": "cr:FileSet",
                "@id": f"sound-{split}",
                "name": f"sound-{split}",
                "containedIn": [{"@id": tar} for tar in tars],
                "encodingFormat": "audio/flac",
                "includes": "*.flac",
            }
        )
        record_sets.append(
            {
                "@type": "cr:RecordSet",
                "@id": split,
                "name": split,
                "description": f"Dialogues of the split {split}.",
                "key": {"@id": f"{split}/id"},
                "field": [
                    {
                        "@type": "cr:Field",
                        "@id": f"{split}/{field}",
                        "name": field,
                        "description": what,
                        "dataType": kind,
                        "source": {"fileObject": {"@id": rows}, "extract": {"column": field}},
                    }
                    for field, kind, what in _FIELDS
                ],
            }
        )
        record_sets.append(
            {
                "@type": "cr:RecordSet",
                "@id": f"{split}-sound",
                "name": f"{split}-sound",
                "description": f"The recordings of the split {split}, FLAC, all channels.",
                "key": {"@id": f"{split}-sound/name"},
                "field": [
                    {
                        "@type": "cr:Field",
                        "@id": f"{split}-sound/{field}",
                        "name": field,
                        "description": what,
                        "dataType": kind,
                        "source": {"fileSet": {"@id": f"sound-{split}"}, "extract": {"fileProperty": of}},
                    }
                    for field, kind, what, of in (
                        ("name", "sc:Text", "the rows' audio", "filename"),
                        ("sound", "sc:AudioObject", "the file's bytes", "content"),
                    )
                ],
            }
        )
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": name,
        "description": "Spoken dialogues with turns, words, emotions and full-duplex events on one clock. "
        f"Corpus {m.corpus_sha256}, written by duologue {m.duologue}.",
        "license": sorted(seen.licences),
        "url": min(seen.urls, default=f"urn:sha256:{m.corpus_sha256}"),
        "version": f"1.0.0+{m.corpus_sha256[:12]}",
        "inLanguage": sorted(seen.languages),
        "citeAs": f"@misc{{{name}, title={{{m.name}}}, note={{corpus {m.corpus_sha256}}}}}",
        **(
            {"creator": [{"@type": "sc:Organization", "name": h} for h in sorted(seen.holders)]} if seen.holders else {}
        ),
        "isLiveDataset": False,
        "rai:dataCollection": "Dialogues by kind of source: "
        + ", ".join(f"{k} {n}" for k, n in sorted(seen.sources.items()))
        + ".",
        "rai:dataAnnotationProtocol": "Emotion judgements by kind of rater: "
        + (", ".join(f"{k} {n}" for k, n in sorted(seen.raters.items())) or "none")
        + f". Of {seen.words} word times {seen.estimated} are estimated, the rest as the synthesiser placed them.",
        "rai:personalSensitiveInformation": f"Real people speak in {seen.real} dialogues; "
        "the consent record is named in each dialogue's rights.",
        "rai:dataUseCases": "Training and testing spoken-dialogue systems: turn-taking, interruptions, emotions.",
        "rai:dataLimitations": "Where voices are synthetic, a model that is right on them can be at chance on real "
        "speech: test it on recordings of people.",
        "distribution": distribution,
        "recordSet": record_sets,
    }


def _file(path: Path, format: str) -> dict[str, Any]:
    with path.open("rb") as f:
        sha256 = hashlib.file_digest(f, "sha256").hexdigest()
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": path.name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": format,
        "sha256": sha256,
    }


def _row(d: Dialogue) -> dict[str, Any]:
    audio = next(a for a in d.audio if is_main(a))
    return {
        "id": d.id,
        "audio": f"{key_of(d.id)}.flac",
        "audio_sha256": audio.sha256,
        "track": d.track,
        "language": d.languages[0],
        "scenario": d.scenario,
        "source": d.source,
        "licence": d.rights.licence,
        "seconds": audio.length / audio.sample_rate,
        "sample_rate": audio.sample_rate,
        "channels": len(audio.channels),
        "turns": len(d.turns),
        "text": "\n".join(f"{t.role}: {t.text}" for t in d.turns),
        "dialogue": encode_dialogue(d).decode().rstrip("\n"),
    }
