"""Voices that are directed line by line: who speaks a dialogue is whoever read its lines."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from duologue.corpus.rights import Rights
from duologue.corpus.speaker import Role
from duologue.errors import UserError
from duologue.generate.item import CastMember, Item
from duologue.generate.plan import Plan
from duologue.generate.script import Script, Writer
from duologue.generate.voices.voice import DirectedVoice, Voice, VoiceSpeaker, directed
from duologue.recordings.manifest import key_of

_SHOWN = 5


def recast(item: Item, script: Script, voice: DirectedVoice) -> Item:
    """``item`` with those as its cast who read the lines of ``script``; roles without a line are left out.

    The system's planned voice stays where nobody read its lines and ``voice`` names another one for them. UserError
    where a line is missing, or one role of a dialogue is read by two people, or two roles by one.
    """
    missing = unread(item, script, voice)
    if missing:
        raise _missing(missing, voice)
    readers: dict[Role, VoiceSpeaker] = {}
    for i, line in enumerate(script.lines):
        reader = voice.reader(key_of(item.id, i))
        if reader is None:
            continue
        first = readers.setdefault(line.role, reader)
        if first.id != reader.id:
            raise UserError(
                f"the {line.role} is read by {first.id} and by {reader.id}",
                where=f"dialogue {item.id}",
                field="speaker",
            )
    roles_of: dict[str, Role] = {}
    for role, reader in readers.items():
        if (other := roles_of.setdefault(reader.id, role)) != role:
            raise UserError(
                f"{reader.id} reads the {other} and the {role}", where=f"dialogue {item.id}", field="speaker"
            )
    planned = {c.role: c for c in item.cast}
    members = [
        _member(role, voice, readers[role]) if role in readers else planned[role]
        for role in dict.fromkeys(line.role for line in script.lines)
    ]
    return msgspec.structs.replace(item, cast=tuple(members))


def _member(role: Role, voice: DirectedVoice, s: VoiceSpeaker) -> CastMember:
    return CastMember(
        role=role,
        voice=voice.name,
        speaker=s.id,
        parent=s.parent,
        sex=s.sex,
        age=s.age,
        synthetic=s.synthetic,
        licence=s.licence,
        consent_id=s.consent_id,
    )


def unread(item: Item, script: Script, voice: DirectedVoice) -> list[tuple[str, str]]:
    """(key, what has to be done) of the lines that nobody recorded and no other voice speaks."""
    keys = [key_of(item.id, i) for i in range(len(script.lines))]
    read = [voice.reader(key) is not None for key in keys]
    recorded = {line.role for line, there in zip(script.lines, read, strict=True) if there}
    found = []
    for key, line, there in zip(keys, script.lines, read, strict=True):
        if there or not line.text.strip() or (line.role == "system" and voice.others and "system" not in recorded):
            continue
        asked = voice.lines.get(key)
        who = f"{asked.speaker} has to read" if asked else f"the manifest gives nobody ({line.role}) to read"
        found.append((key, f"{who} {key}: {line.text}"))
    return found


def survey(plan: Plan, writer: Writer, voices: Mapping[str, Voice]) -> None:
    """Before anything is made: every line is recorded with the script's words, by people who stay in one split.

    UserError names the lines that are missing, or the person in two splits.
    """
    missing: list[tuple[str, str]] = []
    split_of: dict[str, tuple[str, str]] = {}
    wanting: DirectedVoice | None = None
    for one in filter(None, map(directed, voices.values())):
        one.ready()
    for item in plan:
        voice = directed(voices[plan.recipe.voices[item.language]])
        if voice is None:
            continue
        script = writer.write(item.brief)
        if lost := unread(item, script, voice):
            missing, wanting = missing + lost, voice
            continue
        for i, line in enumerate(script.lines):
            asked = voice.lines.get(key_of(item.id, i))
            if asked is not None and asked.text.split() != line.text.split():
                raise UserError(
                    f"the script of {asked.key} has other words than were read: {line.text!r}",
                    where=asked.where,
                    field="text",
                    value=asked.text,
                    mend="build with the scripts that the sheets were made from",
                )
        for member in recast(item, script, voice).cast:
            if member.synthetic or member.role == "system":
                continue
            split, id = split_of.setdefault(member.speaker, (item.split, item.id))
            if split != item.split:
                raise UserError(
                    f"{member.speaker} reads in {split} (dialogue {id}) and in {item.split} (dialogue {item.id})",
                    field="speaker",
                    value=member.speaker,
                    mend="'duologue sheets --cast' deals people out so that they stay in one split",
                )
    if wanting is not None:
        raise _missing(missing, wanting)


def _missing(missing: list[tuple[str, str]], voice: DirectedVoice) -> UserError:
    more = f"; and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return UserError(
        f"{len(missing)} lines are not recorded: {'; '.join(what for _, what in missing[:_SHOWN])}{more}",
        where=voice.manifest,
        mend="'duologue recordings check MANIFEST FOLDER --sheets OUT' writes them as sheets",
    )


def rights_of(licence: str, cast: tuple[CastMember, ...]) -> Rights:
    """Rights of a dialogue of a corpus under ``licence``: of every licence and consent that its people gave."""
    people = [c for c in cast if not c.synthetic]
    every = dict.fromkeys([licence, *sorted(c.licence for c in people)])
    licences = [f"({x})" if " OR " in x and len(every) > 1 else x for x in every]
    consents = dict.fromkeys(sorted(c.consent_id for c in people))
    return Rights(licence=" AND ".join(licences), consent_id="; ".join(consents) or "not-applicable")
