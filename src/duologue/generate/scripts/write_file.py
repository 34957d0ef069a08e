"""Write the scripts of a whole recipe into one file."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from duologue.errors import MissingPartError, UserError
from duologue.generate.item import Item
from duologue.generate.plan import Plan
from duologue.generate.recipe import Recipe
from duologue.generate.script import Brief, Script, Writer
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

# How many times as many as are written at once may be done and wait for an earlier one.
_AHEAD = 4
# So many failures of a server in a row, each after its own retries, end the writing.
_PATIENCE = 10


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A script that could not be written; ``attempts`` are a remote writer's, with what was wrong with each."""

    id: str
    brief: Brief
    why: str
    attempts: tuple[Any, ...] = ()


class ScriptsReport(msgspec.Struct, frozen=True, kw_only=True):
    """``written`` are new in the file, ``kept`` were there, ``refused`` could not be written: (id, why).

    ``stopped`` says why nothing more was tried, where that is so. ``requests`` were made of a remote writer's server;
    ``tokens`` are (prompt, completion) tokens that its cache folder has used in all, ``usd`` their price.
    """

    path: str
    written: int
    kept: int
    refused: tuple[tuple[str, str], ...] = ()
    stopped: str = ""
    requests: int = 0
    tokens: tuple[int, int] = (0, 0)
    usd: float = 0.0


def write_file(
    recipe: Recipe,
    voices: dict[str, Voice],
    path: str | Path,
    advance: Callable[[int], object] = lambda n: None,
    refuse: Callable[[Refusal], object] = lambda r: None,
) -> ScriptsReport:
    """Write the script of every item of ``recipe`` into ``path``, after those that are there.

    A line is appended whole as soon as it is written, so that whatever is stopped goes on where it was. A script that
    its writer refuses is reported, to ``refuse`` in full, and the rest is written; what every further one would meet
    as well (a used-up budget, a wrong key, a missing part) ends it. A writer with ``requests_at_once`` writes as many
    at once; the order in the file is that of the plan all the same.
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
    remember = getattr(writer, "remember", None)
    if remember is not None and have:
        for _, w in read_scripts(path):
            remember(w.id, w.script)
    told = getattr(writer, "origin", None)
    kept, written, failures, stopped = 0, 0, 0, ""
    refused: list[tuple[str, str]] = []
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as f:
        if not f.tell():
            f.write(encode_heading(heading))
        with closing(_each(writer, plan, have)) as results:
            for item, result in results:
                if result is None:
                    kept += 1
                elif isinstance(result, UserError):
                    if _lasting(result):
                        stopped = result.message
                        break
                    failures = failures + 1 if getattr(result, "passing", False) else 0
                    refused.append((item.id, result.message))
                    attempts = getattr(result, "attempts", ())
                    refuse(Refusal(id=item.id, brief=item.brief, why=result.message, attempts=attempts))
                else:
                    origin = told(item.brief) if told is not None else {}
                    f.write(
                        encode_written(
                            Written(
                                id=item.id,
                                brief=item.brief,
                                script=result,
                                split=item.split,
                                cast=item.cast,
                                origin=origin,
                            )
                        )
                    )
                    f.flush()
                    written += 1
                    failures = 0
                advance(1)
                if failures >= _PATIENCE:
                    stopped = f"the server failed {failures} times in a row: {refused[-1][1]}"
                    break
    spent = getattr(writer, "spending", None)
    tokens = spent.tokens if spent else (0, 0)
    return ScriptsReport(
        path=str(path),
        written=written,
        kept=kept,
        refused=tuple(refused),
        stopped=stopped,
        requests=getattr(writer, "requests", 0),
        tokens=tokens,
        usd=spent.usd(*tokens) if spent else 0.0,
    )


def _each(writer: Writer, plan: Plan, have: set[str]) -> Generator[tuple[Item, Script | UserError | None], None, None]:
    """(item, its script, why there is none, or None where it is there) in the plan's order.

    What is under way when the caller leaves is waited for: a remote writer keeps its answer.
    """

    def work(item: Item) -> Script | UserError:
        try:
            return writer.write(item.brief)
        except UserError as error:
            return error

    width = int(getattr(writer, "requests_at_once", 1))
    if width == 1:
        for item in plan:
            yield item, None if item.id in have else work(item)
        return
    pool = ThreadPoolExecutor(width, thread_name_prefix="duologue-scripts")
    queue: deque[tuple[Item, Future[Script | UserError] | None]] = deque()
    try:
        for item in plan:
            queue.append((item, None if item.id in have else pool.submit(work, item)))
            # A slow one holds up the file, not those behind it, until so many are waiting.
            while len(queue) >= _AHEAD * width:
                first, done = queue.popleft()
                yield first, done.result() if done else None
        while queue:
            first, done = queue.popleft()
            yield first, done.result() if done else None
    finally:
        if queue and hasattr(writer, "stop"):
            writer.stop()
        pool.shutdown(wait=True, cancel_futures=True)


def _lasting(error: UserError) -> bool:
    return isinstance(error, MissingPartError) or bool(getattr(error, "lasting", False))


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
