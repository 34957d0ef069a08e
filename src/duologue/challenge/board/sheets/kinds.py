"""Which sheet a challenge's track and profile use."""

from __future__ import annotations

from typing import Any

from duologue.challenge.board.sheets.duplex import DuplexSheet
from duologue.challenge.board.sheets.duplex_official import OfficialDuplexSheet
from duologue.challenge.board.sheets.emotion import EmotionSheet
from duologue.challenge.board.sheets.emotion_official import OfficialEmotionSheet
from duologue.challenge.board.sheets.sheet import Sheet

KINDS: dict[tuple[str, str], type[Sheet[Any]]] = {
    (kind.track, kind.profile): kind for kind in (DuplexSheet, OfficialDuplexSheet, EmotionSheet, OfficialEmotionSheet)
}
