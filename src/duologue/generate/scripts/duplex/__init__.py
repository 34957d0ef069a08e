"""The embedded writer of track 2: full-duplex dialogues in Chinese and English (see docs/duplex-scenarios.md)."""

from duologue.generate.scripts.duplex.compose import axes, families, write

__all__ = ["axes", "families", "write"]
