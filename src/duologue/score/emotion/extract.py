"""Reads the trajectory of feelings that an answer tells: structured, or in Chinese or English prose.

Prose is read by a lexicon of expressions (feelings_en.txt, feelings_zh.txt), clause by clause. What is denied,
forbidden, wished, supposed, said of people in general or by the replier of itself is left out; a feeling that is no
longer there is calm where it was fear. Feelings come in the order told, but what is said of "now" before what was said
of earlier comes last. Numbered turns place the labels. How often this is right: docs/emotion-measures.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from importlib import resources
from itertools import groupby
from typing import Any, Literal

import msgspec

from duologue.corpus.emotion import DUOLOGUE, Taxonomy

# What is longer is cut: no answer needs more, and a flood of words must not cost hours.
LONGEST = 20_000
_NEAR = 400  # code points
KEYS = ("trajectory", "emotions", "labels", "emotion_trajectory", "answer", "轨迹", "情绪轨迹", "情绪")
LABEL_KEYS = ("emotion", "label", "feeling", "情绪", "情感")
TURN_KEYS = ("turn", "turn_index", "turn_id", "index", "轮次")

_NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    **{w: i for i, w in enumerate("一二三四五六七八九十", 1)},
}  # fmt: skip
_WORDS = "|".join(w for w in _NUMBERS if w.isascii())
_TURN = re.compile(
    rf"\bturn\s*(?P<a>\d+|{_WORDS})\b|\b(?P<b>{_WORDS})\s+(?:turn|message|utterance|sentence)\b"
    r"|第\s*(?P<c>\d+|[一二三四五六七八九十])\s*(?:轮|句|次|段|条|个回合|回合)|(?:^|\s)(?P<d>\d{1,2})[.)、]\s",
    re.M,
)
_CLAUSE = re.compile(r"[，,。.；;：:！!？?\n—→>]+|\b(?:but|although|though|yet|still)\b|但|可是|不过|然而|而是|其实")
_SENTENCE = re.compile(r"[。.！!？?\n；;]+")

_ZH_FILL = (
    "(?:在|是|有|太|很|那么|这么|怎么|用|要|再|会|能|必|需|觉得|感到|表现出|情绪|什么|特别|真的|非常|你|我|过于|多"
    "|整的|上)"
)
_ZH_NOT = re.compile(
    rf"(?:一点(?:儿)?(?:我)?(?:也|都)?不|谈不上|说不上|并非|毫不|毫无|无需|无须|没有|没|(?<!特)(?<!分)别|甭|不){_ZH_FILL}{{0,4}}$"
)
_EN_FILL = (
    "(?:very|really|too|so|at all|at|all|feeling|feel|being|be|been|a|an|any|the|that|this|to|show|showed|showing|of"
    "|as|just|longer|get|getting|let|have|had|sound|sounding|seem|over|take|signs?|necessarily)"
)
_EN_NOT = re.compile(
    r"(?:\bnot|n't|\bnever|\bno|\bwithout|\bneither|\bnor|\brather than|\binstead of|\bcannot)"
    rf"(?:\s+{_EN_FILL}){{0,4}}\s+$"
)
_OVER = re.compile(r"不再|不用|不$|any ?more|no longer")
_OVER_AFTER = re.compile(r"了|any ?more|no longer")
_SUPPOSED = re.compile(
    r"如果|要是|假如|万一|的话|若是|想要|希望|也想|就想|(?:我|你|他|她)(?:也|就)?想(?=快乐|开心)|每天都能|没用"
    r"|\bif\b|\bwould\b|\bmight\b|\bwish\b|\bunless\b|\bnobody expects\b"
)
_GENERAL = re.compile(
    r"每个人都|人人都|很正常|情绪没有对错|换谁都|"
    r"\b(?:normal|natural|okay|ok|fine|common|understandable) to (?:feel|be)\b|\bpeople (?:feel|often|may)\b"
)
_OWN = re.compile(
    r"很?高兴(?:看到|听到|能|为您)"
    r"|\b(?:i'm|i am|we're|we are)\s+(?:so |truly |really |very )*(?:sorry|glad|happy|pleased|delighted)\b"
    r"|\b(?:sorry|glad|great|wonderful|happy|amazing) to (?:hear|see|help)\b|\bas an ai\b[^.]*"
)
_IF = re.compile(r"(?:如果|要是|假如|万一)[^，,]*[，,]$")
# Said to somebody, not of them: "您就放心吧", "放心放心".
_TOLD = re.compile(
    r"(?:您|你)?(?:就|们)?(?:放心|冷静|淡定|放松)(?:吧|啊|点|一点)|(?:放心[，,。]?){2,}|(?:您|你)就?放心(?![了下])"
)
# "恶不恶心" is a question with one answer.
_RHETORICAL = re.compile(r"(\w)不(?=\1)")
_NOW = re.compile(r"现在|如今|眼下|\bnow\b|\bnowadays\b")
_EARLIER = re.compile(
    r"之前|以前|原先|那会儿|那时|上周|昨天|当时"
    r"|\bearlier\b|\bpreviously\b|\blast (?:week|night|year|month)\b|\bwere\b|\bwas\b|\bhad been\b|\bused to\b"
)


class Reading(msgspec.Struct, frozen=True):
    """What an answer tells: labels in order, the turn numbers it gives them (() where it gives none).

    ``how`` is "structured", "text" or "none". ``unknown`` are labels of a structured answer that the taxonomy lacks;
    their place in ``labels`` holds "".
    """

    labels: tuple[str, ...]
    turns: tuple[int, ...] = ()
    how: Literal["structured", "text", "none"] = "none"
    unknown: tuple[str, ...] = ()


# (name, label) of the labels that a corpus has and the standard taxonomy lacks.
OwnNames = tuple[tuple[str, str], ...]


def own_names(taxonomy: Taxonomy) -> OwnNames:
    """What ``taxonomy`` calls its own labels: known in structured answers and as an answer's one word."""
    own = [c for c in taxonomy.classes if c.label not in DUOLOGUE.labels]
    return tuple((n.casefold(), c.label) for c in own for n in (c.label, c.zh, *c.aliases) if n)


