"""Praat TextGrids with the sound beside them, out and in again without loss.

    OUT/{split}/{id}.TextGrid and {id}.flac

What the tiers hold is in :mod:`duologue.formats.textgrid.tiers`. Grids of an exported corpus come in on top of that
corpus (``--corpus``): what the tiers do not hold stays as it was, and an unchanged grid gives the dialogue again.
Grids and recordings from elsewhere come in on their own: tiers ``A turns`` and ``A words``, or one tier a speaker.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import Path

import msgspec
import soundfile

from duologue.corpus import read
from duologue.corpus.audio import Audio, Channel
from duologue.corpus.dialogue import SCHEMA_VERSION, Dialogue
from duologue.corpus.read import Corpus, OpenDialogue
from duologue.corpus.recording import SUFFIXES, read_recording
from duologue.corpus.speaker import Speaker
from duologue.corpus.write import encode_dialogue, write_atomic, write_manifest, write_shard
from duologue.errors import UserError
from duologue.formats.aside import aside, reveal
from duologue.formats.folder import language_of, provenance
from duologue.formats.format import ExportOptions, ExportReport, ImportOptions, ImportReport, Problem
from duologue.formats.landing import Landing
from duologue.formats.textgrid.grid import Interval, TextGrid, Tier, encode, parse
from duologue.formats.textgrid.grid import read as read_grid
from duologue.formats.textgrid.tiers import apply, grid_of
from duologue.formats.training import Chosen, chosen

__all__ = ["OPTIONS", "Interval", "TextGrid", "Tier", "apply", "encode", "export", "grid_of", "import_", "parse"]
__all__ += ["read_grid"]
_OWN = (" turns", " words", " emotion")
_OURS = re.compile(r"(.+ (turns|words|emotion)|events|reactions|marks)( \d+)?", re.S)


class TextGridOptions(ImportOptions, frozen=True, kw_only=True):
    """``corpus`` is the corpus that the grids were exported from; ``rater`` is who changed them."""

    corpus: Path | None = None
    rater: str = "textgrid"


OPTIONS = TextGridOptions


def export(corpus: Corpus, out: Path, options: ExportOptions) -> ExportReport:
    """A grid and the main audio of each dialogue, byte for byte."""
    pick = Chosen(corpus, options)
    with aside(out) as folder:
        for item, audio in chosen(pick):
            at = folder / item.dialogue.split / item.id
            write_atomic(at.with_name(f"{item.id}.TextGrid"), encode(grid_of(item.dialogue)), sync=False)
            write_atomic(at.with_name(f"{item.id}.flac"), audio, sync=False)
        reveal(folder, out)
    return pick.report(files=2 * pick.count)


def import_(src: Path, out: Path, options: ImportOptions) -> ImportReport:
    """Make the corpus ``out`` of the grids under ``src``, on top of ``options.corpus`` or of recordings beside them."""
    options = msgspec.convert(msgspec.structs.asdict(options), TextGridOptions)
    if not src.is_dir():
        raise UserError("no such folder", where=str(src))
    grids = sorted((p for p in src.rglob("*") if p.suffix.lower() == ".textgrid"), key=lambda p: p.as_posix())
    if not grids:
        raise UserError("no TextGrid found", where=str(src), allowed="*.TextGrid files")
    if options.corpus is not None:
        return _onto(src, grids, out, read.open(options.corpus), options)
    return _alone(src, grids, out, options)


def _onto(src: Path, grids: list[Path], out: Path, corpus: Corpus, options: TextGridOptions) -> ImportReport:
    problems: list[Problem] = []
    by_id: dict[str, Path] = {}
    for path in grids:
        if path.stem in by_id:
            problems.append(Problem(where=path.relative_to(src).as_posix(), what="a dialogue has two grids"))
        by_id[path.stem] = path
    changed, shards = 0, []
    manifest = corpus.manifest
    with aside(out) as fresh:
        for shard in corpus.shards:
            lines = []
            for item in corpus.shard(shard):
                d = item.dialogue
                if item.id in by_id:
                    path = by_id.pop(item.id)
                    where = path.relative_to(src).as_posix()
                    try:
                        d = apply(
                            d,
                            read_grid(path),
                            rater=options.rater,
                            taxonomy=manifest.taxonomy,
                            scenarios=manifest.scenarios or (),
                            where=where,
                        )
                    except UserError as error:
                        problems.append(Problem(where=where, what=error.message))
                changed += d != item.dialogue
                for entry in d.audio:
                    write_atomic(fresh / entry.path, _bytes(item, entry), sync=False)
                lines.append(encode_dialogue(d))
            shards.append(write_shard(fresh, shard.name, lines, sync=False))
        problems += [
            Problem(where=p.relative_to(src).as_posix(), what="no dialogue of the corpus has this name")
            for p in by_id.values()
        ]
        if problems and not options.skip_bad:
            return ImportReport(written=False, problems=tuple(problems))
        for name in manifest.files:
            write_atomic(fresh / name, Path(read.resolve_inside(corpus.root, name)).read_bytes(), sync=False)
        # An unchanged corpus keeps its hash, so only a change is noted.
        notes = manifest.notes | ({"import": "textgrid", "rater": options.rater} if changed else {})
        made = write_manifest(fresh, msgspec.structs.replace(manifest, shards=tuple(shards), notes=notes))
        reveal(fresh, out)
    return ImportReport(
        written=True,
        dialogues=made.totals.dialogues,
        seconds=made.totals.seconds,
        corpus_sha256=made.corpus_sha256,
        problems=tuple(problems),
        notes=(f"{len(grids)} grids, {changed} dialogues changed",),
    )


def _bytes(item: OpenDialogue, entry: Audio) -> bytes:
    return Path(item.path(entry.id)).read_bytes()


def _alone(src: Path, grids: list[Path], out: Path, options: TextGridOptions) -> ImportReport:
    rights, kind = options.rights()
    language = language_of("", options.language)
    problems: list[Problem] = []
    notes: list[str] = []
    with aside(out) as fresh:
        landing, written = Landing(fresh), 0
        for path in grids:
            where = path.relative_to(src).as_posix()
            try:
                beside = [
                    p for p in sorted(path.parent.iterdir()) if p.stem == path.stem and p.suffix.lower() in SUFFIXES
                ]
                if len(beside) != 1:
                    raise UserError(f"{len(beside)} recordings of this name beside it", allowed="one")
                recording = read_recording(
                    beside[0], rate=options.rate, channels=options.channels, keep_clipped=options.keep_clipped
                )
                grid = _named(read_grid(path))
                names = list(
                    dict.fromkeys(
                        unicodedata.normalize("NFC", t.name).rsplit(" ", 1)[0] for t in grid.tiers if _own(t.name)
                    )
                )
                if not names:
                    raise UserError(
                        "no tier with a speaker's turns", allowed="'NAME turns', or a tier named for a speaker"
                    )
                speakers = tuple(
                    Speaker(
                        id=name,
                        role="user",
                        languages=(language,),
                        synthetic=kind == "synthetic",
                        consent_id=options.consent,
                    )
                    for name in names
                )
                channels = recording.samples.shape[1]
                # Two speakers on two channels in the order of their tiers; else everybody may be on each.
                apart = channels == len(names) > 1
                d = Dialogue(
                    schema_version=SCHEMA_VERSION,
                    id=f"rec-{hashlib.sha256(f'{where} {recording.sha256}'.encode()).hexdigest()[:12]}",
                    track="duplex",
                    tasks=("rejection",),
                    languages=(language,),
                    split="unassigned",
                    scenario="none",
                    source=kind,
                    rights=rights,
                    groups={"speaker": tuple(names), "source_recording": (recording.sha256[:16],)},
                    speakers=speakers,
                    provenance=provenance("textgrid", beside[0].relative_to(src).as_posix(), recording),
                )
                entry = landing.store(
                    d,
                    "a0",
                    recording.samples,
                    recording.sample_rate,
                    tuple(
                        Channel(
                            kind="user-mic" if channels == 1 else "mixed",
                            speakers=(names[k],) if apart else tuple(names),
                        )
                        for k in range(channels)
                    ),
                )
                landing.add(apply(msgspec.structs.replace(d, audio=(entry,)), grid, rater=options.rater, where=where))
                written += 1
            except (UserError, soundfile.LibsndfileError) as error:
                problems.append(Problem(where=where, what=str(error)))
        if not written or (problems and not options.skip_bad):
            return ImportReport(written=False, problems=tuple(problems), notes=tuple(notes))
        return landing.reveal(out, "textgrid", problems, notes)


def _own(name: str) -> bool:
    return name.endswith(_OWN)


def _named(grid: TextGrid) -> TextGrid:
    """A tier that has none of our names is the turns of the speaker it is named for."""
    return TextGrid(
        end=grid.end,
        tiers=tuple(
            t if _OURS.fullmatch(t.name) else msgspec.structs.replace(t, name=f"{t.name.strip() or 'speaker'} turns")
            for t in grid.tiers
            if not t.points
        ),
    )
