"""The ids that a plan deals out to the splits."""

from __future__ import annotations

from pathlib import Path

from duologue.errors import UserError
from duologue.generate.acoustics.settings import AcousticsSettings

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff")


def noise_pool(settings: AcousticsSettings) -> tuple[str, ...]:
    """All noise ids: "gen:babble-03", or "file:rain/a.wav" (below ``noise_folder``, forward slashes), sorted."""
    if not settings.noise_folder:
        return tuple(f"gen:{k}-{i:02d}" for k in settings.noise_kinds for i in range(settings.noise_variants))
    folder = Path(settings.noise_folder)
    names = sorted(
        p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()
    )
    if not names:
        raise UserError(
            "no recording in the noise folder" if folder.is_dir() else "the noise folder does not exist",
            field="acoustics.noise_folder",
            value=settings.noise_folder,
            allowed="a folder with " + ", ".join(SUFFIXES),
        )
    return tuple(f"file:{n}" for n in names)


def room_pool(settings: AcousticsSettings) -> tuple[str, ...]:
    """All room ids: "shoebox-000", "shoebox-001"... A room's shape follows from its id and ``rt60`` alone."""
    return tuple(f"shoebox-{i:03d}" for i in range(settings.rooms))
