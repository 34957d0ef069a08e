"""The published numbers of the corrected profile. Seconds; docs/corrected-profile.md says why each has its value."""

from __future__ import annotations

import msgspec


class Ramp(msgspec.Struct, frozen=True):
    """1 up to ``full``, 0 from ``zero`` on, a straight line between; ``zero`` below ``full`` turns it round."""

    full: float
    zero: float

    def __call__(self, x: float) -> float:
        return min(1.0, max(0.0, (self.zero - x) / (self.zero - self.full)))

    def __str__(self) -> str:
        sign = "<=" if self.full < self.zero else ">="
        return f"1 for {sign} {self.full:g}, 0 for {'>=' if self.full < self.zero else '<='} {self.zero:g}"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Every threshold that the rules use; a card names the ones that differ from the defaults."""

    # Speed of a reply by the signed offset of its first content word from the end of the user's turn.
    late: Ramp = Ramp(1.0, 5.0)
    early: Ramp = Ramp(-0.5, -1.5)
    # How long a reply is waited for where the user does not speak again sooner.
    wait: float = 8.0

    # An interruption finds the system speaking where its speech touches onset - before .. onset + after.
    speaking_before: float = 0.25
    speaking_after: float = 0.1
    # From the onset of an interruption to silence.
    stop: Ramp = Ramp(1.0, 3.0)
    # Silences shorter than this lie inside speech.
    breath: float = 0.2
    # After "stop": how much may still be said (an "okay" is no offence).
    after_stop: Ramp = Ramp(1.5, 3.0)
    # Backchannels and bystanders: the longest silence in the system's speech that is no pause.
    gap: Ramp = Ramp(0.8, 2.0)
    # How far past the event (or its first second) the answer must go on to count as continued.
    beyond: float = 0.3
    # Bystanders and speech to others: how long after the event an answer may be taken up again at full score.
    resume: Ramp = Ramp(3.0, 6.0)
    # Score of an answer that a bystander ended for good, though nothing was said to them.
    lost: float = 0.5
    # Speech of the system's that is shorter, or has no more words, is a listener's signal, not a turn.
    signal: float = 1.0
    signal_words: int = 2


DEFAULT = Limits()
