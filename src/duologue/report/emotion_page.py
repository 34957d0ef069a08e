"""A card of track 1 as one self-contained HTML page, in the style of track 2's; or as a part of that page.

Nothing is fetched, and names, texts and answers are hostile until escaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from duologue.report.chart import difference_bar, interval_bar, shares
from duologue.report.emotion_gallery import LONGEST, Answered, EmotionTake
from duologue.report.emotion_text import MEASURES
from duologue.report.matrix import confusion, table, transitions
from duologue.report.printable import html
from duologue.report.reliability_chart import diagram
from duologue.report.score_page import estimate, warnings
from duologue.report.shell import names, page, section
from duologue.report.sound import data_address
from duologue.report.trajectory_sketch import KEY, sketch
from duologue.report.verdict import grade, signed
from duologue.score.emotion.card import EmotionCard, EmotionItem, SpokenCard, TaskCell
from duologue.score.emotion.cause import CauseSpan
from duologue.score.emotion.evaluate import placed
from duologue.score.emotion.trajectory import laid
from duologue.score.scorecard import Estimate
from duologue.score.uncertainty import LEAST_CLUSTERS, rankable

_STATUS = {
    "scored": "#0072b2",
    "heard": "#0072b2",
    "missing": "#c22f2f",
    "empty": "#cc79a7",
    "mute": "#cc79a7",
    "answered twice": "#e69f00",
    "unreadable": "#e69f00",
    "wrong language": "#009e73",
    "infrastructure": "#f0e442",
    "nothing readable": "#8a94a0",
}
_OTHER = "#8a94a0"
# The measures that stand at the top: part of a cell, its field, what it is called.
_FIRST = (
    ("trajectory", "exact", "whole trajectory right"),
    ("trajectory", "turn_macro_f1", "turns, macro F1"),
    ("causes", "pair", "cause pairs, F1"),
    ("causes", "span_proportional", "cause spans, proportional F1"),
    ("recognition", "ua", "recognition UA"),
    ("conflict", "gap", "words against voice, gap"),
)
# What lies in [-1, 1] and not in [0, 1].
_SIGNED = {"gap", "valence", "arousal"}
_LISTED = 60
_TWO_SIDED = "a difference in [-1, 1]"


def render(card: EmotionCard, gallery: Sequence[EmotionTake], *, system: str = "", more: str = "") -> str:
    """The page for ``card``; ``gallery`` holds the dialogues to show, in order (see ``emotion_gallery.choose``).

    ``more`` is HTML of ours for the end of the page.
    """
    return page(f"{system or 'run'} on {card.corpus}, track 1", (body(card, gallery, system=system), more))


def body(card: EmotionCard, gallery: Sequence[EmotionTake], *, system: str = "") -> str:
    """What :func:`render` shows, for a page that shows both tracks."""
    return "".join(
        (
            _head(card, system),
            warnings(card.warnings),
            _headline(card),
            section("By language", _measures(card)),
            section("Changes of feeling", _changes(card)),
            section("Labels taken for others", _confusions(card)),
            section("Words against voice", _conflict(card)),
            section("Causes by kind", _kinds(card)),
            section("Does confidence tell?", _reliability(card)),
            section("Expression", _spoken(card.spoken)),
            section("Dialogues to listen to", _gallery(gallery)),
            section("How every answer ended", _accounting(card)),
        )
    )


def _head(card: EmotionCard, system: str) -> str:
    facts = (
        "track 1, <b>emotional intelligence</b>",
        f"profile <b>{html(card.profile)}</b>",
        "<b>no judge</b>",
        f"corpus <b><bdi>{html(card.corpus)}</bdi></b>",
    )
    sha = f"<p class='soft'><code>{html(card.corpus_sha256)}</code></p>" if card.corpus_sha256 else ""
    return f"<header><h1><bdi>{html(system or 'run without a name')}</bdi></h1><p>{' · '.join(facts)}</p>{sha}</header>"


def _headline(card: EmotionCard) -> str:
    cell, blocks = _whole(card), ""
    for part, name, what in _FIRST:
        e = _of(cell, part, name)
        if e is not None:
            blocks += _card(e, what)
    spoken = next((c.scores for c in card.spoken.cells if c.language == "all"), None) if card.spoken else None
    if spoken is not None:
        blocks += _card(spoken.heard_as_asked, "replies heard as asked") + _card(spoken.intelligible, "intelligibility")
    few = [e for part, name, _ in _FIRST if (e := _of(cell, part, name)) is not None and e.n and not rankable(e)]
    note = f"<p class='failed'>fewer than {LEAST_CLUSTERS} clusters: no ranking is claimed</p>" if few else ""
    bars = ""
    for task, n in cell.expected.items():
        bars += _ended(task, n, cell.accounted[task])
    if card.spoken is not None:
        whole = next((c for c in card.spoken.cells if c.language == "all"), None)
        bars += _ended("spoken replies", whole.expected, whole.accounted) if whole is not None else ""
    lead = "<p>Every answer that the corpus expects is in every denominator; one that is not scored is a wrong one.</p>"
    return f'<div class="cards">{blocks}</div>{note}{lead}{bars}{_key(card)}'


def _card(e: Estimate, what: str) -> str:
    value = "–" if e.value is None else f"{e.value:.2f}"
    span = "not measured" if e.value is None else "no interval"
    if e.low is not None and e.high is not None:
        span = f"[{e.low:.2f}, {e.high:.2f}]"
    return f'<div class="card"><b>{value}</b><span>{html(what)}<br>{span}</span></div>'


def _ended(task: str, n: int, accounted: dict[str, int]) -> str:
    parts = {s: (accounted.get(s, 0), _STATUS.get(s, _OTHER)) for s in sorted(accounted, key=_place)}
    total = " + ".join(f"{k:,} {html(s)}" for s, (k, _) in parts.items())
    wrong = "" if sum(accounted.values()) == n else ' <span class="failed">these do not add up</span>'
    return f"<p><b>{html(task)}: {n:,} expected</b> = {total}{wrong}</p>{shares(parts, css='coverage')}"


def _place(status: str) -> int:
    return list(_STATUS).index(status) if status in _STATUS else len(_STATUS)


def _key(card: EmotionCard) -> str:
    cell = _whole(card)
    used = {s for rows in cell.accounted.values() for s in rows}
    used |= {s for c in card.spoken.cells for s in c.accounted} if card.spoken else set()
    body = "".join(f'<span><i style="background:{c}"></i>{html(s)}</span>' for s, c in _STATUS.items() if s in used)
    return f'<p class="key">{body}</p>'


def _whole(card: EmotionCard) -> TaskCell:
    return next(c for c in card.cells if c.language == "all")


def _of(cell: TaskCell, part: str, name: str) -> Estimate | None:
    found = getattr(cell, part)
    value = found if isinstance(found, Estimate) or found is None else getattr(found, name)
    return value if isinstance(value, Estimate) else None


def _shown(e: Estimate | None, name: str) -> str:
    if e is None:
        return ""
    if name not in _SIGNED or e.value is None:
        return estimate(e)
    value, _, rest = signed(e, 2).partition(" ")
    span = f' <span class="soft">{rest}</span>' if rest else ""
    return f'<span class="figure" title="{_TWO_SIDED}">{difference_bar(e, 1.0)}<span>{value}{span}</span></span>'


def _measures(card: EmotionCard) -> str:
    rows = []
    for part, name, what in MEASURES:
        found = [_of(c, part, name) for c in card.cells]
        if any(e is not None for e in found):
            n = next((f"{e.n:,}" for e in found if e is not None), "")
            rows.append([html(what), n, *(_shown(e, name) for e in found)])
    header = [("measure", False), ("n", True)]
    header += [("all languages" if c.language == "all" else c.language, False) for c in card.cells]
    lead = (
        "<p>With 95% intervals, clustered by script family and speaker. All in [0, 1] but those drawn about a middle "
        "line, which lie in [-1, 1].</p>"
    )
    if card.read_as:
        read = ", ".join(f"{html(k)} {n:,}" for k, n in sorted(card.read_as.items()))
        lead += f'<p class="soft">Trajectories were read as: {read} (text is read by rules that can be wrong).</p>'
    return lead + table(header, rows)


def _changes(card: EmotionCard) -> str:
    blocks = ""
    for cell in card.cells:
        if cell.trajectory is not None and (found := transitions(cell.trajectory.transitions)):
            blocks += _folded(cell, len(card.cells), found)
    lead = (
        "<p>Found of gold's changes, in any place of the same dialogue; +n were told that are not there. "
        "Darker: a larger share found.</p>"
    )
    return lead + blocks if blocks else ""


def _confusions(card: EmotionCard) -> str:
    blocks = ""
    for cell in card.cells:
        inside = ""
        if cell.recognition is not None:
            inside += f"<h3>Recognition, a clip each</h3>{confusion(cell.recognition.confusion)}"
        if cell.trajectory is not None:
            inside += f"<h3>Trajectories, a turn each</h3>{confusion(cell.trajectory.confusion)}"
        blocks += _folded(cell, len(card.cells), inside) if inside else ""
    lead = (
        "<p>Shaded by the share of the row. No label: nothing was told of that turn or clip, or, as a row, more was "
        "told than there are turns.</p>"
    )
    return lead + blocks if blocks else ""


def _folded(cell: TaskCell, cells: int, inside: str) -> str:
    if cells == 1:
        return inside
    summary = "all languages" if cell.language == "all" else html(cell.language)
    return f"<details{' open' if cell.language == 'all' else ''}><summary>{summary}</summary>{inside}</details>"


def _conflict(card: EmotionCard) -> str:
    cells = [c for c in card.cells if c.conflict is not None]
    shown = (
        ("agree", "right where they agree"),
        ("conflict", "right where they conflict"),
        ("gap", "gap"),
        ("words_win", "words win"),
        ("neither", "neither"),
    )
    rows = [[what, *(_shown(_of(c, "conflict", name), name) for c in cells)] for name, what in shown]
    header = [("", False), *(("all languages" if c.language == "all" else c.language, False) for c in cells)]
    lead = (
        "<p>Clips whose words say one feeling and whose voice says another; the voice is the truth. The last two "
        "rows are shares of the clips that conflict.</p>"
    )
    return lead + table(header, rows) if cells else ""


def _kinds(card: EmotionCard) -> str:
    rows = []
    for cell in card.cells:
        for kind, scores in (cell.causes.by_kind if cell.causes is not None else {}).items():
            name = "all languages" if cell.language == "all" else cell.language
            rows.append([html(kind), html(name), f"{scores.turns.n:,}", estimate(scores.turns), estimate(scores.words)])
    rows.sort(key=lambda r: r[0])
    header = [("kind", False), ("language", False), ("gold causes", True), ("turns told", False)]
    lead = "<p>Recall: the share of gold's causes whose two turns were told, and the mean share of their words.</p>"
    return lead + table([*header, ("words told", False)], rows) if rows else ""


def _reliability(card: EmotionCard) -> str:
    blocks = ""
    for task, r in _whole(card).reliability.items():
        drawn = diagram(r)
        said = (
            f"{r.given:,} of {r.expected:,} answers give a confidence; expected calibration error {r.error:.3f}"
            if r.error is not None
            else f"none of {r.expected:,} expected answers gives a confidence or a distribution: nothing to draw"
        )
        blocks += f"<div><h3>{html(task)}</h3><p>{said}</p>{drawn}</div>"
    lead = (
        "<p>Across: the confidence that an answer claims (its own number, or the share that its distribution gives to "
        "its label). Up: the share of those answers that are right. On the dotted line both are equal; red is the gap. "
        "Below: how many answers. Answers without a confidence are no part of it.</p>"
    )
    return f'{lead}<div class="charts">{blocks}</div>' if blocks else ""


def _spoken(spoken: SpokenCard | None) -> str:
    if spoken is None:
        return "<p>No spoken reply was expected, or the run holds none: expression is not measured.</p>"
    rows = []
    for c in spoken.cells:
        ended = " + ".join(f"{n:,} {html(s)}" for s, n in c.accounted.items())
        name = "all languages" if c.language == "all" else c.language
        cells = [html(name), f"{c.expected:,} = {ended}", f"{c.not_asked:,}"]
        if c.scores is None:
            rows.append([*cells, "–", "–", "–"])
        else:
            ceiling = "–" if c.scores.ceiling is None else f"{c.scores.ceiling:.2f}"
            rows.append([*cells, estimate(c.scores.heard_as_asked), ceiling, estimate(c.scores.intelligible)])
    header = [("language", False), ("expected", False), ("no feeling asked", True), ("heard as asked", False)]
    text = table([*header, ("ceiling of the ear", True), ("intelligibility", False)], rows)
    h = spoken.hearing
    ear = f"ear: {html(spoken.ear_from)}"
    if h is not None:
        classes = ", ".join(f"{html(k)} {v:.2f}" for k, v in h.recall.by_class.items())
        ear += (
            f"; on {h.clips:,} clips of {h.speakers:,} speakers, each left out in turn, it is right in "
            f"{h.recall.mean:.2f} (chance {h.chance:.2f}): {classes}"
        )
    text += f'<p class="soft">{ear}. Words: {html(spoken.words_from)}.</p>'
    whole = next((c.scores for c in spoken.cells if c.language == "all"), None)
    if whole is not None and whole.confusion:
        text += f"<h3>Asked and heard</h3>{confusion(whole.confusion, rows='asked', columns='heard')}"
    lead = (
        "<p>Does the prosody of a reply carry the feeling that was asked for? By the project's own classifier, which "
        "is often wrong: read it beside its ceiling, to compare systems and not to grade a reply.</p>"
    )
    rows = [
        [
            f"<bdi>{html(i.id)}</bdi>",
            html(i.status) + (f' <span class="soft">{html(i.why)}</span>' if i.why else ""),
            html(i.asked or "–"),
            f'<span class="{"passed" if i.right else "failed"}">{html(i.heard or "–")}</span>',
            "–" if i.error is None else f"{i.error:.2f}",
            html(i.words[:200]),
        ]
        for i in sorted(spoken.items, key=lambda i: (i.right, i.id))[:_LISTED]
    ]
    header = [("reply", False), ("ended", False), ("asked", False), ("heard", False), ("word errors", True)]
    listed = table([*header, ("words heard", False)], rows)
    more = f"<details><summary>{len(spoken.items):,} replies</summary>{listed}</details>" if listed else ""
    return lead + text + more


# -- dialogues ----------------------------------------------------------------------------------------------------


def _gallery(gallery: Sequence[EmotionTake]) -> str:
    blocks = "".join(_take(n, t) for n, t in enumerate(gallery))
    lead = (
        "<p>The worst dialogues, tasks and languages in turn, then a few of the best. A click on a picture plays from "
        "there.</p>"
    )
    return lead + KEY + blocks if blocks else ""


def _take(n: int, t: EmotionTake) -> str:
    d = t.dialogue
    chips = "".join(
        f'<span class="chip">{html(x)}</span>' for x in (*(a.item.task for a in t.answers), *d.languages, d.split) if x
    )
    drawn, found = "", []
    told: dict[int, tuple[str, str]] = {}
    for a in t.answers:
        if a.expected.task == "trajectory":
            laid_out = laid(placed(a.expected, a.heard.reading))
            inside = (*laid_out, *("",) * len(a.expected.turns))[: len(a.expected.turns)]
            told |= dict(zip(a.expected.turns, zip(a.expected.labels, inside, strict=True), strict=True))
            drawn += sketch(t, a.expected.turns, a.expected.labels, inside)
        elif a.expected.task == "reasoning":
            found.append(a)
    if not drawn and t.samples is not None:
        drawn = sketch(t, (), (), ())
    player = ""
    if t.samples is not None:
        cut = f'<p class="soft">the first {LONGEST:.0f} s</p>' if t.seconds >= LONGEST else ""
        player = (
            f'<audio controls preload="none" data-offset="0" aria-label="the user" '
            f'src="{data_address(t.samples, t.rate)}"></audio>{cut}'
        )
    why = "".join(f'<p class="why">{_sentence(a)}</p>' for a in t.answers)
    return (
        f'<article class="item" id="dialogue-{n}"><h3><b class="{grade(t.score)}">{t.score:.2f}</b>'
        f"<span><bdi>{html(d.id)}</bdi></span><span>{chips}</span></h3>{why}"
        f'<div class="take"><div class="wide">{drawn}</div>{player}{_turns(t, told, found)}</div></article>'
    )


def _sentence(a: Answered) -> str:
    """What was owed and what came, in one sentence."""
    i = a.item
    if i.status != "scored":
        return f"{html(i.task)}: {html(i.status)}, so it counts as wrong."
    gold, said = " → ".join(i.gold), " → ".join(x or "?" for x in i.said)
    if i.task == "trajectory":
        way = "turn by turn" if placed(a.expected, a.heard.reading).placed else "as an order, laid over gold's turns"
        return f"trajectory {i.score:.2f} (told {way}): gold {html(gold)}; told {html(said)}"
    if i.task == "reasoning":
        given = f"; in words: “{html(i.said[0])}”" if i.said and i.said[0] else ""
        return f"causes {i.score:.2f}: {len(a.expected.causes)} in gold, {len(a.heard.causes)} told{given}"
    sure = f", confidence {i.confidence:.2f}" if i.confidence is not None else ""
    words = a.expected.words
    clash = f" (its words say {html(words)})" if words and words != i.gold[0] else ""
    return f"recognition: the voice is {html(gold)}{clash}; told {html(said or 'nothing')}{sure}"


def _turns(t: EmotionTake, told: dict[int, tuple[str, str]], reasons: Sequence[Answered]) -> str:
    """The words, turn by turn, with labels and with causes marked."""
    rows = ""
    for turn in t.dialogue.turns:
        gold, said = told.get(turn.index, ("", ""))
        label = ""
        if gold:
            css = "passed" if gold == said else "failed"
            label = f'{html(gold)} <span class="{css}">{html(said or "not told")}</span>'
        spans = [(c, True) for a in reasons for c in a.expected.causes if c.evidence_turn == turn.index]
        spans += [(c, False) for a in reasons for c in a.heard.causes if c.evidence_turn == turn.index]
        rows += (
            f'<tr><td class="n">{turn.index}</td><td class="{turn.role}">{html(turn.role.replace("_", " "))}</td>'
            f"<td>{label}</td><td>{marked(turn.text, spans)}{_arrows(spans)}</td></tr>"
        )
    head = "<tr><th class='n'>turn</th><th>who</th><th>gold, told</th><th>says</th></tr>"
    return f'<div class="scroll"><table class="said">{head}{rows}</table></div>'


def marked(text: str, spans: Iterable[tuple[CauseSpan, bool]]) -> str:
    """``text`` with the code points of causes marked: gold's (True), told (False), or both. Everything is escaped."""
    gold, told = [0] * len(text), [0] * len(text)
    cuts = {0, len(text)}
    for c, is_gold in spans:
        if c.span is not None:
            start, end = max(c.span[0], 0), min(c.span[1], len(text))
            cuts |= {start, end} if start < end else set()
            for i in range(start, end):
                (gold if is_gold else told)[i] = 1
    body, edges = "", sorted(cuts)
    for a, b in pairwise(edges):
        css = {(1, 0): "gold", (0, 1): "told", (1, 1): "both"}.get((gold[a], told[a]))
        piece = html(text[a:b])
        body += f'<mark class="{css}">{piece}</mark>' if css else piece
    return body


