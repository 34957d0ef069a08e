"""The official scoring of a set of recordings, with an account of what it drops."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, NamedTuple

import msgspec

from duologue.corpus.dialogue import LANGUAGES
from duologue.corpus.event import INTERRUPTION, SCENARIOS
from duologue.errors import UserError
from duologue.score.profiles.humdial2026 import totals
from duologue.score.profiles.humdial2026.behaviour import TAGS, read_tag, rejection_rate, tag_ratio
from duologue.score.profiles.humdial2026.first_response import counts, first_response, query_segment
from duologue.score.profiles.humdial2026.intervals import Interval
from duologue.score.profiles.humdial2026.item import (
    LanguageScore,
    Measure,
    OfficialItem,
    OfficialOptions,
    OfficialScore,
    ScenarioScore,
    Unscored,
)
from duologue.score.profiles.humdial2026.latency import average, response_latencies, stop_latencies
from duologue.score.profiles.humdial2026.rounding import mean, round_half_up

# The cells of a language: every scenario, the third party's two positions apart.
CELLS = tuple(
    cell
    for scenario in SCENARIOS
    for cell in (("third_party_before", "third_party_after") if scenario == "third_party" else (scenario,))
)
_BY_RATE = ("pause", "third_party_before")


class Contribution(NamedTuple):
    """What one item adds to its cell: (sum, count) of each delay in seconds, and (hits, trials) of its behaviour."""

    cell: str
    stop: tuple[float, int]
    response: tuple[float, int]
    first: tuple[float, int]
    behaviour: tuple[int, int]


@dataclass
class _Cell:
    """One scenario's lists while its items are read; times exact."""

    items: list[OfficialItem] = field(default_factory=list)
    stops: list[Fraction] = field(default_factory=list)
    responses: list[Fraction] = field(default_factory=list)
    # Of recordings with words, whatever their sign; and those that count.
    delays: list[Fraction] = field(default_factory=list)
    first: list[Fraction] = field(default_factory=list)
    tags: Counter[str] = field(default_factory=Counter)
    unscored: list[Unscored] = field(default_factory=list)
    bad_tags: list[tuple[str, str]] = field(default_factory=list)

    def leave_out(self, item: OfficialItem, measure: Measure, why: str) -> None:
        self.unscored.append(Unscored(item=item.id, measure=measure, why=why))


def cell_of(item: OfficialItem) -> str:
    """The cell that ``item`` belongs to; UserError for an unknown scenario or a third party without a position."""
    if item.scenario not in SCENARIOS:
        raise UserError(
            "unknown scenario", where=item.id, field="scenario", value=item.scenario, allowed=", ".join(SCENARIOS)
        )
    if item.scenario != "third_party":
        return item.scenario
    if not item.position:
        raise UserError("no position", where=item.id, field="position", allowed="before or after the user's query")
    return f"third_party_{item.position}"


def evaluate(items: Iterable[OfficialItem], options: OfficialOptions = OfficialOptions()) -> OfficialScore:
    """Score ``items`` as the challenge did; their order does not matter, and no item changes another's part.

    UserError for an id that comes twice, an unknown scenario, or anchors that are no anchors; whatever else is wrong
    with an item is listed under its name.
    """
    totals.delay_score(1.0, lmin=options.lmin, lbase=options.lbase)
    cells: dict[str, dict[str, _Cell]] = defaultdict(lambda: {name: _Cell() for name in CELLS})
    seen: set[str] = set()
    for item in sorted(items, key=lambda i: i.id):
        if item.id in seen:
            raise UserError("two items of one name", value=item.id)
        seen.add(item.id)
        name = cell_of(item)
        _read(item, name, cells[item.language][name])
    languages = {language: _language(language, cells[language], options) for language in sorted(cells)}
    absent = [language for language in LANGUAGES if language not in languages]
    absent += [f"{x.language}/{name}" for x in languages.values() for name in x.absent]
    delay = _delay_of_all(languages, cells, options)
    interruption = _over(languages, "interruption", totals.language_mean, options)
    rejection = _over(languages, "rejection", totals.language_mean, options)
    score = (
        None
        if delay is None
        else totals.delay_score(delay, slope=options.slope, lmin=options.lmin, lbase=options.lbase, mute=options.mute)
    )
    total = (
        None
        if interruption is None or rejection is None or score is None
        else totals.total_score(interruption, rejection, score)
    )
    why = []
    if absent:
        why.append(f"no items: {', '.join(absent)}")
    if delay == 0:
        why.append(f"a total delay of 0 s has no logarithm (mute={options.mute})")
    every = [c for cell in cells.values() for c in cell.values()]
    scenarios = [s for x in languages.values() for s in x.scenarios.values()]
    return OfficialScore(
        languages=languages,
        interruption=interruption,
        rejection=rejection,
        delay=delay,
        delay_score=score,
        total=total,
        expected=len(seen),
        scored=sum(s.scored for s in scenarios),
        complete=not absent,
        missing=tuple(sorted(i.id for c in every for i in c.items if i.system_segments is None)),
        bad_tags=tuple(sorted(b for c in every for b in c.bad_tags)),
        unscored=tuple(sorted((u for c in every for u in c.unscored), key=lambda u: (u.item, u.measure))),
        notes=tuple(sorted((i.id, note) for c in every for i in c.items for note in i.notes)),
        why="; ".join(why),
        options=options,
        items=tuple(_kept(i) for i in sorted((i for c in every for i in c.items), key=lambda i: i.id)),
    )


