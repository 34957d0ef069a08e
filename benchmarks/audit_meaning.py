"""Audit: how many reworded sentences are found by their meaning, and how many unrelated pairs are.

    python benchmarks/audit_meaning.py [CORPUS...]

The 102 sentences of texts_en.txt and of texts_zh.txt are the test set, as signs; paraphrases_en.txt and
paraphrases_zh.txt hold each of them in other words, line by line. Unrelated texts are the other
lines, the turns of the corpora, and, where ../shared/data is there, utterances of EmotionTalk. The Chinese and the
English lines say nearly the same, line by line, and stand for translations.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import csv
from pathlib import Path

import numpy as np
from audit_changes import SHARED

from duologue.corpus.read import open as open_corpus
from duologue.protect.audit import meaning, wording

HERE = Path(__file__).parent
MOST = 1_000  # texts of corpora and of EmotionTalk, a language each


def lines(kind: str, language: str) -> list[str]:
    return (HERE / f"{kind}_{language}.txt").read_text("utf-8").splitlines()


def others(language: str, corpora: list[Path]) -> list[str]:
    """Texts of SHORTEST tokens or more, each once."""
    found = [
        turn.text
        for corpus in corpora
        for opened in open_corpus(corpus)
        for turn in opened.dialogue.turns
        if turn.language == language
    ]
    said = []
    table = SHARED / "emotiontalk_text_zh" / "EmotionTalk" / "dataset" / "mm-process" / "transcription.csv"
    if language == "zh" and table.is_file():
        with table.open(encoding="utf-8") as f:
            said = [row["chinese"] for row in csv.DictReader(f)]
    kept = []
    for texts in (found, said):
        texts = [t for t in dict.fromkeys(texts) if len(wording.canonical(t)) >= wording.SHORTEST]
        kept += texts[:: max(1, len(texts) // MOST)][:MOST]
    return kept


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("corpora", type=Path, nargs="*")
    given = options.parse_args()
    for language in ("en", "zh"):
        test = lines("texts", language)
        known = np.frombuffer(b"".join(meaning.sketches(test)), np.uint8).reshape(len(test), -1)
        reworded = lines("paraphrases", language)
        alike = meaning.alike(meaning.vectors(reworded), known)
        same = np.eye(len(test), dtype=bool)
        mine, other = alike[same], alike[~same]
        salt = b"salt"
        near = [
            wording.similarity(wording.sketch(wording.canonical(a), salt), wording.sketch(wording.canonical(b), salt))
            for a, b in zip(test, reworded, strict=True)
        ]
        texts = others(language, given.corpora)
        foreign = meaning.alike(meaning.vectors(texts), known) if texts else np.zeros((0, len(test)), np.float32)
        wrong = np.concatenate([other, foreign.ravel()])
        print(
            f"{language}: {len(test)} reworded pairs ({sum(x >= wording.NEAR for x in near)} found by n-grams), "
            f"{len(wrong)} unrelated pairs ({len(texts)} texts of others)"
        )
        for limit in sorted({0.3, 0.34, 0.38, 0.42, 0.46, 0.5, 0.54, meaning.NEAR, meaning.NEARER}):
            what = {meaning.NEAR: "suspicion", meaning.NEARER: "likely"}.get(limit, "")
            print(
                f"  {limit:.2f} or more: {(mine >= limit).mean():6.1%} of reworded; {(wrong >= limit).sum()} unrelated "
                f"({(wrong >= limit).mean():.1e}) {what}"
            )
        for i in np.argsort(-foreign.max(axis=1))[:4] if texts else ():
            k = int(np.argmax(foreign[i]))
            print(f"    {foreign[i, k]:.2f}: {texts[i]} | {test[k]}")
    en, zh = lines("texts", "en"), lines("texts", "zh")
    known = np.frombuffer(b"".join(meaning.sketches(en)), np.uint8).reshape(len(en), -1)
    alike = meaning.alike(meaning.vectors(zh), known)
    mine, other = np.diag(alike), alike[~np.eye(len(en), dtype=bool)]
    for limit in (meaning.NEAR, meaning.NEARER):
        print(
            f"zh for en, line by line (they say nearly the same): {limit:.2f} or more: {(mine >= limit).mean():.1%}; "
            f"{(other >= limit).sum()} of {len(other)} unrelated"
        )


if __name__ == "__main__":
    main()
