"""An audio file of a dialogue and what its channels hold."""

from __future__ import annotations

from typing import Literal

import msgspec

from duologue.corpus.bounds import Count, Name, Positive, SampleRate

ChannelKind = Literal["user-mic", "system", "clean-stem", "mixed"]


class Channel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one channel carries: ``user-mic`` is all that the user's microphone hears."""

    kind: ChannelKind
    speakers: tuple[str, ...] = ()


class Twin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Says that this audio is sample-identical to audio ``of`` outside the half-open interval ``differs``."""

    of: str
    differs: tuple[Count, Count]


class Audio(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One file. ``path`` is relative to the corpus folder, with forward slashes.

    ``sha256`` is the hash of the file's bytes, ``pcm_sha256`` that of the decoded samples as little-endian
    int16, interleaved. ``length`` is frames (samples per channel). Channel 0 is the user's microphone and
    channel 1 the system wherever both exist.
    """

    id: Name
    path: Name
    sha256: str
    pcm_sha256: str
    sample_rate: SampleRate
    length: Positive
    channels: tuple[Channel, ...]
    twin: Twin | None = None