def _arrows(spans: Sequence[tuple[CauseSpan, bool]]) -> str:
    """Which turns feel so because of this one, in gold and as told."""
    said = ""
    for is_gold, name in ((True, "gold"), (False, "told")):
        turns = Counter(c.emotion_turn for c, g in spans if g is is_gold)
        kinds = sorted({k for c, g in spans if g is is_gold for k in c.kinds})
        if turns:
            where = ", ".join(map(str, sorted(turns)))
            about = f" ({html(', '.join(kinds))})" if kinds else ""
            said += f' <span class="soft">[{name}: why turn {where} feels so{about}]</span>'
    return said


def _accounting(card: EmotionCard) -> str:
    blocks = ""
    for cell in card.cells:
        for task, n in cell.expected.items():
            ended = " + ".join(f"{k:,} {html(s)}" for s, k in cell.accounted[task].items())
            language = "all languages" if cell.language == "all" else cell.language
            blocks += f"<li>{html(language)}, {html(task)}: <b>{n:,} expected</b> = {ended}</li>"
    blocks = f"<ul>{blocks}</ul>"
    failed: dict[str, list[EmotionItem]] = {}
    for i in card.items:
        if i.status != "scored":
            failed.setdefault(i.status, []).append(i)
    for status, items in failed.items():
        blocks += f"<h3>{len(items):,} {html(status)}</h3>{names((f'{i.id} {i.probe}', i.task) for i in items)}"
    blocks += _dialogues(card)
    if card.unknown_labels:
        rows = [(name, f"{n:,}") for name, n in card.unknown_labels.items()]
        blocks += f"<h3>Labels that the taxonomy lacks</h3>{names(rows)}"
    if card.counts:
        total = ", ".join(f"{html(k)} {n:,}" for k, n in card.counts.items())
        blocks += f"<h3>What was wrong with lines of the file</h3><p>{total}</p>"
        blocks += names((f"line {f.line}", f.what) for f in card.findings)
    if card.left_to_judges:
        left = ", ".join(f"{html(k)} {n:,}" for k, n in card.left_to_judges.items())
        blocks += f"<h3>Left to judges</h3><p>{left}: no measure on this page answers for them.</p>"
    return blocks


