"""Read an export with the library that it is for, and print what it says as JSON: read_export.py LIBRARY FOLDER.

Per dialogue: the samples (SHA-256 of int16, interleaved), shape, rate, and turns with words in seconds.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path


def pcm(samples) -> str:
    """Of float32 [frames, channels]."""
    import numpy as np

    return hashlib.sha256(np.round(samples * 32768).astype("<i2").tobytes()).hexdigest()


def heard(samples, rate: int) -> dict:
    return {"pcm": pcm(samples), "shape": list(samples.shape), "rate": rate}


def cuts(cut_set) -> dict:
    found = {}
    for cut in cut_set:
        found[cut.recording.id] = heard(cut.load_audio().T, cut.sampling_rate) | {
            "turns": [
                {
                    "text": s.text,
                    "speaker": s.speaker,
                    "channel": s.channel,
                    "start": s.start,
                    "end": s.end,
                    "words": [[w.symbol, w.start, w.end] for w in (s.alignment or {}).get("word", [])],
                }
                for s in cut.supervisions
            ],
        }
    return found


def lhotse(folder: Path) -> dict:
    from lhotse import CutSet, RecordingSet, SupervisionSet
    from lhotse.qa import validate, validate_recordings_and_supervisions

    split = {}
    for path in sorted(folder.glob("duologue_cuts_*.jsonl.gz")):
        name = path.name.split("_")[-1].partition(".")[0]
        recordings = RecordingSet.from_file(folder / f"duologue_recordings_{name}.jsonl.gz").with_path_prefix(folder)
        supervisions = SupervisionSet.from_file(folder / f"duologue_supervisions_{name}.jsonl.gz")
        validate_recordings_and_supervisions(recordings, supervisions)
        made = CutSet.from_manifests(recordings=recordings, supervisions=supervisions)
        own = CutSet.from_file(path).with_recording_path_prefix(folder)
        shar = CutSet.from_shar(in_dir=folder / "shar" / name)
        for c in own:
            validate(c, read_data=True)
        split[name] = {"manifests": cuts(made), "cuts": cuts(own), "shar": cuts(shar)}
    return split


def datasets(folder: Path) -> dict:
    import soundfile
    from datasets import Audio, get_dataset_config_names, load_dataset

    found: dict = {"configs": get_dataset_config_names(str(folder)), "rows": {}}
    for name, rows in load_dataset(str(folder)).items():
        found["audio"] = type(rows.features["audio"]).__name__
        for row in rows.cast_column("audio", Audio(decode=False)):
            samples, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32", always_2d=True)
            found["rows"][row["id"]] = heard(samples, rate) | {
                "split": name,
                "dialogue": row["dialogue"],
                "emotions": [t["emotion"] for t in row["turns"]],
                "turns": [
                    {
                        "text": t["text"],
                        "speaker": t["speaker"],
                        "segments": [[s["channel"], s["start"], s["end"]] for s in t["segments"]],
                        "words": [[w["text"], w["start"], w["end"]] for w in t["words"]],
                    }
                    for t in row["turns"]
                ],
            }
    streamed = load_dataset("parquet", data_files=sorted(map(str, folder.glob("data/*.parquet"))), streaming=True)
    found["streamed"] = sorted(row["id"] for row in streamed["train"].cast_column("audio", Audio(decode=False)))
    return found


def webdataset(folder: Path) -> dict:
    import soundfile
    import webdataset as wds

    found = {}
    for row in wds.WebDataset(sorted(map(str, folder.glob("*.tar"))), shardshuffle=False):
        samples, rate = soundfile.read(io.BytesIO(row["flac"]), dtype="float32", always_2d=True)
        found[row["__key__"]] = heard(samples, rate) | {"dialogue": row["json"].decode()}
    return found


def mlcroissant(folder: Path) -> dict:
    import mlcroissant as mlc
    import soundfile

    d = mlc.Dataset(jsonld=str(folder / "croissant.json"))
    found: dict = {"errors": list(d.metadata.issues.errors), "rows": {}, "sound": {}}
    for record_set in [r.uuid for r in d.metadata.record_sets]:
        for row in d.records(record_set):
            plain = {k.rpartition("/")[2]: v for k, v in row.items()}
            if "sound" in plain:
                samples, rate = soundfile.read(io.BytesIO(plain["sound"]), dtype="float32", always_2d=True)
                found["sound"][plain["name"].decode()] = heard(samples, rate)
            else:
                text = {k: v.decode() if isinstance(v, bytes) else v for k, v in plain.items()}
                found["rows"][text["id"]] = text
    return found


def praatio(folder: Path) -> dict:
    from praatio import textgrid

    found = {}
    for path in sorted(folder.rglob("*.TextGrid")):
        grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False, reportingMode="error")
        tiers = {n: [[e.start, e.end, e.label] for e in grid.getTier(n).entries] for n in grid.tierNames}
        found[path.stem] = {"end": grid.maxTimestamp, "tiers": tiers}
        # Saved by the library, in the short form, for our importer.
        grid.save(str(path), format="short_textgrid", includeBlankSpaces=True)
    return found


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](Path(sys.argv[2]))))
