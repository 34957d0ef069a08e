"""Colours that mean the same in every picture: speakers by role, emotions by label."""

from __future__ import annotations

from duologue.corpus.speaker import Role

# Okabe and Ito's colours, told apart with any kind of colour vision.
ROLE: dict[Role, str] = {
    "user": "#0072b2",
    "system": "#d55e00",
    "third_party": "#009e73",
    "addressee": "#cc79a7",
}
EVENT = "#f0e442"
REACTION = "#999999"
ROLE_NAMES: dict[Role, str] = {
    "user": "user",
    "system": "system",
    "third_party": "third party",
    "addressee": "addressee",
}
