"""Text as it is spoken: numbers, dates, money, times and symbols written out, marks and emoji left out.

Every spoken piece keeps the code points that it came from, so that word times can point at the written text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from duologue.errors import UserError

Span = tuple[int, int, int, int]


class Spoken(NamedTuple):
    """``text`` is what is said, with ordinary punctuation.

    ``spans`` are (spoken_start, spoken_end, char_start, char_end), in order and without overlap on either side:
    code points [spoken_start, spoken_end) of ``text`` say code points [char_start, char_end) of the source. An
    unchanged English word is one span, an unchanged hanzi is one span, and a token that was written out
    ("$3.50") is one span of several spoken words. Punctuation and spaces belong to no span.
    """

    text: str
    spans: tuple[Span, ...]


def normalise(text: str, language: str) -> Spoken:
    """What a reader of ``language`` ("en" or "zh") says for ``text``; any text is taken, none raises.

    Marks such as [laughter], <sigh> or (laughs), emoji and control characters are left out. Latin words in
    Chinese text and hanzi in English text stay as they are: a voice switches language for them.
    """
    if language not in _GRAMMARS:
        raise UserError("unknown language", field="language", value=language, allowed="en, zh")
    pattern, readers = _GRAMMARS[language]
    pieces: list[str] = []
    spans: list[Span] = []
    length = 0
    for match in pattern.finditer(text):
        kind = match.lastgroup or ""
        source = match.group()
        if kind == "plain":
            spoken = _fold(source)
        elif kind == "space":
            if pieces and not pieces[-1].endswith(" "):
                pieces.append(" ")
                length += 1
            continue
        elif kind == "mark":
            continue
        elif kind == "other":
            if unicodedata.category(source) in _PUNCTUATION:
                pieces.append(source)
                length += 1
            continue
        else:
            spoken = readers[kind](source)
            # Written-out words never run into their neighbours: "5km" and "A4" hold two tokens each.
            if spoken and pieces and _is_latin(pieces[-1][-1:]) and _is_latin(spoken[0]):
                pieces.append(" ")
                length += 1
        if kind == "plain" and pieces and spans and spans[-1][3] == match.start() and _is_latin(pieces[-1][-1:]):
            pieces.append(" ")
            length += 1
        if not spoken:
            continue
        spans.append((length, length + len(spoken), match.start(), match.end()))
        pieces.append(spoken)
        length += len(spoken)
    joined = "".join(pieces)
    return Spoken(joined.rstrip(), tuple(spans))


def _is_latin(char: str) -> bool:
    return char.isalnum() and not _HANZI.match(char)


def _fold(text: str) -> str:
    """Full-width letters and digits as ASCII, typographic apostrophes as straight ones; lengths stay equal."""
    if text.isascii():
        return text
    return "".join(chr(ord(c) - 0xFEE0) if "！" <= c <= "～" else "'" if c in "’ʼ" else c for c in text)


def _parts(text: str) -> tuple[bool, str, str, bool]:
    """Minus sign, whole digits, decimals, and whether the digits are a code rather than a quantity."""
    text = _fold(text)
    grouped = "," in text
    whole, _, decimals = text.replace(",", "").lstrip("-−+").partition(".")
    code = len(whole) > 12 or (len(whole) > 1 and whole[0] == "0")
    code = code or (len(whole) > 6 and not grouped and not decimals and not whole.endswith("000"))
    return text[0] in "-−", whole, decimals, code


# --- English ---------------------------------------------------------------------------------------------

_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["-", "-", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"))
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)"
)
_CURRENCY_EN = {
    "$": ("dollar", "cent"),
    "£": ("pound", "pence"),
    "€": ("euro", "cent"),
    "¥": ("yuan", "fen"),
    "￥": ("yuan", "fen"),
}
_UNITS_EN = {
    "km": "kilometer",
    "kg": "kilogram",
    "cm": "centimeter",
    "mm": "millimeter",
    "ml": "milliliter",
    "mph": "miles per hour",
    "km/h": "kilometers per hour",
    "kWh": "kilowatt hour",
    "GB": "gigabyte",
    "MB": "megabyte",
    "°C": "degrees Celsius",
    "℃": "degrees Celsius",
    "°F": "degrees Fahrenheit",
    "°": "degree",
    "m": "meter",
    "g": "gram",
    "h": "hour",
}
_ABBREVIATIONS = {
    "mr.": "mister",
    "mrs.": "missis",
    "ms.": "miz",
    "dr.": "doctor",
    "vs.": "versus",
    "etc.": "et cetera",
    "e.g.": "for example",
    "i.e.": "that is",
    "a.m.": "a m",
    "p.m.": "p m",
    "no.": "no",
}


def _cardinal(n: int) -> str:
    if n < 20:
        return _ONES[n]
    if n < 100:
        return _TENS[n // 10] + (f"-{_ONES[n % 10]}" if n % 10 else "")
    if n < 1000:
        rest = f" {_cardinal(n % 100)}" if n % 100 else ""
        return f"{_ONES[n // 100]} hundred{rest}"
    for scale, name in _SCALES:
        if n >= scale:
            rest = f" {_cardinal(n % scale)}" if n % scale else ""
            return f"{_cardinal(n // scale)} {name}{rest}"
    raise AssertionError(n)


def _ordinal(n: int) -> str:
    head, sep, last = re.match(r"(.*?)([ -]?)([a-z]+)$", _cardinal(n)).groups()  # type: ignore[union-attr]
    if last in _ORDINALS:
        return head + sep + _ORDINALS[last]
    return head + sep + (last[:-1] + "ieth" if last.endswith("y") else last + "th")


def _digits(text: str) -> str:
    return " ".join(_ONES[int(d)] for d in text if d.isdigit())


def _year(n: int) -> str:
    if 2000 <= n < 2010 or not 1100 <= n < 2100:
        return _cardinal(n)
    head, rest = divmod(n, 100)
    return f"{_cardinal(head)} " + ("hundred" if rest == 0 else f"oh {_ONES[rest]}" if rest < 10 else _cardinal(rest))


def _number(text: str) -> str:
    """A cardinal or decimal; codes (leading zero, or long and not round) are read digit by digit."""
    sign, whole, decimals, code = _parts(text)
    if code:
        spoken = _digits(whole)
    else:
        spoken = _cardinal(int(whole or "0"))
    return ("minus " if sign else "") + spoken + (f" point {_digits(decimals)}" if decimals else "")


def _money(text: str) -> str:
    symbol, amount, scale = re.match(rf"([{_SIGNS}])\s?([\d.,]*\d)(.*)", _fold(text), re.S).groups()  # type: ignore[union-attr]
    major, minor = _CURRENCY_EN[symbol]
    amount = amount.replace(",", "")
    plural = "" if major == "yuan" else "s"
    if scale.strip():
        return f"{_number(amount)} {scale.strip()} {major}{plural}"
    whole, _, cents = amount.partition(".")
    spoken = f"{_number(whole)} {major}{'' if int(whole) == 1 else plural}"
    if len(cents) > 2:
        return f"{_number(amount)} {major}{plural}"
    if cents and int(cents):
        n = int(cents.ljust(2, "0"))
        minor += "s" if minor == "cent" and n != 1 else ""
        spoken = f"{_cardinal(n)} {minor}" if int(whole) == 0 else f"{spoken} and {_cardinal(n)} {minor}"
    return spoken


def _time(text: str) -> str:
    hour, minute, half = re.match(r"(\d+)(?:[:：](\d\d))?\s?([ap])?", _fold(text).lower()).groups()  # type: ignore[union-attr]
    spoken = _cardinal(int(hour))
    if minute and int(minute):
        spoken += f" oh {_ONES[int(minute)]}" if int(minute) < 10 else f" {_cardinal(int(minute))}"
    elif not half:
        spoken += " o'clock" if 1 <= int(hour) <= 12 else " hundred"
    return spoken + (f" {half} m" if half else "")


def _month_name(text: str) -> str:
    return next(m for m in _MONTHS if m.startswith(text[:3].title()))


def _month_day(text: str) -> str:
    month, day, year = re.match(r"([A-Za-z]+)\.? (\d+)(?:st|nd|rd|th)?(?:,? (\d{4}))?", text).groups()  # type: ignore[union-attr]
    return f"{_month_name(month)} {_ordinal(int(day))}" + (f", {_year(int(year))}" if year else "")


def _day_month(text: str) -> str:
    day, month, year = re.match(r"(\d+) ([A-Za-z]+)(?: (\d{4}))?", text).groups()  # type: ignore[union-attr]
    return f"the {_ordinal(int(day))} of {_month_name(month)}" + (f" {_year(int(year))}" if year else "")


def _iso_date(text: str) -> str:
    year, month, day = map(int, re.split(r"[-/.]", text))
    return f"{_MONTHS[month - 1]} {_ordinal(day)}, {_year(year)}"


def _us_date(text: str) -> str:
    month, day, year = map(int, text.split("/"))
    return f"{_MONTHS[month - 1]} {_ordinal(day)}, {_year(year)}"


def _decade(text: str) -> str:
    n = int(text[:4])
    base = _year(n)
    return base[:-1] + "ies" if base.endswith("y") else base + "s"


def _quantity(text: str) -> str:
    amount, unit = re.match(r"([-−]?[\d.,]*\d)\s?(.+)", text).groups()  # type: ignore[union-attr]
    return f"{_number(amount)} {_UNITS_EN[unit] if amount == '1' else _plural(unit)}"


def _plural(unit: str) -> str:
    name = _UNITS_EN[unit]
    return name if " " in name else name + "s"


def _fraction(text: str) -> str:
    top, bottom = map(int, text.split("/"))
    if bottom < 2 or bottom > 20 or top > 20:
        return f"{_cardinal(top)} over {_cardinal(bottom)}"
    name = {2: "half", 4: "quarter"}.get(bottom) or _ordinal(bottom)
    plural = "" if top == 1 else "s"
    return f"{_cardinal(top)} {'halves' if name == 'half' and plural else name + plural}"


def _range(text: str) -> str:
    low, high = re.split(r"\s?[-–—~～]\s?", _fold(text))
    return f"{_number(low)} to {_number(high)}"


def _address(text: str) -> str:
    text = re.sub(r"^https?://(?:www\.)?", "", text).rstrip("/.")
    for sign, word in ((".", " dot "), ("/", " slash "), ("@", " at "), ("_", " underscore "), ("-", " dash ")):
        text = text.replace(sign, word)
    return re.sub(r"\d+", lambda m: f" {_digits(m[0])} ", re.sub(r"[^A-Za-z0-9 ]", " ", text)).strip()


# --- Chinese ---------------------------------------------------------------------------------------------

_ZH_DIGITS = "零一二三四五六七八九"
_CURRENCY_ZH = {"$": "美元", "£": "英镑", "€": "欧元", "¥": "元", "￥": "元"}
_UNITS_ZH = {
    "km": "公里",
    "kg": "公斤",
    "cm": "厘米",
    "mm": "毫米",
    "ml": "毫升",
    "km/h": "公里每小时",
    "GB": "个G",
    "MB": "兆",
    "°C": "摄氏度",
    "℃": "摄氏度",
    "°F": "华氏度",
    "°": "度",
    "m": "米",
    "g": "克",
    "h": "小时",
}
_MEASURES = "个只位件条张本次天周年点块杯岁分秒米种双把家份台辆名口遍瓶碗人句段篇顿盒袋套间趟节"


def _zh_digits(text: str) -> str:
    return "".join(_ZH_DIGITS[int(d)] for d in text if d.isdigit())


def _zh_cardinal(n: int) -> str:
    if n >= 10**8:
        return _zh_scale(n, 10**8, "亿")
    if n >= 10**4:
        return _zh_scale(n, 10**4, "万")
    spoken, zero = "", False
    for scale, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, n = divmod(n, scale)
        if digit:
            spoken += ("零" if zero and spoken else "") + _ZH_DIGITS[digit] + name
        zero = digit == 0
        if zero and spoken and n == 0:
            break
    if spoken.startswith("一十"):
        spoken = spoken[1:]
    return spoken or "零"


def _zh_scale(n: int, scale: int, name: str) -> str:
    head, rest = divmod(n, scale)
    gap = "零" if 0 < rest < scale // 10 else ""
    tail = _zh_cardinal(rest) if rest else ""
    if tail.startswith("十"):
        tail = "一" + tail
    return ("两" if head == 2 else _zh_cardinal(head)) + name + gap + tail


def _zh_number(text: str) -> str:
    sign, whole, decimals, code = _parts(text)
    if code:
        spoken = _zh_digits(whole)
    else:
        spoken = _zh_cardinal(int(whole or "0"))
    return ("负" if sign else "") + spoken + (f"点{_zh_digits(decimals)}" if decimals else "")


def _zh_money(text: str) -> str:
    symbol, amount, scale = re.match(rf"([{_SIGNS}])\s?([\d.,]*\d)(.*)", _fold(text), re.S).groups()  # type: ignore[union-attr]
    return _zh_number(amount) + scale.strip() + _CURRENCY_ZH[symbol]


def _zh_time(text: str) -> str:
    hour, minute = (int(t) for t in re.split("[:：]", _fold(text)))
    spoken = ("两" if hour == 2 else _zh_cardinal(hour)) + "点"
    return spoken + (("零" if minute < 10 else "") + _zh_cardinal(minute) + "分" if minute else "")


def _zh_iso_date(text: str) -> str:
    year, month, day = re.split(r"[-/.]", text)
    return f"{_zh_digits(year)}年{_zh_cardinal(int(month))}月{_zh_cardinal(int(day))}日"


def _zh_quantity(text: str) -> str:
    amount, unit = re.match(r"([-−]?[\d.,]*\d)\s?(.+)", text).groups()  # type: ignore[union-attr]
    return ("两" if amount == "2" else _zh_number(amount)) + _UNITS_ZH[unit]


def _zh_fraction(text: str) -> str:
    top, bottom = map(int, text.split("/"))
    return f"{_zh_cardinal(bottom)}分之{_zh_cardinal(top)}"


def _zh_range(text: str) -> str:
    low, high = re.split(r"\s?[-–—~～]\s?", _fold(text))
    return f"{_zh_number(low)}到{_zh_number(high)}"


# --- Grammars --------------------------------------------------------------------------------------------

Reader = Callable[[str], str]
_HANZI = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3007]")
_PUNCTUATION = {"Po", "Pd", "Ps", "Pe", "Pi", "Pf"}
_SIGNS = "$£€¥￥"
_NUM = r"(?:[\d０-９]{1,3}(?:,[\d０-９]{3})+|[\d０-９]+)(?:[.．][\d０-９]+)?"
_FREE = r"(?<![\d０-９A-Za-z.,])"
_END = r"(?![\d０-９A-Za-z])"
_SOUND = (
    r"laugh(?:s|ter|ing)?|chuckles?|giggles?|sighs?|sobs?|cries|crying|coughs?|gasps?|sniffs?|pause|breath"
    r"|笑|大笑|轻笑|笑声|苦笑|叹气|叹息|哭|哭泣|抽泣|咳嗽|停顿|吸气|沉默"
)
_MARK = rf"\[[^\[\]\n]{{0,40}}\]|<[^<>\n\d]{{1,30}}>|[(（](?:{_SOUND})[)）]|[【](?:{_SOUND})[】]"
_URL = r"https?://[^\s，。！？]+|(?:www\.)[^\s，。！？]+|[A-Za-z0-9._-]+@[A-Za-z0-9-]+\.[A-Za-z.]+"
_DATE = r"(?<![\d/])[12]\d{3}[-/.](?:1[0-2]|0?[1-9])[-/.](?:3[01]|[12]\d|0?[1-9])(?![\d/])"
_CLOCK = r"(?:[01]?\d|2[0-4])[:：][0-5]\d"
_WORD_EN = r"[^\W\d_]+(?:['’ʼ][^\W\d_]+)*"


def _units(units: dict[str, str]) -> str:
    return "|".join(re.escape(u) for u in sorted(units, key=len, reverse=True))


def _shared(symbols: dict[str, str]) -> list[tuple[str, str, Reader]]:
    return [("sign", "[" + re.escape("".join(symbols)) + "]", lambda s: symbols[s])]


_EN: list[tuple[str, str, Reader]] = [
    ("url", _URL, _address),
    ("iso", _DATE, _iso_date),
    ("us", r"(?<![\d/])(?:1[0-2]|0?[1-9])/(?:3[01]|[12]\d|0?[1-9])/[12]\d{3}(?![\d/])", _us_date),
    (
        "md",
        rf"\b{_MONTH}\.? (?:3[01]|[12]\d|[1-9])(?:st|nd|rd|th)?(?:,? [12]\d{{3}})?(?![\d:A-Za-z%]|\.\d)",
        _month_day,
    ),
    ("dm", rf"{_FREE}(?:3[01]|[12]\d|[1-9]) {_MONTH}\b(?: [12]\d{{3}}\b)?", _day_month),
    ("time", rf"{_FREE}(?:{_CLOCK}(?:\s?[ap]\.?m\b\.?)?|(?:1[0-2]|[1-9])\s?[ap]\.?m\b\.?){_END}", _time),
    ("money", rf"[{_SIGNS}]\s?{_NUM}(?:\s(?:thousand|million|billion|trillion)\b)?", _money),
    ("percent", rf"{_FREE}[-−]?{_NUM}\s?[%％]", lambda s: f"{_number(s.rstrip('%％ '))} percent"),
    ("quantity", rf"{_FREE}[-−]?{_NUM}\s?(?:{_units(_UNITS_EN)})(?![A-Za-z])", _quantity),
    ("unit", rf"(?<=\d\s)(?:{_units(_UNITS_EN)})(?![A-Za-z])", _plural),
    ("ordinal", rf"{_FREE}\d{{1,9}}(?:st|nd|rd|th)\b", lambda s: _ordinal(int(s[:-2]))),
    ("decade", rf"{_FREE}[12]\d\d0s\b", _decade),
    ("phone", rf"{_FREE}\+?\d{{3,4}}(?:-\d{{3,4}}){{1,3}}{_END}", _digits),
    ("range", rf"{_FREE}\d{{1,6}}\s?[-–—~]\s?\d{{1,6}}{_END}", _range),
    ("fraction", rf"{_FREE}\d{{1,2}}/\d{{1,2}}(?![\d/])", _fraction),
    (
        "year",
        r"(?:(?<=\b[Ii]n )|(?<=\bsince )|(?<=\bSince )|(?<=\byear )|(?<=\buntil ))[12]\d{3}(?![\d.,:%A-Za-z]\d|\d)",
        lambda s: _year(int(s)),
    ),
    ("number", rf"(?:(?<![\w.,])[-−])?{_NUM}", _number),
    ("abbreviation", r"\b(?:Mrs?\.|Ms\.|Dr\.|vs\.|etc\.|e\.g\.|i\.e\.|[ap]\.m\.)", lambda s: _ABBREVIATIONS[s.lower()]),
    *_shared({"&": "and", "@": "at", "+": "plus", "=": "equals", "%": "percent", "％": "percent"}),
]
_ZH: list[tuple[str, str, Reader]] = [
    ("url", _URL, _address),
    ("iso", _DATE, _zh_iso_date),
    ("year", r"(?<!\d)[12]\d{3}(?=\s?年)", _zh_digits),
    ("time", rf"{_FREE}{_CLOCK}(?!\d)", _zh_time),
    ("money", rf"[{_SIGNS}]\s?{_NUM}\s?[万亿]?", _zh_money),
    ("percent", rf"(?<!\d)[-−]?{_NUM}\s?[%％]", lambda s: "百分之" + _zh_number(s.rstrip("%％ "))),
    ("quantity", rf"(?<![\dA-Za-z])[-−]?{_NUM}\s?(?:{_units(_UNITS_ZH)})(?![A-Za-z])", _zh_quantity),
    ("phone", r"(?<!\d)(?:1[3-9]\d{9}|\d{3,4}(?:-\d{3,8}){1,2})(?!\d)", _zh_digits),
    ("range", r"(?<![\d.])\d{1,6}\s?[-–—~～]\s?\d{1,6}(?![\d.])", _zh_range),
    ("fraction", r"(?<![\d/])\d{1,3}/\d{1,3}(?![\d/])", _zh_fraction),
    ("pair", rf"(?<![\d.第])2(?=[{_MEASURES}])(?!点半?\d)", lambda s: "两"),
    ("number", rf"(?:(?<![\w.,])[-−])?{_NUM}", _zh_number),
    *_shared({"&": "和", "+": "加", "=": "等于", "@": "at"}),
]


def _grammar(rules: list[tuple[str, str, Reader]]) -> tuple[re.Pattern[str], dict[str, Reader]]:
    alternatives = [("mark", _MARK), *((name, pattern) for name, pattern, _ in rules)]
    alternatives += [
        ("plain", rf"{_HANZI.pattern}|(?:(?!{_HANZI.pattern}){_LETTER})+(?:['’ʼ](?:(?!{_HANZI.pattern}){_LETTER})+)*")
    ]
    alternatives += [("space", r"\s+"), ("other", r".")]
    pattern = re.compile("|".join(f"(?P<{name}>{body})" for name, body in alternatives), re.S)
    return pattern, {name: reader for name, _, reader in rules}


_LETTER = r"[^\W\d_]"
_GRAMMARS = {"en": _grammar(_EN), "zh": _grammar(_ZH)}
