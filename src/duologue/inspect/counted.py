"""What the annotation of a whole corpus tells, gathered a dialogue at a time in bounded memory."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from duologue.corpus.describe import speech_seconds
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.near_text import folded
from duologue.corpus.truth import emotions
from duologue.corpus.write import is_main
from duologue.inspect.figures import Curve, Figure, Finding, Histogram
from duologue.inspect.lexicon import COMPARED, Lexicon, near_duplicates
from duologue.inspect.offsets import STEP, distance, transfers
from duologue.inspect.sampling import Extremes, Sample

SHOWN = 5
_WHOLE = "all dialogues"


@dataclass
class _Language:
    """Sums over the dialogues of one language."""

    offsets: Counter[int] = field(default_factory=Counter)
    by_direction: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    seconds: float = 0.0
    speech: float = 0.0
    words: int = 0
    spoken: float = 0.0
    backchannels: int = 0
    duplex_seconds: float = 0.0
    labels: Counter[str] = field(default_factory=Counter)
    lexicon: Lexicon = field(default_factory=Lexicon)
    dialogues: int = 0


class Counted:
    """Takes dialogues in with :meth:`add`; :meth:`figures` says what they come to. ``real`` are real offsets."""

    def __init__(self, real: Curve, seed: int) -> None:
        self.real = real
        self.languages: dict[str, _Language] = defaultdict(_Language)
        self.odd: Extremes[Finding] = Extremes(SHOWN)
        self.texts: dict[str, Sample[str]] = defaultdict(lambda: Sample(COMPARED, seed))
        self.raters: Counter[str] = Counter()
        self.words: Counter[str] = Counter()
        self.levels: list[float] = [0.0, 0.0, 0.0]  # n, sum, sum of squares of the annotated SNR
        self.synthetic = self.speech = 0.0
        self.covered = self.written = self.turns = self.wordless = 0

    def add(self, d: Dialogue) -> None:
        rates = {a.id: a.sample_rate for a in d.audio if is_main(a)}
        main = sum(a.length / a.sample_rate for a in d.audio if is_main(a))
        mine = self.languages[d.languages[0]]
        mine.dialogues, mine.seconds = mine.dialogues + 1, mine.seconds + main
        made = {s.id for s in d.speakers if s.synthetic}
        if any(t.role == "user" for t in d.turns) and any(t.role == "system" for t in d.turns):
            mine.duplex_seconds += main
            mine.backchannels += sum(t.kind == "backchannel" for t in d.turns)
        for t in d.turns:
            seconds = speech_seconds(t, rates)
            self.speech += seconds
            self.synthetic += seconds * (t.speaker in made)
            self.turns += 1
            self.wordless += bool(t.text) and not t.words
            n = mine.lexicon.add(t.text, t.language) if t.language == d.languages[0] else 0
            if seconds and n:
                mine.words, mine.spoken = mine.words + n, mine.spoken + seconds
            self.words.update(w.source for w in t.words)
            inside = [False] * len(t.text)
            for w in t.words:
                for i in range(w.char_start, min(w.char_end, len(t.text))):
                    inside[i] = True
            self.written += sum(c.isalnum() for c in t.text)
            self.covered += sum(c.isalnum() and i for c, i in zip(t.text, inside, strict=True))
        said = folded(" ".join(t.text for t in d.turns if t.role == "user"))[0]
        self.texts[d.languages[0]].offer(d.id, said)
        for index, value in emotions(d).items():
            if any(t.index == index for t in d.turns):
                mine.labels[value.label] += 1
        self.raters.update(a.rater_type for a in d.annotations)
        if d.acoustics.snr_db is not None:
            for i, x in enumerate((1.0, d.acoustics.snr_db, d.acoustics.snr_db**2)):
                self.levels[i] += x
        self._transfers(d, rates, mine)

    def _transfers(self, d: Dialogue, rates: dict[str, int], mine: _Language) -> None:
        middle = next(x for x, p in self.real.points if p >= 0.5)
        for a, b, gap in transfers(d, rates):
            step = round(gap / STEP)
            mine.offsets[step] += 1
            mine.by_direction[f"{b.role} after {a.role}"][step] += 1
            audio = b.segments[0].audio
            edges = [s.start for s in b.segments] + [s.end for s in a.segments if s.audio == audio]
            rate, length = rates[audio], next(x.length for x in d.audio if x.id == audio)
            self.odd.offer(
                abs(gap - middle),
                Finding(
                    dialogue=d.id,
                    audio=audio,
                    channel=None,
                    start=max(0, min(edges) - 3 * rate),
                    end=min(length, max(edges) + 3 * rate),
                    value=round(gap, 3),
                    unit="s",
                    turn=b.index,
                    language=b.language,
                    text=f"{a.text} | {b.text}",
                    note=f"{b.role} after {a.role}" + (", an interruption" if b.kind == "interruption" else ""),
                ),
            )

    def figures(self, overlap: dict[str, float | None]) -> list[Figure]:
        """Everything counted; ``overlap`` is language -> share of the speech time in which several speak."""
        found: list[Figure] = []
        for language, x in sorted(self.languages.items()):
            found += self._timing(language, x, overlap.get(language))
            found += self._feelings(language, x)
            found += self._lexical(language, x)
        n, total, squares = self.levels
        found.append(
            Figure(
                group="level",
                name="SNR as annotated, mean",
                value=total / n if n else None,
                unit="dB",
                n=int(n),
                counted="dialogues",
                how=f"acoustics.snr_db of {_WHOLE} that have noise"
                + (f"; sd {math.sqrt(max(squares / n - (total / n) ** 2, 0)):.1f} dB" if n else ""),
                missing="" if n else "no dialogue names an SNR",
            )
        )
        return found + self._annotation()

    def _timing(self, language: str, x: _Language, overlap: float | None) -> list[Figure]:
        n = sum(x.offsets.values())
        none = "" if n else "the floor never changes hands between user and system"
        rows = [
            Figure(
                group="timing",
                name="Kolmogorov-Smirnov distance to real meetings",
                of=" ".join((language, which)).strip(),
                value=distance(counts, self.real) if counts else None,
                unit="0..1",
                n=sum(counts.values()),
                counted="transfers",
                how=f"greatest difference of the cumulative floor-transfer offsets to: {self.real.source}"
                + ("; a lower bound, known at its points alone" if self.real.points[-1][1] < 1 else ""),
                missing="" if counts else none,
            )
            for which, counts in (("", x.offsets), *sorted(x.by_direction.items()))
        ]
        for name, value, unit in (
            ("floor-transfer offset, median", _quantile(x.offsets, 0.5) if n else None, "s"),
            ("overlapped transfers", sum(c for at, c in x.offsets.items() if at < 0) / n if n else None, "share"),
        ):
            rows.append(
                Figure(
                    group="timing",
                    name=name,
                    of=language,
                    value=value,
                    unit=unit,
                    n=n,
                    counted="transfers",
                    how=f"{_WHOLE}, in steps of 10 ms",
                    missing=none,
                )
            )
        rows.append(
            Figure(
                group="timing",
                name="overlap share",
                of=language,
                value=overlap,
                unit="share",
                n=x.dialogues,
                counted="dialogues",
                how="time with two or more speaking over time with any, all dialogues",
                missing="" if overlap is not None else "no speech is timed",
            )
        )
        minutes = x.duplex_seconds / 60
        rows.append(
            Figure(
                group="timing",
                name="backchannels",
                of=language,
                value=x.backchannels / minutes if minutes else None,
                unit="per minute",
                n=x.backchannels,
                counted="backchannels",
                how="backchannel turns over minutes of the dialogues with a user and a system",
                missing="" if minutes else "no dialogue with a user and a system",
            )
        )
        rows.append(
            Figure(
                group="timing",
                name="speaking rate",
                of=language,
                value=x.words / x.spoken * 60 if x.spoken else None,
                unit="characters a minute" if language == "zh" else "words a minute",
                n=x.words,
                counted="characters" if language == "zh" else "words",
                how="over the seconds of the turns' segments, all turns with text",
                missing="" if x.spoken else "no turn has both text and time",
            )
        )
        return rows

    def _feelings(self, language: str, x: _Language) -> list[Figure]:
        n = sum(x.labels.values())
        shares = [c / n for c in x.labels.values()]
        entropy = -sum(p * math.log(p) for p in shares) / math.log(len(shares)) if len(shares) > 1 else None
        rows = [
            Figure(
                group="emotion",
                name="balance of the emotions",
                of=language,
                value=entropy,
                unit="0..1",
                n=n,
                counted="turns",
                how="entropy of the labels over its maximum for those that occur; 1 is even",
                missing="" if entropy is not None else "fewer than two emotions are annotated",
            )
        ]
        return rows + [
            Figure(
                group="emotion",
                name="share of turns",
                of=f"{language} {label}",
                value=count / n,
                unit="share",
                n=count,
                counted="turns",
                how="the label that counts, of all judged turns",
            )
            for label, count in sorted(x.labels.items(), key=lambda p: (-p[1], p[0]))
        ]

    def _lexical(self, language: str, x: _Language) -> list[Figure]:
        grams = x.lexicon.grams
        unit = "characters" if language == "zh" else "words"
        rows = [
            Figure(
                group="words",
                name="vocabulary",
                of=language,
                value=float(grams[0].distinct()),
                unit=f"different {unit}",
                n=grams[0].total,
                counted=unit,
                how=_exactness(grams[0].exact),
            )
        ]
        rows += [
            Figure(
                group="words",
                name=f"distinct-{i}",
                of=language,
                value=counter.distinct() / counter.total if counter.total else None,
                unit="share",
                n=counter.total,
                counted=f"{i}-grams of {unit}",
                how=_exactness(counter.exact) + "; falls with the length of the corpus",
                missing="" if counter.total else "no text is long enough",
            )
            for i, counter in enumerate(grams, 1)
        ]
        texts = [t for t in self.texts[language].things() if t]
        exact, near = near_duplicates(texts)
        how = "the user's turns together" + (f", {COMPARED:,} dialogues drawn" if x.dialogues > COMPARED else "")
        for name, count, more in (
            ("dialogues worded as an earlier one", exact, "letters and digits alone, case folded"),
            ("dialogues worded nearly as an earlier one", near, "Jaccard similarity of shingles 0.75 or more"),
        ):
            rows.append(
                Figure(
                    group="words",
                    name=name,
                    of=language,
                    value=count / len(texts) if texts else None,
                    unit="share",
                    n=len(texts),
                    counted="dialogues",
                    how=f"{how}; {more}",
                    missing="" if texts else "no user's turn has text",
                )
            )
        return rows

    def _annotation(self) -> list[Figure]:
        words, judged = sum(self.words.values()), sum(self.raters.values())
        rows = [
            ("synthetic speech", self.synthetic, self.speech, self.turns, "turns", "seconds of synthetic speakers"),
            (
                "word times that are estimated",
                self.words["estimated"],
                words,
                words,
                "word times",
                "marked estimated: by a recogniser or aligner, not by the synthesiser",
            ),
            (
                "word-time coverage",
                self.covered,
                self.written,
                self.written,
                "letters and digits",
                "letters and digits of the text that lie inside a timed word",
            ),
            ("turns with text but no word times", self.wordless, self.turns, self.turns, "turns", _WHOLE),
            *(
                (f"annotations by {kind}", self.raters[kind], judged, judged, "annotations", f"rater_type {kind!r}")
                for kind in ("intent", "human", "model")
            ),
        ]
        return [
            Figure(
                group="annotation",
                name=name,
                value=part / whole if whole else None,
                unit="share",
                n=n,
                counted=counted,
                how=how,
                missing="" if whole else "there are none",
            )
            for name, part, whole, n, counted, how in rows
        ]

    def histograms(self) -> list[Histogram]:
        """Offsets by language in bins of 0.1 s from -3 to 3 s."""
        found = []
        for language, x in sorted(self.languages.items()):
            bins = [0] * 60
            for at, count in x.offsets.items():
                bins[min(max((at + 300) // 10, 0), 59)] += count
            if any(bins):
                found.append(
                    Histogram(
                        name="floor-transfer offset", of=language, unit="s", start=-3.0, width=0.1, counts=tuple(bins)
                    )
                )
        return found


def _exactness(exact: bool) -> str:
    return "counted exactly" if exact else "estimated from the smallest hashes, error about 0.4%"


def _quantile(counts: Counter[int], q: float) -> float:
    wanted, seen = q * sum(counts.values()), 0
    for at in sorted(counts):
        seen += counts[at]
        if seen >= wanted:
            return round(at * STEP, 6)
    return 0.0
