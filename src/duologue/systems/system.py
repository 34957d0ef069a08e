"""A system under test: something to call, or something that turns a user's audio into its own."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import msgspec

from duologue.corpus.dialogue import Dialogue
from duologue.corpus.observation import SaidWord, WordsFrom
from duologue.systems.arrival import Int16
from duologue.systems.session import Session


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a user may set for any system, beside its spec.

    ``key_env`` names the environment variable that holds the key, read when a call opens and kept nowhere.
    ``open_timeout`` (s) bounds connecting and greeting; ``largest`` the bytes of one message; ``time_limit`` (s) one
    item of a local command. ``ca_file`` adds certificates to the system's own. ``plain_key`` lets the key travel
    unencrypted to another machine. ``extra`` is merged into the protocol's own set-up message.
    """

    key_env: str = ""
    model: str = ""
    voice: str = ""
    instructions: str = ""
    open_timeout: float = 10.0
    largest: int = 8 << 20
    time_limit: float = 300.0
    ca_file: str = ""
    plain_key: bool = False
    extra: dict[str, Any] = {}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The system's side of a whole dialogue: int16 [n] at ``sample_rate``, on the clock of the user's audio.

    ``looks_ahead`` says whether it depended on what the user had not yet said, None where that was not tested.
    """

    pcm: Int16
    sample_rate: int
    words: tuple[SaidWord, ...] = ()
    words_from: WordsFrom = ""
    looks_ahead: bool | None = None
    notes: tuple[str, ...] = ()


@runtime_checkable
class LiveSystem(Protocol):
    """A system that is called. ``spec`` names it without secrets; ``at_once`` is how many calls it takes at the same
    time, 0 where it does not say."""

    spec: str
    at_once: int

    def session(self) -> Session: ...


@runtime_checkable
class OfflineSystem(Protocol):
    """A system that is given the user's whole audio. ``at_once`` as for :class:`LiveSystem`."""

    spec: str
    at_once: int

    async def answer(self, dialogue: Dialogue, user: Int16, sample_rate: int) -> Answer:
        """The system's side of ``dialogue``; ``user`` is int16 [n]. Raises SessionError."""
        ...


System = LiveSystem | OfflineSystem
