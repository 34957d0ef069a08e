"""A feeling and its prosody for a voice that takes words and one speed: what one would tell a speaker before a line."""

from __future__ import annotations

from duologue.generate.prosody import Prosody

# (field, neutral, step, below, above): within a step of neutral nothing is said, beyond three "much" is.
_WORDS = (
    ("gain", 0.0, 2.0, "softer", "louder"),
    ("tempo", 1.0, 0.06, "faster", "slower"),
    ("f0_shift", 0.0, 1.0, "lower in pitch", "higher in pitch"),
    ("f0_range", 1.0, 0.15, "flatter", "livelier"),
    ("breath", 0.0, 2.0, "", "breathier"),
)
_SLOWEST, _FASTEST = 0.25, 4.0


def instructions(prosody: Prosody, feeling: str = "") -> str:
    """The label ``feeling`` and ``prosody`` in words: "The speaker feels angry. Speak much louder, faster."

    "" where no feeling is given and nothing differs enough from neutral.
    """
    said = []
    for field, neutral, step, below, above in _WORDS:
        by = (getattr(prosody, field) - neutral) / step
        word = above if by > 0 else below
        if abs(by) >= 1.0 and word:
            said.append(f"much {word}" if abs(by) >= 3.0 else word)
    parts = [f"The speaker feels {feeling.replace('_', ' ')}."] if feeling and feeling != "neutral" else []
    return " ".join([*parts, f"Speak {', '.join(said)}."] if said else parts)


def speed(prosody: Prosody) -> float:
    """1 / tempo to the nearest 0.05, within 0.25 to 4."""
    return min(max(round(round(20 / max(prosody.tempo, 0.05)) / 20, 2), _SLOWEST), _FASTEST)
