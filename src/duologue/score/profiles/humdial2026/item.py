"""What the official scoring reads of one recording, and the score it gives back."""

from __future__ import annotations

from typing import Literal

import msgspec

from duologue.score.profiles.humdial2026.first_response import Position
from duologue.score.profiles.humdial2026.intervals import Interval
from duologue.score.profiles.humdial2026.totals import LBASE, LMIN, Mute


class OfficialWord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A word (a character in Chinese) from ``start`` to ``end`` in seconds."""

    text: str
    start: float
    end: float


class OfficialItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One recording. All times are seconds on the clock of the user's audio.

    ``id`` names it in every list and is unique in an evaluation. ``position`` tells whether a third party speaks
    "before" or "after" the user's query and is "" in the other scenarios. ``user_segments`` and ``system_segments``
    are speech as heard, merged or not; ``system_segments`` is None where there is no output that can be read.
    ``speech_segments`` are (xmin, xmax) of ``_sentence.json`` in its order. ``system_words`` is None where the output
    was not transcribed and empty where it holds no words. ``tags`` are the judge's as written ("RESPOND" or
    "C_RESPOND"; the official file holds a list), None where there is no verdict. ``notes`` are problems of its files.
    ``clusters`` maps "script_family" and "speaker" to what it shares with others, where known; no score needs it.
    """

    id: str
    language: str
    scenario: str
    position: Position = ""
    user_segments: tuple[Interval, ...] = ()
    system_segments: tuple[Interval, ...] | None = None
    speech_segments: tuple[Interval, ...] = ()
    system_words: tuple[OfficialWord, ...] | None = None
    tags: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    clusters: dict[str, str] = {}


class OfficialOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The constants, and a choice for each step that the official material leaves open.

    ``slope`` is 40 as on the results page; an earlier figure has 50. ``lmin`` and ``lbase`` (seconds) are the published
    anchors. ``language_delay``: total delays of several languages are averaged ("mean", as Int and Rej are), or one is
    computed over all languages' recordings together ("pooled"). ``third_party_delay``: the two third-party
    first-response delays count half each ("mean", as their scores do), or their recordings are pooled.
    ``no_first_response``: a scenario in which no delay counts enters the mean of nine as 0 s ("zero", as empty
    latencies do) or not at all ("skip"). ``mute``: what a total delay of 0 s scores, see :data:`~.totals.Mute`.
    ``absent``: where a scenario has no item, means are taken over the others ("skip", and the score says that it is not
    complete), or what needs it is None ("undefined"). ``round_averages`` rounds each scenario's delays to
    milliseconds before they are averaged, as the evaluation readme asks of every intermediate.
    """

    slope: Literal[40, 50] = 40
    lmin: float = LMIN
    lbase: float = LBASE
    language_delay: Literal["mean", "pooled"] = "mean"
    third_party_delay: Literal["mean", "pooled"] = "mean"
    no_first_response: Literal["zero", "skip"] = "zero"
    mute: Mute = "undefined"
    absent: Literal["skip", "undefined"] = "skip"
    round_averages: bool = False


Measure = Literal["behaviour", "latency", "first response"]


class Unscored(msgspec.Struct, frozen=True, kw_only=True):
    """``item`` does not enter ``measure`` of its scenario, and why. The official numbers drop it silently."""

    item: str
    measure: Measure
    why: str


class ScenarioScore(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One scenario in one language (third-party speech before and after the query are two).

    ``expected`` = ``scored`` + the items that ``unscored`` lists for "behaviour". Averages are in seconds over
    ``stops``, ``responses`` and ``first_responses`` intervals. What the scenario does not use is None: latencies
    are of interruptions; ``respond`` is theirs; ``resume`` is that of backchannels, third parties after the query
    and speech to others; ``rejection_rate`` that of pauses and third parties before it.
    """

    scenario: str
    position: Position = ""
    expected: int
    outputs: int
    scored: int
    stop_latency: float | None = None
    stops: int = 0
    response_latency: float | None = None
    responses: int = 0
    first_response_delay: float | None = None
    first_responses: int = 0
    tags: dict[str, int] = {}
    respond: float | None = None
    resume: float | None = None
    rejection_rate: float | None = None
    rejected: int = 0
    rejectable: int = 0
    unscored: tuple[Unscored, ...] = ()

    @property
    def behaviour(self) -> float | None:
        """The number of this scenario that enters Int or Rej."""
        return next((x for x in (self.respond, self.resume, self.rejection_rate) if x is not None), None)


class LanguageScore(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One language: scenarios by name ("third_party_before" and "third_party_after" apart), and every intermediate.

    ``stop``, ``response`` and ``first_response`` are the rounded means whose mean is ``delay`` (s). ``absent`` are
    scenarios without any item.
    """

    language: str
    scenarios: dict[str, ScenarioScore]
    interruption: float | None
    third_party: float | None
    rejection: float | None
    stop: float | None
    response: float | None
    first_response: float | None
    delay: float | None
    absent: tuple[str, ...] = ()


class OfficialScore(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The official numbers of a set of recordings, and what they leave out.

    ``delay_score`` is not rounded. ``expected`` = ``scored`` + the items in ``unscored`` for "behaviour". ``missing``
    are the items without a readable output, ``bad_tags`` (item, tag) whose tag is none of the four. ``complete`` says
    that all nine scenarios were there in every language. ``notes`` are (item, problem of its files). ``items`` are what
    was scored, in order of their ids, of the system's words only the first: scored again they give the same numbers.
    """

    languages: dict[str, LanguageScore]
    interruption: float | None
    rejection: float | None
    delay: float | None
    delay_score: float | None
    total: float | None
    expected: int
    scored: int
    complete: bool
    missing: tuple[str, ...] = ()
    bad_tags: tuple[tuple[str, str], ...] = ()
    unscored: tuple[Unscored, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    why: str = ""
    options: OfficialOptions = OfficialOptions()
    items: tuple[OfficialItem, ...] = ()
