"""One scored exchange as an inline SVG: both channels, events, what each rule saw, how each reply began."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from duologue.corpus.interval import Intervals
from duologue.report.palette import EVENT, ROLE, ROLE_NAMES
from duologue.report.printable import html
from duologue.report.score_gallery import GalleryItem, Samples
from duologue.report.verdict import COLOUR, MARK, grade, kind, measured, number
from duologue.report.waveform import envelope
from duologue.score.exchange import RATE, Exchange, PlayedTurn
from duologue.score.scorecard import EventScore, ItemScore

WIDTH, LEFT, RIGHT = 1000, 88, 12
# Up to this many seconds words are written out; above, each is a tick with its text behind it.
READABLE = 16.0
_WAVE, _WORD, _LANE = 46, 13, 17
# Pixels that a character takes at the size of words and labels; a Chinese one is about twice as wide.
_CHARACTER = 5.6
_MOST_RULES = 12


def sketch(item: GalleryItem, *, start: float = 0.0, end: float | None = None) -> str:
    """The SVG of [start, end) seconds of ``item``. All text of the corpus and of the run is escaped."""
    return _Sketch(item, start, item.seconds if end is None else end).draw()


def spoken(x: Exchange, played: PlayedTurn) -> Iterator[tuple[str, float, float]]:
    """(word, start, end) of a turn of the user's side where it was really played, in seconds."""
    segments = played.turn.segments
    rate = next((a.sample_rate for a in x.dialogue.audio if segments and a.id == segments[0].audio), RATE)
    # Words lie on the corpus's clock; a live run moves the turn as a whole.
    moved = played.start / RATE - segments[0].start / rate if segments else 0.0
    for w in played.turn.words:
        yield w.text, w.start / rate + moved, w.end / rate + moved


def placed(score: ItemScore) -> list[EventScore]:
    """The events that were played; one that never was has no place in a picture."""
    return [e for e in score.events if e.exercised or e.end > e.start]


