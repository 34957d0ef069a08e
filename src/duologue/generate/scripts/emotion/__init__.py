"""Track 1 scripts: emotional clips and dialogues, told from hand-written stories in Chinese and English."""

from duologue.generate.scripts.emotion.compose import axes, families, write

__all__ = ["axes", "families", "write"]
