"""How the scorer is asked to score a submission that was unpacked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from duologue.challenge.submission.expected import Expected
from duologue.errors import UserError
from duologue.protect.key import read_key
from duologue.protect.unseal import named as under_own_ids


def arguments(expected: Expected, corpus: Path, run: Path, filters: Mapping[str, Any]) -> list[str]:
    """Arguments of ``duologue score`` for the folder ``run``, by layout and track; ``filters`` are split and language.

    An official track 1 is read beside its reference: the test set, with its labels where the organiser has them.
    """
    if not corpus.is_dir():
        raise UserError("a list of names is nothing to score by", where=str(corpus), mend="give --corpus DIR")
    given = ["--language", filters["language"]] if filters.get("language") else []
    if expected.layout == "humdial":
        return [str(corpus), str(run), "--layout", "humdial", "--track", expected.track, *given]
    given += ["--split", filters["split"]] if filters.get("split") else []
    return [str(corpus), str(run), "--track", expected.track, *given]


def named(public: Path, run: Path, key: Path) -> Path:
    """The unpacked ``run`` on the sealed test set ``public`` under the ids of its answers, beside it in the sandbox."""
    if not public.is_dir():
        raise UserError(
            "a list of names is no sealed test set", where=str(public), mend="give --against its public part"
        )
    out = run.parent / "named"
    secret, _ = read_key(key)
    under_own_ids(public, run, out, secret)
    return out
