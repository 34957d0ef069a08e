from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from duologue.errors import UserError
from duologue.remote.cache import Cache

ASKED = {"kind": "chat", "model": "m", "parameters": {"temperature": 0.6, "seed": 1}, "input_sha256": "ab"}
ANSWER = {"text": "好的 \x00 \U0001f642", "tokens": 3, "share": 0.1, "list": [1, None, True]}


def test_what_was_kept_is_found_by_what_was_asked(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "deep" / "folder")
    assert cache.get(ASKED) is None
    cache.put(ASKED, ANSWER)
    assert cache.get(ASKED) == ANSWER
    assert Cache(cache.folder).get(dict(reversed(ASKED.items()))) == ANSWER
    assert cache.get({**ASKED, "model": "n"}) is None
    cache.put(ASKED, {"text": "newer"})
    assert cache.get(ASKED) == {"text": "newer"}


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"\x00" * 300,
        b"[1, 2",
        b"null",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"version": 1, "asked": {}, "answer": {"text": "x"}, "sha256": ""}',
    ],
)
def test_a_broken_entry_is_none_and_is_rewritten(tmp_path: Path, broken: bytes) -> None:
    cache = Cache(tmp_path)
    cache.put(ASKED, ANSWER)
    cache.path(ASKED).write_bytes(broken)
    assert cache.get(ASKED) is None
    cache.put(ASKED, ANSWER)
    assert cache.get(ASKED) == ANSWER


def test_every_cut_and_every_altered_answer_is_noticed(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put(ASKED, ANSWER)
    path = cache.path(ASKED)
    whole = path.read_bytes()
    for end in range(len(whole) - 1):  # without its last newline the entry is still whole
        path.write_bytes(whole[:end])
        assert cache.get(ASKED) is None
    entry = json.loads(whole)
    entry["answer"]["tokens"] = 4
    path.write_text(json.dumps(entry))
    assert cache.get(ASKED) is None
    # The answer to another question, moved here.
    cache.put({**ASKED, "model": "n"}, {"text": "other"})
    path.write_bytes(cache.path({**ASKED, "model": "n"}).read_bytes())
    assert cache.get(ASKED) is None


def test_an_entry_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.path(ASKED).mkdir(parents=True)
    with pytest.raises(UserError, match="cannot be read"):
        cache.get(ASKED)


def _hammer(folder: Path, bad: multiprocessing.SimpleQueue[str]) -> None:
    cache = Cache(folder)
    for n in range(150):
        asked = {**ASKED, "n": n % 3}
        cache.put(asked, {"n": n % 3, "filler": "x" * 20_000})
        if (found := cache.get(asked)) is None or found["n"] != n % 3:
            bad.put(f"round {n}")


def test_processes_that_write_the_same_entries_never_see_half_of_one(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    bad = context.SimpleQueue()
    writers = [context.Process(target=_hammer, args=(tmp_path, bad)) for _ in range(4)]
    for w in writers:
        w.start()
    for w in writers:
        w.join(60)
    assert [w.exitcode for w in writers] == [0] * 4
    assert bad.empty()
    assert sorted(p.suffix for p in tmp_path.rglob("*") if p.is_file()) == [".json"] * 3
