"""docs/app.md: its SQL as the app's role runs it, its plans on a large catalogue, and what it says of the schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tmdb_dagster.settings import REPOSITORY
from tmdb_dagster.transform.card_schema import CARD_SCHEMA, CARD_SHORT_SCHEMA
from tmdb_dagster.warehouse.browse import _MOVIES, Query, find_movies
from tmdb_dagster.warehouse.engine import json_parameter
from tmdb_dagster.warehouse.migrate import migrate
from tmdb_dagster.warehouse.title_index import TITLE_INDEX
from tmdb_dagster_tests.transform.test_card_schema import fields
from tmdb_dagster_tests.warehouse.database import (
    add_work,
    claimed_work,
    execute,
    fetched_movie,
    rows,
    write,
)

PAGE = (REPOSITORY / "docs/app.md").read_text("utf8")
EXAMPLES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
QUERIES = [example for example in EXAMPLES if re.match(r"(--.*\n)?SELECT", example)]
OWNERS = [example for example in EXAMPLES if example not in QUERIES]
BEFORE, AFTER = "2026-11-23 02:13:07+00", "2026-11-23 02:22:08+00"


def query(of: str) -> str:
    """The page's query with these words."""
    [found] = [example for example in QUERIES if of in example]
    return str(found)


def section(title: str) -> str:
    _, found = PAGE.split(f"\n## {title}\n")
    return str(found.split("\n## ")[0])


App = Callable[[Engine], Callable[[str], list[Any]]]