def _kept(item: OfficialItem) -> OfficialItem:
    return msgspec.structs.replace(item, system_words=item.system_words[:1]) if item.system_words else item


def contribution(item: OfficialItem) -> Contribution:
    """What ``item`` adds to its cell; UserError as in :func:`cell_of`."""
    name, cell = cell_of(item), _Cell()
    _read(item, name, cell)
    by_rate = name in _BY_RATE
    tag = "RESPOND" if item.scenario in INTERRUPTION else "RESUME"
    return Contribution(
        cell=name,
        stop=(float(sum(cell.stops)), len(cell.stops)),
        response=(float(sum(cell.responses)), len(cell.responses)),
        first=(float(sum(cell.first)), len(cell.first)),
        behaviour=(sum(d > 0 for d in cell.delays), len(cell.delays))
        if by_rate
        else (cell.tags[tag], sum(cell.tags.values())),
    )


def _read(item: OfficialItem, name: str, cell: _Cell) -> None:
    """Add what ``item`` gives to its cell's lists, and what it does not give to the cell's account."""
    cell.items.append(item)
    if item.scenario in INTERRUPTION:
        if item.system_segments is None:
            cell.leave_out(item, "latency", "no readable output")
        elif bad := _not_intervals(item.user_segments, "user") or _not_intervals(item.system_segments, "system"):
            cell.leave_out(item, "latency", bad)
        else:
            cell.stops += stop_latencies(item.user_segments, item.system_segments)
            cell.responses += response_latencies(item.user_segments, item.system_segments)
    delay, why = _delay(item)
    if delay is None:
        cell.leave_out(item, "first response", why)
    else:
        cell.delays.append(delay)
        if counts(delay, item.scenario):
            cell.first.append(delay)
        else:
            cell.leave_out(item, "first response", f"the first word does not come after the query ({float(delay):g} s)")
    if name in _BY_RATE:
        if delay is None:
            cell.leave_out(item, "behaviour", why)
        return
    if not item.tags:
        cell.leave_out(item, "behaviour", "no tag")
        return
    good = [tag for text in item.tags if (tag := read_tag(text)) is not None]
    cell.tags.update(good)
    bad_tags = [text[:80] for text in item.tags if read_tag(text) is None]
    cell.bad_tags += [(item.id, text) for text in bad_tags]
    if not good:
        cell.leave_out(item, "behaviour", f"tag {bad_tags[0]!r} is none of {', '.join(TAGS)}")


def _delay(item: OfficialItem) -> tuple[Fraction | None, str]:
    """The first-response delay of ``item``, or why there is none."""
    if item.system_words is None:
        return None, "no transcript of the output" if item.system_segments is not None else "no readable output"
    if not item.system_words:
        return None, "the output holds no words"
    if bad := _not_intervals(item.speech_segments, "query"):
        return None, bad
    # The first in the file's order, as the script takes it.
    first = item.system_words[0].start
    if not math.isfinite(first):
        return None, "the first word has no time"
    k = query_segment(item.scenario, item.position)
    delay = first_response(first, item.speech_segments, k)
    return delay, "" if delay is not None else f"speech_segments has no entry {k}"


def _not_intervals(segments: Sequence[Interval], whose: str) -> str:
    for start, end in segments:
        if not (math.isfinite(start) and math.isfinite(end) and start <= end):
            return f"{whose} segment [{start:g}, {end:g}] is no interval"
    return ""


def _scenario(name: str, cell: _Cell) -> ScenarioScore:
    behaviour = {u.item for u in cell.unscored if u.measure == "behaviour"}
    interruption = name in INTERRUPTION
    by_rate = name in _BY_RATE
    some = bool(cell.items)
    return ScenarioScore(
        scenario="third_party" if name.startswith("third_party") else name,
        position="before" if name.endswith("_before") else "after" if name.endswith("_after") else "",
        expected=len(cell.items),
        outputs=sum(i.system_segments is not None for i in cell.items),
        scored=len(cell.items) - len(behaviour),
        stop_latency=float(average(cell.stops)) if interruption and some else None,
        stops=len(cell.stops),
        response_latency=float(average(cell.responses)) if interruption and some else None,
        responses=len(cell.responses),
        first_response_delay=float(mean(cell.first)) if cell.first else None,
        first_responses=len(cell.first),
        tags={tag: cell.tags[tag] for tag in TAGS if cell.tags[tag]},
        respond=tag_ratio(cell.tags, "RESPOND") if interruption and some else None,
        resume=tag_ratio(cell.tags, "RESUME") if not interruption and not by_rate and some else None,
        rejection_rate=rejection_rate(cell.delays) if by_rate and some else None,
        rejected=sum(d > 0 for d in cell.delays) if by_rate else 0,
        rejectable=len(cell.delays) if by_rate else 0,
        unscored=tuple(sorted(cell.unscored, key=lambda u: (u.item, u.measure))),
    )


