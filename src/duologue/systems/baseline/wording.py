"""What kind of thing was said, by its wording alone: a signal, a request to stop, to repeat, ..., or a matter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import Literal

from duologue.language.function_words import function_words
from duologue.systems.baseline.sounds_like import says, units

Act = Literal[
    "nothing", "backchannel", "stop", "repeat", "shorten", "continue", "correct", "others", "thanks", "greeting",
    "matter",
]  # fmt: skip

# Whom a call in Chinese names beyond the listed words: "小婷", "老王", "婷婷", "孩子他爸", "王师傅".
_CALLED_ZH = re.compile(
    r"^(?:[小阿老大][\u4e00-\u9fff]|([\u4e00-\u9fff])\1|孩子[他她]?[爸妈]"
    r"|[\u4e00-\u9fff]{1,2}(?:姐|哥|叔|阿姨|师傅|老师|奶奶|爷爷|总))$"
)
_CLAUSE = re.compile(r"[,.!?;，。！？；、]\s*")
_SOMEBODYS = re.compile(r"\b(my|your|his|her|our|their|the|a) ", re.I)


@lru_cache
def phrases(language: str) -> dict[str, tuple[str, ...]]:
    """The wordings of a language by what they are for, as ``wording_en.txt`` and ``wording_zh.txt`` list them."""
    text = (resources.files(__package__) / f"wording_{language}.txt").read_text("utf-8")
    rows = (line.split(":", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {kind: tuple(p.strip() for p in listed.split("|") if p.strip()) for kind, listed in rows}


@lru_cache
def _words(kind: str, language: str) -> frozenset[str]:
    return frozenset(phrases(language)[kind])


@lru_cache(maxsize=256)
def act(text: str, language: str) -> Act:
    """The kind of ``text``. Words that call somebody else are theirs, whatever they ask. A request ("stop") beside a
    matter is still that request: who knows matters decides."""
    said = units(text, language)
    if not said:
        return "nothing"
    if backchannel(text, language):
        return "backchannel"
    if to_others(text, language):
        return "others"
    kind: Act
    for kind in ("repeat", "continue", "shorten", "stop", "correct"):
        at = max(((says(p, said, language), len(units(p, language))) for p in phrases(language)[kind]), default=(-1, 0))
        if at[0] < 0:
            continue
        if kind == "continue" and _refused(said[: at[0]], language):
            return "stop"
        if kind == "stop" and _goes_on_to_ask(text, language):
            continue
        return kind
    for kind in ("thanks", "greeting"):
        if len(said) <= 6 and any(says(p, said, language) >= 0 for p in phrases(language)[kind]):
            return kind
    return "matter"


def _refused(before: Sequence[str], language: str) -> bool:
    """Whether what stands right before a phrase turns it round: "no need to go on", "don't continue"."""
    return any(says(p, before[-5:], language) >= 0 for p in phrases(language)["refusal"])


def _goes_on_to_ask(text: str, language: str) -> bool:
    """Whether the last clause asks something of its own: "hold on, how much is it?", but not "can you stop?"."""
    last = [c for c in re.split(r"[,.!?;:，。！？；：]\s*", text) if c.strip()][-1:]
    if not last or not asks(last[0] + ("?" if text.rstrip().endswith(("?", "？")) else ""), language):
        return False
    said = units(last[0], language)
    return len(said) > 3 and all(says(p, said, language) < 0 for p in phrases(language)["stop"])


def backchannel(text: str, language: str) -> bool:
    """Whether ``text`` is a listener's signal: short, and hardly a word in it that says something."""
    said = units(text, language)
    if language == "zh":
        if not said or len(said) > 7:
            return False
        covered = [False] * len(said)
        for phrase in phrases("zh")["signal"]:
            size = len(units(phrase, "zh"))
            for start in range(len(said) - size + 1):
                if says(phrase, said[start : start + size], "zh") >= 0:
                    covered[start : start + size] = [True] * size
        return sum(covered) >= 0.75 * len(said)
    little = _words("little", "en")
    signals = [w in _words("signal", "en") for w in said]
    if len(said) > 8 or ("?" in text and len(said) > 2):
        return False
    if any(signals) and all(s or w in little for s, w in zip(signals, said, strict=True)):
        return True
    return len(said) <= 4 and said[0] in ("i", "got", "makes", "fair", "sounds") and all(w in little for w in said)


