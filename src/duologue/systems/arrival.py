"""What comes from a system under test during a call, in the order in which it came.

``at`` is the monotonic time, in seconds, at which the last byte of the message was taken from the network.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

Int16 = npt.NDArray[np.int16]


class Audio(msgspec.Struct, frozen=True):
    """``pcm`` is int16 [n] at the session's output rate. ``item`` names the answer that it belongs to."""

    at: float
    pcm: Int16
    item: str = ""


class Flush(msgspec.Struct, frozen=True):
    """What was received but not yet played must not be played any more: the system let itself be interrupted."""

    at: float


class SpeechStarted(msgspec.Struct, frozen=True):
    """The system says that it hears the user speak."""

    at: float


class SpeechStopped(msgspec.Struct, frozen=True):
    """The system says that the user has stopped speaking."""

    at: float


class TranscriptDelta(msgspec.Struct, frozen=True):
    """A piece of what the system says that it said, or heard the user say."""

    at: float
    role: Literal["user", "system"]
    text: str


class ResponseDone(msgspec.Struct, frozen=True):
    """No more audio of the present answer comes. ``status`` in the protocol's own words ("completed", "cancelled")."""

    at: float
    status: str = ""


class ProtocolEvent(msgspec.Struct, frozen=True):
    """The message as it came, for the record; audio in it is replaced by its size."""

    at: float
    name: str
    raw: dict[str, Any]


Arrival = Audio | Flush | SpeechStarted | SpeechStopped | TranscriptDelta | ResponseDone | ProtocolEvent
