"""Audit: recall per change, false alarms, error of the levels, rates; beside Chromaprint on the same sounds.

    python benchmarks/audit.py --unrelated 5000
    python benchmarks/audit.py --stages

The test set is synthetic speech and, where ../shared/data is there, real recordings. The unrelated clips are synthetic
speech of other voices (no parent voice in common) and of other texts (no run of three words in common), and real
recordings of other corpora. Chromaprint (pyacoustid with libchromaprint) is measured where it is installed, twice:
by the comparison that pyacoustid has (the share of values that differ in at most 2 of 32 bits, at the best offset), and
by the agreement of all bits at every offset. Its limits are those that 0.1% of the same unrelated clips pass.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import hashlib
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import audit_changes as change
import numpy as np
import soundfile
import soxr

from duologue.generate.voices.espeak import EspeakVoice
from duologue.language.tokens import split
from duologue.protect.audit import index as test_index
from duologue.protect.audit.fingerprint import SOUGHT_EACH, VARIANTS, fingerprint
from duologue.protect.audit.levels import LEAST_SECONDS, LEVELS, chance, least_score, level
from duologue.protect.audit.match import Table
from duologue.protect.audit.scan import scan
from duologue.protect.audit.spectrum import FRAME

HERE = Path(__file__).parent
RATE = change.RATE
FLOOR = 4.0
TAIL = 6.0  # nats: the tail that lambda and K are fitted to


def lines(language: str) -> list[str]:
    return [x for x in (HERE / f"texts_{language}.txt").read_text("utf-8").splitlines() if x.strip()]


def group(parent: str) -> int:
    """0: voices of the test set; 1: of unrelated clips; 2: of the fit (audit_fit.py)."""
    return hashlib.sha256(parent.encode()).digest()[0] % 3


def spoken(voice: EspeakVoice, text: str, language: str, speaker: str) -> change.Sound:
    speech = voice.synthesise(text, language=language, speaker=speaker)
    x = np.asarray(soxr.resample(speech.samples, speech.sample_rate, RATE), np.float32)
    return x * np.float32(0.5 / max(1e-3, float(np.abs(x).max(initial=0.0))))


class Clip(NamedTuple):
    """A clip of the test set; ``sentence`` is the same for other takes and voices of one sentence."""

    kind: Literal["synthetic", "real"]
    sentence: str
    samples: change.Sound


def real(folder: str, pattern: str, most: int) -> list[tuple[str, change.Sound]]:
    """(file name, sound) of ``most`` files of 3 s or more, spread over all."""
    found = []
    for path in sorted((change.SHARED / folder).rglob(pattern)):
        try:
            x, rate = soundfile.read(path, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError:
            continue
        if len(x) >= 3 * rate:
            found.append((path.name, np.asarray(soxr.resample(x[:, 0], rate, RATE), np.float32)))
    step = max(1, len(found) // most)
    return found[::step][:most]


def tested(voice: EspeakVoice, rng: np.random.Generator) -> list[Clip]:
    """Every other line of our texts by two test voices each, and real clips, all of 3 s or more."""
    clips = []
    for language in ("en", "zh"):
        speakers = [s.id for s in voice.speakers(language) if group(s.parent) == 0]
        for text in [x for x in lines(language)[::2] for _ in range(2)]:
            x = spoken(voice, text, language, speakers[rng.integers(len(speakers))])
            if len(x) >= 3 * RATE:
                clips.append(Clip("synthetic", text, x))
    # The two sentences of RAVDESS, of kids and of dogs that are "talking" and "sitting by the door", end alike.
    clips += [Clip("real", "by the door", x) for _, x in real("ravdess_en_16k", "*.flac", 120)]
    clips += [Clip("real", name, x[: 20 * RATE]) for name, x in real("ami_overlap_en", "trn*.wav", 10)]
    return clips


def unrelated(voice: EspeakVoice, n: int, rng: np.random.Generator) -> Iterator[change.Sound]:
    """``n`` clips; real ones first."""
    others = [
        x[at : at + 5 * RATE]
        for _, x in real("ami_overlap_en", "[dt][es][vt]*.wav", 9)
        for at in range(0, len(x), 5 * RATE)
    ]
    others += [x for _, x in real("easy_turn_zh", "*.wav", 16)]
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
    """Chromaprints of the test set, compared with that of a sound at every offset of each."""

    def __init__(self, clips: list[change.Sound]) -> None:
        import acoustid
        import chromaprint

        self._library = chromaprint
        self.prints = [self.of(x) for x in clips]
        self.values = np.concatenate(self.prints)
        self.sizes = np.array([len(p) for p in self.prints])
        self.place = np.concatenate([np.arange(n) for n in self.sizes])
        self.track = np.repeat(np.arange(len(clips)), self.sizes)
        ours = max(self.prints, key=len)[3:]
        theirs = [acoustid._match_fingerprints(ours.tolist(), p.tolist()) for p in self.prints[:9] if len(p)]
        assert np.allclose(self.compared(ours)[0][:9][self.sizes[:9] > 0], theirs), "not the comparison of pyacoustid"

    def of(self, x: change.Sound) -> np.ndarray:
        maker = self._library.Fingerprinter()
        maker.start(RATE, 1)
        maker.feed((np.clip(x, -1, 1) * 32767).astype("<i2").tobytes())
        values, _ = self._library.decode_fingerprint(maker.finish())
        return np.asarray(values, np.int64).astype(np.uint32)

    def compared(self, ours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of each test clip: the score of pyacoustid (offsets up to 120 values, 15 s), in [0, 1]; and the greatest
        agreement above one half times the root of the number of bits, over every offset that joins 3 values (3 s of
        sound have no more) and three quarters of the shorter.
        """
        if not len(ours):
            return np.zeros(len(self.sizes)), np.zeros(len(self.sizes))
        differ = np.bitwise_count(ours[:, None] ^ self.values[None, :])
        lag = np.arange(len(ours))[:, None] - self.place[None, :] + int(self.sizes.max())
        wide = int(lag.max()) + 1
        line = (self.track[None, :] * wide + lag).ravel()
        n = len(self.sizes) * wide
        near = (differ <= 2) & (np.abs(lag - int(self.sizes.max())) <= 120)
        hits = np.bincount(line, near.ravel(), n).reshape(-1, wide)
        joined = np.bincount(line, minlength=n).reshape(-1, wide)
        wrong = np.bincount(line, differ.ravel(), n).reshape(-1, wide)
        enough = np.maximum(3, 0.75 * np.minimum(self.sizes, len(ours)))
        agreement = 0.5 - wrong / (32 * np.maximum(joined, 1))
        score = np.where(joined >= enough[:, None], agreement * np.sqrt(32 * joined), 0.0)
        return hits.max(axis=1) / np.maximum(1, np.minimum(self.sizes, len(ours))), score.max(axis=1)


