"""A folder to fill in, and the zip made of it."""

from __future__ import annotations

import json
import stat
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from duologue.challenge.submission.check import FORMAT
from duologue.challenge.submission.expected import ANSWERS, CARD, DECLARATION, REPORT, RUN, Expected
from duologue.errors import UserError
from duologue.formats.aside import aside, reveal

LIST, HELP = "expected.json", "README.txt"
# The earliest that a zip can name, so that the same files give the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """How many files a zip holds, and those of the folder that belong in none."""

    files: int
    left_out: tuple[str, ...]


def new(expected: Expected, out: Path) -> int:
    """Write the folder ``out`` (absent or empty before) to fill in; how many files of it are for the submission.

    It holds the text files with empty answers, folders for the audio, ``expected.json`` with every name and length, and
    what to do in README.txt. No audio is made: silence would be a submission.
    """
    with aside(out) as folder:
        for file in (*(a.file for a in expected.audio), *expected.text_files):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
        texts = _texts(expected)
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8")
        (folder / LIST).write_bytes(msgspec.json.format(msgspec.json.encode(expected), indent=1) + b"\n")
        (folder / HELP).write_text(_help(expected), encoding="utf-8")
        reveal(folder, out)
    return len(texts)


def new_zip(expected: Expected, out: Path) -> int:
    """As :func:`new`, as a zip: what of it is for the submission, which is refused until it is filled in."""
    if out.exists():
        raise UserError("there is a file already", where=str(out), mend="give a new name")
    with TemporaryDirectory() as made:
        new(expected, Path(made) / "template")
        return pack(Path(made) / "template", out, expected).files


def pack(folder: Path, out: Path, expected: Expected) -> Packed:
    """Make the zip ``out`` of what in ``folder`` belongs in a submission; links are not followed.

    The same files give the same bytes. What is wrong with it is for the check to say.
    """
    if not folder.is_dir():
        raise UserError("no such folder", where=str(folder))
    root = expected.root
    known = {a.file for a in expected.audio} | set(expected.text_files) | {root + DECLARATION}
    known |= {f"{a.file.removesuffix('.wav')}.json" for a in expected.audio} if expected.track == "duplex" else set()
    known |= {CARD, REPORT} if expected.layout == "duologue" else set()
    taken: list[tuple[str, Path]] = []
    left_out = []
    for path in sorted(folder.rglob("*")):
        if not stat.S_ISREG(path.lstat().st_mode):
            continue
        name = path.relative_to(folder).as_posix()
        report = bool(root) and name.startswith(root) and name.lower().endswith(".pdf")
        if name in known or (report and "/" not in name.removeprefix(root)):
            taken.append((name, path))
        elif name not in (LIST, HELP):
            left_out.append(name)
    if not taken:
        raise UserError("nothing of a submission is in this folder", where=str(folder), allowed=min(known))
    out.parent.mkdir(parents=True, exist_ok=True)
    aside_file = out.with_name(f".{out.name}.tmp")
    try:
        with zipfile.ZipFile(aside_file, "w") as made:
            for name, path in taken:
                entry = zipfile.ZipInfo(name, _DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = (stat.S_IFREG | 0o644) << 16
                entry.file_size = path.stat().st_size
                with path.open("rb") as source, made.open(entry, "w") as target:
                    while piece := source.read(1 << 20):
                        target.write(piece)
        aside_file.replace(out)
    finally:
        aside_file.unlink(missing_ok=True)
    return Packed(files=len(taken), left_out=tuple(left_out))


def _texts(expected: Expected) -> dict[str, str]:
    texts: dict[str, list[str]] = {}
    for a in expected.answers:
        texts.setdefault(ANSWERS, []).append(_line({"id": a.item, "probe": a.probe, "answer": ""}))
    for d in expected.dialogues:
        turns = []
        for n in d.turns:
            turn: dict[str, object] = {"turn_id": n}
            if n in d.replies:
                turn["response_text"] = ""
                if d.audio:
                    turn["response_audio"] = f"{d.item}_{n}_response.wav"
            turns.append(turn)
        texts.setdefault(d.file, []).append(_line({"dialogue_id": d.item, "turns": turns}))
    if expected.layout == "duologue":
        card = {"format": FORMAT, "team": "YOUR TEAM", "system": "YOUR SYSTEM", "test_set": expected.test_set}
        texts[CARD] = [json.dumps(card, indent=1)]
    return {file: "".join(f"{line}\n" for line in rows) for file, rows in texts.items()}


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _help(expected: Expected) -> str:
    audio = next((a.file for a in expected.audio), "")
    clock = "on the clock of the dialogue's audio" if expected.track == "duplex" else "your system's spoken reply"
    report = REPORT if expected.layout == "duologue" else f"{expected.root}YOUR_TEAM_System_Description.pdf"
    steps = [
        f"Fill in {CARD}." if expected.layout == "duologue" else "",
        f"Fill in {', '.join(expected.text_files)}." if expected.text_files else "",
        f"Put your audio beside them, {clock}: {audio} and so on." if audio else "",
        f"Put your system's description at {report}.",
        f"Put what `duologue declare sign` wrote at {expected.root}{DECLARATION}, where it is asked for.",
        f"duologue submission pack THIS_FOLDER FILE.zip; duologue submission check FILE.zip --against {LIST}",
    ]
    lines = [f"{i}. {step}" for i, step in enumerate((s for s in steps if s), 1)]
    optional = f"{RUN}clean/ and {RUN}ID.json are optional." if expected.layout == "duologue" and audio else ""
    return "\n".join([f"A submission to {expected.test_set}: {len(expected)} items.", "", *lines, optional, ""])
