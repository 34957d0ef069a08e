"""Ranges that a decoder enforces and the JSON Schema shows."""

from __future__ import annotations

from typing import Annotated

import msgspec

# Indexes, samples, code points. The upper end is what every JSON reader holds exactly.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=2**53)]
# FLAC's own limit.
SampleRate = Annotated[int, msgspec.Meta(ge=1, le=655_350)]
Intensity = Annotated[int, msgspec.Meta(ge=0, le=3)]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Signed = Annotated[float, msgspec.Meta(ge=-1.0, le=1.0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0.0)]
Name = Annotated[str, msgspec.Meta(min_length=1)]
