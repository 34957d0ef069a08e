"""Inspect a corpus: count all of its annotation, hear a sample of its audio."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from importlib.metadata import version

from duologue.corpus.describe import describe
from duologue.corpus.read import Corpus, OpenDialogue
from duologue.errors import UserError
from duologue.inspect.counted import Counted
from duologue.inspect.figures import Curve, Inspection, WorstList
from duologue.inspect.heard import PARTS, Heard
from duologue.inspect.offsets import curve, published
from duologue.inspect.sampling import Sample

_ORDER = ("read-back", "voices", "quality", "level", "timing", "emotion", "words", "annotation")


def inspect(
    corpus: Corpus,
    *,
    sample: int = 60,
    seed: int = 0,
    real: Curve | None = None,
    skip: Collection[str] = (),
    threads: int = 1,
    filters: Mapping[str, str] | None = None,
    read: Callable[[], object] = lambda: None,
    heard: Callable[[], object] = lambda: None,
) -> Inspection:
    """All figures of an open corpus (or of the part that its filters leave).

    The annotation is read twice, a dialogue at a time. ``sample`` dialogues, drawn with ``seed``, are heard, one at a
    time. ``real`` are the offsets to compare with (default: those of :func:`duologue.inspect.offsets.published`).
    ``skip`` leaves out any of :data:`duologue.inspect.heard.PARTS`; ``threads`` are the recogniser's. ``filters`` are
    told as they are. ``read`` is called twice for each dialogue, ``heard`` once for each sampled one.
    """
    if sample < 0:
        raise UserError("the size of the sample is negative", field="sample", value=sample, allowed=">= 0")
    if unknown := sorted(set(skip) - set(PARTS)):
        raise UserError("unknown part to skip", field="skip", value=unknown[0], allowed=", ".join(PARTS))
    real = real or published()
    stats = describe(corpus, read)
    counted, drawn = Counted(real, seed), Sample[OpenDialogue](sample, seed)
    for item in corpus:
        counted.add(item.dialogue)
        drawn.offer(item.id, item)
        read()
    listener = Heard(seed, skip=skip, threads=threads)
    for item in drawn.things():
        listener.add(item)
        heard()
    figures = [*listener.figures(), *counted.figures({k: t.overlap_share for k, t in stats.timing.items()})]
    odd = WorstList(
        name="oddest floor transfers",
        how="offsets farthest from the median of real meetings, all dialogues",
        items=counted.odd.things(),
    )
    return Inspection(
        name=stats.name,
        corpus_sha256=stats.corpus_sha256,
        duologue=version("duologue"),
        dialogues=stats.dialogues,
        seconds=stats.seconds,
        sample=listener.dialogues,
        seed=seed,
        filters=dict(filters or {}),
        figures=tuple(sorted(figures, key=lambda f: _ORDER.index(f.group))),
        worst=tuple(x for x in (*listener.lists(), odd) if x.items),
        histograms=(*counted.histograms(), *listener.histograms()),
        curves=(
            *(
                curve(language, x.offsets, "this corpus")
                for language, x in sorted(counted.languages.items())
                if x.offsets
            ),
            real,
        ),
        shifts=stats.shifts,
        labels=stats.labels,
    )
