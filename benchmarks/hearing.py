"""How far measured latencies lie from the truth: our edges beside the official pipeline's, on the same pairs.

python benchmarks/hearing.py [--pairs 100] [--voices espeak,kokoro,real] [--corpus DIR]

A pair is an exchange of exactly known timing on two channels: a user's turn, the system's answer, and the user's
interruption, on which the system breaks off with a fade. Its clips are cut where the sound first and last passes 1% of
its largest amplitude (40 dB), and placed on a background of digital silence, of a quiet room (-72 to -60 dBFS) or of
noise 10 dB below the speech, on both channels. The real clips are acted recordings of ../shared/data/ravdess_en_16k,
chosen by eye on spectrograms so that nothing but speech passes 1.6%, at which they are cut.

Response latency is system onset - user end, stop latency system end - interruption onset. The official pipeline is
Silero's segments, merged over 0.6 s (user) and 0.5 s (system). Ours are the same, with their edges refined. Where a
pipeline does not find exactly one of each latency, the pair is counted under "lost".

--corpus compares with the turns of a built corpus: rooms, noise, telephone lines and all.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from duologue.corpus import interval
from duologue.corpus.interval import Intervals

RATE = 16_000
USER_GAP, SYSTEM_GAP = 0.6, 0.5
REAL = Path(__file__).parents[2] / "shared" / "data" / "ravdess_en_16k"
REAL_CLIPS = """
01-01-01-02-03 02-01-01-01-02 02-01-02-02-01 02-02-02-02-02 03-01-01-01-04 03-01-02-01-01 03-01-02-02-03
03-02-01-01-05 03-02-01-01-12 03-02-02-01-09 03-02-02-02-11 04-01-01-02-01 04-01-02-02-12 04-02-01-02-02
04-02-02-01-11 05-01-01-01-01 05-01-01-02-03 05-01-02-02-07 05-02-01-01-02 05-02-01-01-09 05-02-01-02-04
05-02-01-02-11 05-02-02-02-01 05-02-02-02-08 06-01-01-01-10 06-01-02-01-07 06-02-01-01-11 06-02-02-02-10
07-01-01-01-12 07-01-02-02-04 07-02-02-01-10 08-01-01-01-07 08-01-01-02-02 08-01-02-01-04 08-01-02-01-11
""".split()  # noqa: SIM905
NOISES = ("fan", "hum", "babble", "cafe", "traffic", "rain", "wind", "office")
Floats = npt.NDArray[np.float32]
Edges = Callable[[Floats, Intervals], Intervals]


class Pair(NamedTuple):
    user: Floats
    system: Floats
    turns: Intervals  # the user's turn and interruption
    answer: Intervals  # the system's answer


def extent(x: Floats, share: float = 0.01) -> slice:
    loud = np.flatnonzero(np.abs(x) >= share * np.abs(x).max())
    return slice(int(loud[0]), int(loud[-1]) + 1)


def unit(x: Floats) -> Floats:
    """``x`` with an active level of 1: the RMS of its 20 ms within 30 dB of the loudest."""
    power = np.square(x[: len(x) // 320 * 320].reshape(-1, 320)).mean(axis=1)
    return x / np.float32(np.sqrt(power[power > power.max() * 1e-3].mean()))


def clips(voice: str, count: int) -> list[Floats]:
    if voice == "real":
        import soundfile

        if not REAL.is_dir():
            return []
        return [
            unit(x[extent(x, 0.016)])
            for x in (soundfile.read(REAL / f"03-01-{c}.flac", dtype="float32")[0] for c in REAL_CLIPS)
        ]
    import soxr

    from duologue.generate.voices.espeak import EspeakVoice
    from duologue.generate.voices.kokoro import KokoroVoice

    speak = {"espeak": EspeakVoice, "kokoro": KokoroVoice}[voice]()
    out = []
    for i in range(count):
        language = ("en", "zh")[i % 2]
        text = (Path(__file__).parent / f"texts_{language}.txt").read_text("utf-8").split("\n")[i // 2]
        speakers = speak.speakers(language)
        speech = speak.synthesise(text, language=language, speaker=speakers[i // 2 * 7 % len(speakers)].id, seed=i)
        x = soxr.resample(speech.samples, speech.sample_rate, RATE).astype(np.float32)
        out.append(unit(x[extent(x)]))
    return out


def pairs(said: list[Floats], background: str, count: int) -> Iterator[Pair]:
    from duologue.generate.acoustics.noise import bank, excerpt, room_tone

    rng = np.random.default_rng(0)

    def seconds(low: float, high: float) -> int:
        return int(rng.uniform(low, high) * RATE)

    for i in range(count):
        turn, answer, cut_in = (said[j] for j in rng.choice(len(said), 3, replace=False))
        loud = 10 ** (rng.uniform(-32, -18) / 20), 10 ** (rng.uniform(-28, -20) / 20)
        start = seconds(0.6, 1.5)
        reply = start + len(turn) + seconds(0.25, 1.5)
        onset = reply + int(rng.uniform(0.35, 0.8) * len(answer))
        stop = min(onset + seconds(0.2, 0.7), reply + len(answer))
        answer = answer[: stop - reply].copy()
        fade = seconds(0.02, 0.12)
        answer[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
        heard = extent(answer)
        length = max(stop, onset + len(cut_in)) + seconds(0.7, 1.5)
        channels = [np.zeros(length, np.float32), np.zeros(length, np.float32)]
        channels[0][start : start + len(turn)] += turn * loud[0]
        channels[0][onset : onset + len(cut_in)] += cut_in * loud[0]
        channels[1][reply : reply + len(answer)] += answer * loud[1]
        for channel, level in zip(channels, loud, strict=True):
            if background == "room":
                tone = room_tone(int(rng.integers(6)), "test")
                channel += excerpt(tone, int(rng.integers(1 << 20)), length) * 10 ** (rng.uniform(-72, -60) / 20)
            elif background == "noise 10 dB":
                noise = bank(f"gen:{NOISES[i % len(NOISES)]}-{i % 3:02d}")
                channel += excerpt(noise, int(rng.integers(1 << 20)), length) * level / np.sqrt(10)
        yield Pair(
            channels[0],
            channels[1],
            np.array([[start, start + len(turn)], [onset, onset + len(cut_in)]]),
            np.array([[reply + heard.start, reply + heard.stop]]),
        )


def latencies(user: Intervals, system: Intervals) -> tuple[list[int], list[int]]:
    """Response and stop latencies as the challenge defines them."""
    latest = {interval.after(system, end): end for end in user[:, 1].tolist()}
    response = [int(system[j, 0]) - end for j, end in latest.items() if j < len(system)]
    stop = [int(end - start) for start, end, _, _ in interval.intersect_pairs(user, system)]
    return response, stop


def over(found: Intervals, start: int, end: int) -> Intervals:
    return found[(found[:, 0] < end) & (found[:, 1] > start)]


def spread(errors: list[int]) -> str:
    if not errors:
        return f"{'-':>22}"
    ms = np.array(errors) * 1000 / RATE
    return f"{np.median(ms):+8.1f}{np.median(np.abs(ms)):7.1f}{np.quantile(np.abs(ms), 0.95):7.1f}"


COLUMNS = ("response, ms", "stop, ms", "onsets, ms", "ends, ms")
HEAD = f"{'voice':8}{'background':13}{'edges':10}" + "".join(f"{c:>22}" for c in COLUMNS) + f"{'lost':>6}"
UNDER = f"{'':31}" + f"{'median':>8}{'|med|':>7}{'|95%|':>7}" * 4


def table(voices: list[str], count: int) -> None:
    from duologue.listen.edges import refine
    from duologue.listen.speech import SpeechDetector

    detector = SpeechDetector()
    ways: dict[str, Edges] = {"official": lambda x, s: s, "ours": lambda x, s: refine(x, RATE, s)}
    print(HEAD, UNDER, sep="\n")
    for voice in voices:
        said = clips(voice, 24 if voice == "kokoro" else 120)
        if not said:
            print(f"{voice:8}not run: no recordings in {REAL}")
            continue
        for background in ("silence", "room", "noise 10 dB"):
            errors: dict[str, list[list[int]]] = {way: [[], [], [], []] for way in ways}
            lost = dict.fromkeys(ways, 0)
            for pair in pairs(said, background, count):
                rough = [
                    detector.segments(pair.user, merge_gap=USER_GAP),
                    detector.segments(pair.system, merge_gap=SYSTEM_GAP),
                ]
                for way, edges in ways.items():
                    user, system = edges(pair.user, rough[0]), edges(pair.system, rough[1])
                    response, stop = latencies(user, system)
                    if len(response) == len(stop) == 1:
                        errors[way][0].append(int(response[0] - (pair.answer[0, 0] - pair.turns[0, 1])))
                        errors[way][1].append(int(stop[0] - (pair.answer[0, 1] - pair.turns[1, 0])))
                    else:
                        lost[way] += 1
                    for found, true in ((user, pair.turns), (system, pair.answer)):
                        for start, end in true.tolist():
                            if len(heard := over(found, start, end)):
                                errors[way][2].append(int(heard[0, 0] - start))
                                errors[way][3].append(int(heard[-1, 1] - end))
            for way in ways:
                row = "".join(spread(e) for e in errors[way])
                print(f"{voice:8}{background:13}{way:10}{row}{lost[way]:6}", flush=True)


def corpus_table(root: Path, most: int) -> None:
    """Turns of a built corpus against its annotation, which says where each turn is placed, sound or not."""
    import itertools

    import duologue
    from duologue.listen.edges import refine
    from duologue.listen.speech import SpeechDetector

    detector = SpeechDetector()
    ways: dict[str, Edges] = {"official": lambda x, s: s, "ours": lambda x, s: refine(x, RATE, s)}
    errors: dict[str, list[list[int]]] = {way: [[], [], [], []] for way in ways}
    lost = dict.fromkeys(ways, 0)
    for item in itertools.islice(duologue.open(str(root), track="duplex"), most):
        placed = [
            [(s.start, s.end) for t in item.dialogue.turns if (t.role == "system") == bool(c) for s in t.segments]
            for c in (0, 1)
        ]
        signals = [item.audio(role="user")[0], item.audio(role="system")[0]]
        rough = [detector.segments(x, merge_gap=g) for x, g in zip(signals, (USER_GAP, SYSTEM_GAP), strict=True)]
        for way, edges in ways.items():
            found = [edges(x, r) for x, r in zip(signals, rough, strict=True)]
            for before, after in itertools.pairwise(item.dialogue.turns):
                if (before.role, after.role) != ("user", "system"):
                    continue
                end, start = before.segments[-1].end, after.segments[0].start
                heard = over(found[0], before.segments[-1].start, end), over(found[1], start, after.segments[0].end)
                if start <= end or not (len(heard[0]) and len(heard[1])):
                    lost[way] += 1
                    continue
                errors[way][0].append(int((heard[1][0, 0] - heard[0][-1, 1]) - (start - end)))
            for channel in (0, 1):
                turns = interval.merge_gaps(interval.normalise(placed[channel]), (USER_GAP, SYSTEM_GAP)[channel] * RATE)
                for start, end in turns.tolist():
                    if len(heard_here := over(found[channel], start, end)):
                        errors[way][2].append(int(heard_here[0, 0] - start))
                        errors[way][3].append(int(heard_here[-1, 1] - end))
    print(HEAD, UNDER, sep="\n")
    for way in ways:
        print(f"{'corpus':8}{'as built':13}{way:10}" + "".join(spread(e) for e in errors[way]) + f"{lost[way]:6}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--voices", default="espeak,kokoro,real")
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--dialogues", type=int, default=60)
    given = parser.parse_args()
    if given.corpus:
        corpus_table(given.corpus, given.dialogues)
    else:
        table(given.voices.split(","), given.pairs)


if __name__ == "__main__":
    main()
