"""A test set as hashes and sketches, in one file that can be published: what it gives away is in docs/audit.md."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from duologue.corpus.audio import Audio
from duologue.corpus.dialogue import Dialogue
from duologue.corpus.read import open as open_corpus
from duologue.errors import MissingPartError, UserError
from duologue.protect.audit import meaning, source, speakers, wording
from duologue.protect.audit.fingerprint import Fingerprint, fingerprint
from duologue.protect.audit.one_thread import one_thread
from duologue.protect.audit.sound import Block, SampleHash, Sound, mono_tracks
from duologue.protect.canary import PATTERN

SCHEMA = "duologue-test-index/1"
_MAGIC = b"duologue-test-index\n"
_LARGEST = 4 << 30  # bytes, unpacked


class File(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An audio file of ``item``: SHA-256 of its bytes and, a channel each, of its samples."""

    item: int
    name: str
    sha256: str
    samples: tuple[str, ...]


class Track(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A channel of ``file`` (or the sum of its channels): codes (8 bytes each) of windows at frames (4 bytes each).

    ``shared``: its voice speaks in every split, as a system's does, so that a likeness is no more than a suspicion.
    """

    file: int
    channel: str
    seconds: float
    codes: bytes
    frames: bytes
    shared: bool = False

    def fingerprint(self) -> Fingerprint:
        return Fingerprint(
            np.frombuffer(self.codes, "<u8").astype(np.uint64), np.frombuffer(self.frames, "<i4"), self.seconds
        )


class Text(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A text or sentence of ``item`` (:mod:`.wording`), in turn or line ``offset``; ``meaning``: 48 bytes or none."""

    item: int
    offset: int
    length: int
    plain: int
    tokens: int
    running: int
    anchor: int
    sketch: bytes
    meaning: bytes = b""


class Voice(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A voice of ``item``: its embedding in steps of 1/127, an int8 each."""

    item: int
    channel: str
    embedding: bytes


class TestIndex(msgspec.Struct, frozen=True, kw_only=True):
    """``parts`` says of texts, meaning, speakers and canaries whether they are in it ("yes") or why not."""

    __test__ = False  # pytest takes every Test* for a test

    schema: str
    name: str
    salt: bytes
    items: tuple[str, ...]
    files: tuple[File, ...]
    tracks: tuple[Track, ...]
    texts: tuple[Text, ...]
    voices: tuple[Voice, ...]
    canaries: tuple[str, ...]
    parts: dict[str, str]


ANCHOR = 4  # tokens


def build(
    test_set: Path,
    *,
    without: frozenset[str] = frozenset(),
    split: str | None = None,
    progress: Callable[[int], None] = lambda n: None,
) -> TestIndex:
    """The index of a corpus of Duologue, or of a folder or file of any layout that training data may have.

    Items are dialogues of a corpus, and files, members or rows of anything else. Labels and answers are not looked
    at in a corpus, of which ``split`` takes one split alone, without the canaries that its other splits hold, too.
    ``without`` leaves out "text", "meaning" or "speakers". Equal sets give equal indexes: the salt is the hash of the
    files. UserError for a file of the test set that cannot be read: an index with holes finds less than it claims.
    """
    made = _Maker(without, progress)
    with one_thread():
        if test_set.is_dir() and (test_set / "corpus.json").is_file():
            made.corpus(test_set, split)
        elif split is not None:
            raise UserError("only a corpus has splits", where=str(test_set), field="split", value=split)
        else:
            made.anything(test_set)
        if not made.files and not made.written:
            raise UserError("neither sound nor text in it", where=str(test_set))
        return made.done(test_set.resolve().name)


def write(index: TestIndex, path: Path) -> None:
    """Replaces ``path`` whole."""
    aside = path.with_name(path.name + ".part")
    try:
        aside.write_bytes(_MAGIC + zlib.compress(msgspec.msgpack.encode(index), 9))
        aside.replace(path)
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", where=str(path)) from None


def read(path: Path) -> TestIndex:
    """UserError for what is no index, or one of another version."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None
    broken = UserError(
        "no test index", where=str(path), mend="make one with: duologue audit index TEST_SET -o TEST_INDEX"
    )
    if not data.startswith(_MAGIC):
        raise broken
    try:
        unpack = zlib.decompressobj()
        plain = unpack.decompress(data[len(_MAGIC) :], _LARGEST)
        if not unpack.eof:
            raise broken
        index = msgspec.msgpack.decode(plain, type=TestIndex)
    except (zlib.error, msgspec.DecodeError, msgspec.ValidationError):
        raise broken from None
    if index.schema != SCHEMA:
        raise UserError("an index of another version", where=str(path), value=index.schema, allowed=SCHEMA)
    items, files = len(index.items), len(index.files)
    sound = all(
        0 <= t.file < files and len(t.codes) == 2 * len(t.frames) and len(t.codes) % 8 == 0 for t in index.tracks
    )
    owned = all(0 <= x.item < items for group in (index.files, index.texts, index.voices) for x in group)
    if not (sound and owned and all(len(t.sketch) == wording.BANDS * wording.ROWS for t in index.texts)):
        raise broken
    return index


class _Said(NamedTuple):
    """Where a channel speaks (samples; None: not known), and whether its voice is that of every split."""

    stretches: tuple[tuple[int, int], ...] | None
    shared: bool


def _said(d: Dialogue, audio: Audio) -> list[_Said]:
    """Of each channel of ``audio``. Of a twin it is known where its original speaks."""
    original = audio.twin.of if audio.twin else audio.id
    segments = [s for t in d.turns for s in t.segments if s.audio == original]
    apart = set(d.groups.get("speaker", ()))
    said = []
    for c, channel in enumerate(audio.channels):
        own = tuple((s.start, s.end) for s in segments if s.channel == c)
        shared = channel.kind == "system" and not apart.issuperset(channel.speakers)
        said.append(_Said(own if segments else None, shared))
    return said


def _together(channels: Sequence[_Said]) -> _Said:
    """Of the sum of ``channels``: where one speaks that is not shared."""
    own = [c for c in channels if not c.shared]
    if any(c.stretches is None for c in own):
        return _Said(None, False)
    return _Said(tuple(s for c in own for s in c.stretches or ()), False)


class _Maker:
    def __init__(self, without: frozenset[str], progress: Callable[[int], None]) -> None:
        self.without, self.progress = without, progress
        self.items: dict[str, int] = {}
        self.files: list[File] = []
        self.tracks: list[Track] = []
        self.written: list[tuple[int, int, str]] = []
        self.voices: list[Voice] = []
        self.canaries: set[str] = set()
        self.canaries_said = "yes"
        self.encoder = speakers.Encoder() if "speakers" not in without else None

    def _item(self, name: str) -> int:
        return self.items.setdefault(name, len(self.items))

    def corpus(self, folder: Path, split: str | None) -> None:
        for opened in open_corpus(folder, split=split):
            d = opened.dialogue
            item = self._item(d.id)
            for audio in d.audio:
                self.sound(item, audio.path, Path(opened.path(audio.id)), _said(d, audio))
            self.written.extend((item, t.index, t.text) for t in d.turns)
            if d.canary:
                self.canaries.add(d.canary)
            self.progress(1)
        if split is not None and self.canaries:
            shared = {o.dialogue.canary for o in open_corpus(folder) if o.dialogue.split != split} & self.canaries
            if shared:
                self.canaries -= shared
                self.canaries_said = f"left out: other splits of the corpus hold {', '.join(sorted(shared))}, too"

    def anything(self, path: Path) -> None:
        walked = (os.path.realpath(path),)
        for found in source.files([path]):
            if isinstance(found, source.Broken):
                raise UserError(found.why, where=found.name)
            for part in source.parts(*found, walked):
                match part:
                    case source.Audible(name, raw) if not isinstance(raw, tuple):
                        self.sound(self._item(name), name, raw)
                    case source.Audible(name, (samples, rate)):
                        self._samples(self._item(name), name, "", samples, rate)
                    case source.Words(name, offset, text):
                        self.canaries.update(PATTERN.findall(text))
                        self.written.append((self._item(name), offset, text))
                    case source.Broken(name, why) if "not looked into" not in why:
                        raise UserError(why, where=name)
            self.progress(1)

    def sound(self, item: int, name: str, raw: Path | bytes, said: Sequence[_Said] | None = None) -> None:
        sha256 = hashlib.sha256(raw if isinstance(raw, bytes) else raw.read_bytes()).hexdigest()
        try:
            sound = Sound(raw)
            blocks = [block for _, block, _ in sound.blocks()]
            sound.close()
        except UserError as error:
            raise UserError(error.what, where=name, value=error.value) from None
        if blocks:
            self._samples(item, name, sha256, np.concatenate(blocks), sound.rate, said)

    def _samples(
        self, item: int, name: str, sha256: str, samples: Block, rate: int, said: Sequence[_Said] | None = None
    ) -> None:
        hashes = SampleHash(samples.shape[1], rate)
        hashes.add(samples)
        self.files.append(File(item=item, name=name, sha256=sha256, samples=tuple(hashes.digests())))
        tracks = mono_tracks(samples)
        heard = said if said is not None and len(said) == len(tracks) else [_Said(None, False)] * len(tracks)
        if len(tracks) > 1:
            tracks.append(("all channels", samples.sum(axis=1)))
            heard = [*heard, _together(heard)]
        for (channel, mono), what in zip(tracks, heard, strict=True):
            print_ = fingerprint(mono, rate, what.stretches)
            if len(print_.codes):
                self.tracks.append(
                    Track(
                        file=len(self.files) - 1,
                        channel=channel,
                        seconds=print_.seconds,
                        codes=print_.codes.astype("<u8").tobytes(),
                        frames=print_.frames.astype("<i4").tobytes(),
                        shared=what.shared,
                    )
                )
            if self.encoder is not None and channel != "all channels" and (e := self.encoder.embed(mono, rate)):
                self.voices.append(Voice(item=item, channel=channel, embedding=e))

    def done(self, name: str) -> TestIndex:
        whole = hashlib.sha256(b"duologue-test-index salt")
        for file in self.files:
            whole.update(file.sha256.encode() + "".join(file.samples).encode())
        for _, _, text in self.written:
            whole.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
        salt = whole.digest()[:16]
        parts = {"text": "left out" if "text" in self.without else "yes"}
        texts: list[Text] = []
        if "text" not in self.without:
            texts, parts["meaning"] = self._texts(salt)
        else:
            parts["meaning"] = "left out"
        parts["speakers"] = "left out" if self.encoder is None else self.encoder.why_not or "yes"
        parts["canaries"] = self.canaries_said if self.canaries or self.canaries_said != "yes" else "there are none"
        return TestIndex(
            schema=SCHEMA,
            name=name,
            salt=salt,
            items=tuple(self.items),
            files=tuple(self.files),
            tracks=tuple(self.tracks),
            texts=tuple(texts),
            voices=tuple(self.voices),
            canaries=tuple(sorted(self.canaries)),
            parts=parts,
        )

    def _texts(self, salt: bytes) -> tuple[list[Text], str]:
        rows = [(item, offset, p) for item, offset, text in self.written for p in wording.pieces(text)]
        vectors: list[bytes] = [b""] * len(rows)
        why = "left out"
        if "meaning" not in self.without:
            try:
                vectors = meaning.sketches([p.text for _, _, p in rows])
                why = "yes"
            except MissingPartError as error:
                why = f"not installed: {error.mend}"
        texts = []
        for (item, offset, p), vector in zip(rows, vectors, strict=True):
            running = wording.Running(p.tokens, salt)
            texts.append(
                Text(
                    item=item,
                    offset=offset,
                    length=len(p.tokens),
                    plain=wording.plain_hash(p.text, salt),
                    tokens=wording.token_hash(p.tokens, salt),
                    running=running.stretch(0, len(p.tokens)),
                    anchor=running.stretch(0, ANCHOR) & 0xFFFF,
                    sketch=wording.sketch(p.tokens, salt),
                    meaning=vector,
                )
            )
        return texts, why
