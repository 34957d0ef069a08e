"""Fit the audit's directions, crowd and centre of meaning, and the constants of its chance findings.

    python benchmarks/audit_fit.py -o FOLDER CORPUS OTHER_CORPUS

Writes projection.npy, slopes.npy, crowd.npy and meaning_centre.npy (where the sentence encoder is installed) into
FOLDER and prints their SHA-256; they belong into src/duologue/protect/audit. With --crowd only crowd.npy is made, for
the directions that are there; with --chance only the constants are fitted, to dialogues (benchmarks/audit.py fits them
to short clips).
The speech is that of voices that benchmarks/audit.py has in no clip. The corpora are duplex corpora of two seeds (the
fast voice); of them the crowd takes channels of the same voices alone.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import hashlib
from pathlib import Path

import audit_changes as change
import numpy as np
import numpy.typing as npt
from audit import RATE, group, lines, spoken
from audit_dialogues import by_chance, channels, tested

from duologue.generate.voices.espeak import EspeakVoice
from duologue.protect.audit import fingerprint as prints
from duologue.protect.audit.spectrum import spectrum
from duologue.protect.audit.spectrum import spoken as heard_in

CLIPS = 1_600
CROWD = 2_048
WINDOW = (prints.FRAMES, prints.BANDS)
KINDS = ("mix", "mp3", "opus", "telephone", "speed", "tempo", "pitch", "noise", "speed noise")
KINDS += ("room", "room", "room", "room noise", "room speed")
ASTRAY = 0.01  # of the signs, however sure: match.py has the same


def speech(rng: np.random.Generator, n: int) -> list[change.Sound]:
    """``n`` lines that no test clip of the benchmark has, by voices of group 2."""
    voice = EspeakVoice()
    made = []
    for i in range(n):
        language = ("en", "zh")[i % 2]
        texts = lines(language)[1::2]
        speakers = [s.id for s in voice.speakers(language) if group(s.parent) == 2]
        text, speaker = texts[rng.integers(len(texts))], speakers[rng.integers(len(speakers))]
        made.append(spoken(voice, text, language, speaker))
    return made


def changed(x: change.Sound, others: list[change.Sound], rng: np.random.Generator) -> tuple[change.Sound, float, float]:
    """(``x`` changed in one or two ways, its speed, its pitch in semitones)."""
    speed, semitones = 1.0, 0.0
    kind = KINDS[rng.integers(len(KINDS))]
    if kind == "mix":
        other = np.resize(others[rng.integers(len(others))], len(x))
        return np.asarray(x + other * 10 ** (-rng.uniform(3, 10) / 20), np.float32), speed, semitones
    if "speed" in kind:
        speed = rng.uniform(0.9, 1.1)
        semitones = 12 * np.log2(speed)
        x = change.speed(x, speed)
    elif kind == "tempo":
        speed = rng.uniform(0.9, 1.1)
        x = change.tempo(x, speed)
    elif kind == "pitch":
        semitones = rng.uniform(-2, 2)
        x = change.pitch(x, semitones)
    if "room" in kind:
        x = change.reverberant(x, rng)
    if "noise" in kind:
        x = change.noisy(x, rng, rng.uniform(8, 15))
    if kind in ("mp3", "opus", "telephone"):
        coder = {"mp3": ("MP3", "MPEG_LAYER_III", 0.9), "opus": ("OGG", "OPUS", 0.9), "telephone": ("WAV", "ULAW")}
        x = change.coded(x, *coder[kind], **({"rate": 8_000} if kind == "telephone" else {}))
    return np.asarray(x, np.float32), speed, semitones


def shape(picture: np.ndarray, semitones: int, starts: np.ndarray) -> npt.NDArray[np.float64]:
    """Windows without the mean of each band and of each frame, of length 1."""
    cut = prints.windows(picture, semitones, starts).reshape(-1, *WINDOW).astype(np.float64)
    cut -= cut.mean(axis=1, keepdims=True)
    flat = (cut - cut.mean(axis=2, keepdims=True)).reshape(len(cut), -1)
    return np.asarray(flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-3))


def pairs(clips: list[change.Sound], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """[n, 736] twice: windows of speech, and the same moments after a change, up to half a step off."""
    ours, theirs = [], []
    edge = np.zeros(RATE // 10, np.float32)
    for x in clips:
        x = np.concatenate([edge, x, edge])
        picture, loudness = spectrum(x, RATE)
        last = len(picture) - prints.REACH - 1
        if last < 5:
            continue
        heard = heard_in(loudness)
        for _ in range(2):
            y, speed, semitones = changed(x, clips, rng)
            variant = min(
                prints.VARIANTS, key=lambda v: 24 * abs(np.log2(v.speed / speed)) + abs(v.semitones - semitones)
            )
            other = prints.stretched(spectrum(y, RATE)[0], variant.speed)
            starts = rng.integers(0, last, 6)
            starts = starts[prints.spoken_share(heard, starts, 1.0) >= 0.5]
            there = np.rint(starts * variant.speed / speed + rng.uniform(-1.5, 1.5, len(starts))).astype(np.int64)
            inside = (there >= 0) & (there < len(other) - prints.REACH)
            if inside.any():
                ours.append(shape(picture, 0, starts[inside]))
                theirs.append(shape(other, variant.semitones, there[inside]))
    return np.concatenate(ours), np.concatenate(theirs)


def directions(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """([736, 64] float16, [64] float16): directions, and how fast the sign of each becomes sure.

    Fisher's discriminant of same against other, without the mean over the frames of a band (a filter) and over the
    bands of a frame (loudness, which any two bursts have in common). The sign of a value v, with root mean square r
    over the 64, is taken to be the copy's with probability 1 / (1 + exp(-k |v| / r)); k is that of greatest likelihood.
    The last fifth of the pairs is held out, and what is printed is of it.
    """
    import scipy.linalg
    import scipy.optimize

    n = int(0.8 * len(a))
    total = (a[:n].T @ a[:n] + b[:n].T @ b[:n]) / (2 * n)
    apart = a[:n] - b[:n]
    within = apart.T @ apart / (2 * n)
    within += np.eye(len(within)) * np.trace(within) / len(within) * 0.15
    values, vectors = scipy.linalg.eigh(total, within)
    best = vectors[:, np.argsort(-values)[: prints.BITS]].reshape(*WINDOW, prints.BITS)
    best -= best.mean(axis=0, keepdims=True)
    best = (best - best.mean(axis=1, keepdims=True)).reshape(-1, prints.BITS)
    best /= np.sqrt(((a[:n] @ best) ** 2).mean(axis=0))
    made = best.astype(np.float16)
    x, y = a @ made.astype(np.float64), b @ made.astype(np.float64)
    size = np.abs(y) / np.sqrt((y**2).mean(axis=1, keepdims=True))
    equal = (x > 0) == (y > 0)

    def unlikely(k: float, bit: int) -> float:
        sure = (1 - ASTRAY) / (1 + np.exp(-k * size[:n, bit])) + ASTRAY / 2
        return -float(np.log(np.where(equal[:n, bit], sure, 1 - sure)).mean())

    ks = [
        scipy.optimize.minimize_scalar(unlikely, bounds=(0.5, 15), method="bounded", args=(bit,)).x
        for bit in range(prints.BITS)
    ]
    other = (x[n:] > 0) != (np.roll(y[n:], len(y[n:]) // 2, axis=0) > 0)
    spread = other.mean(axis=1)
    print(
        f"{len(a)} pairs; signs that differ in the {len(a) - n} held out: same {1 - equal[n:].mean():.3f}, "
        f"other {spread.mean():.3f} +- {spread.std():.3f}; k {min(ks):.1f} to {max(ks):.1f}"
    )
    return made, np.asarray(ks, np.float16)


def crowd(
    clips: list[change.Sound], corpora: list[Path], rng: np.random.Generator, projection: np.ndarray
) -> np.ndarray:
    """[2, CROWD / 2] codes of windows of little shape: pieces of words over noise; what duplex channels have between
    turns and at their ends (30-70% speech).
    """
    sparse = []
    for i in range(160):
        x = (rng.standard_normal(6 * RATE) * 10 ** -rng.uniform(2, 3)).astype(np.float32)
        for _ in range(rng.integers(1, 6)):
            word = clips[rng.integers(len(clips))]
            at = rng.integers(len(word) - 3_000)
            word = word[at : at + rng.integers(1_500, 9_000)]
            to = rng.integers(len(x) - len(word))
            x[to : to + len(word)] += word * np.hanning(len(word))
        sparse.append(codes(change.reverberant(x, rng) if i % 2 else x, RATE, projection, (0.0, 1.0)))
    between = [
        codes(c.samples, c.rate, projection, (0.3, 0.7))
        for corpus in corpora
        for c in channels(corpus, channel_of=lambda speaker: group(speaker.parent_voice) == 2)
    ]
    halves = [np.concatenate(h) for h in (sparse, between)]
    print(f"crowd: {len(halves[0])} windows of words over noise, {len(halves[1])} of duplex channels to draw from")
    drawn = [np.sort(rng.permutation(len(h))[: CROWD // 2]) for h in halves]
    return np.stack([h[d] for h, d in zip(halves, drawn, strict=True)])


def codes(x: change.Sound, rate: int, projection: np.ndarray, share: tuple[float, float]) -> prints.Codes:
    picture, loudness = spectrum(x, rate)
    starts = np.arange(0, len(picture) - prints.REACH + 1, prints.KEPT_EACH)
    part = prints.spoken_share(heard_in(loudness), starts, 1.0)
    starts = starts[(part >= share[0]) & (part <= share[1])]
    return prints.pack(prints.windows(picture, 0, starts) @ projection.astype(np.float32))


def constants(corpus: Path, other: Path, least: float = 12.0) -> None:
    """Rate and size of the exponential tail: matches above a score, for each comparison of two windows."""
    test = tested(corpus, "test")
    found, seconds, repeated = by_chance(test, channels(other), least)
    scores = np.array([m.score for m in found if not test.shared(m)])
    codes = sum(len(t.codes) // 8 for t in test.index.tracks if not t.shared)
    compared = codes * seconds / (prints.SOUGHT_EACH * 0.02) * len(prints.VARIANTS)
    rate = 1 / float(np.mean(scores - least))
    print(
        f"{len(scores)} chance matches of {least:g} or more in {seconds / 3600:.2f} h against {codes} codes "
        f"({repeated} true repeats left out): lambda {rate:.3f}, K {len(scores) / compared * np.exp(rate * least):.3g}"
    )
    for limit in (15, 20, 25, 30, 35, 40):
        fitted = len(scores) * np.exp(-rate * (limit - least))
        print(f"  {limit}: {(scores >= limit).sum()} seen, {fitted:.1f} by the fit")


def keep(path: Path, values: np.ndarray) -> None:
    np.save(path, values)
    print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("corpus", type=Path)
    options.add_argument("other", type=Path)
    options.add_argument("-o", "--output", type=Path)
    options.add_argument("--chance", action="store_true")
    options.add_argument("--crowd", action="store_true", help="keep the directions, fit the crowd alone")
    given = options.parse_args()
    if given.chance:
        constants(given.corpus, given.other)
        return
    rng = np.random.default_rng(1)
    clips = speech(rng, CLIPS // 4 if given.crowd else CLIPS)
    projection, slopes = (prints.directions(), prints.slopes()) if given.crowd else directions(*pairs(clips, rng))
    keep(given.output / "crowd.npy", crowd(clips, [given.corpus, given.other], rng, projection))
    if given.crowd:
        return
    keep(given.output / "projection.npy", projection)
    keep(given.output / "slopes.npy", slopes)
    try:
        from duologue.language.meaning import SentenceEncoder

        encoder = SentenceEncoder()
        centres = [encoder.encode(lines(language)).mean(axis=0) for language in ("en", "zh")]
        keep(given.output / "meaning_centre.npy", np.stack(centres).astype(np.float16))
    except ImportError as error:
        print(f"meaning_centre.npy: not made ({error})")


if __name__ == "__main__":
    main()
