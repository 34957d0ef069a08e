"""Score a run with the corrected profile: item by item, in batches, with flat memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Protocol

import msgspec

from duologue.corpus.read import Corpus, OpenDialogue
from duologue.corpus.run import Run
from duologue.score.exchange import Exchange
from duologue.score.hear import Ears, Taken, hear, take
from duologue.score.profiles.corrected import card
from duologue.score.profiles.corrected.events import Reading
from duologue.score.profiles.corrected.item import Answer, Judged, answers, score
from duologue.score.profiles.corrected.limits import DEFAULT, Limits
from duologue.score.scorecard import ItemScore, Scorecard

PROFILE = "corrected"
BATCH = 16


class Reader(Reading, Protocol):
    """All that is asked of text: what is content, what answers what, what goes on, what repeats."""

    methods: dict[str, str]

    def first_content(self, words: Sequence[str], language: str) -> int | None: ...

    def judge(self, given: Sequence[tuple[Exchange, Answer]]) -> list[Judged]: ...

    def naturalness(self, given: Sequence[tuple[Exchange, Sequence[Answer], Sequence[Judged]]]) -> list[float | None]:
        """The judge-free naturalness of each item's replies, None where nothing was said."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """``keep`` decides which items are expected (None: all); ``limits`` the rules' thresholds."""

    limits: Limits = DEFAULT
    keep: Callable[[OpenDialogue], bool] | None = None


def expected(corpus: Corpus, options: Options) -> Iterator[OpenDialogue]:
    """The items that a run has to answer for: the track 2 dialogues with audio that pass the filters."""
    for item in corpus:
        if item.dialogue.track == "duplex" and item.dialogue.audio and (options.keep is None or options.keep(item)):
            yield item


def evaluate(
    corpus: Corpus,
    run: Run,
    ears: Ears,
    reader: Reader,
    options: Options = Options(),
    *,
    advance: Callable[[int], None] = lambda n: None,
) -> Scorecard:
    """The card of ``run``; ``advance`` is told how many items are done since the last call."""
    items: list[ItemScore] = []
    # A filter leaves items out of the card, not out of the corpus.
    run.know(item.id for item in Corpus(corpus.root))
    outputs = partial(take, run=run)
    for batch in heard(expected(corpus, options), outputs, ears):
        items += score_read(read(batch, reader, options.limits), reader, options.limits)
        advance(len(batch))
    return assemble(items, corpus, run, reader, options.limits)


def heard(
    items: Iterable[OpenDialogue], outputs: Callable[[Sequence[OpenDialogue]], Sequence[Taken]], ears: Ears
) -> Iterator[list[Exchange]]:
    """Exchanges, a batch at a time, so that texts can be read together; audio is let go after each batch."""
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield hear(batch, outputs(batch), ears)


@dataclass(frozen=True, slots=True)
class Read:
    """An exchange, what the system gave for each wanted turn, and, by turn, what was said of the answers with words."""

    exchange: Exchange
    answers: list[Answer]
    judged: dict[int, Judged]

    @property
    def said(self) -> list[Answer]:
        return [a for a in self.answers if a.text]


def read(exchanges: Sequence[Exchange], reader: Reader, limits: Limits) -> list[Read]:
    """Find and read the answers of ``exchanges``, in order; the reader is asked once, for all of them together."""
    given = [answers(x, reader.first_content, limits) for x in exchanges]
    said = [(x, a) for x, rows in zip(exchanges, given, strict=True) for a in rows if a.text]
    verdicts = iter(reader.judge(said))
    return [
        Read(x, rows, {a.wanted.index: next(verdicts) for a in rows if a.text})
        for x, rows in zip(exchanges, given, strict=True)
    ]


def score_read(exchanges: Sequence[Read], reader: Reader, limits: Limits) -> list[ItemScore]:
    """Scores of exchanges that were read, in order. One that was not observed scores 0 with the reason."""
    natural = reader.naturalness([(r.exchange, r.said, [r.judged[a.wanted.index] for a in r.said]) for r in exchanges])
    scores = []
    for r, worth in zip(exchanges, natural, strict=True):
        x = r.exchange
        one = score(x, r.answers, r.judged, reader, limits)
        if one.outcome != "scored":
            one = msgspec.structs.replace(
                one, utility=0.0, behaviour=0.0, speed=0.0, relevance=None, events=(), replies=(), why=x.observation.why
            )
        scores.append(msgspec.structs.replace(one, naturalness=worth))
    return scores


def assemble(items: Sequence[ItemScore], corpus: Corpus, run: Run, reader: Reader, limits: Limits) -> Scorecard:
    """The card of scored items."""
    warnings = []
    if run.broken:
        warnings.append(f"observations that could not be read: {'; '.join(run.broken[:5])}")
    said = run.manifest.corpus_sha256
    if said and said != corpus.manifest.corpus_sha256:
        warnings.append("the run says that it heard another corpus; ids that are not in it count as missing")
    ahead = run.looking_ahead
    if ahead:
        warnings.append(
            f"the system looks ahead in {len(ahead)} dialogues ({', '.join(ahead[:3])}{', ...' if ahead[3:] else ''}): "
            "it ranks among files, not among live systems"
        )
    changed = {k: str(v) for k, v in msgspec.structs.asdict(limits).items() if v != getattr(DEFAULT, k)}
    heard = sorted({i.words_from for i in items if i.words_from})
    return Scorecard(
        profile=PROFILE,
        system=run.manifest.system,
        mode=run.manifest.mode,
        comparable="files" if run.manifest.mode == "files" or ahead else "live",
        corpus=corpus.manifest.name,
        corpus_sha256=corpus.manifest.corpus_sha256,
        expected=len(items),
        scored=sum(i.outcome == "scored" for i in items),
        accounted=card.accounted(items),
        headline=card.headline(items),
        cells=card.cells(items),
        delays=card.delays(items),
        rates=card.rates(items),
        methods={
            "words": " and ".join(heard) or "none",
            **reader.methods,
            **{f"limit {k}": v for k, v in changed.items()},
        },
        warnings=tuple(warnings),
        extra_files=tuple(run.extra),
        items=tuple(items),
    )
