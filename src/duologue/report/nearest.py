"""Find a dialogue by its id, the beginning of it, or say what comes nearest."""

from __future__ import annotations

import difflib
from pathlib import Path

from duologue.corpus.read import OpenDialogue
from duologue.corpus.read import open as open_corpus
from duologue.errors import UserError


def find(corpus: str | Path, id: str) -> OpenDialogue:
    """The dialogue ``id`` of ``corpus``, or the only one that begins so; UserError names the nearest ids."""
    opened = open_corpus(corpus)
    try:
        return opened.get(id)
    except UserError:
        pass
    ids = [item.id for item in opened]
    begins = [i for i in ids if id and i.startswith(id)]
    if len(begins) == 1:
        return opened.get(begins[0])
    near = begins[:3] or difflib.get_close_matches(id, ids, n=3, cutoff=0.0)
    raise UserError(
        "several dialogues begin so" if begins else "no such dialogue",
        where=str(corpus),
        field="id",
        value=id,
        mend=f"did you mean {', '.join(near)}?" if near else "the corpus is empty",
    )
