"""Send items out to raters: a folder for each, in the form that they work with."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec

from duologue.annotate import answer as answers
from duologue.annotate import labelstudio
from duologue.annotate.answer import LAYERS, OPEN, Answer, Layer
from duologue.annotate.assign import assign
from duologue.annotate.guidelines import guidelines
from duologue.annotate.item import AROUND, Item, alias, context, items, known, letters
from duologue.annotate.rewrite import link
from duologue.annotate.task import Task
from duologue.corpus.annotation import Annotation
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.read import Corpus, OpenDialogue
from duologue.corpus.truth import rank
from duologue.corpus.write import is_main
from duologue.errors import UserError
from duologue.formats.aside import aside, reveal

Format = Literal["csv", "jsonl", "labelstudio", "textgrid"]
FORMATS: tuple[Format, ...] = get_args(Format)
JUDGED: tuple[Layer, ...] = ("emotion", "shift", "cause", "event")
ASSIGNMENT = "assignment.json"
COLUMNS = Task.__struct_fields__


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent to whom; ``items`` maps each item to its raters. It stays with whoever sends."""

    corpus_sha256: str
    format: Format
    layers: tuple[Layer, ...]
    blind: bool
    raters: tuple[str, ...]
    items: dict[str, tuple[str, ...]]


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """``load`` is the number of items a rater got, ``layers`` of items a layer; ``items`` counts each item once."""

    items: int
    dialogues: int
    load: dict[str, int]
    layers: dict[str, int]


def send(
    corpus: Corpus,
    out: Path,
    raters: Sequence[str],
    *,
    layers: Sequence[Layer] = JUDGED,
    format: Format = "csv",
    each: int = 2,
    blind: bool = True,
) -> Sent:
    """Write ``out/RATER/...`` for every rater, and ``out/assignment.json``.

    Each item goes to ``each`` raters. Blind items carry no answer, and nothing that names scenario, split or gold:
    dialogues, files and speakers have other names. Without ``blind`` the answer that counts so far is filled in.
    UserError where there is nothing to send or ``out`` is not empty.
    """
    if bad := [layer for layer in layers if layer not in LAYERS]:
        raise UserError("unknown layer", field="layers", value=bad[0], allowed=", ".join(LAYERS))
    if blind and "time" in layers and len(layers) > 1:
        raise UserError(
            "the other layers would show where turns lie",
            field="layers",
            value=",".join(layers),
            allowed="time alone, or not blind",
        )
    asked = {item.id: list(items(item.dialogue, layers)) for item in corpus}
    sizes = {id: len(own) for id, own in asked.items() if own}
    if not sizes:
        raise UserError("nothing to ask", where=corpus.root, field="layers", value=",".join(layers))
    dealt = assign(sizes, raters, each)
    known_ = known(corpus.manifest)
    languages: set[str] = set()
    with aside(out) as folder:
        books: dict[str, list[tuple[Task, Answer | None, Dialogue]]] = {r: [] for r in raters}
        for opened in corpus:
            if opened.id not in dealt:
                continue
            languages.add(opened.dialogue.languages[0])
            for rater in dealt[opened.id]:
                tasks = [
                    (*_task(opened, i, rater, known_, blind=blind, out=folder / rater, clips=format != "textgrid"),
                     opened.dialogue)
                    for i in asked[opened.id]
                ]  # fmt: skip
                if format == "textgrid":
                    _textgrid(opened, tasks, asked[opened.id], folder / rater)
                else:
                    books[rater] += tasks
        for rater, tasks in books.items():
            if format != "textgrid":
                _book(format, tasks, folder / rater, layers, known_)
            for language in sorted(languages & {"en", "zh"}):
                (folder / rater / f"guidelines_{language}.md").write_text(guidelines(language), encoding="utf-8")
        sheet = Assignment(
            corpus_sha256=corpus.manifest.corpus_sha256,
            format=format,
            layers=tuple(layers),
            blind=blind,
            raters=tuple(raters),
            items={i.id: dealt[d] for d, own in asked.items() for i in own},
        )
        (folder / ASSIGNMENT).write_bytes(msgspec.json.format(msgspec.json.encode(sheet), indent=1) + b"\n")
        reveal(folder, out)
    every = [i for own in asked.values() for i in own]
    return Sent(
        items=len(every),
        dialogues=len(sizes),
        load={r: sum(sizes[d] for d, who in dealt.items() if r in who) for r in raters},
        layers={layer: sum(i.layer == layer for i in every) for layer in layers},
    )


def counting(d: Dialogue, layer: Layer, turn: int) -> Answer | None:
    """The answer that counts so far: the highest in rank, the first id among equals; for time the turn's own edges."""
    own: list[tuple[tuple[int, int], str, Answer]] = []
    for a in d.annotations:
        found = answers.of(a) if a.target == f"turn:{turn}" else None
        if found is not None and found[0] == layer:
            own.append((rank(a), a.id, found[1]))
    if own:
        return min(own, key=lambda row: row[:2])[2]
    if layer == "time":
        segments = d.turns[turn].segments
        return answers.TimeSeen(segments[0].start, segments[-1].end)
    return None


