"""What raters are asked: one item a turn and layer, under a name that tells nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import msgspec

from duologue.annotate.answer import Known, Layer
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.manifest import Manifest
from duologue.corpus.scenario import by_name

# Seconds of audio around a turn whose edges are to be found; around others none.
AROUND = 1.0
_SPOKEN = ("user", "third_party", "addressee")


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """Layer ``layer`` of turn ``turn`` of dialogue ``dialogue``."""

    id: str
    layer: Layer
    dialogue: str
    turn: int


def items(d: Dialogue, layers: Sequence[Layer]) -> Iterator[Item]:
    """The items of ``d``, by layer in the order given and then by turn.

    emotion, shift and cause ask about the user's turns that have words or sound, shift only where the speaker had an
    earlier such turn; event about what others than the system say in duplex dialogues; time about turns with sound.
    Which items there are never depends on what is annotated: that would tell.
    """
    felt = [t for t in d.turns if t.role == "user" and (t.text or t.segments)]
    for layer in layers:
        if layer == "time":
            chosen = [t for t in d.turns if t.segments]
        elif layer == "event":
            chosen = [t for t in d.turns if t.role in _SPOKEN and t.segments] if d.track == "duplex" else []
        elif layer == "shift":
            chosen = [t for k, t in enumerate(felt) if any(b.speaker == t.speaker for b in felt[:k])]
        elif layer == "cause":
            chosen = [t for t in felt if t.text]
        else:
            chosen = felt
        for t in chosen:
            name = hashlib.sha256(f"item\n{d.id}\n{layer}\n{t.index}".encode()).hexdigest()[:12]
            yield Item(id=name, layer=layer, dialogue=d.id, turn=t.index)


def alias(d: Dialogue) -> str:
    """A name for a dialogue's files that tells nothing of it."""
    return "d" + hashlib.sha256(f"alias\n{d.id}".encode()).hexdigest()[:10]


def letters(d: Dialogue) -> dict[str, str]:
    """Speaker id -> A, B, ... in order of their first turn."""
    order = dict.fromkeys(t.speaker for t in d.turns)
    return {s: chr(ord("A") + k) if k < 26 else f"S{k + 1}" for k, s in enumerate(order)}


def context(d: Dialogue, upto: int) -> str:
    """The turns up to ``upto`` as lines "3 A: words", counted from 1."""
    who = letters(d)
    return "\n".join(f"{t.index + 1} {who[t.speaker]}: {t.text}" for t in d.turns[: upto + 1])


def known(manifest: Manifest) -> Known:
    """What answers about the corpus with ``manifest`` may name."""
    return Known(manifest.taxonomy, tuple(by_name(manifest.scenarios or ())))
