"""Is rendered emotion heard as well, and as badly, as acted emotion is?

    python benchmarks/emotion.py [--voice espeak] [--voice kokoro] [--per-cell 16] [--splits 3] [--workers 2]
    python benchmarks/emotion.py --write-table          # make src/duologue/generate/emotion_prosody.csv anew
    python benchmarks/emotion.py --fit-response espeak  # measure src/duologue/generate/voices/response.csv anew

The actors are cut into two halves. A prosody table is measured on one, a listener trained on the other. It hears
sentences that a voice renders from the table, and the acted clips of the half that it never heard. Then the halves
change places, and other halves are taken. Printed: recall by class of both and their difference with a 95% interval,
loudness included and left out, beside the listener's recall within its own half (actors left out one by one); what
was asked for beside what was measured; items whose words and voice are meant to differ. Voices were tuned on other
sentences and other speakers than those that are heard here.
"""

from __future__ import annotations

import argparse
import csv
import math
import multiprocessing
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import soundfile

from duologue.generate.emotion_prosody import MEASURES, RATIOS, Cell, Table, Take, draw, tabulate, write
from duologue.generate.prosody import Prosody
from duologue.generate.seeds import derive, stream
from duologue.generate.voices import response
from duologue.generate.voices.voice import Voice
from duologue.listen.emotion import MERGED, EmotionListener, leave_speakers_out, recall, relative
from duologue.listen.prosody import ProsodicFeatures, measure
from duologue.registry import load

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
SENTENCES = {
    "en": (
        "Kids are talking by the door.",
        "Dogs are sitting by the door.",
        "The letter came on Monday morning.",
        "My brother is moving to another town.",
    ),
    "zh": ("孩子们在门口说话。", "信是星期一早上到的。", "我哥哥要搬到另一个城市。"),
}
# For fitting a voice's answers, never for the proof.
TUNING = (
    "She left the keys on the kitchen table.",
    "We should call him before lunch.",
    "There is a man in the garden.",
    "I put the bags beside the window.",
    "They told us about the new plan yesterday.",
    "My sister works in the old library.",
)
# Words of one feeling, to be said in the voice of another.
CONFLICT = {
    "happy": ("I am so glad that you came.", "This is the best day of my life."),
    "sad": ("I miss her more every day.", "There is nothing left for me here."),
    "angry": ("You broke your promise again.", "I have had enough of this."),
    "fearful": ("Someone is standing outside the window.", "I do not dare to open it."),
}
# Measure of the table -> feature of a clip.
FEATURE_OF = {
    "f0_shift": "f0_mean", "f0_range": "f0_sd", "f0_slope": "f0_slope", "f0_final": "f0_final",
    "movement": "f0_movement", "gain": "energy_mean", "energy_range": "energy_sd", "tempo": "duration",
    "tilt": "tilt", "hnr": "hnr",
}  # fmt: skip
# Measure -> column of prosody_by_emotion.csv.
COLUMN_OF = {
    "f0_shift": "f0_mean[st_diff]", "f0_range": "f0_sd[ratio]", "f0_slope": "f0_slope[st_per_s_diff]",
    "f0_final": "f0_final[st_per_s_diff]", "movement": "f0_dabs[ratio]", "gain": "en_mean[dB_diff]",
    "energy_range": "en_sd[dB_diff]", "tempo": "dur[ratio]", "tilt": "tilt[dB_per_oct_diff]", "hnr": "hnr[dB_diff]",
}  # fmt: skip


class Clip:
    """One clip: who says what in which feeling, its features, and its speaker's neutral clips of that sentence."""

    def __init__(self, speaker: str, sex: str, text: str, emotion: str, strength: str, heard: ProsodicFeatures):
        self.speaker, self.sex, self.text, self.emotion, self.strength = speaker, sex, text, emotion, strength
        self.heard = heard
        self.neutral: list[ProsodicFeatures] = []
        self.asked: dict[str, float] = {}

    @property
    def relative(self) -> dict[str, float]:
        return relative(self.heard, self.neutral)

    @property
    def measures(self) -> dict[str, float]:
        found = {}
        for name, feature in FEATURE_OF.items():
            base = float(np.mean([getattr(n, feature) for n in self.neutral]))
            value = getattr(self.heard, feature)
            found[name] = max(value, 1e-3) / max(base, 1e-3) if name in RATIOS else value - base
        return found


