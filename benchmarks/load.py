"""Load the same dialogues through duologue, a bare loop (the limit), Lhotse, Hugging Face and WebDataset.

    python benchmarks/load.py [--dialogues 2000] [--seconds 10] [--repeats 5]

Builds the files once in a temporary folder. Each reader runs in processes of its own, in turn, several times; a
figure is the best run's. Prints samples (dialogues with their two channels decoded to float32) per CPU second and
their share of the limit's, the time from the start of the process to the first decoded sample (imports included),
and peak resident memory; then validated records a second. Exit 1 where duologue misses its targets.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

RATE = 16_000
TARGETS = {"share of the limit": 0.95, "first sample, s": 0.3, "peak, MB": 80.0, "records/s": 70_000.0}

# -- readers: each yields float32 [frames, channels] ---------------------------------------------------------------


def bare(root: Path) -> Iterator[Any]:
    import soundfile

    for shard in sorted((root / "duologue" / "dialogues").iterdir()):
        with shard.open("rb") as f:
            for line in f:
                row = json.loads(line)
                yield soundfile.read(str(root / "duologue" / row["audio"][0]["path"]), dtype="float32")[0]


def duologue(root: Path) -> Iterator[Any]:
    import duologue

    for item in duologue.open(root / "duologue"):
        yield item.audio()[0]


def lhotse(root: Path) -> Iterator[Any]:
    from lhotse import CutSet

    for cut in CutSet.from_jsonl_lazy(root / "lhotse" / "cuts.jsonl"):
        yield cut.load_audio().T


def huggingface(root: Path) -> Iterator[Any]:
    # Its own decoding wants torchcodec, so the bytes are decoded with soundfile.
    import soundfile
    from datasets import Audio, load_dataset

    files = [str(f) for f in sorted((root / "huggingface").glob("*.parquet"))]
    rows = load_dataset("parquet", data_files=files, split="train", streaming=True)
    for row in rows.cast_column("audio", Audio(decode=False)):
        yield soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")[0]


def webdataset(root: Path) -> Iterator[Any]:
    import soundfile
    import webdataset

    shards = [str(f) for f in sorted((root / "webdataset").glob("*.tar"))]
    for row in webdataset.WebDataset(shards, shardshuffle=False, empty_check=False).decode():
        data = row["flac"]
        yield soundfile.read(io.BytesIO(data), dtype="float32")[0] if isinstance(data, bytes) else data


READERS: dict[str, Callable[[Path], Iterator[Any]]] = {
    "bare soundfile + json": bare,
    "duologue": duologue,
    "lhotse": lhotse,
    "huggingface": huggingface,
    "webdataset": webdataset,
}
PACKAGES = {"lhotse": "lhotse", "huggingface": "datasets", "webdataset": "webdataset"}

# -- validation: each gives the count of records it has validated --------------------------------------------------


def read_lines(root: Path) -> list[bytes]:
    return [line for f in sorted((root / "duologue" / "dialogues").iterdir()) for line in f.read_bytes().splitlines()]


def records_duologue(lines: list[bytes]) -> int:
    from duologue.corpus.migrate import decode_dialogue

    return sum(decode_dialogue(line, "", None).schema_version for line in lines)


def records_json(lines: list[bytes]) -> int:
    return sum(json.loads(line)["schema_version"] for line in lines)


def records_pydantic(lines: list[bytes]) -> int:
    model = pydantic_model()
    return sum(model.model_validate_json(line).schema_version for line in lines)


_MODEL: list[Any] = []


def pydantic_model() -> Any:
    """A pydantic model of a dialogue, made from the same types."""
    if not _MODEL:
        from types import UnionType
        from typing import Annotated, Union, get_args, get_origin

        import msgspec
        import pydantic

        from duologue.corpus.dialogue import Dialogue

        made: dict[Any, Any] = {}

        def of(kind: Any) -> Any:
            origin, args = get_origin(kind), get_args(kind)
            if origin is Annotated:
                bounds = {k: getattr(args[1], k) for k in ("ge", "le", "min_length") if getattr(args[1], k) is not None}
                return Annotated[of(args[0]), pydantic.Field(**bounds)]
            if origin in (Union, UnionType):
                return Union[tuple(of(a) for a in args)]  # noqa: UP007 - built at run time
            if origin in (tuple, dict):
                return origin[tuple(a if a is ... else of(a) for a in args)]
            if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                if kind not in made:
                    made[kind] = of_struct(kind)
                return made[kind]
            return kind

        def of_struct(kind: Any) -> Any:
            fields = msgspec.structs.fields(kind)
            if kind.__struct_config__.array_like:
                # Its last field has a default and may be absent; here it never is.
                return tuple[tuple(of(f.type) for f in fields)]
            given: dict[str, Any] = {
                f.name: (of(f.type), ...)
                if f.required
                else (of(f.type), f.default if f.default is not msgspec.NODEFAULT else f.default_factory())
                for f in fields
            }
            if kind.__struct_config__.tag_field:
                from typing import Literal

                given[kind.__struct_config__.tag_field] = (Literal[kind.__struct_config__.tag], ...)
            return pydantic.create_model(kind.__name__, __config__=pydantic.ConfigDict(extra="forbid"), **given)

        _MODEL.append(of(Dialogue))
    return _MODEL[0]


VALIDATORS: dict[str, Callable[[list[bytes]], int]] = {
    "duologue (msgspec)": records_duologue,
    "pydantic": records_pydantic,
    "json, no validation": records_json,
}

# -- the corpus ----------------------------------------------------------------------------------------------------


def build(root: Path, count: int, seconds: float) -> None:
    """The same FLAC files and annotations for every reader; speech-like sound: syllables of voiced noise, with gaps."""
    import numpy as np

    from duologue.corpus.write import encode_flac, write_atomic, write_manifest, write_shard

    rng = np.random.default_rng(1)
    n = int(seconds * RATE)
    bank = [speech_like(rng, n) for _ in range(8)]
    shards, size = [], 250
    for first in range(0, count, size):
        name = f"duplex-en-train-{first // size:05d}"
        lines = []
        for number in range(first, min(first + size, count)):
            left, right = rng.integers(len(bank), size=2)
            channels = np.stack([np.roll(bank[left], number * 37), np.roll(bank[right], number * 91)], axis=1)
            flac = encode_flac(channels, RATE)
            path = f"audio/{name}/d{number:05d}.flac"
            write_atomic(root / "duologue" / path, flac.data, sync=False)
            lines.append(record(number, path, flac))
        shards.append(write_shard(root / "duologue", name, lines, sync=False))
    from duologue.corpus.manifest import Manifest

    write_manifest(root / "duologue", Manifest(name="load", duologue="0", shards=tuple(shards)))
    for package, make in (("lhotse", to_lhotse), ("datasets", to_parquet), ("webdataset", to_tar)):
        if importlib.util.find_spec(package):
            make(root)


def speech_like(rng: Any, n: int) -> Any:
    """int16 [n]: a syllable rate of about 4 Hz, F0 near 150 Hz, silences, a noise floor."""
    import numpy as np

    t = np.arange(n) / RATE
    phase = 2 * np.pi * np.cumsum(150 + 20 * np.sin(2 * np.pi * 0.7 * t)) / RATE
    voice = sum(np.sin(k * phase) / k for k in range(1, 20))
    syllables = np.clip(np.sin(2 * np.pi * 4 * t + rng.uniform(0, 6)), 0, 1) * (np.sin(2 * np.pi * 0.25 * t) > -0.3)
    return (1500 * voice * syllables + 400 * rng.standard_normal(n) * syllables + 15 * rng.standard_normal(n)).astype(
        np.int16
    )


def record(number: int, path: str, flac: Any) -> bytes:
    """A dialogue of about 3 kB, as a build writes them."""
    from duologue.corpus.annotation import EmotionAnnotation
    from duologue.corpus.audio import Audio, Channel
    from duologue.corpus.dialogue import Dialogue
    from duologue.corpus.emotion import EmotionValue
    from duologue.corpus.rights import Rights
    from duologue.corpus.speaker import Speaker
    from duologue.corpus.turn import Segment, Turn, Word
    from duologue.corpus.write import encode_dialogue

    turns = []
    for i in range(4):
        text = ["could you tell me when the next train leaves", "it leaves at nine from the second platform"][i % 2]
        start, step = 1000 + i * flac.length // 4, flac.length // 4 // 10
        words, at = [], 0
        for k, w in enumerate(text.split()):
            words.append(Word(w, at, at + len(w), start + k * step, start + (k + 1) * step))
            at += len(w) + 1
        turns.append(
            Turn(
                index=i,
                role=("user", "system")[i % 2],
                speaker=("u", "s")[i % 2],
                addressee=("s", "u")[i % 2],
                language="en",
                text=text,
                segments=(Segment(audio="main", channel=i % 2, start=start, end=start + 9 * step),),
                words=tuple(words),
            )
        )
    return encode_dialogue(
        Dialogue(
            schema_version=1,
            id=f"d{number:05d}",
            track="duplex",
            tasks=("interruption",),
            languages=("en",),
            split="train",
            scenario="none",
            source="synthetic",
            rights=Rights(licence="CC0-1.0", consent_id="not-applicable"),
            speakers=(
                Speaker(id="u", role="user", languages=("en",), synthetic=True),
                Speaker(id="s", role="system", languages=("en",), synthetic=True),
            ),
            audio=(
                Audio(
                    id="main",
                    path=path,
                    sha256=flac.sha256,
                    pcm_sha256=flac.pcm_sha256,
                    sample_rate=RATE,
                    length=flac.length,
                    channels=(Channel(kind="user-mic", speakers=("u",)), Channel(kind="system", speakers=("s",))),
                ),
            ),
            turns=tuple(turns),
            annotations=tuple(
                EmotionAnnotation(
                    id=f"a{i}", target=f"turn:{i}", rater="w", rater_type="intent", value=EmotionValue(label="neutral")
                )
                for i in (0, 2)
            ),
        )
    )


def rows(root: Path) -> Iterator[tuple[dict[str, Any], Path]]:
    for line in read_lines(root):
        row = json.loads(line)
        yield row, root / "duologue" / row["audio"][0]["path"]


def to_lhotse(root: Path) -> None:
    from lhotse import CutSet, MultiCut, Recording, SupervisionSegment

    (root / "lhotse").mkdir()
    with CutSet.open_writer(root / "lhotse" / "cuts.jsonl") as writer:
        for row, path in rows(root):
            recording = Recording.from_file(path, recording_id=row["id"])
            cut = MultiCut(row["id"], 0.0, recording.duration, channel=[0, 1], recording=recording)
            cut.supervisions = [
                SupervisionSegment(
                    id=f"{row['id']}-{t['index']}",
                    recording_id=row["id"],
                    start=s["start"] / RATE,
                    duration=(s["end"] - s["start"]) / RATE,
                    channel=s["channel"],
                    text=t["text"],
                    language=t["language"],
                    speaker=t["speaker"],
                )
                for t in row["turns"]
                for s in t["segments"]
            ]
            writer.write(cut)


def to_parquet(root: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    (root / "huggingface").mkdir()
    schema = pyarrow.schema(
        [
            ("audio", pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])),
            ("json", pyarrow.string()),
        ]
    )
    with pyarrow.parquet.ParquetWriter(root / "huggingface" / "train.parquet", schema) as writer:
        for row, path in rows(root):
            audio = {"bytes": path.read_bytes(), "path": path.name}
            batch = [{"audio": audio, "json": json.dumps(row)}]
            writer.write_table(pyarrow.Table.from_pylist(batch, schema=schema), row_group_size=100)


def to_tar(root: Path) -> None:
    import webdataset

    (root / "webdataset").mkdir()
    with webdataset.ShardWriter(str(root / "webdataset" / "%05d.tar"), maxcount=250, verbose=0) as writer:
        for row, path in rows(root):
            writer.write({"__key__": row["id"], "flac": path.read_bytes(), "json": row})


# -- measuring -----------------------------------------------------------------------------------------------------


def peak_mb() -> float:
    """Peak resident memory of this process itself (a child's ru_maxrss begins at its parent's)."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 2**20)


