"""What was found about recordings, in words."""

from __future__ import annotations

from collections import Counter

from duologue.recordings.check import Checked


def summary(found: Checked) -> list[str]:
    """A few lines: what is there, what is missing by reader, error rates, flaws by kind."""
    said = [
        f"{len(found.lines)} lines, {found.recorded} recorded ({found.seconds / 60:.1f} min), {found.missing} missing"
    ]
    said += [f"{who} has {n} lines still to read" for who, n in sorted(found.missing_by_speaker().items())]
    if found.recogniser:
        said.append(f"words not checked: {found.recogniser}")
    said += [
        f"{'CER' if language == 'zh' else 'WER'} {language}: {rate:.1%} (by the embedded recogniser)"
        for language, rate in found.error_rates.items()
    ]
    for severity in ("error", "warning", "suspicion"):
        kinds = Counter(f.kind for f in found.flaws if f.severity == severity)
        if kinds:
            said.append(f"{severity}: " + ", ".join(f"{kind} {n}" for kind, n in kinds.most_common()))
    if found.strangers:
        said.append(f"{len(found.strangers)} files that no line asks for, e.g. {found.strangers[0]}")
    return said
