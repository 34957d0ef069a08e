"""The challenge's own folders: which file belongs to which recording.

    .../{language}/{Scenario}/0001_0001[_add|_before].wav   the user; clean_* its twin without the event
    .../0001_0001_output.wav, .../clean_0001_0001_output.wav     the system, on the same clock
    .../0001_0001_sentence.json (or .json)                  {"final_duration", "speech_segments": [{"xmin", "xmax"}]}
    .../0001_0001.json (or _timestamp.json), .../0001_0001_output.json   words: {"text", "chunks": [...]}
    .../{Scenario}_content_tags.json                        the judge's tags: {"key", "behaviour": ["C_RESPOND"]} a line
    HD-Track2/{test,clean}/{test,clean}-{id}[_output].wav   a shuffled test set; a key file says what each is

Folders are known by their official names and by the spellings seen in the published sets and scripts. Links to folders
are not followed. Nothing is opened here but tags and key.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from duologue.corpus.event import SCENARIOS
from duologue.errors import UserError
from duologue.formats.humdial.duplex import FOLDERS
from duologue.score.profiles.humdial2026.first_response import Position

LARGEST_TEXT = 64 * 2**20
LARGEST_KEY = 256 * 2**20
# Parts between underscores of a tag's key that are looked at.
_MOST_PARTS = 32

# Words of a folder's name that tell its scenario, however the rest is spelled; the first that fits counts.
_HINTS = (
    ("thirdparty", "third_party"),
    ("otherstalktouser", "third_party"),
    ("follow", "follow_up"),
    ("negat", "negation"),
    ("dissatis", "negation"),
    ("repetit", "repetition"),
    ("topic", "topic_switch"),
    ("terminat", "termination"),
    ("silence", "termination"),
    ("backchannel", "backchannel"),
    ("pause", "pause"),
    ("others", "others_directed"),
    ("directed", "others_directed"),
)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.casefold())


# Whole names: the official ones, our own, and those of the released test set.
_WHOLE = {_letters(n): scenario for scenario, folder in FOLDERS.items() for n in (scenario, folder)} | {
    "ask": "follow_up",
    "deny": "negation",
    "repeat": "repetition",
    "shift": "topic_switch",
    "wait": "termination",
}
_LANGUAGES = {"zh": "zh", "cn": "zh", "chinese": "zh", "en": "en", "english": "en"}
_NAME = re.compile(
    r"(?P<clean>clean[_-])?(?P<base>.+?)(?P<output>_output)?(?P<kind>_sentence|_timestamp)?\.(?P<suffix>wav|json)",
    re.IGNORECASE,
)
_BASE = re.compile(r"\d{4}_\d{4}")
_TEST = re.compile(r"(?P<set>test|clean)-(?P<id>.+?)(?P<output>_output)?\.(?P<suffix>wav|json)", re.IGNORECASE)
# Results that the official scripts leave beside the recordings.
_RESULTS = re.compile(r".*(_content_tags|_latency_results|_ftd|_all|reject_rate)\.jsonl?", re.IGNORECASE)
_TAGS = re.compile(r"(?P<folder>.*?)_?content_tags\.jsonl?", re.IGNORECASE)


class OfficialFiles(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The files of one recording; None where there is none.

    ``id`` is its path below the folder without the suffix (language and name in a shuffled set). ``text`` is
    ``{base}.json``, which holds the sentences in one release and the user's words in another. ``known`` and
    ``known_words`` are the two from the key of a shuffled set. ``by_words`` says that no output in the whole folder has
    audio. The four transcripts and the clean pair are for a judge.
    """

    id: str
    language: str
    scenario: str
    position: Position = ""
    user: Path | None = None
    system: Path | None = None
    clean_user: Path | None = None
    clean_system: Path | None = None
    sentence: Path | None = None
    text: Path | None = None
    user_words: Path | None = None
    system_words: Path | None = None
    clean_user_words: Path | None = None
    clean_system_words: Path | None = None
    known: dict[str, Any] | None = None
    known_words: dict[str, Any] | None = None
    by_words: bool = False
    tags: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


class OfficialFolder(msgspec.Struct, frozen=True, kw_only=True):
    """Every recording that is expected, and ``problems``: (file, why) of files that belong to none.

    What concerns the whole folder is there as ".".
    """

    files: tuple[OfficialFiles, ...]
    problems: tuple[tuple[str, str], ...] = ()


