"""WebDataset: tar shards in which a dialogue is two members of one key, ``KEY.flac`` and ``KEY.json``.

    OUT/{split}-{000000}.tar

The JSON is the dialogue's line of the corpus, whole; the key is its id (a dot is written %2E). The sound is the main
audio file, byte for byte.
"""

from __future__ import annotations

from pathlib import Path

from duologue.corpus.read import Corpus
from duologue.corpus.write import encode_dialogue
from duologue.formats.aside import aside, reveal
from duologue.formats.format import ExportOptions, ExportReport
from duologue.formats.tarball import TarShard, key_of
from duologue.formats.training import Chosen, chosen

# A shard is closed once it holds this many bytes.
SHARD = 256 * 2**20


def export(corpus: Corpus, out: Path, options: ExportOptions) -> ExportReport:
    """Write the shards; one dialogue is in memory at a time."""
    pick, files = Chosen(corpus, options), 0
    with aside(out) as folder:
        shards: dict[str, TarShard] = {}
        numbers: dict[str, int] = {}
        try:
            for item, audio in chosen(pick):
                split = item.dialogue.split
                if split in shards and shards[split].size >= SHARD:
                    shards.pop(split).close()
                if split not in shards:
                    number = numbers[split] = numbers.get(split, -1) + 1
                    shards[split] = TarShard(folder / f"{split}-{number:06d}.tar")
                    files += 1
                key = key_of(item.id)
                shards[split].add([(f"{key}.flac", audio), (f"{key}.json", encode_dialogue(item.dialogue))])
        finally:
            for shard in shards.values():
                shard.close()
        reveal(folder, out)
    return pick.report(files)
