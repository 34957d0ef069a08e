"""What somebody could learn about a dialogue without understanding it: one vector for each set of clues.

Sets of clues, each float64 with NaN where a dialogue has no such thing:

``metadata``   id, its place among all ids, number of files, channels, sample rate
``length``     duration and bytes a second
``silence``    the first 200 ms of the user's microphone, and its stretches without any speech: level, spectrum, zeros
``energy``     the course of energy in both channels, event windows masked
``speaker``    who the user and the system are, and their sex
``voice``      pitch, spectrum and level of the user's first ordinary turn
``room``       noise, level over noise, room, line, as the record says
``words``      (text) what the user says
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt

from duologue.corpus.audio import Audio
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.read import OpenDialogue
from duologue.corpus.truth import emotions

Vector = npt.NDArray[np.float64]
FRAME = 0.02
# After speech ends a room still sounds; this much (seconds) beyond each segment is no silence.
TAIL = 0.25
BANDS = 12
BINS = 20


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One dialogue, or one side of it and its twin.

    ``labels`` are what could be guessed (target -> label), ``groups`` what folds keep together (kind -> id),
    ``numbers`` the vectors by set, ``names`` categorical clues by set, ``words`` the user's text.
    """

    language: str
    labels: dict[str, str]
    groups: dict[str, str]
    numbers: dict[str, Vector]
    names: dict[str, dict[str, str]]
    words: str


def observe(item: OpenDialogue, place: float) -> Observation:
    """The main side of ``item``, whose id lies at the share ``place`` (0..1) of all ids in order."""
    d = item.dialogue
    main = item.file("main")
    samples, rate = item.audio(which=main.id)
    x = np.asarray(samples, np.float64)
    speech = [(s.start, s.end) for t in d.turns for s in t.segments if s.audio == main.id]
    numbers = {
        "metadata": _metadata(d, main, place),
        "length": np.array([main.length / rate]),
        "silence": _silence(x, rate, speech),
        "energy": _energy(x, rate, _windows(d, main)),
        "voice": _voice(d, main, x[:, 0], rate),
        "room": _numbers_of_room(d),
    }
    users = [t.text for t in d.turns if t.role != "system"]
    return Observation(
        language=d.languages[0],
        labels=labels_of(d),
        groups=groups_of(d),
        numbers=numbers,
        names={"speaker": _people(d), "room": {"noise": kind_of(d.acoustics.noise), "band": d.acoustics.band}},
        words=" ".join(users),
    )


