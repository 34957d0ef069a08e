from __future__ import annotations

from pathlib import Path

import pytest
from board_servers import new_database


@pytest.fixture(params=["sqlite", "postgresql"])
def board_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a board may be kept: a file of SQLite, and a database of a PostgreSQL server that the tests start."""
    pytest.importorskip("sqlalchemy", reason="the extra board is not installed")
    return str(tmp_path / "board.sqlite") if request.param == "sqlite" else new_database()
