"""A real spoken-dialogue system to measure others by: a cascade on the processor alone, behind the Realtime protocol.

Silero hears speech, Smart Turn and the wording tell the end of a turn, Whisper base recognises, rules and a little
knowledge (or any chat model) decide what to say, espeak or Kokoro says it. docs/baseline.md describes it.
"""

from duologue.systems.baseline.server import Baseline, Settings, serve

__all__ = ["Baseline", "Settings", "serve"]
