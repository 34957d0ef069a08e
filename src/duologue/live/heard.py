"""What the user has heard of the system so far, while the call goes on: what an adaptive user decides by."""

from __future__ import annotations

from duologue.live.ear import Ear
from duologue.live.playback import Player
from duologue.systems.arrival import Int16, TranscriptDelta


class Heard:
    """A view of the call at :attr:`now`; nothing in it lies in the future.

    All times are seconds since the call's origin. Sound counts as the system's voice where it reaches -45 dB full
    scale; silences up to 0.2 s lie inside it.
    """

    def __init__(self, player: Player) -> None:
        self._player = player
        self._ear = Ear(player.rate)
        self._transcripts: list[tuple[float, TranscriptDelta]] = []
        self.now = 0.0
        # Each stretch of the system's voice so far; the last one is still going on while its end is None.
        self.voice: list[tuple[float, float | None]] = []

    @property
    def speaking_since(self) -> float | None:
        """When the present stretch of the system's voice began, None while it is silent."""
        return self.voice[-1][0] if self.voice and self.voice[-1][1] is None else None

    @property
    def silent_since(self) -> float | None:
        """When the system fell silent, 0 where it never spoke, None while it speaks."""
        return 0.0 if not self.voice else self.voice[-1][1]

    def said(self, since: float = 0.0) -> str:
        """The system's own transcript as it came since ``since``. Servers send text ahead of the sound."""
        return "".join(d.text for at, d in self._transcripts if d.role == "system" and at >= since)

    def sound(self, start: float, end: float) -> Int16:
        """The system as heard in [start, end), int16 at :attr:`rate`; ``end`` up to :attr:`now`."""
        rate = self._player.rate
        return self._player.heard(round(start * rate), round(min(end, self.now) * rate))

    @property
    def rate(self) -> int:
        return self._player.rate

    def advance(self, now: float) -> None:
        """Hear on up to ``now``. For the call's own use."""
        self.now = now
        end = round(now * self._player.rate)
        if end <= self._ear.heard:
            return
        for edge in self._ear.feed(self._player.heard(self._ear.heard, end)):
            at = edge.sample / self._player.rate
            if edge.kind == "onset":
                self.voice.append((at, None))
            else:
                self.voice[-1] = (self.voice[-1][0], at)

    def note(self, at: float, delta: TranscriptDelta) -> None:
        """A piece of transcript came at ``at``. For the call's own use."""
        self._transcripts.append((at, delta))
