"""Write the scripts of a whole recipe into one file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from duologue.errors import UserError
from duologue.generate.plan import Plan
from duologue.generate.recipe import Recipe
from duologue.generate.scripts.written import (
    FORMAT,
    Heading,
    Written,
    encode_heading,
    encode_written,
    read_heading,
    read_scripts,
)
from duologue.generate.voices.voice import Voice
from duologue.generate.writer import writer_of


class ScriptsReport(msgspec.Struct, frozen=True, kw_only=True):
    """``written`` are new in the file, ``kept`` were there, ``refused`` could not be written: (id, why)."""

    path: str
    written: int
    kept: int
    refused: tuple[tuple[str, str], ...] = ()


def write_file(
    recipe: Recipe, voices: dict[str, Voice], path: str | Path, advance: Callable[[int], object] = lambda n: None
) -> ScriptsReport:
    """Write the script of every item of ``recipe`` into ``path``, after those that are there.

    A line is appended whole as soon as it is written, so that whatever is stopped goes on where it was. A script that
    its writer refuses is reported and the rest is written.
    """
    path, writer = Path(path), writer_of(msgspec.structs.replace(recipe, scripts=""))
    plan = Plan(recipe, writer, voices)
    heading = Heading(
        duologue_scripts=FORMAT,
        name=recipe.name,
        recipe_sha256=recipe.identity(),
        writer=writer.name,
        writer_version=writer.version,
    )
    have = _there(path, heading)
    kept, written, refused = 0, 0, []
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as f:
        if not f.tell():
            f.write(encode_heading(heading))
        for item in plan:
            if item.id in have:
                kept += 1
            else:
                try:
                    script = writer.write(item.brief)
                except UserError as error:
                    refused.append((item.id, error.message))
                else:
                    f.write(encode_written(Written(id=item.id, brief=item.brief, script=script)))
                    f.flush()
                    written += 1
            advance(1)
    return ScriptsReport(path=str(path), written=written, kept=kept, refused=tuple(refused))


def _there(path: Path, heading: Heading) -> set[str]:
    """Ids that the file has; a last line that was cut off is taken away."""
    if not path.exists() or not path.stat().st_size:
        return set()
    if (old := read_heading(path)) != heading:
        differs = [k for k in ("recipe_sha256", "writer", "writer_version") if getattr(old, k) != getattr(heading, k)]
        raise UserError(
            "the file holds scripts of another recipe or writer",
            where=str(path),
            value=", ".join(differs) or "name",
            mend="choose another file",
        )
    with path.open("rb+") as f:
        data = f.seek(0, 2)
        f.seek(max(0, data - 1))
        if f.read(1) != b"\n":
            f.seek(0)
            whole = 0
            for line in f:
                whole += len(line) if line.endswith(b"\n") else 0
            f.truncate(whole)
    return {w.id for _, w in read_scripts(path)}