def to_others(text: str, language: str) -> bool:
    """Whether ``text`` calls somebody else by name, as far as its beginning tells. A name that asks something through
    the user ("Emma's asking") is no call.

    A call is a clause by itself ("Emma, ...", "hang on, Nick, ...", "excuse me, sir, ..."), the first that is no mere
    opening ("oh", "wait", "excuse me") or that follows within an opening's clause ("hey Jess, ...").
    """
    clauses = [c.strip() for c in _CLAUSE.split(text)]
    if len([c for c in clauses if c]) < 2:
        return False
    openings = phrases(language)["opening"]
    for clause in clauses[:3]:
        bare = _without(clause, openings, language)
        if bare and _name(bare, language):
            return True
        if bare:
            break
    if language == "en":
        said = units(text, "en")
        return any(w in _words("address", "en") for w in said[:3]) and not _SOMEBODYS.search(text[:24])
    return False


def _without(clause: str, openings: Sequence[str], language: str) -> str:
    """``clause`` without the openings that it begins with."""
    while True:
        found = next((o for o in openings if _begins(clause, o, language)), "")
        if not found:
            return clause
        clause = clause[len(found) :].lstrip()


def _begins(clause: str, opening: str, language: str) -> bool:
    rest = clause[len(opening) : len(opening) + 1]
    return clause.lower().startswith(opening) and (language == "zh" or not rest.isalpha())


def _name(clause: str, language: str) -> bool:
    """Whether a clause is nothing but a name or what somebody is called."""
    if any(clause.lower() in listed for kind, listed in phrases(language).items() if kind != "address"):
        return False
    if language == "zh":
        return clause in _words("address", "zh") or bool(_CALLED_ZH.match(clause))
    words = clause.split()
    if any(w.lower() in _words("address", "en") for w in words):
        return len(words) <= 2 and not _SOMEBODYS.match(clause)
    if len(words) != 1 or not words[0].isalpha() or not words[0].istitle():
        return False
    no_name = _words("no name", "en") | _words("signal", "en") | _words("little", "en")
    return words[0].lower() not in no_name and words[0].lower() not in function_words("en")


def asks(text: str, language: str) -> bool:
    """Whether the last sentence of ``text`` is a question or a request for information, and complete."""
    parts = [p for p in re.split(r"(?<=[.!?。！？])\s*", text) if p.strip()]
    if not parts:
        return False
    last = parts[-1].strip()
    if language == "zh":
        return last.endswith(("?", "？")) or any(q in last for q in phrases("zh")["question"])
    said = units(last, "en")
    begins = any(says(q, said, "en") == 0 for q in phrases("en")["question"])
    return last.endswith("?") or (begins and len(said) > 3)


def asks_anywhere(text: str, language: str) -> bool:
    """Whether any sentence of ``text`` asks: "How do I fix it? I am a bit stuck." """
    return any(asks(p, language) for p in re.split(r"(?<=[.!?。！？])\s*", text) if p.strip())


def unfinished(text: str, language: str) -> bool:
    """Whether ``text`` breaks off inside a clause: it ends in a word that something has to follow."""
    text = text.strip()
    if text.endswith(("...", "…", "-", "—")):
        return True
    bare = text.rstrip(".。!！ ")
    if language == "zh":
        return bare.endswith((*phrases("zh")["open"], "，", ",", "、"))
    said = units(bare, "en")
    return bare.endswith(",") or (not text.endswith("?") and bool(said) and said[-1] in _words("open", "en"))