def child(what: str, root: Path, started: float) -> None:
    """One reader or validator in a process of its own; prints its figures as JSON."""
    if what in VALIDATORS:
        lines = read_lines(root)
        validate = VALIDATORS[what]
        validate(lines[:10])
        before, done = time.process_time(), 0
        while time.process_time() - before < 0.5:
            done += validate(lines)
        figures = {"rate": done / (time.process_time() - before), "bytes": sum(map(len, lines)) / len(lines)}
    else:
        samples = READERS[what](root)
        frames = len(next(samples))
        first = time.time() - started
        before, count = time.process_time(), 0
        for sample in samples:
            count += 1
            frames += len(sample)
        figures = {"rate": count / (time.process_time() - before), "first": first, "peak": peak_mb(), "frames": frames}
    print(json.dumps(figures))


def measure(what: str, root: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", what, "--root", str(root), "--started", repr(time.time())]
    # One thread each, so that CPU seconds compare.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(root / "hf")}
    out = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if out.returncode:
        raise SystemExit(f"{what}: {out.stderr.strip().splitlines()[-1] if out.stderr.strip() else 'failed'}")
    figures: dict[str, float] = json.loads(out.stdout.splitlines()[-1])
    return figures


def best(runs: list[dict[str, float]]) -> dict[str, float]:
    return {k: (max if k == "rate" else min)(r[k] for r in runs) for k in runs[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dialogues", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a dialogue")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--started", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child, args.root, args.started)
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        build(root, args.dialogues, args.seconds)
        here = [r for r in READERS if r not in PACKAGES or importlib.util.find_spec(PACKAGES[r])]
        # Peers, which are slow to start, run fewer times; the limit and duologue take turns.
        runs: dict[str, list[dict[str, float]]] = {r: [] for r in here}
        for repeat in range(args.repeats):
            for reader in here:
                if reader not in PACKAGES or repeat < 2:
                    runs[reader].append(measure(reader, root))
        results = {reader: best(r) for reader, r in runs.items()}
        if len({r["frames"] for r in results.values()}) > 1:
            raise SystemExit(f"readers disagree on what they read: {results}")
        limit = results["bare soundfile + json"]["rate"]
        print(f"{args.dialogues} dialogues of {args.seconds:g} s, two channels, 16 kHz FLAC")
        print(f"{'':24}{'samples/CPU s':>14}{'of the limit':>14}{'first, s':>10}{'peak, MB':>10}")
        for reader, r in results.items():
            print(f"{reader:24}{r['rate']:14.0f}{r['rate'] / limit:14.2f}{r['first']:10.2f}{r['peak']:10.0f}")
        for reader in READERS.keys() - results.keys():
            print(f"{reader:24}not installed: pip install {PACKAGES[reader]}")
        rates = {
            v: best([measure(v, root) for _ in range(2)])
            for v in VALIDATORS
            if v != "pydantic" or importlib.util.find_spec("pydantic")
        }
        print(f"\nrecords of {rates['duologue (msgspec)']['bytes']:.0f} bytes a CPU second")
        for name, r in rates.items():
            print(f"{name:24}{r['rate']:14.0f}")
    ours = results["duologue"]
    got = (ours["rate"] / limit, ours["first"], ours["peak"], rates["duologue (msgspec)"]["rate"])
    missed = []
    for (name, wanted), value in zip(TARGETS.items(), got, strict=True):
        enough = value <= wanted if name.startswith(("first", "peak")) else value >= wanted
        missed += [] if enough else [f"{name} {value:.3g}, wanted {wanted:g}"]
    print("targets met" if not missed else "targets missed: " + "; ".join(missed))
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