class _Sketch:
    def __init__(self, item: GalleryItem, start: float, end: float) -> None:
        self.item, self.start, self.end = item, start, max(end, start + 0.1)
        self.scale = (WIDTH - LEFT - RIGHT) / (self.end - self.start)
        self.readable = self.end - self.start <= READABLE
        self.body: list[str] = []
        self.y = 0.0

    def draw(self) -> str:
        top = self._labels()
        self.y = top
        self._user()
        self._system()
        waves = self.y
        self._replies()
        self._rules()
        bands = [
            f'<rect x="{self._x(e.start):.1f}" y="{top - 3:g}" width="{self._width(e.start, e.end):.1f}" '
            f'height="{waves - top + 3:g}" class="event" fill="{EVENT}"><title>{html(kind(e))}</title></rect>'
            for e in placed(self.item.score)
            if self._shown(e.start, e.end)
        ]
        bands += [
            f'<line class="stop" x1="{self._x(e.start + e.stop):.1f}" x2="{self._x(e.start + e.stop):.1f}" '
            f'y1="{top:g}" y2="{waves:g}"><title>silent {e.stop:.2f} s after the onset</title></line>'
            for e in self.item.score.events
            if e.stop is not None and self._shown(e.start + e.stop, e.start + e.stop)
        ]
        self._axis()
        about = html(self.item.score.id)
        return (
            f'<svg class="exchange" viewBox="0 0 {WIDTH} {self.y:g}" role="img" data-start="{self.start:g}" '
            f'data-end="{self.end:g}" data-left="{LEFT}" data-right="{WIDTH - RIGHT}" aria-label="timeline of {about}">'
            + "".join((*bands, *self.body))
            + f'<line class="head" x1="0" x2="0" y1="0" y2="{self.y - 16:g}"/></svg>'
        )

    def _x(self, t: float) -> float:
        return LEFT + (min(max(t, self.start), self.end) - self.start) * self.scale

    def _width(self, start: float, end: float) -> float:
        return max(1.2, self._x(end) - self._x(start))

    def _shown(self, start: float, end: float) -> bool:
        return end >= self.start and start <= self.end

    def _text(
        self, x: float, text: str, *, y: float | None = None, css: str = "", fill: str = "", end: bool = False
    ) -> None:
        style = (f' class="{css}"' if css else "") + (f' style="fill:{fill}"' if fill else "")
        anchor = ' text-anchor="end"' if end else ""
        self.body.append(f'<text x="{x:.1f}" y="{self.y if y is None else y:.1f}"{style}{anchor}>{html(text)}</text>')

    def _bar(self, start: float, end: float, y: float, height: float, fill: str, title: str = "") -> None:
        if self._shown(start, end):
            about = f"<title>{html(title)}</title>" if title else ""
            self.body.append(
                f'<rect x="{self._x(start):.1f}" y="{y:.1f}" width="{self._width(start, end):.1f}" '
                f'height="{height:g}" fill="{fill}">{about}</rect>'
            )

    def _labels(self) -> float:
        """Names of the events above their bands, on a second line where they would touch; gives the waves' top."""
        ends = [-1.0, -1.0]
        for e in placed(self.item.score):
            if self._shown(e.start, e.end):
                text = f"{kind(e)} {e.score:.2f}" + ("" if e.exercised else " (not exercised)")
                size = _wide(text)
                x = min(self._x(e.start), WIDTH - RIGHT - size)
                line = next((i for i, reached in enumerate(ends) if x > reached + 6), 1)
                ends[line] = x + size
                self._text(x, text, y=12.0 + 13 * line, fill=COLOUR[grade(e.score)], css="strong")
        return 20.0 + 13 * (ends[1] >= 0) + 2

    def _words(self, words: Sequence[tuple[str, float, float]], colour: str) -> None:
        if not self.readable:
            for text, a, b in words:
                self._bar(a, max(a, b - 0.02), self.y, 4, colour, f"{text} {a:.2f}–{b:.2f} s")
            self.y += 7
            return
        reached = [0.0, 0.0]
        for text, a, b in words:
            if self._shown(a, b):
                x = self._x(a)
                # A third word that touches both lines goes to the emptier one.
                line = next((i for i, r in enumerate(reached) if x >= r), reached.index(min(reached)))
                reached[line] = x + _wide(text) + 3
                self._text(x, text, y=self.y + 10 + _WORD * line, fill=colour, css="word")
        self.y += 2 * _WORD + 4

    def _user(self) -> None:
        x = self.item.exchange
        for role in ROLE:
            words = [w for p in x.turns if p.turn.role == role for w in spoken(x, p)]
            if words and (role == "user" or self.readable):
                self._words(words, ROLE[role])
        for p in x.turns:
            for a, b in p.segments:
                name = f"{p.turn.index}, {ROLE_NAMES[p.turn.role]}: {p.turn.text}"
                self._bar(a / RATE, b / RATE, self.y, 5, ROLE[p.turn.role], name)
        self.y += 7
        self._wave("user mic", self.item.user)

    def _system(self) -> None:
        x = self.item.exchange
        self._words([(w.text, w.start / RATE, w.end / RATE) for w in x.words], ROLE["system"])
        self._intervals(x.speech, 5, "speech")
        self._intervals(x.sound, 2, "sound")
        self.y += 1
        self._wave("system", self.item.system)

    def _intervals(self, rows: Intervals, height: float, what: str) -> None:
        for a, b in rows:
            self._bar(a / RATE, b / RATE, self.y, height, ROLE["system"], f"{what} {a / RATE:.2f}–{b / RATE:.2f} s")
        self.y += height + 1

    def _wave(self, name: str, samples: Samples) -> None:
        middle = self.y + _WAVE / 2
        part = samples[round(self.start * RATE) : round(self.end * RATE)]
        seconds = len(part) / RATE
        peak = max(float(np.abs(samples).max(initial=0)), 1e-3)
        if len(part):
            wave = envelope(np.asarray(part, np.float32), (WIDTH - LEFT - RIGHT) // 2) / peak * (_WAVE / 2 - 2)
            xs = LEFT + (np.arange(len(wave)) + 0.5) * (seconds * self.scale) / len(wave)
            upper = " ".join(f"{a:.0f},{middle - b:.1f}" for a, b in zip(xs, wave[:, 1], strict=True))
            lower = " ".join(f"{a:.0f},{middle - b:.1f}" for a, b in zip(xs[::-1], wave[::-1, 0], strict=True))
            self.body.append(f'<polygon class="wave" points="{upper} {lower}"/>')
        self._text(0, name, y=middle + 4, css="soft")
        self.y += _WAVE + 4

    def _replies(self) -> None:
        """A lane a reply: from the end of the user's turn to first sound and first content, or the wait in vain."""
        shown = [r for r in self.item.score.replies if self._shown(r.end - r.early, r.end + r.limit)]
        if not shown:
            return
        self.y += 4
        reached = -1.0
        for r in shown:
            colour = COLOUR[grade(r.score)]
            if r.content is None and r.sound is None:
                to, dash, label = (
                    r.end + r.limit,
                    ' stroke-dasharray="3 3"',
                    f"✗ turn {r.turn}: no reply in {r.limit:.1f} s",
                )
            else:
                to = r.end + (r.content if r.content is not None else r.sound or 0.0)
                dash = ""
                label = f"{MARK[grade(r.score)]} turn {r.turn}: "
                label += f"{r.content:+.2f} s" if r.content is not None else f"sound {r.sound:+.2f} s, no content"
            begins = self._x(min(r.end, to, r.end + (r.sound or 0.0)))
            ends = self._x(max(r.end, to))
            # Replies share a lane as long as their labels leave room.
            if self._room(begins, ends, label)[0] < reached:
                self.y += _LANE
            middle = self.y + 8
            marks = [(r.end, 6)] + ([(r.end + r.sound, 4)] if r.sound is not None else [])
            tick = "".join(f"M{self._x(t):.1f},{middle - half:g}v{2 * half}" for t, half in marks if self._shown(t, t))
            about = (
                f"turn {r.turn} ends {r.end:.2f} s; first sound {_offset(r.sound)}, first content {_offset(r.content)}"
            )
            self.body.append(
                f'<path d="{tick}" stroke="{colour}" stroke-width="1.5" fill="none"/>'
                f'<line x1="{self._x(r.end):.1f}" x2="{self._x(to):.1f}" y1="{middle:g}" y2="{middle:g}" '
                f'stroke="{colour}" stroke-width="2"{dash}><title>{html(about)}</title></line>'
            )
            if r.content is not None and self._shown(to, to):
                self.body.append(f'<circle cx="{self._x(to):.1f}" cy="{middle:g}" r="3.5" fill="{colour}"/>')
            reached = self._label(begins, ends, middle + 4, label, colour)
        self._text(0, "replies", y=self.y + 12, css="soft")
        self.y += _LANE

    def _rules(self) -> None:
        """A lane a rule that looked at a window: the window, what was measured there, passed or failed."""
        rules = [
            (e, r, r.start, r.end if r.end is not None else r.start)
            for e in self.item.score.events
            for r in e.rules
            if r.start is not None
        ]
        rules = [x for x in rules if self._shown(x[2], x[3])]
        if rules:
            self._text(0, "rules", y=self.y + 12, css="soft")
        for e, r, a, b in rules[:_MOST_RULES]:
            g = grade(r.score)
            label = f"{MARK[g]} {r.name}" + (f": {number(r.value)} {r.unit}" if r.value is not None else "")
            self._bar(a, b, self.y + 4, 9, COLOUR[g], f"{kind(e)}: {r.name}: {measured(r)} {r.why}")
            self._label(self._x(a), self._x(b), self.y + 12, label, COLOUR[g])
            self.y += _LANE

    def _label(self, begin: float, end: float, y: float, text: str, colour: str) -> float:
        """Write ``text`` beside [begin, end] of a lane; gives the x up to which the lane is taken."""
        x, taken = self._room(begin, end, text)
        self._text(x if x < begin else end + 6, text, y=y, fill=colour)
        return taken

    def _room(self, begin: float, end: float, text: str) -> tuple[float, float]:
        """From where to where a lane is taken by [begin, end] and its label: after it, or before it at the edge."""
        size = _wide(text)
        if end + 6 + size <= WIDTH:
            return begin, end + 12 + size
        return max(0.0, begin - 8 - size), end

    def _axis(self) -> None:
        self.y += 4
        seconds = self.end - self.start
        step = next(s for s in (1, 2, 5, 10, 20, 60, 600, 1e9) if seconds / s <= 16)
        y = self.y
        self.body.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:g}" y2="{y:g}"/>')
        first = int(np.ceil(self.start / step))
        for i in range(first, int(self.end / step) + 1):
            x = self._x(i * step)
            self.body.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{y:g}" y2="{y + 4:g}"/>')
            self.body.append(f'<text class="soft" x="{x:.1f}" y="{y + 15:g}" text-anchor="middle">{i * step:g}</text>')
        self._text(0, "seconds", y=y + 15, css="soft")
        self.y += 20


def _offset(value: float | None) -> str:
    return "never" if value is None else f"{value:+.2f} s"


def _wide(text: str) -> float:
    return sum(2 * _CHARACTER if ord(c) >= 0x2E80 else _CHARACTER for c in text)