def read(answer: Any, own: OwnNames = ()) -> Reading:
    """The trajectory that ``answer`` tells: text, or JSON (in text or decoded). Never raises for what it holds."""
    if isinstance(answer, str):
        text = answer[:LONGEST]
        found = _json_in(text)
        if found is not None and (reading := _structured(found, own)) is not None:
            return reading
        return read_text(text)
    return _structured(answer, own) or Reading(())


def read_text(text: str) -> Reading:
    """The trajectory told in prose."""
    text = text.replace("’", "'").casefold()
    hits = list(_hits(text))
    if not hits:
        return Reading(())
    if placed := _by_turn(text, hits):
        turns, labels = zip(*placed, strict=True)
        return Reading(labels, turns, "text")
    return Reading(tuple(label for label, _ in groupby(h.label for h in _in_time(text, hits))), (), "text")


class _Hit(msgspec.Struct, frozen=True):
    start: int
    label: str
    asked: bool


def _hits(text: str) -> Iterable[_Hit]:
    """Feelings that are asserted, in the order told. Those in questions count only where nothing else is said."""
    if "不" in text:
        text = _RHETORICAL.sub("  ", text)
    own = [m.span() for pattern in (_OWN, _TOLD) for m in pattern.finditer(text)]
    cuts = [0, *(m.end() for m in _CLAUSE.finditer(text)), len(text)]
    stops = [(m.end(), "?" in m[0] or "？" in m[0]) for m in _SENTENCE.finditer(text)] + [(len(text), False)]
    found: list[_Hit] = []
    clause = sentence = 0
    judged, idle = (-1, -1), False  # whether the clause asserts nothing, once a clause
    for m in _lexicon().finditer(text):
        label = _labels().get(m[0], "")
        if not label or any(a <= m.start() < b for a, b in own):
            continue
        while clause + 1 < len(cuts) and cuts[clause + 1] <= m.start():
            clause += 1
        while sentence + 1 < len(stops) and stops[sentence][0] <= m.start():
            sentence += 1
        begin, end = cuts[clause], cuts[clause + 1] if clause + 1 < len(cuts) else len(text)
        # A clause may be as long as the text: what turns a feeling round stands near it.
        before, after = text[max(begin, m.start() - _NEAR) : m.start()], text[m.end() : min(end, m.end() + _NEAR)]
        opening = stops[sentence - 1][0] if sentence else 0
        if (opening, begin) != judged:
            judged = opening, begin
            idle = _supposed(text, opening, begin, end) or _GENERAL.search(text[begin:end]) is not None
        if idle:
            continue
        if negation := _ZH_NOT.search(before) or _EN_NOT.search(before):
            gone = _OVER.search(negation[0]) and _OVER_AFTER.search(negation[0] + after)
            if label == "fearful" and (gone or "不再" in negation[0]):
                found.append(_Hit(m.start(), "calm", stops[sentence][1]))
            continue
        found.append(_Hit(m.start(), label, stops[sentence][1]))
    said = [h for h in found if not h.asked]
    return said or found