@pytest.fixture
def app() -> Iterator[App]:
    """Makes the app's role in a catalogue with row level security, by the page; returns how it asks."""
    made: list[tuple[Engine, str]] = []

    def make(engine: Engine) -> Callable[[str], list[Any]]:
        role = f"app_{engine.url.database}"
        made.append((engine, role))
        execute(engine, f"CREATE ROLE {role}; ALTER TABLE works ENABLE ROW LEVEL SECURITY")
        execute(engine, "ALTER TABLE work_cards_cache ENABLE ROW LEVEL SECURITY")
        for statement in OWNERS:
            execute(engine, statement.replace("authenticated", role))

        def ask(sql: str) -> list[Any]:
            with engine.connect() as connection:
                connection.execute(text(f"SET LOCAL ROLE {role}"))
                return list(connection.exec_driver_sql(sql, execution_options={"no_parameters": True}))

        return ask

    yield make
    for engine, role in made:
        execute(engine, f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_every_query_of_the_page_answers_the_apps_role(engine: Engine, app: App) -> None:
    work_id = claimed_work(engine, 603, work_id=7)
    write(engine, fetched_movie(work_id, id=603, title="The Matrix", genres=[{"id": 28, "name": "Action"}]))
    execute(engine, "UPDATE work_cards_cache SET computed_at = :at", at=BEFORE)
    add_work(engine, 604, work_id=8, gone_at=AFTER)
    ask = app(engine)

    assert len(QUERIES) + len(OWNERS) == len(EXAMPLES) == PAGE.count("```sql")
    assert [example for example in QUERIES if not ask(example)] == []
    assert ask(query("unnest")) == [(8,), (9,)]
    assert ask(query("gone_at >=")) == [(8, "604", None)]


def test_a_change_that_is_committed_late_is_within_the_overlap(engine: Engine, app: App) -> None:
    for tmdb_id, at in ((603, BEFORE), (604, AFTER), (605, "2026-11-23 02:12:07+00")):
        write(engine, fetched_movie(claimed_work(engine, tmdb_id), id=tmdb_id, imdb_id=None))
        changed = "UPDATE work_cards_cache SET computed_at = :at WHERE work_id = (SELECT max(work_id) FROM works)"
        execute(engine, changed, at=at)

    changed_since = app(engine)(query("(computed_at, work_id)"))

    assert [row.tmdb_id for row in changed_since] == ["603", "604"]


LARGE = """
    INSERT INTO works (tmdb_id, title, original_title, year, release_date, ingestion_status, gone_at)
    SELECT n::text, 'Movie ' || n, 'Film ' || n, 1950 + n % 75,
        date '1950-01-01' + n, 'complete', CASE WHEN n % 200 = 0 THEN now() - n * interval '1 minute' END
    FROM generate_series(1, 25000) n;
    INSERT INTO work_cards_cache (work_id, payload, etag, computed_at)
    SELECT work_id, CAST(:payload AS jsonb), md5(tmdb_id), timestamptz '2026-11-23' - work_id * interval '1 minute'
    FROM works;
    ANALYZE works, work_cards_cache
"""


def fill(engine: Engine) -> None:
    """Make the catalogue large, with cards of about the usual size."""
    overview = Random(1).randbytes(750).hex()
    execute(engine, LARGE, payload=json_parameter({"genres": ["Action"], "overview": overview, "attribution": {}}))


def test_what_follows_the_cards_walks_along_indexes(engine: Engine, app: App) -> None:
    fill(engine)
    ask = app(engine)

    def plan(sql: str) -> str:
        return "\n".join(row[0] for row in ask(f"EXPLAIN {sql}"))

    changed = plan(query("(computed_at, work_id)"))
    assert re.search(r"using work_cards_cache_computed_at_idx.*\n\s+Index Cond", changed)
    gone = plan(query("gone_at >="))
    assert "works_gone_idx" in gone
    read = plan(query("work_id > 0 ORDER BY work_id"))
    for walk in (changed, gone, read, plan(query("tmdb_id = '603'")), plan(query("unnest"))):
        assert "Seq Scan" not in walk, walk


def test_titles_are_found_by_their_trigrams(database_with_pg_trgm: Engine, app: App) -> None:
    engine = database_with_pg_trgm
    migrate(engine)
    execute(engine, f"DROP INDEX {TITLE_INDEX}")
    fill(engine)
    assert [step.what for step in migrate(engine).steps] == [f"build index {TITLE_INDEX}"]
    # What was just written is in a list beside the index.
    execute(engine, "UPDATE works SET original_title = 'Matrix' WHERE work_id = 4711")
    execute(engine, "UPDATE works SET last_refreshed_at = now() WHERE work_id % 5 = 0")
    ask = app(engine)
    as_the_page_asks = {"search": "matr", "pattern": "%matr%", "genre": "", "status": "", "limit": 61, "offset": 0}

    for_app = "\n".join(row[0] for row in ask(f"EXPLAIN {query('%matr%')}"))
    for_page = "\n".join(row[0] for row in rows(engine, f"EXPLAIN {_MOVIES.text}", **as_the_page_asks))

    for plan in (for_app, for_page):
        assert plan.count(f"Bitmap Index Scan on {TITLE_INDEX}") == 2, plan
        assert "Seq Scan" not in plan, plan
    assert [row.work_id for row in ask(query("%matr%"))] == [4711]
    with engine.begin() as connection:
        movies, _ = find_movies(connection, Query(search="MATR"))
    assert [movie["tmdb_id"] for movie in movies] == ["4711"]


def test_the_page_names_the_fields_that_may_be_null() -> None:
    card, short = (
        {path.removeprefix(".") for path, field in fields(schema, schema) if "null" in field.get("type", ())}
        for schema in (CARD_SCHEMA, CARD_SHORT_SCHEMA)
    )
    regions = {path for path in card if re.search(r"\.(rent|buy|ads|free)\[\]", path)}

    of_card, of_short = section("Which fields may be null").split("Nothing else is")

    assert set(re.findall(r"`([^`]+)`", of_card)) == card - regions | {"rent", "buy", "ads", "free"}
    assert short == set(re.findall(r"`([^`]+)`", of_short.split("In a short card")[1]))
    assert f"such as `{CARD_SCHEMA['$id'].rsplit(':')[-1]}`" in PAGE
