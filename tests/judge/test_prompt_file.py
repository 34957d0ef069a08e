from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duologue.errors import UserError
from duologue.judge.prompt import PromptFile, find_places, load_prompt

ROLES = {"history": ("conversation_history", "history"), "reply": ("final_model_response", "reply")}
# Both languages, braces, quotes, percent signs, backslashes, control characters, and placeholders themselves.
TEXT = st.text(
    st.sampled_from(list("{}[]<>%$_\\\"'`\n\r\t\x00\x1b\u2028\u202e\ufeff") + list("ab1 ，。你好打断\U0001f642"))
    | st.characters(exclude_categories=("Cs",))
)
VALUE = st.builds(lambda a, p, b: a + p + b, TEXT, st.sampled_from(["", "{reply}", "{history}", "\\1", "\\g<0>"]), TEXT)


@given(st.lists(TEXT, min_size=3, max_size=3), VALUE, VALUE)
def test_filling_replaces_placeholders_and_nothing_else(between: list[str], history: str, reply: str) -> None:
    """Whatever stands around the places and whatever is put there comes out as it is, and is not looked at again."""
    places = {"{history}": "history", "{reply}": "reply"}
    a, b, c = (part.replace("{history}", "").replace("{reply}", "") for part in between)
    prompt = PromptFile(path="", text=f"{a}{{history}}{b}{{reply}}{c}{{history}}", places=places)
    assert prompt.fill({"history": history, "reply": reply}) == f"{a}{history}{b}{reply}{c}{history}"


@pytest.mark.parametrize(
    ("left", "right"),
    [("{", "}"), ("{{", "}}"), ("${", "}"), ("<", ">"), ("<<", ">>"), ("[", "]"), ("[[", "]]"), ("%", "%"),
     ("%(", ")s"), ("__", "__"), ("{ ", " }"), ("{{ ", " }}")],
)  # fmt: skip
def test_placeholders_of_every_usual_kind_are_found(tmp_path: Path, left: str, right: str) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text(f'Talk:\n{left}Conversation History{right}\nReply: {left}reply{right}.\n{{"score": <1-5>}} 100%')
    if left in ("__",):
        file.write_text(file.read_text().replace("Conversation History", "conversation_history"))
    prompt = load_prompt(file, ROLES)
    assert prompt.fill({"history": "A{B}", "reply": "C\\D"}) == 'Talk:\nA{B}\nReply: C\\D.\n{"score": <1-5>} 100%'


def test_a_prompt_with_unescaped_braces_and_format_escapes_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    text = '{"scores": {"A": <Score: 1, 3, or 5>}} {{}} {0} {unknown} {reply}{history} %s %d \\n'
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    filled = load_prompt(file, ROLES).fill({"history": "{reply}", "reply": "{history}"})
    assert filled == '{"scores": {"A": <Score: 1, 3, or 5>}} {{}} {0} {unknown} {history}{reply} %s %d \\n'


def test_a_prompt_without_places_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text('Grade the reply: {"score": 1}, please {do} it')
    with pytest.raises(UserError, match="no placeholder was found") as caught:
        load_prompt(file, ROLES)
    assert "prompt.txt" in caught.value.message and "{conversation_history}" in caught.value.message
    file.write_text("Grade {reply}")
    with pytest.raises(UserError, match="no placeholder for history"):
        load_prompt(file, ROLES)


def test_places_can_be_named(tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text("对话：@@1@@ 回复：(reply here) {reply}")
    prompt = load_prompt(file, ROLES, {"history": "@@1@@", "reply": "(reply here)"})
    assert prompt.fill({"history": "甲", "reply": "乙"}) == "对话：甲 回复：乙 {reply}"
    with pytest.raises(UserError, match="not in the prompt file"):
        load_prompt(file, ROLES, {"history": "@@2@@", "reply": "(reply here)"})
    with pytest.raises(UserError, match="no such role"):
        load_prompt(file, ROLES, {"histroy": "@@1@@", "reply": "(reply here)"})
    with pytest.raises(UserError, match="no placeholder for reply"):
        load_prompt(file, ROLES, {"history": "@@1@@"})


def test_the_wording_and_its_places_have_a_hash(tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text("{history} {reply}")
    first = load_prompt(file, ROLES).sha256
    assert load_prompt(file, ROLES).sha256 == first
    file.write_text("{history} {reply}!")
    assert load_prompt(file, ROLES).sha256 != first


@pytest.mark.parametrize("data", [b"", b" \n\t", b"\xff\xfe{history}"])
def test_a_file_that_is_no_prompt_is_named(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "prompt.txt"
    file.write_bytes(data)
    with pytest.raises(UserError, match=r"prompt\.txt"):
        load_prompt(file, ROLES)
    with pytest.raises(UserError, match="cannot be read"):
        load_prompt(tmp_path / "absent.txt", ROLES)


@given(TEXT)
def test_looking_for_places_finds_only_roles(text: str) -> None:
    assert set(find_places(text + "{reply}", ROLES).values()) <= {"reply", "history"}
    assert "reply" in find_places("x {reply}", ROLES).values()
