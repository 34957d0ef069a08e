"""Compare training data with the index of a test set, file by file, in as many processes as wanted."""

from __future__ import annotations

import hashlib
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from duologue.errors import MissingPartError, UserError
from duologue.protect.audit import meaning, source, speakers, wording
from duologue.protect.audit.finding import Audit, Finding, Level, Stage, Unreadable, ordered
from duologue.protect.audit.index import ANCHOR, TestIndex, read
from duologue.protect.audit.levels import LEAST_SECONDS, LEVELS, chance, least_score, level
from duologue.protect.audit.match import Match, Table, best_of_each
from duologue.protect.audit.one_thread import one_thread
from duologue.protect.audit.sound import Block, SampleHash, Sound, mono_tracks
from duologue.protect.canary import PREFIX, canaries

_OVERLAP = 6.0  # seconds that blocks of a long sound share
_CHUNK = 1 << 20
_CANARY_LENGTH = len(PREFIX) + 36
_TOGETHER = 256  # texts that are encoded at once
_UNITS = {
    "bytes and canaries": "MB",
    "decoding": "s of audio",
    "samples": "s of audio",
    "fingerprints": "s of audio",
    "text": "texts",
    "meaning": "texts",
    "speakers": "s of audio",
}


class Result(NamedTuple):
    """Of one file: what was found, what was not read, how many parts there were, and what each stage took."""

    scanned: int
    findings: list[Finding]
    unreadable: list[Unreadable]
    spent: dict[str, tuple[float, float]]


def scan(
    paths: Sequence[Path],
    index: Path,
    *,
    workers: int = 1,
    without: frozenset[str] = frozenset(),
    progress: Callable[[int], None] = lambda n: None,
) -> Audit:
    """Every part of ``paths`` that the index at ``index`` knows.

    ``without`` leaves out "fingerprints", "text", "meaning" or "speakers". The result is the same for any number of
    ``workers``. Memory is bounded by the index, one block of a minute and the largest member of an archive.
    UserError where ``paths`` or the index are not there; what is wrong inside of the training data is listed.
    """
    known = read(index)
    units: list[tuple[str, Path]] = []
    unreadable: list[Unreadable] = []
    for found in source.files(paths):
        if isinstance(found, source.Broken):
            unreadable.append(Unreadable(file=found.name, why=found.why))
        else:
            units.append(found)
    walked = tuple(os.path.realpath(p) for p in paths)
    scanned, findings = 0, []
    spent: dict[str, list[float]] = {name: [0.0, 0.0] for name in _UNITS}
    for result in _results(units, index, known, workers, (without, walked)):
        scanned += result.scanned
        findings += result.findings
        unreadable += result.unreadable
        for name, (amount, seconds) in result.spent.items():
            spent[name][0] += amount
            spent[name][1] += seconds
        progress(1)
    findings = _judged(findings, known, spent["fingerprints"][0])
    notes = _not_run(known, without)
    stages = tuple(
        Stage(name=n, amount=round(a, 3), unit=_UNITS[n], cpu_seconds=round(s, 3), note=notes.get(n, ""))
        for n, (a, s) in spent.items()
    )
    unreadable.sort(key=lambda u: (u.file, u.why))
    return Audit(scanned=scanned, unreadable=tuple(unreadable), findings=ordered(findings), stages=stages)