def scenario_of(name: str) -> str | None:
    """The scenario that a folder's ``name`` tells ("none" for dialogues without an event), None where it tells none."""
    plain = _letters(name)
    return _WHOLE.get(plain) or next((scenario for hint, scenario in _HINTS if hint in plain), None)


def language_of(name: str) -> str | None:
    """The language that a folder is named for ("dev_zh", "cn_test_nondev", "en")."""
    return next((_LANGUAGES[w] for w in re.split(r"[^a-z]+", name.casefold()) if w in _LANGUAGES), None)


def find(root: Path, *, beside: Path | None = None, key: Path | None = None, language: str = "") -> OfficialFolder:
    """Every recording below ``root``. ``language`` counts where no folder's name says it.

    ``beside`` is a second folder with the same folders inside: the set itself where ``root`` holds a submission.
    ``key`` is the key file of a shuffled test set (``duologue export humdial --key``). UserError where a folder is
    missing, the key cannot be read, or nothing with an official name is found.
    """
    work = _Search(root, language)
    tags: list[Path] = []
    for folder in (root, beside):
        if folder is None:
            continue
        if not folder.is_dir():
            raise UserError("no such folder", where=str(folder))
        for path in _walk(folder):
            place = path.relative_to(folder)
            if _TAGS.fullmatch(path.name):
                tags.append(path)
                work.place[path] = place
            elif not _RESULTS.fullmatch(path.name):
                work.take(path, place)
    found = work.groups()
    found += work.shuffled(key)
    if not found and not work.problems:
        raise UserError("nothing with the official names found", where=str(root), allowed=str(__doc__).split("\n\n")[1])
    found.sort(key=lambda f: f.id)
    given = _Tags(found, work)
    for path in tags:
        given.take(path)
    by_words = any(f.system_words for f in found) and not any(f.system for f in found)
    if by_words:
        work.problem(".", "no output comes with audio: the system's speech is taken from its words")
    return OfficialFolder(
        files=tuple(msgspec.structs.replace(f, tags=given.of.get(f.id), by_words=by_words) for f in found),
        problems=tuple(sorted(work.problems)),
    )


def _walk(root: Path) -> Iterator[Path]:
    waiting = [root]
    while waiting:
        try:
            entries = sorted(waiting.pop().iterdir(), key=lambda p: p.name)
        except OSError:
            continue
        for path in entries:
            if path.name.startswith("."):
                continue
            if path.is_dir():
                if not path.is_symlink():
                    waiting.append(path)
            else:
                yield path


