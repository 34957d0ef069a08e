"""Audit: recall per change, false alarms, rates; beside Chromaprint on the same sounds.

    python benchmarks/audit.py --unrelated 10000

The test set is synthetic speech and, where ../shared/data is there, real recordings. The unrelated clips are synthetic
speech of other voices (no parent voice in common) and of other texts (no run of three words in common), and real
recordings of other corpora. Chromaprint (pyacoustid with libchromaprint) is measured where it is installed.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import audit_changes as change
import numpy as np
import soundfile
import soxr

from duologue.generate.voices.espeak import EspeakVoice
from duologue.language.tokens import split
from duologue.protect.audit.fingerprint import fingerprint
from duologue.protect.audit.levels import LEAST_SECONDS, LEVELS, least_score
from duologue.protect.audit.match import Table

HERE = Path(__file__).parent
RATE = change.RATE
FLOOR = 15.0


def lines(language: str) -> list[str]:
    return [x for x in (HERE / f"texts_{language}.txt").read_text("utf-8").splitlines() if x.strip()]


def group(parent: str) -> int:
    """0: voices of the test set; 1: of unrelated clips; 2: of the fit (audit_fit.py)."""
    return hashlib.sha256(parent.encode()).digest()[0] % 3


def spoken(voice: EspeakVoice, text: str, language: str, speaker: str) -> change.Sound:
    speech = voice.synthesise(text, language=language, speaker=speaker)
    x = np.asarray(soxr.resample(speech.samples, speech.sample_rate, RATE), np.float32)
    return x * np.float32(0.5 / max(1e-3, float(np.abs(x).max(initial=0.0))))


def real(folder: str, pattern: str, most: int) -> list[change.Sound]:
    found = []
    for path in sorted((change.SHARED / folder).rglob(pattern)):
        try:
            x, rate = soundfile.read(path, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError:
            continue
        if len(x) >= 3 * rate:
            found.append(np.asarray(soxr.resample(x[:, 0], rate, RATE), np.float32))
    step = max(1, len(found) // most)
    return found[::step][:most]


def tested(voice: EspeakVoice, rng: np.random.Generator) -> list[tuple[str, change.Sound]]:
    """Every other line of our texts by test voices, and real clips, all of 3 s or more."""
    clips = []
    for language in ("en", "zh"):
        speakers = [s.id for s in voice.speakers(language) if group(s.parent) == 0]
        for text in lines(language)[::2]:
            x = spoken(voice, text, language, speakers[rng.integers(len(speakers))])
            if len(x) >= 3 * RATE:
                clips.append(("synthetic", x))
    clips += [("real", x) for x in real("ravdess_en_16k", "*.flac", 60)]
    clips += [("real", x[: 20 * RATE]) for x in real("ami_overlap_en", "trn*.wav", 10)]
    return clips


def unrelated(voice: EspeakVoice, n: int, rng: np.random.Generator) -> Iterator[change.Sound]:
    """``n`` clips; real ones first."""
    others = [
        x[at : at + 5 * RATE]
        for x in real("ami_overlap_en", "[dt][es][vt]*.wav", 9)
        for at in range(0, len(x), 5 * RATE)
    ]
    others += real("easy_turn_zh", "*.wav", 16)
    others = [x for x in others if len(x) >= 2 * RATE][:n]
    yield from others
    used = {
        t[i : i + 3]
        for lang in ("en", "zh")
        for x in lines(lang)[::2]
        for t in [tuple(split(x))]
        for i in range(len(t))
    }
    words = {lang: sorted({w for x in lines(lang)[1::2] for w in split(x)}) for lang in ("en", "zh")}
    speakers = {lang: [s.id for s in voice.speakers(lang) if group(s.parent) == 1] for lang in ("en", "zh")}
    made = len(others)
    while made < n:
        language = ("en", "zh")[made % 2]
        drawn = list(rng.choice(words[language], rng.integers(8, 16) if language == "en" else rng.integers(12, 28)))
        if any(tuple(drawn[i : i + 3]) in used for i in range(len(drawn) - 2)):
            continue
        for place in range(5, len(drawn) - 2, 6):
            drawn[place] += "," if language == "en" else "，"
        text = (" " if language == "en" else "").join(drawn) + "."
        yield spoken(voice, text, language, speakers[language][rng.integers(len(speakers[language]))])
        made += 1


def changes(rng: np.random.Generator, long: change.Sound) -> dict[str, Callable[[change.Sound], change.Sound]]:
    noises, rooms = change.recorded_noises(), change.recorded_responses()

    def beside(x: change.Sound) -> change.Sound:
        at = rng.integers(max(1, len(long) - len(x)))
        return np.resize(long[at : at + len(x)], len(x))

    def trimmed(x: change.Sound) -> change.Sound:
        # Three seconds that hold speech: the loudest third of all possible places.
        starts = np.arange(0, len(x) - 3 * RATE + 1, 800)
        energy = np.concatenate([[0.0], np.cumsum(x.astype(np.float64) ** 2)])
        held = energy[starts + 3 * RATE] - energy[starts]
        at = rng.choice(starts[held >= np.quantile(held, 2 / 3)])
        return x[at : at + 3 * RATE]

    def embedded(x: change.Sound) -> change.Sound:
        at = rng.integers(len(long) - 25 * RATE)
        return np.concatenate([long[at : at + 12 * RATE], x, long[at + 12 * RATE : at + 25 * RATE]])

    def room(x: change.Sound) -> change.Sound:
        return change.reverberant(x, rng, rooms[rng.integers(len(rooms))] if rooms and rng.random() < 0.5 else None)

    def mixed(x: change.Sound) -> change.Sound:
        other = beside(x)
        return np.asarray(x + other * (change.level(x) / change.level(other)), np.float32)

    return {
        "mp3": lambda x: change.coded(x, "MP3", "MPEG_LAYER_III", 0.9),
        "opus": lambda x: change.coded(x, "OGG", "OPUS", 0.9),
        "8 kHz mu-law": lambda x: change.coded(x, "WAV", "ULAW", None, 8_000),
        "gain -26 dB": lambda x: np.asarray(np.rint(x * 0.05 * 32768) / 32768, np.float32),
        "trim to 3 s": trimmed,
        "speed 0.9": lambda x: change.speed(x, 0.9),
        "speed 1.1": lambda x: change.speed(x, 1.1),
        "speed drawn": lambda x: change.speed(x, rng.uniform(0.9, 1.1)),
        "tempo 0.9 or 1.1": lambda x: change.tempo(x, (0.9, 1.1)[rng.integers(2)]),
        "pitch -2": lambda x: change.pitch(x, -2),
        "pitch +2": lambda x: change.pitch(x, 2),
        "noise 10 dB": lambda x: change.noisy(x, rng, 10, noises),
        "room": room,
        "embedded": embedded,
        "mixed 0 dB": mixed,
    }


class Chromaprint:
    """The best agreement of a sound's Chromaprint with those of the test set, aligned by equal 20 bit prefixes."""

    def __init__(self, clips: list[change.Sound]) -> None:
        import chromaprint

        self._library = chromaprint
        self.prints = [self.of(x) for x in clips]
        self.track = np.repeat(np.arange(len(clips)), [len(p) for p in self.prints])
        self.place = np.concatenate([np.arange(len(p)) for p in self.prints])
        keys = np.concatenate(self.prints) >> np.uint32(12)
        self.order = np.argsort(keys, kind="stable")
        self.keys = keys[self.order]

    def of(self, x: change.Sound) -> np.ndarray:
        maker = self._library.Fingerprinter()
        maker.start(RATE, 1)
        maker.feed((np.clip(x, -1, 1) * 32767).astype("<i2").tobytes())
        values, _ = self._library.decode_fingerprint(maker.finish())
        return np.asarray(values, np.int64).astype(np.uint32)

    def best(self, x: change.Sound, wanted: int | None = None) -> float:
        """Best score (of clip ``wanted``): agreement above one half, times the root of the number of bits."""
        ours = self.of(x)
        key = ours >> np.uint32(12)
        low, high = np.searchsorted(self.keys, key), np.searchsorted(self.keys, key, side="right")
        seen: set[tuple[int, int]] = set()
        best = 0.0
        for i in range(len(ours)):
            for j in self.order[low[i] : high[i]]:
                clip, lag = int(self.track[j]), int(self.place[j]) - i
                if (clip, lag) in seen or wanted not in (None, clip):
                    continue
                seen.add((clip, lag))
                theirs = self.prints[clip]
                a, b = max(0, -lag), min(len(ours), len(theirs) - lag)
                equal = 1 - np.bitwise_count(ours[a:b] ^ theirs[a + lag : b + lag]).mean() / 32
                best = max(best, float((equal - 0.5) * np.sqrt(32 * (b - a))))
        return best


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--unrelated", type=int, default=10_000)
    options.add_argument("--peer-unrelated", type=int, default=1_000)
    options.add_argument("--no-recall", action="store_true")
    options.add_argument("--only", nargs="*", help="changes; all without it")
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    rng = np.random.default_rng(given.seed)
    voice = EspeakVoice()
    clips = tested(voice, rng)
    sounds = [x for _, x in clips]
    kinds = np.array([k for k, _ in clips])
    seconds = sum(map(len, sounds)) / RATE
    began = time.process_time()
    prints = [fingerprint(x, RATE) for x in sounds]
    took = time.process_time() - began
    table = Table(prints)
    codes = len(table.codes)
    limits = {name: least_score(expected, codes, LEAST_SECONDS) for name, expected in LEVELS}
    print(f"test set: {len(clips)} clips ({np.sum(kinds == 'real')} real), {seconds:.0f} s, {codes} codes")
    print(f"fingerprints of decoded audio: {seconds / took:.0f}x real time, {codes * 12 / seconds:.0f} bytes a second")
    peer: Chromaprint | None = None
    try:
        if not given.peer_unrelated:
            raise ImportError("--peer-unrelated 0")
        peer = Chromaprint(sounds)
        began = time.process_time()
        for x in sounds:
            peer.of(x)
        print(f"Chromaprint: {seconds / (time.process_time() - began):.0f}x")
    except ImportError as error:
        print(f"Chromaprint: not measured ({error})")
    scores, theirs, spent, heard = [], [], 0.0, 0.0
    long: list[change.Sound] = []
    for i, x in enumerate(unrelated(voice, given.unrelated, rng)):
        began = time.process_time()
        matches = table.search(x, RATE, least=FLOOR)
        spent += time.process_time() - began
        heard += len(x) / RATE
        scores.append(matches[0].score if matches else 0.0)
        if peer and i < given.peer_unrelated:
            theirs.append(peer.best(x))
        if 200 <= i < 320:
            long.append(x)
        if i % 1000 == 999:
            print(f"  {i + 1} unrelated clips, highest scores {np.sort(scores)[-5:].round(1)}", flush=True)
    values = np.array(scores)
    print(f"search: {heard / spent:.0f}x real time a core against {seconds / 60:.0f} minutes of test speech")
    for name, least in limits.items():
        false = int((values >= least).sum())
        bound = (false + 1.92 + 1.96 * np.sqrt(false + 0.96)) / len(values) if false else 3.0 / len(values)
        print(f"false alarms at {name} (score {least:.0f} or more): {false} of {len(values)}, 95% at most {bound:.3%}")
    limit = float(np.sort(theirs)[-max(1, len(theirs) // 1000) - 1]) if theirs else 0.0
    if peer:
        print(f"Chromaprint's limit at 0.1% of {len(theirs)} unrelated clips: {limit:.1f}")
    if given.no_recall:
        return
    whole = np.concatenate(long)
    print(
        f"{'change':18}"
        + "".join(f"{n:>22}" for n in ("likely or more", "suspicion or more", "synthetic", "real", "Chromaprint"))
    )
    for name, altered in changes(rng, whole).items():
        if given.only and name not in given.only:
            continue
        ours, others = [], []
        for i, x in enumerate(sounds):
            y = np.asarray(altered(x), np.float32)
            ours.append(max((m.score for m in table.search(y, RATE, least=FLOOR) if m.track == i), default=0.0))
            if peer:
                others.append(peer.best(y, i) > limit)
        got = np.array(ours)
        likely = got >= limits["likely"]
        columns = [likely.mean(), (got >= limits["suspicion"]).mean(), likely[kinds == "synthetic"].mean()]
        columns.append(likely[kinds == "real"].mean() if (kinds == "real").any() else np.nan)
        columns.append(np.mean(others) if peer else np.nan)
        lowest = ", ".join(f"{x:.0f}" for x in np.sort(got)[:9])
        print(f"{name:18}" + "".join(f"{c:22.1%}" for c in columns) + f"  lowest: {lowest}", flush=True)


if __name__ == "__main__":
    main()
