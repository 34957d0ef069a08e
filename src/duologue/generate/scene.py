"""From a script and voices to two-channel audio and a fully annotated dialogue."""

from __future__ import annotations

import msgspec

from duologue.generate.acoustics.settings import AcousticsSettings
from duologue.generate.timing import TimingSettings


class SceneSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part of a recipe that scenes read."""

    timing: TimingSettings = TimingSettings()
    acoustics: AcousticsSettings = AcousticsSettings()