def _supposed(text: str, opening: int, begin: int, end: int) -> bool:
    """A condition covers its clause and the next of its sentence, as "如果..., 你会..."."""
    if _SUPPOSED.search(text[begin:end]):
        return True
    return begin > opening and _IF.search(text[opening:begin]) is not None


def _in_time(text: str, hits: list[_Hit]) -> list[_Hit]:
    """Moves what is felt now behind what was felt earlier, where "now" is told first."""
    now = _NOW.search(text)
    if not now or len(hits) < 2:
        return hits
    stop = _CLAUSE.search(text, now.end())
    end = stop.end() if stop else len(text)
    # "happier now than you were": the clause holds both.
    middle = re.search(r"\bthan\b", text[now.end() : end])
    end = now.end() + middle.start() if middle else end
    past = _EARLIER.search(text, end)
    end = past.start() if past and not any(now.start() <= h.start < end for h in hits) else end
    begin = max((m.end() for m in _CLAUSE.finditer(text, 0, now.start())), default=0)
    inside = [h for h in hits if begin <= h.start < end]
    later = [h for h in hits if h.start >= end]
    if not inside or not later or not _EARLIER.search(text[end:]) or _NOW.search(text, end):
        return hits
    return [h for h in hits if h.start < begin] + later + inside


def _by_turn(text: str, hits: list[_Hit]) -> list[tuple[int, str]]:
    """(turn, label) where the text numbers at least two turns from 1 on, upwards; the first label of each counts."""
    marks = [(m.start(), _number(next(g for g in m.groups() if g))) for m in _TURN.finditer(text)]
    numbers = [n for _, n in marks]
    if len(marks) < 2 or numbers[0] != 1 or numbers != sorted(set(numbers)):
        return []
    found = []
    for (start, number), end in zip(marks, [*(s for s, _ in marks[1:]), len(text)], strict=True):
        inside = [h.label for h in hits if start <= h.start < end]
        if inside:
            found.append((number, inside[0]))
    return found if len(found) >= 2 else []


def _number(text: str) -> int:
    return int(text) if text.isdigit() else _NUMBERS[text]


@cache
def _labels() -> dict[str, str]:
    """Expression -> label; "" for words that only look like one."""
    found: dict[str, str] = {}
    for language in ("en", "zh"):
        lines = (resources.files("duologue.score.emotion") / f"feelings_{language}.txt").read_text("utf-8").splitlines()
        for line in lines:
            if line and not line.startswith("#"):
                label, _, words = line.partition(":")
                for word in words.split(";"):
                    found.setdefault(word.strip(), "" if label == "-" else label)
    return found