def observe_twins(item: OpenDialogue) -> tuple[Observation, Observation] | None:
    """Both sides of a dialogue that has a twin, labelled by ``twin``; what lies in silence differs by side."""
    d = item.dialogue
    main = item.file("main")
    twin = next((a for a in d.audio if a.twin is not None and a.twin.of == main.id), None)
    if twin is None or twin.twin is None:
        return None
    start, end = twin.twin.differs
    gone = {e.target_turn for e in d.events if not e.halts}
    # Where a turn pauses, its twin speaks on: neither side's silence tells anything there.
    paused = [(start, end)] if any(e.halts for e in d.events) else []
    sides = []
    for audio, side in ((main, "event"), (twin, "clean")):
        samples, rate = item.audio(which=audio.id)
        x = np.asarray(samples, np.float64)
        # Events' own turns are silent in the twin; all others, and a turn that only pauses, are in both.
        speech = [
            (s.start, s.end)
            for t in d.turns
            for s in t.segments
            if s.audio == main.id and (side == "event" or t.index not in gone)
        ]
        speech += paused
        sides.append(
            Observation(
                language=d.languages[0],
                labels={"twin": side},
                groups={"dialogue": d.id},
                numbers={
                    "length": np.array([audio.length / rate]),
                    "silence": _silence(x, rate, speech),
                    "energy": _energy(x, rate, [(start - rate // 5, end + rate // 5)]),
                },
                names={},
                words="",
            )
        )
    return sides[0], sides[1]


def labels_of(d: Dialogue) -> dict[str, str]:
    """What could be guessed: the split; of track 2 scenario and action; of track 1 agreement and first emotion."""
    labels: dict[str, str] = {"split": d.split}
    if d.track == "duplex":
        labels["scenario"] = d.scenario
        labels["action"] = " > ".join(d.events[0].expected) if d.events else "none"
    else:
        # Clips of other tasks (a request to speak in a feeling) look otherwise and are never conflict items.
        if "recognition" in d.tasks:
            labels["agreement"] = "conflict" if d.scenario == "conflict_clip" else "agreement"
        felt = emotions(d)
        first = next((felt[t.index] for t in d.turns if t.role == "user" and t.index in felt), None)
        if first is not None:
            labels["emotion"] = first.label
    return labels


def groups_of(d: Dialogue) -> dict[str, str]:
    """What a guess must not lean on: the story, the speaker, the noise and the dialogue itself.

    ``cell`` is the kind of dialogue; how many of each kind a split holds is the recipe's choice, not an artefact.
    """
    user = next((s for s in d.speakers if s.role == "user"), None)

    def first(kind: str) -> str:
        return d.groups[kind][0] if d.groups.get(kind) else ""

    person = (user.parent_voice or user.id) if user else d.id
    story = first("script_family") or first("source_recording") or person
    cell = " ".join((*d.languages, *d.tasks, d.scenario, str(sum(t.role == "user" for t in d.turns))))
    return {"story": story, "speaker": person, "noise": d.acoustics.noise or d.id, "dialogue": d.id, "cell": cell}


def kind_of(noise: str) -> str:
    """The kind of a noise without its number: "gen:rain-03" is "gen:rain"."""
    return noise.rstrip("0123456789").rstrip("-_")


def _people(d: Dialogue) -> dict[str, str]:
    names = {}
    for role in ("user", "system"):
        if person := next((s for s in d.speakers if s.role == role), None):
            names[role] = person.id
            names[f"{role} sex"] = person.sex
    return names


def _metadata(d: Dialogue, main: Audio, place: float) -> Vector:
    id = d.id.ljust(4)
    digits = sum(c.isdigit() for c in d.id) / len(d.id)
    files = [a for a in d.audio if a.twin is None]
    return np.array(
        [*(float(ord(c)) for c in id[:4]), len(d.id), digits, place, len(files), len(main.channels), main.sample_rate]
    )


def _numbers_of_room(d: Dialogue) -> Vector:
    a = d.acoustics
    nothing = float("nan")
    user = next((s.id for s in d.speakers if s.role == "user"), "")
    position = next((p for p in a.positions if p.speaker == user), None)
    return np.array(
        [
            nothing if a.snr_db is None else a.snr_db,
            a.rt60,
            a.packet_loss,
            -90.0 if a.echo_db is None else a.echo_db,
            position.distance if position else nothing,
            position.gain_db if position else nothing,
        ]
    )


def _windows(d: Dialogue, main: Audio) -> list[tuple[int, int]]:
    """What the events touch: their own time and the reaction to them, half a second more on both sides."""
    more = main.sample_rate // 2
    spans = [s for r in d.realised if r.audio == main.id for s in ((r.start, r.end), r.reaction) if s]
    return [(a - more, b + more) for a, b in spans]


def _decibel(power: Vector) -> Vector:
    return np.asarray(10 * np.log10(np.maximum(power, 1e-12)))


def bands(x: Vector, rate: int) -> Vector:
    """Levels in dB of BANDS bands of equal width in log frequency, 60 Hz to the band limit: float64 [BANDS]."""
    if len(x) < 64:
        return np.full(BANDS, np.nan)
    size = min(512, len(x))
    frames = np.lib.stride_tricks.sliding_window_view(x, size)[:: size // 2][:200]
    power = (np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2).mean(axis=0) / size
    frequency = np.fft.rfftfreq(size, 1 / rate)
    edges = np.geomspace(60, min(rate / 2, 8_000), BANDS + 1)
    sums = []
    for low, high in pairwise(edges):
        inside = (frequency >= low) & (frequency < high)
        # Where a band is narrower than a bin, the nearest bin stands for it.
        sums.append(power[inside].mean() if inside.any() else power[np.argmin(np.abs(frequency - low))])
    return _decibel(np.array(sums))


def silent(x: Vector, rate: int, speech: list[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    """Frames of FRAME seconds of the user's channel in which neither anyone speaks nor the system sounds: bool [n]."""
    hop = round(FRAME * rate)
    count = len(x) // hop
    busy = np.zeros(count + 1, bool)
    for start, end in speech:
        busy[max(0, start // hop) : int(np.ceil((end + TAIL * rate) / hop)) + 1] = True
    if x.shape[1] > 1:
        sounding = np.abs(x[: count * hop, 1]).reshape(count, hop).max(axis=1, initial=0) > 1e-4
        reach = round(TAIL / FRAME)
        for at in np.flatnonzero(sounding):
            busy[at : at + reach + 1] = True
    return ~busy[:count]


def _silence(x: Vector, rate: int, speech: list[tuple[int, int]]) -> Vector:
    hop = round(FRAME * rate)
    start = x[: round(0.2 * rate), 0]
    quiet = silent(x, rate, speech)
    frames = x[: len(quiet) * hop, 0].reshape(-1, hop)[quiet]
    first = [float(_decibel(np.array([np.mean(start**2)]))[0]), float(np.mean(start == 0))]
    if not len(frames):
        return np.concatenate([first, bands(start, rate), np.full(4 + BANDS, np.nan)])
    level = _decibel((frames**2).mean(axis=1))
    rest = [*np.percentile(level, (10, 50, 90)), float(np.mean(frames == 0))]
    return np.concatenate([first, bands(start, rate), rest, bands(frames[:500].ravel(), rate)])


def _energy(x: Vector, rate: int, windows: list[tuple[int, int]]) -> Vector:
    """For each channel: BINS levels over the whole length, and how they spread; masked bins take the median."""
    rows: list[Vector] = []
    for channel in (0, 1):
        if channel >= x.shape[1]:
            rows.append(np.full(BINS + 3, np.nan))
            continue
        power = x[:, channel] ** 2
        for start, end in windows:
            power[max(0, start) : max(0, end)] = np.nan
        edges = np.linspace(0, len(power), BINS + 1).astype(int)
        level = np.array(
            [np.nanmean(p) if len(p := power[a:b]) and np.isfinite(p).any() else np.nan for a, b in pairwise(edges)]
        )
        level = _decibel(level)
        known = level[np.isfinite(level)]
        middle = float(np.median(known)) if len(known) else -120.0
        spread = np.percentile(known, (10, 50, 90)) if len(known) else np.full(3, -120.0)
        rows.append(np.concatenate([np.where(np.isfinite(level), level, middle), spread]))
    return np.concatenate(rows)


def _voice(d: Dialogue, main: Audio, mic: Vector, rate: int) -> Vector:
    """Of the user's first ordinary turn (3 s of it): pitch, its spread, level, spectrum relative to the level."""
    events = {e.target_turn for e in d.events}
    turn = next(
        (t for t in d.turns if t.role == "user" and t.kind == "turn" and t.segments and t.index not in events), None
    )
    if turn is None or turn.segments[0].audio != main.id:
        return np.full(4 + BANDS, np.nan)
    first = turn.segments[0]
    x = mic[first.start : min(first.end, first.start + 3 * rate)]
    pitch = pitches(x, rate)
    level = _decibel(np.array([np.mean(x**2)]))[0] if len(x) else np.nan
    tones = np.percentile(pitch, (25, 50, 75)) if len(pitch) else np.full(3, np.nan)
    return np.concatenate([tones, [level], bands(x, rate) - level])


def pitches(x: Vector, rate: int) -> Vector:
    """Semitones over 100 Hz of the voiced frames of ``x``, by the peak of the normalised autocorrelation.

    40 ms frames every 20 ms, 60-400 Hz, voiced from a peak of 0.5 (Rabiner 1977, without his centre clipping).
    """
    size, hop = round(0.04 * rate), round(0.02 * rate)
    if len(x) < size:
        return np.zeros(0)
    frames = np.lib.stride_tricks.sliding_window_view(x, size)[::hop]
    frames = frames - frames.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(frames, 2 * size, axis=1)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :size]
    # The frame holds fewer products at longer lags; each lag is set against what it could reach.
    correlation /= np.maximum(correlation[:, :1], 1e-12) * (1 - np.arange(size) / size)
    low, high = round(rate / 400), min(round(rate / 60), size - 1)
    span = correlation[:, low - 1 : high + 1]
    middle = span[:, 1:-1]
    # A multiple of the period fits as well: the first peak that comes near the highest is taken.
    peak = (middle >= span[:, :-2]) & (middle >= span[:, 2:]) & (middle >= 0.9 * middle.max(axis=1, keepdims=True))
    lags = low + np.where(peak.any(axis=1), peak.argmax(axis=1), middle.argmax(axis=1))
    peaks = correlation[np.arange(len(lags)), lags]
    loud = (frames**2).mean(axis=1) > 0.1 * (frames**2).mean()
    return np.asarray(12 * np.log2(rate / lags[(peaks > 0.5) & loud] / 100))


def names_of(observations: list[Observation], kind: str) -> Vector:
    """One column for each name that at least two observations share: float64 [n, columns]."""
    columns: dict[tuple[str, str], list[int]] = {}
    for i, o in enumerate(observations):
        for key, value in o.names.get(kind, {}).items():
            columns.setdefault((key, value), []).append(i)
    shared: Mapping[tuple[str, str], list[int]] = {k: v for k, v in sorted(columns.items()) if len(v) > 1}
    out = np.zeros((len(observations), len(shared)))
    for column, rows in enumerate(shared.values()):
        out[rows, column] = 1.0
    return out
