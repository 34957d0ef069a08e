"""Overlap heard in audio, against what is known.

    python benchmarks/annotate_audio.py two CORPUS [--count 14]   two channels: turns taken away and found again
    python benchmarks/annotate_audio.py one DATA                  one channel (AMI excerpts with RTTM), by small models

One channel: a logistic regression on what half a second and 0.8 s of sound look like (24 mel bands, level, flatness,
kurtosis, how well one pitch, and a second one beside it, explain the spectrum), for each excerpt trained on the others
alone. ``others`` learns from the other excerpts' own RTTM; ``mixed`` from their stretches of one speaker, and from sums
of two such stretches of two recordings. Shares are of frames over probability 0.5. ``constant`` answers 5% always.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import combinations
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
RATE, HOP, SIZE = 16_000, 160, 640
STEP = 10  # frames between judgements
CONSTANT = 0.05
NEAR = 0.10


def mel(count: int = 24, size: int = 1024) -> Floats:
    top, bottom = (2595 * np.log10(1 + f / 700) for f in (7_800, 80))
    edges = 700 * (10 ** (np.linspace(bottom, top, count + 2) / 2595) - 1)
    f = np.arange(size // 2 + 1) * RATE / size
    up = (f - edges[:-2, None]) / np.diff(edges)[:-1, None]
    down = (edges[2:, None] - f) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(up, down))


def frames(x: Floats) -> Floats:
    """Features [frames, 32] of 40 ms every 10 ms; levels relative to the signal's own loud frames."""
    count = len(x) // HOP
    cut = np.lib.stride_tricks.sliding_window_view(np.pad(x, (SIZE // 2, SIZE)), SIZE)[::HOP][:count] * np.hanning(SIZE)
    power, coarse = (np.abs(np.fft.rfft(cut, n, axis=1)) ** 2 for n in (2048, 1024))
    level = np.log(cut.var(axis=1) + 1e-10)
    bands = np.log(coarse @ mel().T + 1e-8)
    flat = np.mean(np.log(coarse[:, 10:250] + 1e-10), axis=1) - np.log(np.mean(coarse[:, 10:250] + 1e-10, axis=1))
    top = 3_000 * 2048 // RATE
    f = np.arange(top) * RATE / 2048
    pitches = np.geomspace(75, 400, 90)
    off = np.array([np.minimum((f / p) % 1, 1 - (f / p) % 1) * p for p in pitches])
    combs = ((off < 18) & (f > pitches[:, None] / 2)).astype(float)
    share = combs.mean(axis=1)
    size = np.sqrt(power)[:, :top]

    def explained(s: Floats) -> Floats:
        return (s @ combs.T / (s.sum(axis=1)[:, None] + 1e-9) - share) / np.sqrt(share)

    first = explained(size)
    best = first.argmax(axis=1)
    rest = size * (1 - combs[best])
    spread = size - size.mean(axis=1, keepdims=True)
    kurtosis = np.log((spread**4).mean(axis=1) / (size.var(axis=1) ** 2 + 1e-12) + 1e-12)
    auto = np.fft.irfft(power, axis=1)
    periodic = (auto[:, 40:213] / (auto[:, :1] + 1e-9)).max(axis=1)
    left = rest.sum(axis=1) / (size.sum(axis=1) + 1e-9)
    found = np.column_stack([bands, level, flat, first.max(axis=1), explained(rest).max(axis=1), left, kurtosis,
                             periodic, np.log(pitches[best])])  # fmt: skip
    found[:, :25] -= np.quantile(found[:, 24], 0.8)
    return found


def windows(x: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Features [n, 128] of what lies around each 100 ms, and the frames in question."""
    f = frames(x)
    steps = np.abs(np.diff(f, axis=0, prepend=f[:1]))
    at = np.arange(STEP // 2, len(f), STEP)
    rows = []
    for t in at:
        wide, near = slice(max(0, t - 40), t + 40), slice(max(0, t - 12), t + 12)
        rows.append(np.r_[f[wide].mean(0), f[wide].std(0), steps[wide].mean(0), f[near].mean(0)])
    return np.array(rows), at


def one(data: Path) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from duologue.annotate.audio import open_source
    from duologue.formats.format import ImportOptions

    rights = ImportOptions(licence="CC-BY-4.0", consent="AMI", source_url="https://groups.inf.ed.ac.uk/ami/corpus/",
                           kind="human-human", language="en")  # fmt: skip
    began = time.process_time()
    random = np.random.default_rng(0)
    x: dict[str, Floats] = {}
    y: dict[str, npt.NDArray[np.int64]] = {}
    alone: dict[str, Floats] = {}
    with tempfile.TemporaryDirectory() as work:
        corpus, _ = open_source(data / "ami_overlap_en" / "tests_data", Path(work) / "ami", rights)
        for item in corpus:
            d = item.dialogue
            name = Path(d.provenance.steps[0].parameters["file"]).stem
            samples = item.audio(0)[0].astype(np.float64)
            talking = np.zeros(len(samples), np.int64)
            for speaker in d.speakers:
                own = np.zeros(len(samples), bool)
                for s in (s for t in d.turns if t.speaker == speaker.id for s in t.segments):
                    own[s.start : s.end] = True
                talking += own
            x[name], at = windows(samples)
            y[name] = talking[at * HOP]
            alone[name] = samples[talking == 1]
    names = sorted(x)
    sums: dict[tuple[str, str], tuple[Floats, npt.NDArray[np.int64]]] = {}
    for a, b in combinations(names, 2):
        length = min(len(alone[a]), len(alone[b]), 6 * RATE)
        if length < 2 * RATE or random.random() > 0.35:
            continue
        both = alone[a][:length] / alone[a].std()
        other = alone[b][-length:] / alone[b].std() * 10 ** (random.uniform(-8, 8) / 20)
        both[length // 2 :] += other[length // 2 :]
        rows, at = windows(0.05 * both)
        sums[a, b] = rows, (at * HOP > length // 2).astype(np.int64)
    heard: dict[str, dict[str, Floats]] = {"others": {}, "mixed": {}}
    for n in names:
        rest = [m for m in names if m != n]
        single = [(x[m][y[m] < 2], np.zeros(int((y[m] < 2).sum()), np.int64)) for m in rest]
        sets = {
            "others": [(x[m], (y[m] > 1).astype(np.int64)) for m in rest],
            "mixed": [*single, *(v for k, v in sums.items() if n not in k)],
        }
        for kind, parts in sets.items():
            model = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=300))
            model.fit(np.concatenate([p for p, _ in parts]), np.concatenate([q for _, q in parts]))
            heard[kind][n] = model.predict_proba(x[n])[:, 1]
    print("| excerpt | RTTM | others | mixed |")
    print("|---|---|---|---|")
    for n in names:
        cells = [float((y[n] > 1).mean()), *(float((heard[k][n] > 0.5).mean()) for k in heard)]
        print(f"| {n} | " + " | ".join(f"{100 * c:.0f}%" for c in cells) + " |")
    truth = np.array([(y[n] > 1).mean() for n in names])
    every = np.concatenate([y[n] > 1 for n in names])
    for kind, p in heard.items():
        shares = np.array([(p[n] > 0.5).mean() for n in names])
        auc = roc_auc_score(every, np.concatenate([p[n] for n in names]))
        print(f"{kind}: {(np.abs(shares - truth) <= NEAR).sum()} of {len(names)} within 10 points, AUC {auc:.2f}")
    print(f"constant: {(np.abs(CONSTANT - truth) <= NEAR).sum()} of {len(names)} within 10 points")
    print(f"{time.process_time() - began:.0f} s CPU")


def two(path: Path, count: int) -> None:
    from duologue.annotate.audio import annotate
    from duologue.annotate.floor import floor
    from duologue.annotate.rewrite import rewrite
    from duologue.corpus import read
    from duologue.corpus.dialogue import Dialogue
    from duologue.listen.speech import SpeechDetector

    truth = read.open(path, track="duplex")
    # One other speaker at most on the user's channel: bystanders share it, and nothing here tells them apart.
    chosen = [o.id for o in truth if len({t.speaker for t in o.dialogue.turns}) == 2]
    chosen = [chosen[i] for i in np.linspace(0, len(chosen) - 1, min(count, len(chosen))).astype(int)]

    def bare(d: Dialogue) -> Dialogue:
        if d.id not in chosen:
            return d
        heard = {t.speaker for t in d.turns}
        audio = tuple(
            msgspec.structs.replace(
                a,
                channels=tuple(
                    msgspec.structs.replace(c, speakers=tuple(s for s in c.speakers if s in heard)) for c in a.channels
                ),
            )
            for a in d.audio
        )
        return msgspec.structs.replace(d, audio=audio, turns=(), events=(), realised=(), annotations=(), probes=(),
                                       scenario="none")  # fmt: skip

    began = time.process_time()
    with tempfile.TemporaryDirectory() as work:
        rewrite(truth, Path(work) / "bare", bare, {})
        found = annotate(read.open(Path(work) / "bare"), Path(work) / "out", detector=SpeechDetector(), listener=None)
    wrong, offsets = [], []
    for id in chosen:
        known, _ = floor(truth.get(id).dialogue)
        heard = found.dialogues[id]
        wrong.append(abs(known.overlap - heard.overlap))
        if len(known.offsets) == len(heard.offsets):
            offsets += [abs(a - b) for a, b in zip(known.offsets, heard.offsets, strict=True)]
    print(f"{len(chosen)} dialogues: overlap's share wrong by {100 * np.median(wrong):.1f} points in the median, "
          f"{100 * max(wrong):.1f} at most; {sum(w <= NEAR for w in wrong)} within 10")  # fmt: skip
    if offsets:
        middle, most = (1000 * np.quantile(offsets, q) for q in (0.5, 0.95))
        print(f"floor-transfer offsets wrong by {middle:.0f} ms in the median, {most:.0f} ms in 95%")
        print(f"({len(offsets)} offsets, of the dialogues with as many transfers as there are)")
    print(f"{time.process_time() - began:.0f} s CPU")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["one", "two"])
    parser.add_argument("path", type=Path)
    parser.add_argument("--count", type=int, default=14)
    given = parser.parse_args()
    if given.what == "one":
        one(given.path)
    else:
        two(given.path, given.count)
