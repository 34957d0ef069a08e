"""A system under test by its spec: ``KIND:REST``, as `realtime:ws://127.0.0.1:8080/v1/realtime` or `files:outputs/`.

A kind is an entry point of ``duologue.systems``: a callable that takes the rest and the settings.
"""

from __future__ import annotations

from duologue import registry
from duologue.errors import UserError
from duologue.systems.system import LiveSystem, OfflineSystem, Settings, System


def open_system(spec: str, settings: Settings = Settings()) -> System:
    """The system that ``spec`` names; nothing is connected yet. UserError where no kind or no rest is given."""
    kind, colon, rest = spec.partition(":")
    known = registry.names("systems")
    if not colon or not rest.strip() or kind not in known:
        raise UserError(
            "not a system" if kind in known or not colon else "unknown kind of system",
            field="system",
            value=spec if "@" not in spec else f"{kind}:(holds a password)",
            allowed=", ".join(f"{k}:..." for k in known),
        )
    system = registry.load("systems", kind)(rest.strip(), settings)
    if not isinstance(system, LiveSystem | OfflineSystem):
        raise UserError("neither called nor given audio", field="system", value=kind)
    return system
