"""Floor-transfer offsets: the target tables, what whole dialogues realise, and real meetings.

python benchmarks/timing.py [--dialogues 2000] [--ami FOLDER_OF_RTTM]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from duologue.generate.seeds import stream
from duologue.generate.timing import TimingSettings, Utterance, arrange, quantile

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
RATE = 16_000


def realised(language: str, dialogues: int) -> tuple[list[float], list[float]]:
    """(user after system, system after user) offsets in seconds, a new dyad in each dialogue."""
    ask = Utterance(role="user", kind="turn", length=3 * RATE, boundaries=(RATE, 3 * RATE), clause=(False, False))
    answer = Utterance(role="system", kind="turn", length=8 * RATE, boundaries=(RATE, 8 * RATE), clause=(False, False))
    users: list[float] = []
    systems: list[float] = []
    for seed in range(dialogues):
        line = arrange(
            [ask, answer] * 4,
            TimingSettings(),
            language=language,
            dyad=(f"{language}{seed}", "s"),
            rng=stream(seed, language),
            sample_rate=RATE,
        )
        for i, place in enumerate(line.placements):
            if place is not None and place.offset is not None:
                (systems if i % 2 else users).append(place.offset / RATE)
    return users, systems


def meeting_offsets(folder: Path) -> list[float]:
    """Offsets from the end of a speaker's segment to the next onset of another, in each recording of each RTTM file."""
    offsets: list[float] = []
    recordings: dict[tuple[Path, str], list[tuple[float, float, str]]] = {}
    for path in sorted(folder.rglob("*.rttm")):
        for r in (line.split() for line in path.read_text(encoding="utf-8").splitlines()):
            if r[:1] == ["SPEAKER"]:
                span = (float(r[3]), float(r[3]) + float(r[4]), r[7])
                recordings.setdefault((path, r[1]), []).append(span)
    for spans in recordings.values():
        floor: tuple[float, float, str] | None = None
        for span in sorted(spans):
            if floor is not None and span[1] <= floor[1]:
                continue  # inside another's turn: no transfer
            if floor is not None and span[2] != floor[2]:
                offsets.append(span[0] - floor[1])
            floor = span
    return offsets


def show(name: str, values: list[float]) -> None:
    marks = " ".join(f"{1000 * q:+7.0f}" for q in np.quantile(values, SHARES))
    print(f"{name:34s} {len(values):6d} {marks}   overlapped {100 * np.mean(np.array(values) < 0):.0f}%")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dialogues", type=int, default=2000)
    default = Path(__file__).parents[2] / "shared/data/ami_overlap_en"
    parser.add_argument("--ami", type=Path, default=default)
    given = parser.parse_args()
    print(f"{'ms':34s} {'n':>6s} " + " ".join(f"{round(100 * p):6d}%" for p in SHARES))
    timing = TimingSettings()
    for language, table in (("en", timing.en), ("zh", timing.zh)):
        users, systems = realised(language, given.dialogues)
        print(
            f"{f'target, user, {language}':34s} {'':6s} "
            + " ".join(f"{1000 * quantile(table.quantiles, p):+7.0f}" for p in SHARES)
        )
        show(f"realised, user, {language}", users)
        show(f"realised, reference system, {language}", systems)
    print("AMI, 37,957 transfers (published)           -1430    -480    +150    +680   +1780   overlapped 42%")
    if given.ami.is_dir():
        show("AMI excerpts (RTTM)", meeting_offsets(given.ami))


if __name__ == "__main__":
    main()
