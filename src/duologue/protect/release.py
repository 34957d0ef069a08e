"""The public side of a sealed test set: what it holds and how it is named."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import msgspec

from duologue.corpus.audio import Audio, Channel
from duologue.corpus.dialogue import SCHEMA_VERSION, TASKS, Dialogue
from duologue.corpus.invariants import SEALED
from duologue.corpus.probe import Option, Probe
from duologue.corpus.rights import Rights
from duologue.errors import UserError

VAULT, CARD, README = "answers.sealed", "seal.json", "README.md"
# Every file and folder of a release bears this time: 2000-01-01 00:00 UTC, in seconds since 1970.
MTIME = 946_684_800


class Card(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``seal.json``. ``vault_sha256`` and ``vault_bytes`` are of the file that holds the answers; ``keyed`` says
    whether the test was built from keyed seeds, so that its recipe does not give it away."""

    format: int = 1
    canary: str
    notice: str
    items: int
    commitment: str
    commitment_of: str = "see duologue.protect.commitment: SHA-256 over a salt, the answers' corpus hash, the id map"
    vault: str = VAULT
    vault_sha256: str
    vault_bytes: int
    keyed: bool


def read_card(public: str | Path) -> Card:
    """The card of the release at ``public``; UserError where there is none."""
    path = Path(public) / CARD
    try:
        return msgspec.json.decode(path.read_bytes(), type=Card)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            "no sealed test set here", where=str(public), mend=f"it is a folder with {CARD}, made by 'duologue seal'"
        ) from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserError(f"was altered: {error}", where=str(path)) from None


def opaque_id(key: bytes, dialogue: str, audio: str) -> str:
    """Twelve letters and digits that tell nothing without ``key``: 60 bits of a keyed BLAKE2b."""
    digest = hashlib.blake2b(f"{dialogue}\x1f{audio}".encode(), key=key, digest_size=16).digest()
    return base64.b32encode(digest)[:12].decode().lower()


def public_dialogue(d: Dialogue, id: str, audio: Audio, rights: Rights, canary: str) -> Dialogue:
    """What a participant is told of ``d``: language, what is asked, and where the audio is.

    In track 2 the two tasks are the two families of scenarios, so both are named for every item. A question that is
    spoken in the dialogue is in its audio; one put in writing is kept, with its options in alphabetical order.
    """
    return Dialogue(
        schema_version=SCHEMA_VERSION,
        id=id,
        track=d.track,
        tasks=TASKS["duplex"] if d.track == "duplex" else d.tasks,
        languages=d.languages[:1],
        split="test",
        scenario=SEALED,
        source=d.source,
        rights=rights,
        audio=(audio,),
        probes=tuple(_public_probe(d, p) for p in d.probes),
        canary=canary,
    )


def _public_probe(d: Dialogue, p: Probe) -> Probe:
    spoken = {t.text for t in d.turns}
    return Probe(
        id=p.id,
        task=p.task,
        turn=0,
        question="" if p.question in spoken else p.question,
        options=tuple(Option(text=text) for text in sorted(o.text for o in p.options)),
    )


def heard(id: str, path: str, data: bytes, pcm_sha256: str, rate: int, length: int) -> Audio:
    """The entry of a public file: one channel, the user's microphone, of nobody in particular."""
    return Audio(
        id=id,
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        pcm_sha256=pcm_sha256,
        sample_rate=rate,
        length=length,
        channels=(Channel(kind="user-mic"),),
    )


def readme(name: str, card: Card) -> str:
    """What a release says of itself to people."""
    return f"""# {name}

{card.notice}
Canary: {card.canary}

{card.items} items. `dialogues/` describes them, `audio/` holds what the user's microphone hears. Run a system on them:

    duologue run . --system SPEC -o RUN

The answers lie encrypted in `{card.vault}`. They were settled before this release, by this commitment:

    {card.commitment}

Keep a copy of it. When the answers are published, it proves that they are the ones that were sealed.
"""
