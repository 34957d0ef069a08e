"""People as a voice: each line of a script is the file that its reader recorded.

Files are found by the manifest that ``duologue sheets`` wrote. A reader's lines are all turned up or down by one gain,
which brings the median of their levels to :data:`LEVEL_DB`; nothing else is done to the samples. Word times are
estimates.
"""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from duologue import registry
from duologue.errors import UserError
from duologue.generate.acoustics.level import active_rms, amplitude, decibel
from duologue.generate.prosody import Prosody
from duologue.generate.voices.align import align, spread
from duologue.generate.voices.options import read_options
from duologue.generate.voices.voice import LEVEL_DB, Speech, Voice, VoiceSpeaker
from duologue.listen.readback import compare, tokens
from duologue.listen.speech import at_16k
from duologue.listen.words import HeardWord, Recogniser, can_hear
from duologue.recordings.check import LEAST_WORDS, OTHER_WORDS
from duologue.recordings.manifest import ScriptedLine, read_manifest
from duologue.recordings.person import Person, read_people
from duologue.recordings.sound import measure
from duologue.recordings.take import Folder, read_take

# The level of a reader is the median over so many lines, evenly chosen.
_LINES = 100


class _Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``manifest`` and ``cast`` are files (``manifest`` also a folder of tables), ``folder`` holds the recordings (that
    of the manifest where ""). ``system`` is a voice that speaks the system's turns where nobody recorded them.
    ``recogniser`` False spreads the words over each line by their length, and checks none of them.
    """

    manifest: str
    cast: str
    folder: str = ""
    system: str = ""
    recogniser: bool = True


class RecordingsVoice:
    """A :class:`~duologue.generate.voices.voice.DirectedVoice`. ``others`` holds the voice of the system, by name."""

    name = "recordings"
    sample_rate = 16_000
    directed = True
    path_options = ("manifest", "cast", "folder")
    # Places of this machine; what lies there is in the hash.
    local_options = path_options

    def __init__(
        self, manifest: str | Path, cast: str | Path, folder: str | Path = "", system: str = "", recogniser: bool = True
    ) -> None:
        self.manifest = str(manifest)
        self.lines = read_manifest(manifest)
        beside = Path(manifest) if Path(manifest).is_dir() else Path(manifest).parent
        self.folder = Folder(folder or beside)
        self.people: Mapping[str, Person] = read_people(cast)
        self._cast = str(cast)
        self.others: dict[str, Voice] = {system: registry.make("voices", system)} if system else {}
        self._ear = Recogniser(threads=1) if recogniser and can_hear() else None
        self._gains: dict[str, float] = {}
        self.version = f"1, words by {'Whisper base' if self._ear else 'length'}"

    @classmethod
    def configured(cls, options: Mapping[str, Any]) -> RecordingsVoice:
        o = read_options(cls.name, options, _Options, "recordings.md")
        if o.system == cls.name:
            raise UserError("the system needs another voice", field="options.recordings.system", value=o.system)
        return cls(o.manifest, o.cast, o.folder, o.system, o.recogniser)

    def speakers(self, language: str) -> tuple[VoiceSpeaker, ...]:
        """Those who have lines in ``language``, in the manifest's order; UserError for one who is not in the cast."""
        first = {line.speaker: line for line in self.lines.values() if line.language == language}
        return tuple(self._speaker(line) for line in first.values())

    def _speaker(self, line: ScriptedLine) -> VoiceSpeaker:
        person = self.people.get(line.speaker)
        if person is None:
            raise UserError(
                f"who is {line.speaker}? Nobody of this name gave consent and a licence",
                where=line.where,
                field="speaker",
                value=line.speaker,
                mend=f"add them to {self._cast}",
            )
        return VoiceSpeaker(
            id=person.name,
            languages=person.languages,
            sex=person.sex,
            age=person.age,
            parent=person.name,
            synthetic=False,
            licence=person.licence,
            consent_id=person.consent_id,
        )

    def reader(self, key: str) -> VoiceSpeaker | None:
        """Who recorded line ``key``; None where there is no recording of it."""
        line = self.lines.get(key)
        return self._speaker(line) if line is not None and key in self._files else None

    @cached_property
    def _files(self) -> dict[str, Path]:
        found = {key: self.folder.find(line) for key, line in self.lines.items()}
        return {key: path for key, path in found.items() if path is not None}

    @cached_property
    def _hashes(self) -> dict[str, str]:
        hashes = {}
        for key, path in self._files.items():
            with path.open("rb") as file:
                hashes[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return hashes

    @cached_property
    def _sha256(self) -> str:
        total = hashlib.sha256()
        for key, digest in sorted(self._hashes.items()):
            line = self.lines[key]
            total.update(f"{key}\x1f{line.speaker}\x1f{line.text}\x1f{digest}\n".encode())
        for person in sorted(self.people.values(), key=lambda p: p.name):
            total.update(msgspec.json.encode(person))
        return total.hexdigest()

    def weights_sha256(self) -> str:
        """Hash of every recording with its key, reader and words, and of the cast."""
        return self._sha256

    def ready(self) -> None:
        """UserError where one file is the recording of two lines."""
        seen: dict[str, str] = {}
        for key, digest in self._hashes.items():
            if (first := seen.setdefault(digest, key)) != key:
                raise UserError(
                    f"the recordings of {first} and {key} are the same file",
                    where=str(self.folder.path),
                    mend="'duologue recordings check' tells all that is wrong",
                )

    def synthesise(
        self,
        text: str,
        *,
        language: str,
        speaker: str,
        prosody: Prosody = Prosody(),
        seed: int = 0,
        key: str = "",
    ) -> Speech:
        """The recording of ``key``; ``prosody`` and ``seed`` change nothing. UserError where it says something else."""
        line = self.lines.get(key)
        if line is None or key not in self._files:
            raise UserError("nobody recorded this line", where=self.manifest, field="key", value=key)
        if not same_words(line.text, text):
            raise UserError("recorded with other words than the script has", where=line.where, value=line.text)
        take = read_take(self._files[key])
        found = measure(take.samples, take.rate)
        if found.offset <= found.onset:
            raise UserError("no speech in the recording", where=str(self._files[key]))
        samples = take.samples * np.float32(self._gain(line.speaker))
        onset, offset = found.onset, found.offset
        words = spread(text, language, onset=onset, offset=offset)
        if self._ear is not None:
            begin = max(0, onset - take.rate // 5)
            end = min(len(samples), offset + take.rate // 5)
            said = self._ear.hear(at_16k(take.samples[begin:end], take.rate), 16_000, language=language)
            self._same_words(line, said.text)
            late = begin / take.rate
            heard = [HeardWord(w.text, w.start + late, w.end + late, w.probability) for w in said.words]
            words = align(text, language, heard, onset=onset, offset=offset, rate=take.rate)
        return Speech(
            samples=samples, sample_rate=take.rate, words=words, source="estimated", onset=onset, offset=offset
        )

    def _same_words(self, line: ScriptedLine, said: str) -> None:
        if len(tokens(line.text, line.language)) < LEAST_WORDS:
            return
        wrong = compare([line.text], [said], line.language).rate
        if wrong >= OTHER_WORDS:
            raise UserError(
                f"{line.speaker} seems to say something else: {said!r}",
                where=str(self._files[line.key]),
                value=line.text,
                mend="record it again, or set options.recordings.recogniser to false where the recogniser is wrong",
            )

    def _gain(self, speaker: str) -> float:
        if speaker not in self._gains:
            keys = [k for k in self._files if self.lines[k].speaker == speaker]
            levels = []
            for key in keys[:: max(1, len(keys) // _LINES)]:
                take = read_take(self._files[key])
                found = measure(take.samples, take.rate)
                level = active_rms(at_16k(take.samples[found.onset : found.offset], take.rate))
                if level:
                    levels.append(decibel(level))
            self._gains[speaker] = amplitude(LEVEL_DB - statistics.median(levels)) if levels else 1.0
        return self._gains[speaker]


def same_words(a: str, b: str) -> bool:
    """Whether two texts are the same but for spaces."""
    return a.split() == b.split()