def _dialogues(card: EmotionCard) -> str:
    """Each dialogue: answers scored + failed = expected, and how good they were; the worst first."""
    by: dict[str, list[EmotionItem]] = {}
    for i in card.items:
        by.setdefault(i.id, []).append(i)
    rows = []
    for id, items in sorted(by.items(), key=lambda x: (min(i.score for i in x[1]), x[0]))[:_LISTED]:
        scored = sum(i.status == "scored" for i in items)
        mean = sum(i.score for i in items) / len(items)
        tasks = ", ".join(f"{i.task} {i.score:.2f}" + ("" if i.status == "scored" else f" ({i.status})") for i in items)
        bar = interval_bar(Estimate(value=mean))
        counted = f"{scored} + {len(items) - scored} = {len(items)}"
        figure = f'<span class="figure">{bar}<span>{mean:.2f}</span></span>'
        rows.append([f"<bdi>{html(id)}</bdi>", html(items[0].language), counted, figure, html(tasks)])
    header = [("dialogue", False), ("language", False), ("scored + failed = expected", True), ("mean", False)]
    listed = table([*header, ("answers", False)], rows)
    more = f'<p class="soft">and {len(by) - len(rows):,} more</p>' if len(by) > len(rows) else ""
    return f"<details><summary>{len(by):,} dialogues, the worst first</summary>{listed}{more}</details>" if rows else ""
