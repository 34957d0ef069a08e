"""The voice protocol: text and prosody in, samples and word times out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, cast

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.corpus.speaker import Age, Sex
from duologue.corpus.turn import WordSource
from duologue.generate.prosody import Prosody
from duologue.recordings.manifest import ScriptedLine

Samples = npt.NDArray[np.float32]
# Level that a directed voice gives the median of a person's lines: mean over active frames, dBFS.
LEVEL_DB = -26.0


class VoiceSpeaker(msgspec.Struct, frozen=True, kw_only=True):
    """One speaker that a voice offers. ``parent`` joins derived speakers with their origin (own id if none).

    ``system_only``: may speak for the system, which is neutral, and for nobody who has feelings. A person is not
    ``synthetic``, and gave their recordings away under ``licence`` with a consent recorded as ``consent_id``.
    """

    id: str
    languages: tuple[str, ...]
    sex: Sex
    age: Age
    parent: str
    accent: str = ""
    system_only: bool = False
    synthetic: bool = True
    licence: str = ""
    consent_id: str = ""


class SpokenWord(msgspec.Struct, frozen=True, gc=False):
    """Code points [char_start, char_end) of the text lie in samples [start, end) of the speech."""

    char_start: int
    char_end: int
    start: int
    end: int


class Speech(msgspec.Struct, frozen=True, kw_only=True):
    """What a voice made.

    ``samples``: float32 mono in [-1, 1]; may exceed 1 after ``Prosody.gain``, nothing is clipped here.
    ``words``: in order, without overlap, inside the samples. ``onset`` and ``offset`` are the first and one past
    the last sample that is not leading or trailing silence.
    """

    samples: Samples
    sample_rate: int
    words: tuple[SpokenWord, ...]
    source: WordSource
    onset: int
    offset: int


class Voice(Protocol):
    """A synthesiser. Equal arguments give equal samples, on one processor family with the same parts."""

    name: str
    version: str
    sample_rate: int

    def weights_sha256(self) -> str:
        """Hash of the weights or data that shape the sound; "" where there are none."""
        ...

    def speakers(self, language: str) -> tuple[VoiceSpeaker, ...]:
        """All speakers for "en" or "zh", in a stable order."""
        ...

    def synthesise(
        self, text: str, *, language: str, speaker: str, prosody: Prosody = Prosody(), seed: int = 0
    ) -> Speech:
        """Speak ``text``; marks such as [sigh] are not read out. Empty text gives zero samples, no error.

        Raises UserError for an unknown language or speaker, MissingPartError where parts are not installed.
        """
        ...


class DirectedVoice(Protocol):
    """People, or whatever else is told which line it speaks: a :class:`Voice` whose class says ``directed = True``.

    Who speaks a line is not planned but asked (:meth:`reader`). ``lines`` are all that are to be read, by key (dialogue
    id, ``_``, number from 1); ``others`` are voices by name for the system's turns where nobody reads them.
    """

    name: str
    version: str
    sample_rate: int
    directed: bool
    manifest: str
    lines: Mapping[str, ScriptedLine]
    others: Mapping[str, Voice]

    def weights_sha256(self) -> str: ...

    def speakers(self, language: str) -> tuple[VoiceSpeaker, ...]: ...

    def reader(self, key: str) -> VoiceSpeaker | None:
        """Who speaks line ``key``; None where nobody does. UserError where they gave no consent."""
        ...

    def ready(self) -> None:
        """UserError for whatever would stop a build later, as far as that is cheap to tell."""
        ...

    def synthesise(
        self,
        text: str,
        *,
        language: str,
        speaker: str,
        prosody: Prosody = Prosody(),
        seed: int = 0,
        key: str = "",
    ) -> Speech:
        """The line ``key``, at the level of :data:`LEVEL_DB`."""
        ...


def directed(voice: Voice) -> DirectedVoice | None:
    """``voice`` where it is directed, else None."""
    return cast(DirectedVoice, voice) if getattr(voice, "directed", False) else None
