"""What a build tells while it works: how much is done, how fast, how long yet."""

from __future__ import annotations

from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class BuildProgress(Protocol):
    """Hears of a build's beginning, of each dialogue with its seconds of audio, and of the end."""

    def begin(self, total: int, done: int) -> None: ...

    def advance(self, seconds: float, wall: float) -> None: ...

    def end(self) -> None: ...


class Quiet:
    """Says nothing."""

    def begin(self, total: int, done: int) -> None:
        pass

    def advance(self, seconds: float, wall: float) -> None:
        pass

    def end(self) -> None:
        pass


class Bar:
    """A bar on stderr with dialogues, hours of audio, rate (times real time) and time left.

    Silent where stderr is no terminal.
    """

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("build"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[hours]:.2f} h"),
            TextColumn("{task.fields[rate]:.1f}x real time"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = TaskID(0)
        self._seconds = 0.0

    def begin(self, total: int, done: int) -> None:
        self._task = self._bar.add_task("build", total=total, completed=done, hours=0.0, rate=0.0)
        self._bar.start()

    def advance(self, seconds: float, wall: float) -> None:
        self._seconds += seconds
        self._bar.update(self._task, advance=1, hours=self._seconds / 3600, rate=self._seconds / max(wall, 1e-9))

    def end(self) -> None:
        self._bar.stop()