def with_neutral(clips: list[Clip]) -> list[Clip]:
    """Give each clip its speaker's neutral clips of the same sentence, a neutral clip all but itself."""
    neutral = defaultdict(list)
    for c in clips:
        if c.emotion == "neutral":
            neutral[c.speaker, c.text].append(c)
    for c in clips:
        c.neutral = [n.heard for n in neutral[c.speaker, c.text] if n is not c]
    return [c for c in clips if c.neutral]


def recordings(folder: Path) -> list[Clip]:
    clips = []
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as f:
        for row in csv.DictReader(f):
            path = next(p for p in (folder / row["file"], folder / "audio" / row["file"]) if p.is_file())
            samples, rate = soundfile.read(path)
            heard = measure(samples, rate)
            if heard:
                sex = "female" if row["sex"] == "F" else "male"
                clips.append(Clip(row["actor"], sex, row["text"], row["emotion"], row["intensity"], heard))
    return with_neutral(clips)


def halves(clips: Sequence[Clip], number: int = 0) -> tuple[list[Clip], list[Clip]]:
    """Two sets of actors, women and men in equal numbers; ``number`` chooses the cut."""
    first: set[str] = set()
    for sex in ("female", "male"):
        actors = sorted({c.speaker for c in clips if c.sex == sex}, key=int)
        order = list(range(len(actors)))
        stream(number, "halves", sex).shuffle(order)
        first |= {actors[i] for i in order[: len(order) // 2]}
    return [c for c in clips if c.speaker in first], [c for c in clips if c.speaker not in first]


def takes(clips: Sequence[Clip]) -> list[Take]:
    return [
        Take(speaker=c.speaker, emotion=c.emotion, strength=c.strength, sex=c.sex, measures=c.measures)  # type: ignore[arg-type]
        for c in clips
    ]


def cast(voice: Voice, language: str, count: int, *, tuning: bool = False) -> list[tuple[str, str]]:
    """Speakers of different parents, women and men in turn: (id, sex). Those for tuning are others."""
    by_sex: dict[str, list[str]] = {"female": [], "male": []}
    seen = set()
    for s in voice.speakers(language):
        if s.parent not in seen and s.sex in by_sex and s.age != "senior" and not s.system_only:
            seen.add(s.parent)
            by_sex[s.sex].append(s.id)
    chosen = {sex: ids[int(tuning) :: 2] for sex, ids in by_sex.items()}
    pairs = [(s, sex) for i in range(count) for sex, ids in chosen.items() for s in ids[i : i + 1]]
    return pairs[:count]


def render(voice: Voice, table: Table, language: str, per_cell: int, speakers: int, seed: int) -> list[Clip]:
    """``per_cell`` clips of every emotion and strength, from the table, over speakers and sentences in turn.

    The neutral that a clip is compared with is drawn too: two readings for each speaker and sentence. Another
    ``seed`` begins with another sentence, so that few clips a cell see them all over several crossings.
    """
    people = cast(voice, language, speakers)
    every = SENTENCES[language]
    texts = [every[(seed + i) % len(every)] for i in range(min(max(1, per_cell // len(people)), len(every)))]
    jobs = [(e, s, k) for e in EMOTIONS for s in ("normal", "strong") for k in range(per_cell)]
    jobs = [j for j in jobs if j[:2] != ("neutral", "strong")]
    jobs += [("neutral", "normal", k) for k in range(per_cell, max(per_cell, 2 * len(people) * len(texts)))]
    clips = []
    for emotion, strength, k in jobs:
        speaker, sex = people[k % len(people)]
        text = texts[(k // len(people)) % len(texts)]
        rng = stream(seed, emotion, strength, k)
        intensity = 0 if emotion == "neutral" else 3 if strength == "strong" else 2
        prosody = draw(emotion, intensity, sex, rng, table=table)
        clip = _clip(voice, language, speaker, sex, text, emotion, strength, prosody, derive(seed, emotion, k))
        if clip:
            clip.asked = _asked(prosody)
            clips.append(clip)
    return with_neutral(clips)


def _task(voice: str, table: Table, language: str, per_cell: int, speakers: int, seed: int) -> list[Clip]:
    return render(load("voices", voice)(), table, language, per_cell, speakers, seed)


def cross(
    name: str, clips: list[Clip], language: str, per_cell: int, speakers: int, splits: int, workers: int
) -> list[Crossing]:
    """Both directions of ``splits`` cuts, rendered by ``workers`` processes."""
    pairs = [(two[i], two[1 - i]) for two in (halves(clips, k) for k in range(splits)) for i in (0, 1)]
    tables = [tabulate(takes(source)) for source, _ in pairs]
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        made = [
            pool.submit(_task, name, table, language, per_cell, speakers, seed) for seed, table in enumerate(tables)
        ]
        return [Crossing(source, heard, m.result()) for (source, heard), m in zip(pairs, made, strict=True)]


def _asked(prosody: Prosody) -> dict[str, float]:
    return {m: -prosody.breath if m == "hnr" else getattr(prosody, m) for m in MEASURES}


def _clip(
    voice: Voice, language: str, speaker: str, sex: str, text: str, emotion: str, strength: str, prosody: Prosody,
    seed: int,
) -> Clip | None:  # fmt: skip
    speech = voice.synthesise(text, language=language, speaker=speaker, prosody=prosody, seed=seed)
    heard = measure(speech.samples, speech.sample_rate)
    return Clip(speaker, sex, text, emotion, strength, heard) if heard else None


def _log(measure: str, value: float) -> float:
    return math.log(max(value, 1e-3)) if measure in RATIOS else value


def labels(clips: Sequence[Clip]) -> list[str]:
    return [MERGED.get(c.emotion, c.emotion) for c in clips]


class Crossing(NamedTuple):
    """One direction of one cut: clips that made the table, clips that the listener learnt from, and rendered ones."""

    source: list[Clip]
    heard: list[Clip]
    rendered: list[Clip]


def compare(crossings: Sequence[Crossing], title: str) -> bool:
    """Print recall by class of acted clips that the listener never heard and of rendered ones."""
    good = True
    for loudness in (True, False):
        results: list[tuple[list[str], list[str]]] = [([], []), ([], []), ([], [])]
        for source, learnt, rendered in crossings:
            x, y = [c.relative for c in learnt], labels(learnt)
            listener = EmotionListener(loudness=loudness).fit(x, y)
            inside = leave_speakers_out(x, y, [c.speaker for c in learnt], loudness=loudness)
            for (true, found), clips in zip(results, (source, rendered, learnt), strict=True):
                true += labels(clips)
                found += inside if clips is learnt else listener.hear([c.relative for c in clips])
        acted, spoken, within = (recall(*r) for r in results)
        # Cuts share their actors, so an acted clip counts once however many cuts it was heard in.
        once = {n: sum(row.values()) / (len(crossings) / 2) for n, row in acted.confusion.items()}
        total = sum(map(len, (c.rendered for c in crossings)))
        print(
            f"\n{title}, loudness {'included' if loudness else 'left out'}: {sum(once.values()):.0f} acted clips, ",
            end="",
        )
        print(f"{total} rendered, {len(crossings)} crossings")
        print(f"{'class':<12}{'acted':>8}{'rendered':>10}{'difference':>12}{'95% +-':>8}{'within half':>13}")
        for name, r in acted.by_class.items():
            s = spoken.by_class[name]
            error = math.sqrt(r * (1 - r) / once[name] + s * (1 - s) / sum(spoken.confusion[name].values()))
            far = abs(s - r) > 0.10
            good &= not far
            print(f"{name:<12}{r:>8.2f}{s:>10.2f}{s - r:>+12.2f}{1.96 * error:>8.2f}", end="")
            print(f"{within.by_class[name]:>13.2f}{'  > 0.10' if far else ''}")
        good &= abs(spoken.mean - acted.mean) <= 0.10
        print(
            f"{'mean':<12}{acted.mean:>8.2f}{spoken.mean:>10.2f}{spoken.mean - acted.mean:>+12.2f}{within.mean:>21.2f}"
        )
        if loudness:
            print("rendered (rows) heard as (columns):")
            names = list(acted.by_class)
            print(f"{'':<12}" + "".join(f"{n[:7]:>9}" for n in names))
            for n in names:
                print(f"{n:<12}" + "".join(f"{spoken.confusion[n].get(m, 0):>9}" for m in names))
    return good


def realised(clips: Sequence[Clip]) -> None:
    """Slope and correlation of measured on asked for every measure (ratios in logs)."""
    print(f"\n{'measure':<14}{'asked mean':>12}{'sd':>8}{'heard mean':>12}{'sd':>8}{'slope':>8}{'r':>7}")
    for m in MEASURES:
        scale = (lambda v: math.log(max(v, 1e-3))) if m in RATIOS else float
        a = np.array([scale(c.asked[m]) for c in clips])
        h = np.array([scale(c.measures[m]) for c in clips])
        slope = float(np.cov(a, h)[0, 1] / max(a.var(ddof=1), 1e-12))
        r = float(np.corrcoef(a, h)[0, 1]) if a.std() > 0 else 0.0
        print(f"{m:<14}{a.mean():>12.3f}{a.std():>8.3f}{h.mean():>12.3f}{h.std():>8.3f}{slope:>8.2f}{r:>7.2f}")


def conflict(voice: Voice, real: tuple[list[Clip], list[Clip]], title: str) -> None:
    """How often the acoustic label is heard where the words say another one, and how often the words' label is."""
    hits = words = total = 0
    chance = []
    for i in (0, 1):
        table, other = tabulate(takes(real[i])), real[1 - i]
        listener = EmotionListener().fit([c.relative for c in other], labels(other))
        clips, meant = [], []
        for k, (speaker, sex) in enumerate(cast(voice, "en", 6)):
            for semantic, texts in CONFLICT.items():
                for text in texts:
                    rng = stream(11, i, k, text)
                    for n in range(2):
                        neutral = draw("neutral", 0, sex, rng, table=table)
                        clip = _clip(voice, "en", speaker, sex, text, "neutral", "normal", neutral, n)
                        clips += [clip] if clip else []
                    for acoustic in CONFLICT:
                        if acoustic != semantic:
                            prosody = draw(acoustic, 3 if n else 2, sex, rng, table=table)
                            clip = _clip(voice, "en", speaker, sex, text, acoustic, semantic, prosody, k)
                            clips += [clip] if clip else []
        meant = [c for c in with_neutral(clips) if c.emotion != "neutral"]
        heard = listener.hear([c.relative for c in meant])
        hits += sum(h == c.emotion for h, c in zip(heard, meant, strict=True))
        words += sum(h == c.strength for h, c in zip(heard, meant, strict=True))
        total += len(meant)
        chance.append(1 / 7)
    print(
        f"\n{title}, words and voice in conflict: {total} items, acoustic label heard {hits / total:.2f}, "
        f"semantic label heard {words / total:.2f} (chance {np.mean(chance):.2f})"
    )


def write_table() -> None:
    """Cells from the 24 actors' published figures, the common rows from the 12 actors' clips."""
    measured = tabulate(takes(recordings(DATA / "ravdess_en_16k")))
    sexes = {"all": "all", "F": "female", "M": "male"}
    cells = {}
    with (DATA / "prosody_by_emotion.csv").open(encoding="utf-8", newline="") as f:
        for row in csv.DictReader(f):
            if row["intensity"] != "all":
                emotion = "disgusted" if row["emotion"] == "disgust" else row["emotion"]
                cells[emotion, row["intensity"], sexes[row["sex"]]] = Cell(
                    {m: float(row[COLUMN_OF[m] + "_mean"]) for m in MEASURES},
                    {m: float(row[COLUMN_OF[m] + "_sd"]) for m in MEASURES},
                )
    notes = (
        "Prosody by emotion, intensity and sex, relative to the same speaker's neutral reading of the same sentence.\n"
        "Source: figures measured from RAVDESS (Livingstone & Russo 2018, doi:10.1371/journal.pone.0196391):\n"
        "cells from 1,440 clips of 24 actors, rows within and with from 720 clips of 12 of them.\n"
        "f0_shift st, f0_range ratio of sd in st, f0_slope and f0_final st/s, movement ratio, gain dB,\n"
        "energy_range dB, tempo ratio of duration, tilt dB/octave, hnr dB. _sd: standard deviation over speakers.\n"
        "within: sd of one speaker's repetitions (log units for ratios). with: correlations within a cell."
    )
    target = ROOT / "src" / "duologue" / "generate" / "emotion_prosody.csv"
    target.write_text(write(msgspec.structs.replace(measured, cells=cells), notes), encoding="utf-8")
    print(f"wrote {target.relative_to(ROOT)}")


def fit_response(
    name: str, count: int, share: float, rounds: int, start: npt.NDArray[np.float64], workers: int
) -> None:
    """Draw prosody, measure what the voice makes of it, and invert the linear answer, regularised; ``rounds`` times."""
    gain, final = MEASURES.index("gain"), MEASURES.index("f0_final")
    one = np.eye(len(MEASURES))
    matrix = start
    for turn in range(rounds):
        write_response(name, matrix)
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            made = [pool.submit(_answers, name, count, turn, (part, workers)) for part in range(workers)]
            clips = [c for m in made for c in m.result()]
        a = np.array([[_log(m, v) for m, v in c.asked.items()] for c in clips])
        h = np.array([[_log(m, v) for m, v in c.measures.items()] for c in clips])
        scale = np.sqrt((a * a).mean(axis=0))
        # Through the origin: where nothing is asked nothing changes, and what all feelings share counts as well.
        x, y = a / scale, h - a
        x[:, gain] = 0.0  # output gain moves nothing but the level, and that exactly
        slopes = np.linalg.solve(x.T @ x + 0.03 * len(x) * one, x.T @ y)
        # What lies within the chance of the fit is left out, and so is what moves a command by 3% of its spread.
        slopes[np.abs(slopes) < 1.5 * (y - x @ slopes).std(axis=0) / math.sqrt(len(x))] = 0.0
        # The end's slope is measured on a few frames: what else moves it is lost in the error.
        slopes[np.arange(len(slopes)) != final, final] = 0.0
        answer = one + (slopes / scale[:, None]).T * scale[None, :] / scale[:, None]
        keep = 0.2 * (turn + 1) * one
        inverse = np.linalg.solve(answer.T @ answer + keep, answer.T + keep)
        inverse[np.abs(inverse) < 0.03] = 0.0
        matrix = matrix @ (inverse * scale[:, None] / scale[None, :])
        matrix[:, gain] = one[:, gain]
        print(f"{name}: {len(a)} clips, mean slope of measured on asked {np.diag(answer).mean():.2f}")
        realised(clips)
    write_response(name, one + share * (matrix - one))


def _answers(name: str, count: int, turn: int, part: tuple[int, int]) -> list[Clip]:
    """Every ``part``-th sentence's clips of round ``turn`` of a fit, of ``count`` in all."""
    voice = load("voices", name)()
    people = cast(voice, "en", 12, tuning=True)
    # What a clip is compared with is two neutral readings that vary as neutral speech does, as in the proof.
    neutral: dict[tuple[str, str], list[ProsodicFeatures]] = {}
    clips = []
    for k in range(count):
        sentence = k // len(people) % len(TUNING)
        if sentence % part[1] != part[0]:
            continue
        (speaker, sex), text = people[k % len(people)], TUNING[sentence]
        rng = stream(900 + turn, k)
        emotion = rng.choice(EMOTIONS)
        prosody = draw(emotion, 0 if emotion == "neutral" else rng.choice((2, 3)), sex, rng)
        made = _clip(voice, "en", speaker, sex, text, emotion, "", prosody, k)
        if (speaker, text) not in neutral:
            plain = [draw("neutral", 0, sex, rng) for _ in range(2)]
            readings = [_clip(voice, "en", speaker, sex, text, "neutral", "", p, n) for n, p in enumerate(plain, 1)]
            neutral[speaker, text] = [c.heard for c in readings if c]
        if made and neutral[speaker, text]:
            made.neutral, made.asked = neutral[speaker, text], _asked(prosody)
            clips.append(made)
    return clips


def write_response(name: str, matrix: npt.NDArray[np.float64]) -> None:
    target = ROOT / "src" / "duologue" / "generate" / "voices" / "response.csv"
    lines = [line for line in target.read_text(encoding="utf-8").splitlines() if not line.startswith(f"{name},")]
    lines += [f"{name},{m}," + ",".join(f"{v:.3f}" for v in row) for m, row in zip(MEASURES, matrix, strict=True)]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    response.shipped.cache_clear()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", action="append", help="espeak, kokoro (default: espeak)")
    parser.add_argument("--per-cell", type=int, default=16, help="clips of each emotion and intensity a crossing (16)")
    parser.add_argument("--speakers", type=int, default=8, help="speakers a voice (8)")
    parser.add_argument("--splits", type=int, default=3, help="cuts of the actors into halves (3)")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--english-only", action="store_true", help="no items in conflict, no Mandarin")
    parser.add_argument("--recordings", type=Path, default=DATA / "ravdess_en_16k")
    parser.add_argument("--write-table", action="store_true")
    parser.add_argument("--fit-response", metavar="VOICE")
    parser.add_argument("--fit-clips", type=int, default=900, help="clips of each round of a fit (900)")
    parser.add_argument("--fit-rounds", type=int, default=3, help="rounds, each from the last one's result (3)")
    parser.add_argument("--fit-share", type=float, default=0.6, help="share of the fitted correction to keep (0.6)")
    parser.add_argument("--fit-on", action="store_true", help="begin with the response as it is, not with none")
    args = parser.parse_args()
    if args.write_table:
        write_table()
        return 0
    if args.fit_response:
        start = response.shipped(args.fit_response) if args.fit_on else response.IDENTITY
        fit_response(args.fit_response, args.fit_clips, args.fit_share, args.fit_rounds, np.array(start), args.workers)
        return 0
    real = recordings(args.recordings)
    good = True
    for name in args.voice or ["espeak"]:
        start = time.perf_counter()
        crossings = cross(name, real, "en", args.per_cell, args.speakers, args.splits, args.workers)
        good &= compare(crossings, f"{name}, English")
        realised([c for crossing in crossings for c in crossing.rendered])
        if args.english_only:
            continue
        conflict(load("voices", name)(), halves(real), f"{name}, English")
        zh = cross(name, real, "zh", max(args.per_cell // 2, 4), args.speakers, 1, args.workers)
        compare(zh, f"{name}, Mandarin (unvalidated: an English table and an English listener)")
        print(f"\n{name}: {time.perf_counter() - start:.0f} s")
    print("\nEnglish: every class and mean within 0.10" if good else "\nEnglish: some classes differ by more than 0.10")
    return 0


if __name__ == "__main__":
    sys.exit(main())
