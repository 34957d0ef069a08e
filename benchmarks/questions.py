"""Can generated questions be answered from their options alone? 2,000 of each kind, folds disjoint by script family.

    python benchmarks/questions.py [--items 2000] [--seed 0] [--kind trajectory] [--kind cause]

Chance is 0.25; the classifier and what it sees: duologue/score/emotion/guess.py.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "score" / "emotion"))

from scripted_dialogues import dialogues

from duologue.score.emotion.choice import KINDS, generate
from duologue.score.emotion.guess import options_only


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=KINDS)
    args = parser.parse_args()
    made = list(dialogues(int(args.items * 1.5), seed=args.seed))
    found = generate(made, seed=args.seed, kinds=args.kind or KINDS)
    print(f"{len(made)} dialogues, {len(found.questions)} questions; skipped {found.skipped}")
    for kind in args.kind or KINDS:
        members = [q for q in found.questions if q.kind == kind]
        members = random.Random(args.seed).sample(members, min(args.items, len(members)))
        e = options_only(members, seed=args.seed)
        places = Counter(q.answer for q in members)
        kinds = Counter(o.distractor for q in members for o in q.options if o.distractor)
        print(
            f"{kind}: {len(members)} questions, options alone {e.value:.3f} [{e.low:.3f}, {e.high:.3f}], chance 0.250"
        )
        print(f"  answers at {[places[i] for i in range(4)]}; distractors {dict(kinds)}")


if __name__ == "__main__":
    main()
