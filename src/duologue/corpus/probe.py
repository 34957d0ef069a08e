"""A question put to a system about a dialogue."""

from __future__ import annotations

import msgspec

from duologue.corpus.bounds import Count, Name


class Option(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    text: str
    distractor: str = ""


class Probe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``turn`` asks, about ``target_turn`` where one is meant; ``answer`` is withheld and sealed in test.

    ``reference`` is a reply that a careful listener would give, one of many good ones.
    """

    id: Name
    task: Name
    turn: Count
    question: str
    target_turn: Count | None = None
    options: tuple[Option, ...] = ()
    answer: str = ""
    reference: str = ""
