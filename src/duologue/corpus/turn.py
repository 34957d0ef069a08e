"""What one speaker says: text, place on the clock, words."""

from __future__ import annotations

from typing import Literal

import msgspec

from duologue.corpus.bounds import Count
from duologue.corpus.speaker import Role

WordSource = Literal["exact", "estimated"]
TurnKind = Literal["turn", "backchannel", "interruption", "third_party", "others_directed"]


class Word(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One word (one character or word in Chinese), as a JSON array to keep corpora small.

    ``char_start`` and ``char_end`` are code points of the turn's ``text``; ``start`` and ``end`` are samples
    on the clock of the turn's segment audio, half-open. ``source`` is "exact" where the synthesiser itself
    placed the word and "estimated" where a recogniser or aligner did.
    """

    text: str
    char_start: Count
    char_end: Count
    start: Count
    end: Count
    source: WordSource = "exact"


class Segment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A stretch of speech: samples [start, end) of channel ``channel`` of audio ``audio``."""

    audio: str
    channel: Count
    start: Count
    end: Count


class Turn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One turn. ``text`` is NFC and is what annotations index; ``text_raw`` keeps marks such as [sigh].

    ``addressee`` is always a speaker id ("" only in recordings that do not tell whom it was).
    ``intended_text`` holds the whole sentence when ``text`` was cut off. A turn with a mid-clause pause has
    several segments. ``kind`` says how the turn came about.
    """

    index: Count
    role: Role
    speaker: str
    addressee: str
    language: str
    text: str
    segments: tuple[Segment, ...] = ()
    words: tuple[Word, ...] = ()
    text_raw: str = ""
    intended_text: str = ""
    kind: TurnKind = "turn"
    inside_turn: Count | None = None