def _task(
    opened: OpenDialogue, item: Item, rater: str, known: answers.Known, *, blind: bool, out: Path, clips: bool
) -> tuple[Task, Answer | None]:
    d, turn = opened.dialogue, opened.dialogue.turns[item.turn]
    start = end = None
    offset, clip = 0.0, ""
    if turn.segments:
        main = next(a for a in d.audio if a.id == turn.segments[0].audio)
        rate = main.sample_rate
        start, end = turn.segments[0].start / rate, turn.segments[-1].end / rate
        if item.layer == "time":
            # Whole seconds: the window's own edges must not tell those of the turn.
            start = float(max(0, math.floor(start - AROUND)))
            end = min(main.length / rate, float(math.ceil(end + AROUND)))
        if item.layer == "event":
            start = max(0.0, start - 5.0)
        offset = start
        if clips:
            clip = _clip(opened, turn.segments[0].audio, None if item.layer == "event" else turn.segments[0].channel,
                         (round(start * rate), round(end * rate)), out, item)  # fmt: skip
    answer = None if blind else counting(d, item.layer, item.turn)
    return Task(
        item=item.id,
        rater=rater,
        layer=item.layer,
        language=turn.language,
        dialogue=alias(d),
        turn=item.turn + 1,
        speaker=letters(d)[turn.speaker],
        text=turn.text,
        context=context(d, item.turn),
        clip=clip,
        offset=offset,
        start=start,
        end=end,
        allowed=answers.shape(item.layer, known),
        answer="" if answer is None else answers.write(answer, d, item.turn),
    ), answer


def _clip(opened: OpenDialogue, audio: str, channel: int | None, place: tuple[int, int], out: Path, item: Item) -> str:
    import soundfile

    samples, rate = opened.audio(channel, which=audio, start=place[0], end=place[1], dtype="int16")
    path = f"audio/{item.id}.wav"
    (out / "audio").mkdir(parents=True, exist_ok=True)
    soundfile.write(out / path, samples, rate, subtype="PCM_16")
    return path


def _book(
    format: Format,
    tasks: Sequence[tuple[Task, Answer | None, Dialogue]],
    out: Path,
    layers: Sequence[Layer],
    known: answers.Known,
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    if format == "labelstudio":
        for layer in layers:
            own = [labelstudio.task(t, a, d) for t, a, d in tasks if t.layer == layer]
            if own:
                (out / f"{layer}.json").write_bytes(msgspec.json.format(msgspec.json.encode(own), indent=1) + b"\n")
                sound = any(t.clip for t, _, _ in tasks if t.layer == layer)
                (out / f"{layer}.xml").write_text(labelstudio.config(layer, known, sound=sound), encoding="utf-8")
        return
    rows: list[dict[str, Any]] = [msgspec.to_builtins(t) for t, _, _ in tasks]
    if format == "jsonl":
        (out / "items.jsonl").write_bytes(b"".join(msgspec.json.encode(r) + b"\n" for r in rows))
        return
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS)
    table.writeheader()
    table.writerows({k: "" if v is None else v for k, v in r.items()} for r in rows)
    # The mark tells spreadsheets that it is UTF-8.
    (out / "items.csv").write_bytes(b"\xef\xbb\xbf" + text.getvalue().encode())


def _textgrid(
    opened: OpenDialogue, tasks: Sequence[tuple[Task, Answer | None, Dialogue]], own: Sequence[Item], out: Path
) -> None:
    """One grid and one sound a dialogue: a tier of words, and a tier a layer with ``ITEM: answer`` at each turn."""
    from duologue.formats.textgrid.grid import Interval, TextGrid, Tier, encode, layers

    d = opened.dialogue
    main = next((a for a in d.audio if is_main(a)), None)
    placed = [t for t, _, _ in tasks if t.start is not None]
    if main is None or len(placed) < len(tasks):
        raise UserError(
            "a turn without sound has no place in a TextGrid", where=f"dialogue {d.id}", mend="--format csv"
        )
    tiers: list[Tier] = []

    def add(name: str, intervals: list[Interval]) -> None:
        for k, layer in enumerate(layers(intervals), 1):
            tiers.append(Tier(name=name if k == 1 else f"{name} {k}", intervals=tuple(layer)))

    rate, who = main.sample_rate, letters(d)
    said = [t for t in d.turns if t.segments]
    for speaker, letter in who.items():
        rows = [t for t in said if t.speaker == speaker]
        add(f"said {letter}", [Interval(t.segments[0].start / rate, t.segments[-1].end / rate,
                                        f"{t.index + 1} {letter}: {t.text}") for t in rows])  # fmt: skip
    for layer in dict.fromkeys(i.layer for i in own):
        rows_: list[Interval] = []
        for t, a, _ in tasks:
            if t.layer != layer or t.start is None or t.end is None:
                continue
            if isinstance(a, answers.TimeSeen):
                rows_.append(Interval(a.start / rate, a.end / rate, f"{t.item}: ok"))
            else:
                rows_.append(Interval(t.start, t.end, f"{t.item}: {t.answer or OPEN}"))
        add(layer, rows_)
    if any(t.layer == "time" and a is None for t, a, _ in tasks):
        # Where the turns lie is what is asked, so it is not shown.
        tiers = [t for t in tiers if not t.name.startswith("said ")]
    out.mkdir(parents=True, exist_ok=True)
    name = alias(d)
    (out / f"{name}.TextGrid").write_bytes(encode(TextGrid(end=main.length / rate, tiers=tuple(tiers))))
    link(Path(opened.path(main.id)), out / f"{name}.flac")


def human(a: Annotation) -> bool:
    """Whether an annotation is one rater's own judgement, undecided."""
    return a.rater_type == "human" and a.status == "raw"
