"""One call to a system under test, whatever its protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal, Protocol

from duologue.errors import UserError
from duologue.systems.arrival import Arrival, Int16

# Whose failure it is: what the system left is not what was promised, it left nothing, or the way to it is broken.
FailureKind = Literal["system", "missing", "infrastructure"]


class SessionError(UserError):
    """A call that cannot go on. ``where`` is the address; ``passing`` failures are worth another attempt."""

    def __init__(
        self, what: str, *, where: str, kind: FailureKind, passing: bool = False, said: str = "", mend: str = ""
    ) -> None:
        super().__init__(f"{what}: {said}" if said else what, where=where, mend=mend)
        self.kind, self.passing, self.said = kind, passing, said


class Hangup(SessionError):  # noqa: N818 - a system may end a call; whether that is an error the call decides
    """The system closed the connection in the ordinary way (1000, 1001 or no code)."""

    def __init__(self, *, where: str, said: str = "") -> None:
        super().__init__("closed the connection", where=where, kind="system", said=said)


class Session(Protocol):
    """One conversation. Nothing here waits for the clock: pacing is the caller's.

    ``send`` and iteration over ``arrivals`` run side by side in one event loop. Every method raises SessionError.
    """

    input_rate: int
    output_rate: int

    @property
    def where(self) -> str:
        """The address, as messages name it."""
        ...

    async def open(self) -> None:
        """Connect, and wait until the system is ready to hear."""
        ...

    async def send(self, frame: Int16) -> None:
        """The user's next samples, int16 [n] at ``input_rate``."""
        ...

    def arrivals(self) -> AsyncIterator[Arrival]:
        """What comes, until the system ends the call (Hangup) or the call breaks. Asked for once."""
        ...

    async def truncate(self, item: str, played_ms: float) -> None:
        """The listener's playback of answer ``item`` was cut off after ``played_ms``; a no-op where no protocol
        message says so."""
        ...

    def round_trips(self) -> tuple[float, ...]:
        """Seconds that small messages took there and back, measured so far."""
        ...

    async def close(self) -> None:
        """End the call. Never raises for a connection that is gone."""
        ...
