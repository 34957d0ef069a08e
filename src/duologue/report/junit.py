"""A comparison of two runs as JUnit XML, which continuous integration reads: a test case an item, and the verdict."""

from __future__ import annotations

import re
from collections import defaultdict
from xml.etree import ElementTree

from duologue.score.diff import Change, Diff

# What XML 1.0 allows in text.
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(diff: Diff) -> bytes:
    """The suites "verdict" (one case for each reason that makes a regression, or one that passes) and one a scenario.

    An item fails where it lost more than the tolerance or is not scored any more; it is skipped where neither run was
    scored. Characters that XML does not allow become U+FFFD.
    """
    root = ElementTree.Element("testsuites", name=_fit(f"duologue: {diff.system_a} to {diff.system_b}"))
    verdict = _suite(root, "verdict")
    e = diff.headline.difference
    span = "" if e.low is None or e.high is None else f" [{e.low:+.4f}, {e.high:+.4f}]"
    properties = ElementTree.SubElement(verdict, "properties")
    for name, value in (
        ("corpus", diff.corpus),
        ("corpus_sha256", diff.corpus_sha256),
        ("profile", diff.profile),
        ("headline_a", f"{diff.headline.a:.4f}"),
        ("headline_b", f"{diff.headline.b:.4f}"),
        ("difference", "" if e.value is None else f"{e.value:+.4f}{span}"),
    ):
        ElementTree.SubElement(properties, "property", name=name, value=_fit(value))
    for i, reason in enumerate(diff.reasons):
        _fail(_case(verdict, "verdict", f"regression {i + 1}"), "regression", reason)
    if not diff.reasons:
        _case(verdict, "verdict", "no regression")
    by_scenario: dict[str, list[Change]] = defaultdict(list)
    for change in diff.items:
        by_scenario[change.scenario].append(change)
    regressed, unscored = set(diff.regressed), set(diff.unscored)
    for scenario in sorted(by_scenario):
        suite = _suite(root, scenario)
        for c in sorted(by_scenario[scenario], key=lambda c: c.id):
            case = _case(suite, f"{scenario}.{c.language}", c.id)
            if c.id in unscored:
                _fail(case, c.outcome_b, f"not scored any more: {c.outcome_b} {c.why}".rstrip())
            elif c.id in regressed:
                _fail(case, "regressed", f"utility {c.a:.3f} to {c.b:.3f} {c.why}".rstrip())
            elif c.outcome_a != "scored" and c.outcome_b != "scored":
                ElementTree.SubElement(case, "skipped", message=_fit(f"scored in neither run: {c.outcome_b}, {c.why}"))
    for suite in root:
        for name, tag in (("tests", "testcase"), ("failures", "testcase/failure"), ("skipped", "testcase/skipped")):
            suite.set(name, str(len(suite.findall(tag))))
        suite.set("errors", "0")
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ElementTree.indent(root)
    result: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return result + b"\n"


def _suite(root: ElementTree.Element, name: str) -> ElementTree.Element:
    # No clock: readers want a time, and there is none to tell.
    return ElementTree.SubElement(root, "testsuite", name=_fit(name), time="0")


def _case(suite: ElementTree.Element, classname: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=_fit(classname), name=_fit(name), time="0")


def _fail(case: ElementTree.Element, kind: str, text: str) -> None:
    ElementTree.SubElement(case, "failure", type=kind, message=_fit(text)).text = _fit(text)


def _fit(text: str) -> str:
    return _UNFIT.sub("\ufffd", text)
