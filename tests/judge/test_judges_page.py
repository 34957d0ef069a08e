from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from chat_server import MODEL, Server, fitting

PAGE = Path(__file__).parents[2] / "docs" / "judges.md"


def test_the_example_of_the_page_runs(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    server.say = lambda body: json.dumps({**json.loads(fitting(body)), "reply_language": "en"})
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    code = code.replace("https://api.example.org/v1", server.url).replace("some-model", MODEL)
    exec(compile(code, str(PAGE), "exec"), {})
    printed = capsys.readouterr().out
    assert "'ok': 1" in printed and "requests=3" in printed
    assert len(list((tmp_path / "cache" / "judge").rglob("*.json"))) == 3
