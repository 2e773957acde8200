from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tmdb_dagster.warehouse import migrate as migration
from tmdb_dagster.warehouse import sql
from tmdb_dagster.warehouse.engine import HEAD, connect
from tmdb_dagster_tests.warehouse.old_system import TMDB_IDS, build_old_system


@pytest.fixture
def old_system(new_database: Callable[..., str]) -> Callable[..., Engine]:
    """Makes a database of the old system, with drifts."""

    def make(*drifts: str) -> Engine:
        engine = connect(new_database())
        build_old_system(engine, TMDB_IDS, *drifts)
        return engine

    return make


LATER = """
from alembic import op

revision = "0199"
down_revision = "{head}"


def upgrade() -> None:
    op.execute({sql!r})
"""


@pytest.fixture
def later_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Makes this version a later one, with one more revision and with other files of sql/."""

    def make(revision: str, **definitions: str) -> None:
        shutil.copytree(migration.MIGRATIONS, tmp_path / "migrations")
        shutil.copytree(sql.FOLDER, tmp_path / "sql")
        later = tmp_path / "migrations/versions/0199_later.py"
        later.write_text(f'"""A later one."""{LATER.format(head=HEAD, sql=revision)}')
        for name, text in definitions.items():
            (tmp_path / f"sql/{name}.sql").write_text(text)
        monkeypatch.setattr(migration, "MIGRATIONS", tmp_path / "migrations")
        monkeypatch.setattr(sql, "FOLDER", tmp_path / "sql")

    return make