@cache
def _lexicon() -> re.Pattern[str]:
    """All expressions, at each place the longest; English ones as whole words.

    Words are told apart letter by letter (a trie), so that a place of the text costs as many steps as it has letters
    in common with some word, not as many as there are words.
    """
    words = _labels()
    english = _trie([w for w in words if w.isascii()])
    chinese = _trie([w for w in words if not w.isascii()])
    return re.compile(rf"(?<![a-z]){english}(?![a-z])|{chinese}")


def _trie(words: Sequence[str]) -> str:
    """A pattern of ``words``, a longer one before one that begins it."""
    after: dict[str, list[str]] = {}
    for word in words:
        after.setdefault(word[:1], []).append(word[1:])
    ends = "" in after
    branches = [re.escape(first) + (_trie(rest) if rest != [""] else "") for first, rest in after.items() if first]
    if not branches:
        return ""
    if len(branches) == 1 and not ends:
        return branches[0]
    return f"(?:{'|'.join(branches)}){'?' if ends else ''}"


# -- structured answers -------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def label_of(name: str, own: OwnNames = ()) -> str:
    """The taxonomy's label for a name or a single expression of feeling, "" where there is none."""
    wanted = name.strip().casefold()
    return next((label for n, label in own if n == wanted), "") or _names().get(wanted) or _labels().get(wanted, "")


@cache
def _names() -> dict[str, str]:
    """The taxonomy's names as :meth:`Taxonomy.resolve` takes them."""
    return {n.casefold(): c.label for c in reversed(DUOLOGUE.classes) for n in (c.label, c.zh, *c.aliases) if n}


def _json_in(text: str) -> Any:
    """The first JSON object or array in ``text``, None where there is none that is whole."""
    decoder = json.JSONDecoder()
    for m in list(re.finditer(r"[{\[]", text))[:8]:
        try:
            value, _ = decoder.raw_decode(text, m.start())
        except (ValueError, RecursionError):
            continue
        if value:
            return value
    return None


def _structured(value: Any, own: OwnNames = ()) -> Reading | None:
    """Labels of a list, of ``{"trajectory": [...]}``, of ``[{"turn": 1, "emotion": "sad"}]`` or ``{"1": "sad"}``."""
    if isinstance(value, dict):
        inner = next((value[k] for k in KEYS if k in value), None)
        if inner is not None:
            return read(inner, own) if isinstance(inner, str) else _structured(inner, own)
        pairs = [(k, v) for k, v in value.items() if isinstance(k, str) and re.fullmatch(r"(?:turn\s*)?\d{1,4}", k)]
        if not pairs or len(pairs) != len(value):
            return None
        value = [{"turn": int(re.sub(r"\D", "", k)), "emotion": v} for k, v in pairs]
    if not isinstance(value, list) or not value:
        return None
    names: list[str] = []
    turns: list[int] = []
    for entry in value[:1000]:
        if isinstance(entry, dict):
            name = next((entry[k] for k in LABEL_KEYS if k in entry), None)
            turn = next((entry[k] for k in TURN_KEYS if k in entry), None)
            if isinstance(turn, str) and turn.strip().isdigit():
                turn = int(turn)
            if isinstance(turn, int) and not isinstance(turn, bool):
                turns.append(turn)
        else:
            name = entry
        if not isinstance(name, str):
            return None
        names.append(name)
    labels = [label_of(n, own) for n in names]
    unknown = tuple(n[:80] for n, label in zip(names, labels, strict=True) if not label)
    if len(turns) != len(names) or len(set(turns)) != len(turns):
        turns = []
    if turns:
        order = sorted(range(len(turns)), key=turns.__getitem__)
        labels, turns = [labels[i] for i in order], [turns[i] for i in order]
    return Reading(tuple(labels), tuple(turns), "structured", unknown)
