"""Write what a degenerate system says as a run, which is read like any other system's."""

from __future__ import annotations

import io
import json
import multiprocessing
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec
import numpy as np

from duologue.corpus.manifest import ShardEntry
from duologue.corpus.observation import RunManifest, SaidWord
from duologue.corpus.read import Corpus, OpenDialogue
from duologue.corpus.run import MANIFEST
from duologue.corpus.write import write_atomic
from duologue.errors import UserError
from duologue.systems.degenerate import Others, describe, perform
from duologue.systems.degenerate.scene import Take
from duologue.systems.degenerate.tape import RATE, Samples


def write_run(
    corpus: Corpus, system: str, out: str | Path, *, seed: int = 0, twins: bool = False, workers: int = 1
) -> int:
    """Run ``system`` on the track 2 dialogues of ``corpus`` into the folder ``out``; gives back how many.

    Writes ``<id>.wav`` and ``<id>.json``, with ``twins`` also ``clean/<id>.*`` for dialogues that have one, and last
    ``run.json``. One dialogue is in memory at a time in each of the ``workers``, whose number does not show in the
    bytes. Raises UserError for a folder that is not empty, and for what :func:`perform` refuses.
    """
    describe(system)
    out = Path(out)
    if out.is_dir() and any(out.iterdir()):
        raise UserError("the folder is not empty", where=str(out), mend="a run is written into a folder of its own")
    others = Others(corpus, seed=seed)
    shards = [s for s in corpus.shards if s.track == "duplex"]
    if workers > 1 and len(shards) > 1:
        with ProcessPoolExecutor(min(workers, len(shards)), multiprocessing.get_context("spawn")) as pool:
            jobs = [pool.submit(_shard, corpus, s, system, others, out, seed, twins) for s in shards]
            count = sum(job.result() for job in jobs)
    else:
        count = sum(_shard(corpus, s, system, others, out, seed, twins) for s in shards)
    manifest = RunManifest(
        system=system,
        mode="files",
        corpus_sha256=corpus.manifest.corpus_sha256,
        parameters={"seed": seed, "description": describe(system)},
    )
    write_atomic(out / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n", sync=False)
    return count


def _shard(corpus: Corpus, shard: ShardEntry, system: str, others: Others, out: Path, seed: int, twins: bool) -> int:
    count = 0
    for item in corpus.shard(shard):
        for take, folder in _takes(item, twins):
            samples, words = perform(system, item, others, seed=seed, take=take)
            write_atomic(out / folder / f"{item.id}.wav", _wav(samples), sync=False)
            write_atomic(out / folder / f"{item.id}.json", _transcript(words, item.dialogue.languages[0]), sync=False)
        count += 1
    return count


def _takes(item: OpenDialogue, twins: bool) -> Iterable[tuple[Take, str]]:
    yield "main", ""
    if twins and any(a.twin is not None for a in item.dialogue.audio):
        yield "twin", "clean"


def _wav(samples: Samples) -> bytes:
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, np.rint(samples * 32_768.0).astype(np.int16), RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def _transcript(words: tuple[SaidWord, ...], language: str) -> bytes:
    joiner = "" if language == "zh" else " "
    chunks = [{"text": w.text, "timestamp": [round(w.start / RATE, 6), round(w.end / RATE, 6)]} for w in words]
    text = {"text": joiner.join(w.text for w in words), "chunks": chunks}
    return json.dumps(text, ensure_ascii=False).encode()
