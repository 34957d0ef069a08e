"""The header of a duplex dialogue that nobody scripted: a meeting, a call."""

from __future__ import annotations

from duologue.corpus.dialogue import SCHEMA_VERSION, Dialogue, SourceKind
from duologue.corpus.recording import Recording
from duologue.corpus.rights import Rights
from duologue.corpus.speaker import Speaker
from duologue.formats.folder import provenance


def unscripted(
    id: str,
    part: str,
    file: str,
    recording: Recording,
    *,
    language: str,
    source: SourceKind,
    rights: Rights,
    speakers: tuple[Speaker, ...],
) -> Dialogue:
    """Dialogue ``id`` out of ``recording``, which ``part`` read from ``file``, without turns yet.

    No event is known: what a system should do with such speech is, at most, to let it be (rejection).
    """
    return Dialogue(
        schema_version=SCHEMA_VERSION,
        id=id,
        track="duplex",
        tasks=("rejection",),
        languages=(language,),
        split="unassigned",
        scenario="none",
        source=source,
        rights=rights,
        groups={"speaker": tuple(s.id for s in speakers), "source_recording": (recording.sha256[:16],)},
        speakers=speakers,
        provenance=provenance(part, file, recording),
    )