def _language(language: str, cells: dict[str, _Cell], options: OfficialOptions) -> LanguageScore:
    scenarios = {name: _scenario(name, cell) for name, cell in cells.items() if cell.items}
    absent = tuple(name for name in CELLS if name not in scenarios)

    def rates(*names: str) -> list[float] | None:
        found = [x for n in names if n in scenarios and (x := scenarios[n].behaviour) is not None]
        return found if found and (options.absent == "skip" or len(found) == len(names)) else None

    parties = rates("third_party_after", "third_party_before")
    third = None
    if parties is not None:
        third = totals.third_party_score(*parties) if len(parties) == 2 else round_half_up(parties[0], 3)
    rejections = [*(rates("backchannel") or ()), *(() if third is None else (third,))]
    rejections += [*(rates("pause") or ()), *(rates("others_directed") or ())]
    if options.absent == "undefined" and len(rejections) < 4:
        rejections = []
    responds = rates(*INTERRUPTION)
    stop, response, first, delay = _delays(cells, options)
    return LanguageScore(
        language=language,
        scenarios=scenarios,
        interruption=None if responds is None else totals.interruption_score(responds),
        third_party=third,
        rejection=totals.rejection_score(rejections) if rejections else None,
        stop=stop,
        response=response,
        first_response=first,
        delay=delay,
        absent=absent,
    )


def _delays(
    cells: dict[str, _Cell], options: OfficialOptions
) -> tuple[float | None, float | None, float | None, float | None]:
    """The three rounded means and the total delay L of one language, or of several languages' cells put together."""
    interruptions = [cells[n] for n in INTERRUPTION if cells[n].items]
    first = _first_responses(cells, options)
    enough = bool(interruptions) and bool(first)
    if options.absent == "undefined":
        enough = all(cell.items for cell in cells.values()) and bool(first)
    if not enough:
        return None, None, None, None
    stops = [_shown(average(c.stops), options) for c in interruptions]
    responses = [_shown(average(c.responses), options) for c in interruptions]
    stop, response, response_first = (round_half_up(mean(part), 3) for part in (stops, responses, first))
    return stop, response, response_first, totals.total_delay(stops, responses, first)


def _first_responses(cells: dict[str, _Cell], options: OfficialOptions) -> list[Fraction]:
    """First-response delays of up to nine scenarios; the third party's two become one as the options say."""
    found: list[Fraction] = []
    for scenario in SCENARIOS:
        names = ("third_party_before", "third_party_after") if scenario == "third_party" else (scenario,)
        parts = [cells[n] for n in names if cells[n].items]
        if options.third_party_delay == "pooled":
            lists = [[d for c in parts for d in c.first]] if parts else []
        else:
            lists = [c.first for c in parts]
        if options.no_first_response == "skip":
            lists = [x for x in lists if x]
        if lists:
            found.append(_shown(mean(average(x) for x in lists), options))
    return found


def _shown(x: Fraction, options: OfficialOptions) -> Fraction:
    return Fraction(repr(round_half_up(x, 3))) if options.round_averages else x


def _delay_of_all(
    languages: dict[str, LanguageScore], cells: dict[str, dict[str, _Cell]], options: OfficialOptions
) -> float | None:
    if options.language_delay == "pooled" and languages:
        together = {name: _Cell() for name in CELLS}
        for language in languages:
            for name, cell in cells[language].items():
                for part in ("items", "stops", "responses", "first"):
                    getattr(together[name], part).extend(getattr(cell, part))
        return _delays(together, options)[3]
    return _over(languages, "delay", lambda values: round_half_up(mean(values), 3), options)


def _over(
    languages: dict[str, LanguageScore],
    part: Literal["interruption", "rejection", "delay"],
    combine: Callable[[Sequence[float]], float],
    options: OfficialOptions,
) -> float | None:
    """``part`` of every language made one, where the options let a language be absent or lack it."""
    found = [getattr(x, part) for x in languages.values()]
    known = [v for v in found if v is not None]
    whole = len(known) == len(found) and set(LANGUAGES) <= set(languages)
    return combine(known) if known and (whole or options.absent == "skip") else None