def _judged(findings: list[Finding], index: TestIndex, seconds: float) -> list[Finding]:
    """With the level of each match of fingerprints, now that the amount is known; without what chance would bring."""
    codes = sum(len(t.codes) // 8 for t in index.tracks)
    kept = []
    for f in findings:
        if f.score is None:
            kept.append(f)
            continue
        expected = chance(f.score, codes, seconds)
        if found := level(expected):
            said = f"{f.evidence}; by chance {expected:.1g} such in this scan"
            found = "suspicion" if f.shared else found
            kept.append(msgspec.structs.replace(f, level=found, chance=float(f"{expected:.3g}"), evidence=said))
    return kept


def _results(
    units: list[tuple[str, Path]],
    index: Path,
    known: TestIndex,
    workers: int,
    how: tuple[frozenset[str], tuple[str, ...]],
) -> Iterator[Result]:
    if workers <= 1 or len(units) < 2:
        scanner = Scanner(known, *how)
        for name, path in units:
            yield scanner.file(name, path)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(
        min(workers, len(units)), mp_context=get_context("spawn"), initializer=_start, initargs=(index, *how)
    ) as pool:
        yield from pool.map(_one, units, chunksize=max(1, min(16, len(units) // (4 * workers))))


_SCANNER: list[Scanner] = []


def _start(index: Path, without: frozenset[str], walked: tuple[str, ...]) -> None:
    _SCANNER[:] = [Scanner(read(index), without, walked)]


def _one(unit: tuple[str, Path]) -> Result:
    return _SCANNER[0].file(*unit)


def _not_run(index: TestIndex, without: frozenset[str]) -> dict[str, str]:
    notes = dict.fromkeys(without, "not checked: left out of this scan")
    for name in ("text", "meaning", "speakers"):
        if (said := index.parts.get(name, "no")) != "yes":
            notes.setdefault(name, f"not checked: the index has none ({said})")
    if "meaning" not in notes:
        try:
            meaning.sketches(["a"])
        except MissingPartError as error:
            notes["meaning"] = f"not checked: {error.message}"
    if "speakers" not in notes:
        encoder = speakers.Encoder()
        encoder.embed(np.full(48_000, 0.1, np.float32), 16_000)
        if encoder.why_not:
            notes["speakers"] = f"not checked: {encoder.why_not}"
    if "text" not in notes and wording.simplifier() is None:
        notes["text"] = "traditional characters were not turned into simplified ones: pip install 'duologue[audit]'"
    return notes


class Scanner:
    """Holds the index ready for look-ups; compares one file at a time. ``walked``: :func:`.source.parts`."""

    def __init__(self, index: TestIndex, without: frozenset[str] = frozenset(), walked: tuple[str, ...] = ()) -> None:
        self.index, self.walked = index, walked
        off = {name for name, note in _not_run(index, without).items() if note.startswith("not checked")}
        self.off = off
        self.by_bytes: dict[str, list[int]] = defaultdict(list)
        self.by_samples: dict[str, list[int]] = defaultdict(list)
        for i, file in enumerate(index.files):
            if file.sha256:
                self.by_bytes[file.sha256].append(i)
            for digest in file.samples:
                self.by_samples[digest].append(i)
        self.table = Table([t.fingerprint() for t in index.tracks])
        self.least = least_score(LEVELS[-1][1], len(self.table.codes), LEAST_SECONDS)
        self.by_plain: dict[int, list[int]] = defaultdict(list)
        self.by_tokens: dict[int, list[int]] = defaultdict(list)
        self.by_anchor: dict[int, dict[int, dict[int, list[int]]]] = defaultdict(dict)
        self.by_band: dict[bytes, list[int]] = defaultdict(list)
        for i, text in enumerate(index.texts):
            self.by_plain[text.plain].append(i)
            self.by_tokens[text.tokens].append(i)
            self.by_anchor[text.anchor].setdefault(text.length, {}).setdefault(text.running, []).append(i)
            for key in wording.bands(text.sketch):
                self.by_band[key].append(i)
        with_meaning = [i for i, t in enumerate(index.texts) if len(t.meaning) == meaning.BITS // 8]
        self.meant = np.array(with_meaning, np.int64)
        packed = b"".join(index.texts[i].meaning for i in with_meaning)
        self.meanings = np.frombuffer(packed, np.uint8).reshape(-1, meaning.BITS // 8)
        voices = [v for v in index.voices if len(v.embedding) == 256]
        self.voices = voices
        self.embeddings = np.frombuffer(b"".join(v.embedding for v in voices), np.int8).reshape(-1, 256)
        self.encoder = speakers.Encoder()

    def file(self, name: str, path: Path) -> Result:
        """Everything in ``path`` that the index knows."""
        return _File(self).run(name, path)


class _File:
    """One file on its way through the stages."""

    def __init__(self, scanner: Scanner) -> None:
        self.s = scanner
        self.findings: list[Finding] = []
        self.unreadable: list[Unreadable] = []
        self.spent: dict[str, list[float]] = {name: [0.0, 0.0] for name in _UNITS}
        self.scanned = 0
        self.waiting: dict[str, tuple[str, float]] = {}

    def run(self, name: str, path: Path) -> Result:
        with one_thread():
            seen: set[str] = set()
            for part in source.parts(name, path, self.s.walked):
                match part:
                    case source.Content(where, raw):
                        self.scanned += 1
                        self.content(where, raw)
                    case source.Audible(where, raw):
                        self.sound(where, raw)
                    case source.Words(where, offset, text):
                        # Columns such as a speaker's name come again and again.
                        if len(text) >= wording.SHORTEST and text not in seen:
                            if len(seen) < 100_000:
                                seen.add(text)
                            self.text(where, offset, text)
                    case source.Digest(where, line, digest):
                        self.scanned += 1
                        self.digest(where, line, digest)
                    case source.Broken(where, why):
                        self.unreadable.append(Unreadable(file=where, why=why))
            self.meanings()
        spent = {n: (a, s) for n, (a, s) in self.spent.items() if a}
        return Result(self.scanned, self.findings, self.unreadable, spent)

    @contextmanager
    def stage(self, name: str, amount: float) -> Iterator[None]:
        began = time.process_time()
        yield
        self.spent[name][0] += amount
        self.spent[name][1] += time.process_time() - began

    def found(self, file: str, offset: float | None, item: int, item_offset: float | None, **rest: Any) -> None:
        name = self.s.index.items[item]
        self.findings.append(Finding(file=file, offset=offset, item=name, item_offset=item_offset, **rest))

    def content(self, name: str, raw: Path | bytes) -> None:
        size = len(raw) if isinstance(raw, bytes) else raw.stat().st_size
        with self.stage("bytes and canaries", size / 1e6):
            digest, tail, at = hashlib.sha256(), b"", 0
            known = {c.encode(): c for c in self.s.index.canaries}
            met: set[bytes] = set()
            for chunk in _chunks(raw):
                digest.update(chunk)
                both = tail + chunk
                for canary in known:
                    if canary not in met and (place := both.find(canary)) >= 0:
                        met.add(canary)
                        self.canary(name, float(at - len(tail) + place), known[canary])
                tail, at = both[-_CANARY_LENGTH:], at + len(chunk)
            for i in self.s.by_bytes.get(digest.hexdigest(), ()):
                file = self.s.index.files[i]
                evidence = f"the same bytes as {file.name} (SHA-256 {file.sha256[:16]}...)"
                self.found(name, 0.0, file.item, 0.0, kind="bytes", level="certain", evidence=evidence)

    def canary(self, name: str, offset: float, canary: str) -> None:
        evidence = f"the canary {canary} of the test set, at byte or row {offset:.0f}"
        self.findings.append(
            Finding(
                file=name,
                offset=offset,
                item=self.s.index.name,
                item_offset=None,
                kind="canary",
                level="certain",
                evidence=evidence,
            )
        )

    def digest(self, name: str, line: int, digest: str) -> None:
        for known, what in ((self.s.by_bytes, "bytes"), (self.s.by_samples, "samples")):
            for i in known.get(digest, ()):
                file = self.s.index.files[i]
                evidence = f"line {line} lists the SHA-256 of the {what} of {file.name}"
                self.found(name, float(line), file.item, None, kind="hash", level="certain", evidence=evidence)

    def sound(self, name: str, raw: Path | bytes | tuple[Block, int]) -> None:
        matches: dict[int, list[Match]] = defaultdict(list)
        sound: Sound | None = None
        try:
            if isinstance(raw, tuple):
                samples, rate = raw
                blocks: Iterator[tuple[float, Block, int]] = iter([(0.0, samples, 0)])
                channels = samples.shape[1]
                if not (1_000 <= rate <= 768_000 and 1 <= channels <= 64):
                    raise UserError("absurd sound", value=(rate, channels))
            else:
                sound = Sound(raw)
                rate, channels = sound.rate, sound.channels
                blocks = sound.blocks(_OVERLAP)
            hashes = SampleHash(channels, rate)
            first: list[Block] = []
            while True:
                began = time.process_time()
                try:
                    start, block, again = next(blocks)
                except StopIteration:
                    break
                fresh = (len(block) - again) / rate
                self.spent["decoding"][0] += fresh
                self.spent["decoding"][1] += time.process_time() - began
                with self.stage("samples", fresh):
                    hashes.add(block[again:])
                if sum(map(len, first)) < speakers.LONGEST * rate:
                    first.append(block[again:])
                if "fingerprints" not in self.s.off:
                    for c, (_, mono) in enumerate(mono_tracks(block)):
                        with self.stage("fingerprints", fresh):
                            found = self.s.table.search(mono, rate, least=self.s.least)
                        matches[c].extend(m._replace(offset=m.offset + start) for m in found)
            self.samples(name, hashes)
            if first and "speakers" not in self.s.off:
                self.voice(name, np.concatenate(first), rate)
        except UserError as error:
            self.unreadable.append(Unreadable(file=name, why=error.message))
        except (OSError, MemoryError) as error:
            self.unreadable.append(Unreadable(file=name, why=f"cannot be read: {error}"))
        finally:
            if sound is not None:
                sound.close()
        self.matches(name, matches)

    def samples(self, name: str, hashes: SampleHash) -> None:
        met = set()
        for digest in hashes.digests():
            for i in self.s.by_samples.get(digest, ()):
                if i not in met:
                    met.add(i)
                    file = self.s.index.files[i]
                    evidence = f"the same samples as {file.name}, whatever the container (SHA-256 {digest[:16]}...)"
                    self.found(name, 0.0, file.item, 0.0, kind="samples", level="certain", evidence=evidence)

    def matches(self, name: str, matches: dict[int, list[Match]]) -> None:
        best: dict[tuple[int, bool, int], Finding] = {}
        everything = best_of_each([m for group in matches.values() for m in group])
        for m in sorted(everything, key=lambda m: -m.score):
            track = self.s.index.tracks[m.track]
            file = self.s.index.files[track.file]
            # Channels and their sum are tracks of one item: one finding a place, and one of a voice that is shared.
            item, shared, place = key = (file.item, track.shared, round(m.offset / 3))
            if any((item, shared, place + d) in best for d in (-1, 0, 1)):
                continue
            changed = [f"speed {m.variant.speed:g}"] if m.variant.speed != 1 else []
            changed += [f"pitch {m.variant.semitones:+d} semitones"] if m.variant.semitones else []
            evidence = (
                f"{m.seconds:.1f} s like {file.name}{', ' + track.channel if track.channel else ''}: "
                f"{m.agreement:.0%} of the bits of {m.windows} windows agree (chance 50%), score {m.score:.0f}"
                + (f", at {' and '.join(changed)}" if changed else "")
                + (", in a voice that all splits share" if shared else "")
            )
            best[key] = Finding(
                file=name,
                offset=round(m.offset, 2),
                item=self.s.index.items[file.item],
                item_offset=round(m.track_offset, 2),
                kind="fingerprint",
                level=LEVELS[-1][0],  # until the amount of the whole scan is known
                evidence=evidence,
                seconds=round(m.seconds, 2),
                score=round(m.score, 2),
                shared=shared,
            )
        self.findings.extend(best.values())

    def voice(self, name: str, block: Block, rate: int) -> None:
        for _, mono in mono_tracks(block):
            with self.stage("speakers", min(len(mono) / rate, speakers.LONGEST)):
                embedding = self.s.encoder.embed(mono, rate)
            if not embedding or not len(self.s.embeddings):
                continue
            alike = speakers.similarities(embedding, self.s.embeddings)
            for i in np.flatnonzero(alike >= speakers.ALIKE):
                voice = self.s.voices[int(i)]
                whose = voice.channel or "the item"
                evidence = f"a voice like that of {whose}: similarity {alike[i]:.2f} (other voices: near 0.6)"
                self.found(name, 0.0, voice.item, 0.0, kind="speaker", level="suspicion", evidence=evidence)

    def text(self, name: str, offset: int, text: str) -> None:
        for canary in canaries(text) & set(self.s.index.canaries):
            self.canary(name, float(offset), canary)
        if "text" in self.s.off:
            return
        salt = self.s.index.salt
        with self.stage("text", 1):
            met: set[int] = set()
            found = list(wording.pieces(text))
            for piece in found:
                length = len(piece.tokens)
                level: Level = "certain" if length >= wording.SURE else "likely"
                exact = self.s.by_plain.get(wording.plain_hash(piece.text, salt), ())
                self.texts(name, offset, exact, met, "text", level, f"the same text, {length} words or characters")
                equal = self.s.by_tokens.get(wording.token_hash(piece.tokens, salt), ())
                said = f"the same {length} words or characters, but for width, case, script, punctuation or marks"
                self.texts(name, offset, equal, met, "normalised-text", level, said)
            self.contained(name, offset, text, met)
            for piece in found:
                length = len(piece.tokens)
                level = "likely" if length >= wording.SURE else "suspicion"
                sketched = wording.sketch(piece.tokens, salt)
                for i in {i for key in wording.bands(sketched) for i in self.s.by_band.get(key, ())} - met:
                    alike = wording.similarity(sketched, self.s.index.texts[i].sketch)
                    if alike >= wording.NEAR:
                        said = f"{alike:.0%} of the n-grams in common (estimated), {length} words or characters"
                        self.texts(name, offset, (i,), met, "near-text", level, said)
                if "meaning" not in self.s.off and not met and len(piece.text) <= 400:
                    self.waiting.setdefault(piece.text, (name, float(offset)))
        if len(self.waiting) >= _TOGETHER:
            self.meanings()

    def contained(self, name: str, offset: int, text: str, met: set[int]) -> None:
        """Test texts inside running text, whatever its punctuation."""
        tokens = wording.canonical(text[: wording.LONGEST])
        if len(tokens) < wording.SHORTEST:
            return
        running = wording.Running(tokens, self.s.index.salt)
        for start in range(len(tokens) - ANCHOR + 1):
            for length, known in self.s.by_anchor.get(running.stretch(start, ANCHOR) & 0xFFFF, {}).items():
                if start + length <= len(tokens) and (hit := known.get(running.stretch(start, length))):
                    level: Level = "certain" if length >= wording.SURE else "suspicion"
                    said = f"{length} words or characters in a row, from word or character {start + 1} of {len(tokens)}"
                    self.texts(name, offset, hit, met, "contained-text", level, said)

    def texts(
        self, name: str, offset: int, hits: Sequence[int], met: set[int], kind: Any, level: Level, said: str
    ) -> None:
        for i in hits:
            if i in met:
                continue
            met.add(i)
            text = self.s.index.texts[i]
            evidence = f"{said}; turn or line {text.offset} of the item; offsets are rows"
            self.found(name, float(offset), text.item, float(text.offset), kind=kind, level=level, evidence=evidence)

    def meanings(self) -> None:
        if not self.waiting or not len(self.s.meanings):
            self.waiting.clear()
            return
        texts = list(self.waiting)
        with self.stage("meaning", len(texts)):
            alike = meaning.alike(meaning.vectors(texts), self.s.meanings)
        for row, text in enumerate(texts):
            k = int(np.argmax(alike[row]))
            if (share := float(alike[row, k])) >= meaning.NEAR:
                name, offset = self.waiting[text]
                level: Level = "likely" if share >= meaning.NEARER else "suspicion"
                said = f"a like meaning: {share:.2f} by the sentence vectors (unrelated: near 0, the same: near 0.8)"
                self.texts(name, int(offset), (int(self.s.meant[k]),), set(), "meaning", level, said)
        self.waiting.clear()


def _chunks(raw: Path | bytes) -> Iterator[bytes]:
    if isinstance(raw, bytes):
        for at in range(0, len(raw), _CHUNK):
            yield raw[at : at + _CHUNK]
        return
    with raw.open("rb") as f:
        while chunk := f.read(_CHUNK):
            yield chunk


def to_json(audit: Audit) -> bytes:
    """{"scanned", "unreadable", "findings", "stages"}, indented."""
    return msgspec.json.format(msgspec.json.encode(audit), indent=1)