class _Search:
    def __init__(self, root: Path, language: str) -> None:
        self.root, self.language = root, language
        self.problems: list[tuple[str, str]] = []
        # File -> where it lies below its root, for messages and for what its folders tell.
        self.place: dict[Path, Path] = {}
        # (folder below its root, base) -> part -> file
        self._groups: dict[tuple[Path, str], dict[str, Path]] = defaultdict(dict)
        # (language or "", "test-0001") -> part -> file
        self._shuffled: dict[tuple[str, str], dict[str, Path]] = defaultdict(dict)
        # "test-0001" -> the languages in which the key has it
        self._told: dict[str, set[str]] = defaultdict(set)

    def name(self, path: Path) -> str:
        return shown(self.place.get(path, path).as_posix())

    def problem(self, path: Path | str, why: str) -> None:
        self.problems.append((path if isinstance(path, str) else self.name(path), why))

    def folders(self, place: Path) -> list[str]:
        """Names of the folders above ``place`` up to the root's own, the nearest first."""
        return [*reversed(place.parts[:-1]), self.root.resolve().name]

    def scenario_folders(self, place: Path) -> list[str]:
        """The folder that tells the scenario of ``place`` and those below it, the nearest first; none if none does.

        The root's own name counts only for what lies directly in it.
        """
        names = self.folders(place)[: max(1, len(place.parts) - 1)]
        last = next((i for i, n in enumerate(names) if scenario_of(n) is not None), None)
        return [] if last is None else names[: last + 1]

    def language_of(self, place: Path) -> str:
        return next((x for n in self.folders(place) if (x := language_of(n)) is not None), self.language)

    def take(self, path: Path, place: Path) -> None:
        """Note ``path`` as a part of a recording, or say why it is none; other kinds of file are nobody's business."""
        self.place[path] = place
        test, match = _TEST.fullmatch(path.name), _NAME.fullmatch(path.name)
        if test is not None:
            part = ("output" if test["output"] else "main") + "." + test["suffix"].lower()
            parts = self._shuffled[self.language_of(place), f"{test['set'].lower()}-{test['id']}"]
            if part in parts:
                self.problem(path, f"a second file of that name; {self.name(parts[part])} is used")
            parts.setdefault(part, path)
            return
        if match is None:
            return
        names = self.scenario_folders(place)
        if not names:
            if _BASE.match(match["base"]):
                self.problem(path, "its folder names no scenario")
            return
        if names[-1].casefold().endswith("_eval"):
            self.problem(path, "in a judge's copy (_eval), which is not scored")
            return
        part = ("clean_" if match["clean"] else "") + ("output" if match["output"] else "main")
        part += (match["kind"] or "").lower() + "." + match["suffix"].lower()
        parts = self._groups[place.parent, match["base"]]
        if part in parts:
            self.problem(path, f"a second file of that name; {self.name(parts[part])} is used")
        parts.setdefault(part, path)

    def groups(self) -> list[OfficialFiles]:
        """The recordings in scenario folders. One is expected where its user's audio or sentences are."""
        found = []
        for (folder, base), parts in sorted(self._groups.items(), key=lambda g: (g[0][0].as_posix(), g[0][1])):
            anchor = folder / base
            expected = {"main.wav", "main_sentence.json"} & set(parts)
            if not expected and not ("main.json" in parts and _BASE.match(base)):
                for path in parts.values():
                    self.problem(path, f"belongs to no recording: there is no {base}.wav and no {base}_sentence.json")
                continue
            names = self.scenario_folders(anchor)
            scenario = scenario_of(names[-1])
            if scenario is None or scenario == "none":
                self.problem(anchor, "a dialogue without an event, which has no official score")
                continue
            if not (language := self.language_of(anchor)):
                self.problem(anchor, "no folder names its language (zh or en)")
                continue
            found.append(
                OfficialFiles(
                    id=self.name(anchor),
                    language=language,
                    scenario=scenario,
                    position=_position(scenario, base, *names),
                    user=parts.get("main.wav"),
                    system=parts.get("output.wav"),
                    clean_user=parts.get("clean_main.wav"),
                    clean_system=parts.get("clean_output.wav"),
                    sentence=parts.get("main_sentence.json"),
                    text=parts.get("main.json"),
                    user_words=parts.get("main_timestamp.json"),
                    system_words=parts.get("output.json") or parts.get("output_timestamp.json"),
                    clean_user_words=parts.get("clean_main_timestamp.json") or parts.get("clean_main.json"),
                    clean_system_words=parts.get("clean_output.json") or parts.get("clean_output_timestamp.json"),
                )
            )
        return found

    def shuffled(self, key: Path | None) -> list[OfficialFiles]:
        """The recordings of a shuffled set, one for each row of its key."""
        if key is None:
            if self._shuffled:
                self.problem(
                    ".", f"{len(self._shuffled)} recordings of a shuffled test set cannot be told without its key"
                )
            return []
        rows = list(self._key(key))
        for _, row in rows:
            for name in (row["test"], row.get("clean")):
                self._told[str(name)].add(row["language"])
        found, used = [], set()
        for where, row in rows:
            language, test, clean, scenario = (str(row.get(k) or "") for k in ("language", "test", "clean", "scenario"))
            id = f"{language}/{test}"
            if id in used:
                self.problem(where, f"a second row for {id}")
                continue
            used.add(id)
            if scenario not in SCENARIOS:
                self.problem(where, f"scenario {scenario!r} has no official score")
                continue
            notes = []
            parts = self._parts(language, test)
            if not parts and ("", test) in self._shuffled:
                both = " and ".join(sorted(self._told[test]))
                notes.append(f"{test} is a name in {both}: give each language its own folder")
            cleans = self._parts(language, clean) if clean else {}
            found.append(
                OfficialFiles(
                    id=id,
                    language=language,
                    scenario=scenario,
                    position=_position(scenario, str(row.get("name", ""))),
                    user=parts.get("main.wav"),
                    system=parts.get("output.wav"),
                    clean_user=cleans.get("main.wav"),
                    clean_system=cleans.get("output.wav"),
                    user_words=parts.get("main.json"),
                    system_words=parts.get("output.json"),
                    clean_user_words=cleans.get("main.json"),
                    clean_system_words=cleans.get("output.json"),
                    known=_object(row.get("sentence")),
                    known_words=_object(row.get("transcript")),
                    notes=tuple(notes),
                )
            )
        for (language, name), parts in sorted(self._shuffled.items()):
            if not self._told[name] or (language and language not in self._told[name]):
                for path in parts.values():
                    self.problem(path, "the key has no row for it")
        return found

    def _parts(self, language: str, name: str) -> dict[str, Path]:
        own = self._shuffled.get((language, name))
        # Outside a language's folder a name tells its recording only where one language has it.
        return own or (self._shuffled.get(("", name), {}) if len(self._told[name]) == 1 else {})

    def _key(self, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        for number, line in enumerate(read_text(path, LARGEST_KEY).split("\n"), 1):
            if not line.strip():
                continue
            where = f"{path.name}:{number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UserError(f"not JSON: {str(error)[:100]}", where=where) from None
            if not isinstance(row, dict) or not all(isinstance(row.get(k), str) for k in ("test", "language")):
                raise UserError(
                    "no row of a key", where=where, allowed='{"test", "clean", "language", "scenario", ...}'
                )
            yield where, row


def _object(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _position(scenario: str, *names: str) -> Position:
    if scenario != "third_party":
        return ""
    for name in names:
        words = re.split(r"[^a-z]+", name.casefold())
        if "before" in words:
            return "before"
        if "after" in words:
            return "after"
    return "after"


class _Tags:
    """Tags by recording, from the files that the judge's script writes."""

    def __init__(self, found: list[OfficialFiles], work: _Search) -> None:
        self.of: dict[str, tuple[str, ...]] = {}
        self._work = work
        self._by_base: dict[str, list[OfficialFiles]] = defaultdict(list)
        for f in found:
            self._by_base[f.id.rpartition("/")[2]].append(f)

    def take(self, path: Path) -> None:
        work = self._work
        try:
            rows = list(_rows(read_text(path, LARGEST_TEXT)))
        except UserError as error:
            work.problem(path, error.what)
            return
        match = _TAGS.fullmatch(path.name)
        folder = match["folder"] if match else ""
        place = work.place[path]
        names = [folder, *work.scenario_folders(place)]
        scenario = next((s for n in names if (s := scenario_of(n)) is not None), None)
        language = work.language_of(place)
        for number, row in rows:
            where = f"{work.name(path)}:{number}"
            if not isinstance(row, dict) or not isinstance(row.get("key"), str):
                work.problem(where, 'no tag: allowed is {"key": ..., "behaviour": [...]} a line')
                continue
            key = row["key"]
            parts = key.split("_")[-_MOST_PARTS:]
            ends = ("_".join(parts[i:]) for i in range(len(parts)))
            fits = next((self._by_base[end] for end in ends if end in self._by_base), [])
            told = scenario or scenario_of(key)
            if told is not None:
                fits = [f for f in fits if f.scenario == told]
            if language:
                fits = [f for f in fits if f.language == language]
            if len(fits) > 1:
                # Train, dev and test number their recordings alike: those beside the file of tags are meant.
                beside = f"{place.parent.as_posix()}/"
                fits = [f for f in fits if f.id.startswith(beside)] or fits
            if told == "third_party" and len(fits) > 1:
                fits = [f for f in fits if f.position == _position(told, key, *names)]
            if len(fits) != 1:
                which = ", ".join(f.id for f in fits[:4])
                work.problem(where, f"{key!r} names " + (f"several recordings: {which}" if fits else "no recording"))
            elif fits[0].id in self.of:
                work.problem(where, f"a second verdict on {fits[0].id}; the first counts")
            else:
                self.of[fits[0].id] = _tag_texts(row.get("behaviour"))


def _tag_texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    rows = value if isinstance(value, list) else [value]
    return tuple(x if isinstance(x, str) else json.dumps(x)[:80] for x in rows[:100])


def shown(name: str) -> str:
    """A file's name as text; bytes that are none as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _rows(text: str) -> Iterator[tuple[int, Any]]:
    """(number, value) of a JSON list, or of JSON Lines; a line that is broken gives None."""
    if text.lstrip().startswith("["):
        try:
            yield from enumerate(json.loads(text), 1)
        except (ValueError, RecursionError) as error:
            raise UserError(f"not JSON: {str(error)[:100]}") from None
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                yield number, None


def read_text(path: Path, largest: int) -> str:
    """A regular file's text, UTF-8 with or without a byte order mark, of at most ``largest`` bytes."""
    try:
        if not path.is_file():
            raise UserError("not a regular file", where=path.name)
        if (size := path.stat().st_size) > largest:
            raise UserError("too large", where=path.name, value=size, allowed=f"up to {largest} bytes")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=path.name) from None
    except UnicodeDecodeError:
        raise UserError("not UTF-8", where=path.name) from None