def stages(voice: EspeakVoice, clips: list[change.Sound], rng: np.random.Generator) -> None:
    """A scan of files: the rate of each stage, the size of the index, and the memory at most."""
    with tempfile.TemporaryDirectory() as scratch:
        test, train, index = Path(scratch) / "test", Path(scratch) / "train", Path(scratch) / "index"
        test.mkdir()
        train.mkdir()
        texts = {half: [x for lang in ("en", "zh") for x in lines(lang)[half::2]] for half in (0, 1)}
        for i, x in enumerate(clips):
            soundfile.write(test / f"{i}.flac", x, RATE)
        (test / "texts.txt").write_text("\n".join(texts[0]), "utf-8")
        for i, x in enumerate(unrelated(voice, 300, rng)):
            soundfile.write(train / f"{i}.{('flac', 'mp3', 'ogg')[i % 3]}", np.clip(x, -1, 1), RATE)
        (train / "texts.txt").write_text("\n".join(texts[1]), "utf-8")
        test_index.write(test_index.build(test), index)
        audit = scan([train], index)
        print(f"index: {index.stat().st_size / 1e3:.0f} kB for {sum(map(len, clips)) / RATE / 60:.1f} minutes")
        for s in audit.stages:
            rate = f"{s.amount / s.cpu_seconds:.0f} {s.unit} a second" if s.cpu_seconds else "not run"
            print(f"  {s.name}: {s.amount:.0f} {s.unit}, {rate}{'; ' + s.note if s.note else ''}")
        print(f"  memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB (this process)")


