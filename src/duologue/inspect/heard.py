"""What is heard in the audio of the sampled dialogues: level, words, voices, quality, feeling in the prosody."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import soxr
from msgspec.structs import replace

from duologue.corpus.interval import normalise
from duologue.corpus.read import OpenDialogue
from duologue.corpus.speaker import Speaker
from duologue.corpus.truth import emotions
from duologue.corpus.turn import Turn
from duologue.errors import MissingPartError
from duologue.inspect.bootstrap import ratio
from duologue.inspect.figures import Figure, Finding, Histogram, WorstList
from duologue.inspect.loudness import GATE, loudness
from duologue.inspect.quality import NaturalnessListener, NoiseListener
from duologue.inspect.sampling import Extremes
from duologue.inspect.snr import snr
from duologue.listen.emotion import MERGED, absolute, leave_speakers_out
from duologue.listen.identity import Embedding, SpeakerEncoder, similarity
from duologue.listen.level import clipped, silent
from duologue.listen.prosody import measure
from duologue.listen.readback import compare, tokens
from duologue.listen.words import Recogniser

RATE = 16_000
SHOWN = 5
# Stretches of one turn are heard with so much silence between.
_GAP = 0.2
# More voices are not compared with each other.
_VOICES = 400
_PERSONS = 3
PARTS = ("read-back", "similarity", "quality", "separability")
Floats = npt.NDArray[np.float32]
T = TypeVar("T")


@dataclass(frozen=True)
class _Said:
    dialogue: str
    role: str
    language: str
    voice: str
    errors: int
    length: int


@dataclass(frozen=True)
class _Voice:
    dialogue: str
    turn: int
    role: str
    speaker: str
    embedding: Embedding


@dataclass(frozen=True)
class _Measured:
    dialogue: str
    of: str
    value: float
    weight: float = 1.0


class Heard:
    """Takes sampled dialogues in with :meth:`add`; keeps numbers of them, no audio.

    ``skip`` names :data:`PARTS` that are not wanted. A part that is not installed is found missing at its first use and
    stays a row that says so.
    """

    def __init__(self, seed: int, *, skip: Collection[str] = (), threads: int = 1) -> None:
        self.seed = seed
        self.skip = frozenset(skip)
        self.missing: dict[str, str] = {}
        self.recogniser, self.encoder = Recogniser(threads), SpeakerEncoder()
        self.noise, self.naturalness = NoiseListener(), NaturalnessListener()
        self.dialogues = 0
        self.said: list[_Said] = []
        self.voices: list[_Voice] = []
        self.quality: dict[str, list[_Measured]] = defaultdict(list)
        self.level: dict[str, list[_Measured]] = defaultdict(list)
        self.prosody: list[tuple[str, str, dict[str, float]]] = []
        self.unheard = 0
        self.worst: dict[str, Extremes[Finding]] = defaultdict(lambda: Extremes(SHOWN))

    def add(self, item: OpenDialogue) -> None:
        """Hear one dialogue: all of its main audio for levels, one turn of the user and one of the system for words.

        UserError where its audio is missing or broken.
        """
        self.dialogues += 1
        if not item.dialogue.audio:
            return
        self._channels(item)
        felt = emotions(item.dialogue) if "separability" not in self.skip else {}
        chosen = self._chosen(item)
        for turn in item.dialogue.turns:
            wanted = turn.index in chosen
            feeling = felt.get(turn.index) if turn.role == "user" else None
            if not wanted and feeling is None:
                continue
            samples = _turn(item, turn)
            if not len(samples):
                continue
            if feeling is not None and (features := measure(samples, RATE)) is not None:
                self.prosody.append((_person(item, turn), feeling.label, absolute(features)))
            if wanted:
                self._listen(item, turn, samples)

    def _chosen(self, item: OpenDialogue) -> set[int]:
        """One turn of each of user and system, by hash, so that the choice depends on nothing else."""
        found: dict[str, tuple[bytes, int]] = {}
        for t in item.dialogue.turns:
            if t.kind in ("turn", "interruption") and t.role in ("user", "system") and t.segments and t.text:
                key = hashlib.sha256(f"{self.seed}\0{item.id}\0{t.index}".encode()).digest()
                found[t.role] = min(found.get(t.role, (key, t.index)), (key, t.index))
        return {index for _, index in found.values()}

    def _try(self, part: str, name: str, hear: Callable[[], T]) -> T | None:
        """What ``hear`` gives; None where its part is not wanted or not installed."""
        if part in self.skip:
            self.missing[name] = "left out by --skip"
        if name in self.missing:
            return None
        try:
            return hear()
        except MissingPartError as error:
            self.missing[name] = error.message
            return None

    def _listen(self, item: OpenDialogue, turn: Turn, samples: Floats) -> None:
        self._readback(item, turn, samples)
        if not np.any(samples):
            return
        if len(samples) >= RATE // 2:
            voice = self._try("similarity", "similarity", lambda: self.encoder.embed(samples, RATE))
            if voice is not None:
                self.voices.append(_Voice(item.id, turn.index, turn.role, turn.speaker, voice))
        noise = self._try("quality", "DNSMOS", lambda: self.noise.hear(samples))
        if noise is not None:
            for name in ("speech", "background", "overall"):
                self.quality[f"DNSMOS {name}"].append(_Measured(item.id, turn.role, getattr(noise, name)))
            self._bad("lowest DNSMOS", -noise.overall, _of_turn(item, turn, noise.overall, "of 5"))
        natural = self._try("quality", "DistillMOS", lambda: self.naturalness.hear(samples))
        if natural is not None:
            self.quality["DistillMOS"].append(_Measured(item.id, turn.role, natural))
            self._bad("lowest DistillMOS", -natural, _of_turn(item, turn, natural, "of 5"))

    def _readback(self, item: OpenDialogue, turn: Turn, samples: Floats) -> None:
        if turn.language not in ("en", "zh") or not tokens(turn.text, turn.language):
            self.unheard += 1
            return
        found = self._try(
            "read-back",
            "read-back",
            lambda: self.recogniser.hear(samples, RATE, language=turn.language, times=False).text,
        )
        if found is None:
            return
        result = self._try("read-back", "read-back", lambda: compare([turn.text], [found], turn.language))
        if result is None:
            return
        voice = _speaker(item, turn).voice or turn.speaker
        self.said.append(_Said(item.id, turn.role, turn.language, voice, result.errors, result.length))
        if result.errors:
            finding = _of_turn(item, turn, result.rate, "CER" if turn.language == "zh" else "WER", heard=found)
            self._bad("highest error of read-back", result.rate, finding)

    def _channels(self, item: OpenDialogue) -> None:
        main = item.file("main")
        samples, rate = item.audio(which=main.id)
        for c, channel in enumerate(main.channels):
            x = np.ascontiguousarray(samples[:, c])
            kind = channel.kind
            lufs = loudness(x, rate)
            whole = Finding(
                dialogue=item.id, audio=main.id, channel=c, start=0, end=len(x), value=round(lufs, 2), unit="LUFS",
                language=item.dialogue.languages[0], note=kind,
            )  # fmt: skip
            self._bad("loudest", lufs, whole)
            self._bad("quietest", -lufs, whole)
            self.level["loudness"].append(_Measured(item.id, kind, lufs))
            runs = clipped(x)
            count = int((runs[:, 1] - runs[:, 0]).sum())
            self.level["clipped"].append(_Measured(item.id, kind, float(count), len(x)))
            if count:
                first = max(0, int(runs[0, 0]) - rate)
                self._bad(
                    "clipped",
                    count,
                    replace(whole, start=first, end=min(len(x), first + 10 * rate), value=count, unit="samples"),
                )
            zeros = silent(x, rate)
            self.level["silent"].append(_Measured(item.id, kind, float(zeros), len(x)))
            # A system's channel is silent between its turns by nature; only what should be heard there is a fault.
            spoken = normalise(_spans(item, main.id, c, lambda t: True))
            dead = sum(silent(x[a:b], rate) for a, b in spoken)
            said = int((spoken[:, 1] - spoken[:, 0]).sum())
            self.level["dead"].append(_Measured(item.id, kind, float(dead), said))
            if dead:
                self._bad(
                    "digital silence where somebody should speak",
                    dead / said,
                    replace(whole, value=round(dead / said, 4), unit="of the speech"),
                )
            if kind == "user-mic":
                self._snr(item, whole, x, rate)

    def _snr(self, item: OpenDialogue, whole: Finding, x: Floats, rate: int) -> None:
        d = item.dialogue
        wanted = ("turn", "interruption")
        speech = normalise(
            [*_spans(item, whole.audio, whole.channel or 0, lambda t: t.role == "user" and t.kind in wanted)]
        )
        other = [*_spans(item, whole.audio, whole.channel or 0, lambda t: t.role != "user" or t.kind not in wanted)]
        if d.acoustics.echo_db is not None:
            other += _spans(item, whole.audio, None, lambda t: t.role == "system")
        value = snr(x, rate, speech, normalise(other))
        if value is None:
            return
        self.level["snr"].append(_Measured(item.id, "user-mic", value))
        self._bad("lowest SNR", -value, replace(whole, value=round(value, 2), unit="dB"))
        if d.acoustics.snr_db is not None:
            self.level["snr error"].append(_Measured(item.id, "user-mic", value - d.acoustics.snr_db))

    def _bad(self, name: str, badness: float, finding: Finding) -> None:
        self.worst[name].offer(badness, finding)

    def lists(self) -> list[WorstList]:
        """The worst items of each kind, the worst first; no list where nothing was found."""
        how = {
            "highest error of read-back": "errors of the recogniser over the words (characters) of the turn",
            "lowest DNSMOS": "DNSMOS P.835, overall",
            "lowest DistillMOS": "DistillMOS",
            "clipped": "samples at full scale in runs of three or more",
            "digital silence where somebody should speak": "zeros for 10 ms or longer inside annotated speech",
            "lowest SNR": "estimated, at the user's microphone",
            "quietest": f"integrated loudness of a channel; {GATE:g} LUFS is the least that is told",
            "loudest": "integrated loudness of a channel",
        }
        return [
            WorstList(name=name, how=text, items=self.worst[name].things())
            for name, text in how.items()
            if name in self.worst
        ]

    def figures(self) -> list[Figure]:
        return [*self._said_figures(), *self._voice_figures(), *self._quality_figures(), *self._level_figures(),
                *self._separability()]  # fmt: skip

    def _row(
        self, group: str, name: str, of: str, unit: str, rows: Sequence[_Measured], how: str, counted: str
    ) -> Figure:
        value, low, high = ratio(
            [r.value for r in rows], [r.weight for r in rows], [r.dialogue for r in rows], self.seed
        )
        return Figure(
            group=group, name=name, of=of, value=value, low=low, high=high, unit=unit, n=len(rows), counted=counted,
            how=how, missing="" if value is not None else "nothing to measure in the sample",
        )  # fmt: skip

    def _said_figures(self) -> list[Figure]:
        how = (
            "Whisper base on one turn of the user and one of the system in each sampled dialogue, as they sound in "
            "the corpus; errors over length, pooled"
        )
        if not self.said:
            why = self.missing.get("read-back") or "no sampled turn has text in English or Chinese"
            return [Figure(group="read-back", name="WER or CER", how=how, missing=why)]
        rows = []
        keys: list[tuple[str, Callable[[_Said], str]]] = [
            ("", lambda s: ""),
            ("role", lambda s: s.role),
            ("voice", lambda s: s.voice),
        ]
        for kind, key in keys:
            groups: dict[tuple[str, str], list[_Measured]] = defaultdict(list)
            for s in self.said:
                groups[s.language, key(s)].append(_Measured(s.dialogue, "", s.errors, s.length))
            for (language, name), found in sorted(groups.items()):
                unit = "CER" if language == "zh" else "WER"
                title = f"{unit} by {kind}" if kind else unit
                of = f"{language} {name}".strip()
                rows.append(self._row("read-back", title, of, "share", found, how, "turns"))
                if not kind:
                    # A recogniser that loops on noise invents any number of words; one such turn may decide the sum.
                    most = [_Measured(m.dialogue, "", min(m.value, m.weight), m.weight) for m in found]
                    told = how + "; of one turn no more errors than its length count"
                    rows.append(
                        self._row("read-back", f"{title}, at most 100% a turn", of, "share", most, told, "turns")
                    )
        return rows

    def _voice_figures(self) -> list[Figure]:
        how = "cosine of GE2E embeddings (Resemblyzer) of the sampled turns; pairs of different turns"
        names = ("same speaker", "different speakers", "user and system of one dialogue")
        if len(self.voices) < 2:
            why = self.missing.get("similarity") or "fewer than two turns were heard"
            return [Figure(group="voices", name=f"similarity, {name}", how=how, missing=why) for name in names]
        groups: dict[str, list[_Measured]] = {name: [] for name in names}
        for a, b in combinations(self.voices[:_VOICES], 2):
            value = similarity(a.embedding, b.embedding)
            groups[names[0] if a.speaker == b.speaker else names[1]].append(_Measured(a.dialogue, "", value))
            if a.dialogue == b.dialogue and {a.role, b.role} == {"user", "system"}:
                groups[names[2]].append(_Measured(a.dialogue, "", value))
        return [
            self._row("voices", f"similarity, {name}", "", "cosine", rows, how, "pairs")
            for name, rows in groups.items()
        ]

    def _quality_figures(self) -> list[Figure]:
        how = {
            "DistillMOS": "DistillMOS (naturalness), the sampled turns",
            "DNSMOS speech": "DNSMOS P.835 SIG, the sampled turns",
            "DNSMOS background": "DNSMOS P.835 BAK, the sampled turns",
            "DNSMOS overall": "DNSMOS P.835 OVRL, the sampled turns",
        }
        rows = []
        for name, text in how.items():
            found = self.quality.get(name, [])
            if not found:
                why = self.missing.get(name.split()[0]) or "no sampled turn was heard"
                rows.append(Figure(group="quality", name=name, how=text, missing=why))
            for role in sorted({m.of for m in found}):
                mine = [m for m in found if m.of == role]
                rows.append(self._row("quality", name, role, "of 5", mine, text, "turns"))
        return rows

    def _level_figures(self) -> list[Figure]:
        rows = [
            self._row("level", name, "user-mic", "dB", self.level.get(key, []), how, "dialogues")
            for key, name, how in (
                (
                    "snr",
                    "SNR as estimated, mean",
                    "active user speech less noise, over noise where nobody speaks, 0.25 s about speech left out",
                ),
                ("snr error", "SNR estimated less annotated, mean", "the same, where the dialogue names its SNR"),
            )
        ]
        for kind in sorted({m.of for m in self.level["loudness"]}):
            loud = [m for m in self.level["loudness"] if m.of == kind and m.value > GATE]
            bad = [m for m in self.level["clipped"] if m.of == kind]
            for name, unit, found, how in (
                (
                    "loudness, mean",
                    "LUFS",
                    loud,
                    "ITU-R BS.1770-4, integrated, each channel by itself; silent ones out",
                ),
                (
                    "channels with clipping",
                    "share",
                    [_Measured(m.dialogue, kind, float(m.value > 0)) for m in bad],
                    "any run of three samples or more at full scale (0.999)",
                ),
                ("clipped samples", "share", bad, "samples in such runs"),
                (
                    "digital silence",
                    "share",
                    [m for m in self.level["silent"] if m.of == kind],
                    "zeros for 10 ms or longer; a system's channel has them between its turns",
                ),
                (
                    "digital silence in speech",
                    "share",
                    [m for m in self.level["dead"] if m.of == kind],
                    "the same inside annotated speech",
                ),
            ):
                rows.append(self._row("level", name, kind, unit, found, how, "channels"))
        return rows

    def _separability(self) -> list[Figure]:
        how = (
            "linear discriminant on 10 prosodic features of the users' turns, each person heard by a model trained on "
            "the others (calm counts as neutral; emotions of fewer than 3 persons are left out); interval over persons"
        )
        names = ("emotions told by prosody, accuracy", "chance, classes alike", "chance, the commonest class")
        everyone: dict[str, set[str]] = defaultdict(set)
        for person, label, _ in self.prosody:
            everyone[_merged(label)].add(person)
        # With fewer, a model trained on the others would know a class from one clip, or not at all.
        known = {label for label, who in everyone.items() if len(who) >= _PERSONS}
        heard = [(p, _merged(label), f) for p, label, f in self.prosody if _merged(label) in known]
        people, labels = {p for p, _, _ in heard}, [label for _, label, _ in heard]
        why = ""
        if "separability" in self.skip:
            why = "left out by --skip"
        elif len(known) < 2:
            why = f"fewer than two emotions with {_PERSONS} persons each in the sample"
        if not why:
            try:
                said = leave_speakers_out([f for _, _, f in heard], labels, [p for p, _, _ in heard])
            except MissingPartError as error:
                why = error.message
        if why:
            return [Figure(group="emotion", name=names[0], how=how, missing=why)]
        right = [float(a == b) for a, b in zip(labels, said, strict=True)]
        value, low, high = ratio(right, np.ones(len(right)), [p for p, _, _ in heard], self.seed)
        common = max(labels.count(x) for x in set(labels)) / len(labels)
        return [
            Figure(group="emotion", name=name, value=x, low=a, high=b, unit="share", n=len(right),
                   counted=f"turns of {len(people)} persons", how=text)
            for name, x, a, b, text in (
                (names[0], value, low, high, how),
                (names[1], 1 / len(set(labels)), None, None, f"1 over {len(set(labels))} classes"),
                (names[2], common, None, None, "share of the commonest label among these turns"),
            )
        ]  # fmt: skip

    def histograms(self) -> list[Histogram]:
        """Loudness by kind of channel in steps of 2 LUFS, estimated SNR in steps of 2 dB."""
        found = []
        for key, name, unit in (("loudness", "loudness", "LUFS"), ("snr", "SNR, estimated", "dB")):
            for kind in sorted({m.of for m in self.level.get(key, [])}):
                values = np.array([m.value for m in self.level[key] if m.of == kind])
                start = 2 * np.floor(values.min() / 2)
                bins = np.bincount(((values - start) // 2).astype(int))
                found.append(
                    Histogram(
                        name=name, of=kind, unit=unit, start=float(start), width=2.0,
                        counts=tuple(int(b) for b in bins),
                    )
                )  # fmt: skip
        return found


def _merged(label: str) -> str:
    return MERGED.get(label, label)


def _speaker(item: OpenDialogue, turn: Turn) -> Speaker:
    return next(s for s in item.dialogue.speakers if s.id == turn.speaker)


def _person(item: OpenDialogue, turn: Turn) -> str:
    """Derived voices of one parent count as one person."""
    s = _speaker(item, turn)
    return s.parent_voice or s.voice or s.id


def _turn(item: OpenDialogue, turn: Turn) -> Floats:
    """What is heard of a turn in the main audio, at 16 kHz; empty where it lies in other audio."""
    main = item.file("main").id
    parts: list[Floats] = []
    for s in turn.segments:
        if s.audio != main:
            continue
        samples, rate = item.audio(s.channel, which=main, start=s.start, end=s.end)
        if rate != RATE:
            samples = soxr.resample(samples, rate, RATE)
        parts += [samples, np.zeros(round(_GAP * RATE), np.float32)]
    return np.concatenate(parts[:-1]) if parts else np.empty(0, np.float32)


def _spans(
    item: OpenDialogue, audio: str, channel: int | None, wanted: Callable[[Turn], bool]
) -> list[tuple[int, int]]:
    return [
        (s.start, s.end)
        for t in item.dialogue.turns
        if wanted(t)
        for s in t.segments
        if s.audio == audio and channel in (None, s.channel)
    ]


def _of_turn(item: OpenDialogue, turn: Turn, value: float, unit: str, *, heard: str = "") -> Finding:
    first = turn.segments[0]
    same = [s for s in turn.segments if s.audio == first.audio and s.channel == first.channel]
    return Finding(
        dialogue=item.id, audio=first.audio, channel=first.channel, start=min(s.start for s in same),
        end=max(s.end for s in same), value=round(value, 4), unit=unit, turn=turn.index, language=turn.language,
        text=turn.text, heard=heard, note=turn.role,
    )  # fmt: skip
