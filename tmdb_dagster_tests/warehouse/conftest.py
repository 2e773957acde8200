from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from tmdb_dagster.warehouse import migrate as migration
from tmdb_dagster.warehouse import sql
from tmdb_dagster.warehouse.engine import HEAD, connect
from tmdb_dagster_tests.machines_postgres import POSTGRES, machines_postgres
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
        for name, definition in definitions.items():
            (tmp_path / f"sql/{name}.sql").write_text(definition)
        monkeypatch.setattr(migration, "MIGRATIONS", tmp_path / "migrations")
        monkeypatch.setattr(sql, "FOLDER", tmp_path / "sql")

    return make


@pytest.fixture(scope="session")
def server_with_pg_trgm(database_address: Callable[[str], str]) -> Iterator[str]:
    """A superuser's address on a server that has the extension: the tests' own, else one of this machine's Postgres."""
    url = database_address("postgres")
    available = "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'"
    own = create_engine(url, poolclass=NullPool)
    with own.connect() as connection:
        found = connection.scalar(text(available))
    if found:
        yield url
    elif POSTGRES is None:
        pytest.skip("no Postgres with pg_trgm is installed")
    else:
        with machines_postgres() as url:
            yield url


@pytest.fixture
def database_with_pg_trgm(server_with_pg_trgm: str) -> Iterator[Engine]:
    """An empty database whose owner may create the extension."""
    admin = create_engine(server_with_pg_trgm, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    name = f"test_{uuid.uuid4().hex[:12]}"
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine = connect(make_url(server_with_pg_trgm).set(database=name).render_as_string(hide_password=False))
    yield engine
    engine.dispose()
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