def bound(false: int, n: int) -> float:
    """Upper end of the 95% interval (Wilson) of ``false`` of ``n``."""
    p, z = false / n, 1.96
    return (p + z * z / 2 / n + z * np.sqrt(p * (1 - p) / n + z * z / 4 / n / n)) / (1 + z * z / n)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--unrelated", type=int, default=5_000)
    options.add_argument("--no-peer", action="store_true")
    options.add_argument("--no-recall", action="store_true")
    options.add_argument("--only", nargs="*", help="changes; all without it")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--stages", action="store_true", help="the rates of a scan of files, and no more")
    given = options.parse_args()
    rng = np.random.default_rng(given.seed)
    voice = EspeakVoice()
    clips = tested(voice, rng)
    sounds = [c.samples for c in clips]
    kinds = np.array([c.kind for c in clips])
    seconds = sum(map(len, sounds)) / RATE
    if given.stages:
        stages(voice, sounds, rng)
        return
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
        if given.no_peer:
            raise ImportError("--no-peer")
        peer = Chromaprint(sounds)
        began = time.process_time()
        for x in sounds:
            peer.of(x)
        print(f"Chromaprint: {seconds / (time.process_time() - began):.0f}x")
    except ImportError as error:
        print(f"Chromaprint: not measured ({error})")
    scores: list[float] = []
    theirs: list[tuple[float, float]] = []
    false: list[float] = []  # every match of an unrelated clip
    spent, heard = 0.0, 0.0
    long: list[change.Sound] = []
    for i, x in enumerate(unrelated(voice, given.unrelated, rng)):
        began = time.process_time()
        matches = table.search(x, RATE, least=FLOOR)
        spent += time.process_time() - began
        heard += len(x) / RATE
        scores.append(matches[0].score if matches else 0.0)
        false += [m.score for m in matches]
        if peer:
            a, b = peer.compared(peer.of(x))
            theirs.append((float(a.max()), float(b.max())))
        if 200 <= i < 320:
            long.append(x)
        if i % 1000 == 999:
            print(f"  {i + 1} unrelated clips, highest scores {np.sort(scores)[-5:].round(1)}", flush=True)
    values = np.array(scores)
    print(f"search: {heard / spent:.0f}x real time a core against {seconds / 60:.0f} minutes of test speech")
    for name, least in limits.items():
        n = int((values >= least).sum())
        print(
            f"false alarms at {name} (score {least:.1f} or more): {n} of {len(values)}, "
            f"95% at most {bound(n, len(values)):.3%}"
        )
    tail = np.array([x for x in false if x >= TAIL])
    if len(tail) > 1:
        rate = 1 / float(np.mean(tail - TAIL))
        compared = codes * heard / (SOUGHT_EACH * FRAME) * len(VARIANTS)
        print(
            f"{len(tail)} chance matches of {TAIL:g} or more in {heard / 3600:.2f} h: lambda {rate:.3f}, "
            f"K {len(tail) / compared * np.exp(rate * TAIL):.3g}"
        )
        for score in (6, 8, 10, 12, 15, 20, 25, 30):
            print(
                f"  {score} or more: {sum(x >= score for x in false)} matches, E says {chance(score, codes, heard):.2f}"
            )
    at = -max(1, len(values) // 1000) - 1
    alike = max(FLOOR, float(np.sort(values)[at]))
    theirs_at = np.sort(np.array(theirs), axis=0)[at] if peer else np.zeros(2)
    print(f"limits that 0.1% of these pass: {alike:.1f}; Chromaprint {theirs_at[0]:.2f} and {theirs_at[1]:.1f}")
    if given.no_recall:
        return
    whole = np.concatenate(long)
    titles = ("likely", "suspicion", "in 100 h", "synthetic", "real", "at 0.1%", "Chromaprint", "every lag")
    print(f"{'change':18}" + "".join(f"{n:>12}" for n in titles))
    far = least_score(dict(LEVELS)["likely"], codes, 360_000.0)
    met: dict[str, Counter[str | None]] = {what: Counter() for what in ("right", "take", "wrong")}
    for name, altered in changes(rng, whole).items():
        if given.only and name not in given.only:
            continue
        ours, others = [], []
        for i, x in enumerate(sounds):
            y = np.asarray(altered(x), np.float32)
            matches = table.search(y, RATE, least=FLOOR)
            ours.append(max((m.score for m in matches if m.track == i), default=0.0))
            for m in matches:
                take = "take" if clips[m.track].sentence == clips[i].sentence else "wrong"
                met["right" if m.track == i else take][level(chance(m.score, codes, LEAST_SECONDS))] += 1
            if peer:
                a, b = peer.compared(peer.of(y))
                others.append((a[i] > theirs_at[0], b[i] > theirs_at[1]))
        got = np.array(ours)
        likely = got >= limits["likely"]
        columns = [likely.mean(), (got >= limits["suspicion"]).mean(), (got >= far).mean()]
        columns.append(likely[kinds == "synthetic"].mean())
        columns.append(likely[kinds == "real"].mean() if (kinds == "real").any() else np.nan)
        columns.append((got > alike).mean())
        columns += list(np.mean(others, axis=0)) if peer else [np.nan, np.nan]
        missed = int((~likely).sum())
        least = 1 - bound(missed, len(got))
        lowest = ", ".join(f"{x:.0f}" for x in np.sort(got)[:6])
        print(
            f"{name:18}"
            + "".join(f"{c:12.1%}" for c in columns)
            + f"  likely 95% {least:.1%} or more; lowest {lowest}",
            flush=True,
        )
    unrelated_at = Counter(level(chance(x, codes, LEAST_SECONDS)) for x in false)
    for name, _ in LEVELS:
        right, take, wrong = (met[what][name] for what in ("right", "take", "wrong"))
        print(
            f"findings that are {name}: in changed test clips {right} of the clip, {take} of another take or voice of "
            f"its sentence, {wrong} of another sentence ({wrong / max(1, right + take + wrong):.2%}); "
            f"{unrelated_at[name]} in {len(values)} unrelated clips"
        )


if __name__ == "__main__":
    main()
