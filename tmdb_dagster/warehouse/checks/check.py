"""What a check is, and how it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError

from tmdb_dagster.transform.health import Finding, Severity
from tmdb_dagster.warehouse.errors import DatabaseUnavailable, WarehouseError

EXAMPLES = 10
"""So many examples are shown of what is wrong."""

_ROWS_AT_ONCE = 500

MOVIE_TABLES = ("works", "works_meta", "rating_sources", "aggregates", "work_cards_cache")
"""What a check `of_movies` may read."""

# In front of a query: of the tables of movies it then sees those rows alone that belong to what the run ingested.
_SOME = ", ".join(
    f"{table} AS (SELECT * FROM {table} WHERE work_id IN (SELECT work_id FROM ingested))"  # noqa: S608 - constants
    for table in MOVIE_TABLES
)
_INGESTED = f"""
    WITH ingested AS MATERIALIZED (
        SELECT w.work_id FROM ingest_batches b JOIN ingest_candidates c USING (batch_id) JOIN works w USING (tmdb_id)
        WHERE b.run_id = :run_id AND c.outcome = 'ingested'
    ), {_SOME}
"""  # noqa: S608 - constants

Redact = Callable[[str], str]
"""Takes secrets out of a text."""


class Answer(NamedTuple):
    """What the query of a check answers, in one row; `text` says what is wrong where it did not pass."""

    passed: bool
    text: str
    figures: Mapping[str, int | float]
    examples: Sequence[str]


@dataclass(frozen=True)
class Check:
    """What must hold of an asset, and what to do where it does not.

    `query` answers in one row with the columns of Answer; it may ask for :run_id, the run that checks. Where SQL cannot
    judge, `judge` makes the answer of the query's rows; it is given what takes secrets out of a text. A `cheap` check
    is also asked by `tmdb-dagster status`, the report and the view v_problems; the others read much and are left to the
    jobs. One that `blocks` ends the run that would build on the asset. One `of_movies` reads MOVIE_TABLES alone, so
    that it can be asked of some movies as of all.
    """

    name: str
    asset: str
    severity: Severity
    holds: str
    advice: str
    query: str
    cheap: bool = False
    blocks: bool = False
    of_movies: bool = False
    judge: Callable[[Iterable[Row[Any]], Redact], Answer] | None = None


def find(
    connection: Connection, check: Check, *, run_id: str = "", ingested: bool = False, redact: Redact = str
) -> Finding:
    """Ask one check; a query that fails is what it found, and leaves the transaction usable for the others.

    `ingested`: ask a check `of_movies` of those movies alone that the run `run_id` ingested.
    """
    query = _INGESTED + check.query if ingested and check.of_movies else check.query
    try:
        with connection.begin_nested():
            rows = connection.execute(
                text(query),
                {"run_id": run_id} if ":run_id" in query else {},
                # What is judged here may be all there is.
                execution_options={"yield_per": _ROWS_AT_ONCE} if check.judge else {},
            )
            answer = check.judge(rows, redact) if check.judge else Answer(*rows.one())
    except DatabaseUnavailable:
        raise
    except (DBAPIError, WarehouseError) as error:
        reason = str(error.orig if isinstance(error, DBAPIError) else error).splitlines()[0].rstrip(".")
        return Finding(
            check.name,
            check.asset,
            "error",
            passed=False,
            text=f"This could not be checked: {reason}.",
            advice="Run `tmdb-dagster migrate`, and see that this role may read the tables and views.",
            asked=False,
        )
    return Finding(
        check.name,
        check.asset,
        check.severity,
        answer.passed,
        "" if answer.passed else answer.text,
        "" if answer.passed else check.advice,
        answer.figures,
        tuple(answer.examples),
    )


def none_of(what: str, sql: str) -> str:
    """A query that passes where `sql` gives no row: (example), and the number of all such rows as (found)."""
    return f"""
        SELECT count(*) = 0 AS passed,
            '{what.capitalize()}: ' || max(found) || ', such as ' || (array_agg(example))[1] || '.' AS text,
            jsonb_build_object('{what}', coalesce(max(found), 0)) AS figures,
            coalesce(array_agg(example), '{{}}') AS examples
        FROM ({sql} LIMIT {EXAMPLES}) AS wrong
    """  # noqa: S608 - our own texts


def reasons(column: str, table: str, condition: str) -> str:
    """An expression: the most frequent reasons in a column of messages."""
    return f"""
        ARRAY(
            SELECT count(*) || ' x ' || reason FROM (
                SELECT left(failure_reason({column}), 200) AS reason FROM {table}
                WHERE {condition} AND {column} IS NOT NULL
            ) AS r GROUP BY reason ORDER BY count(*) DESC, reason LIMIT {EXAMPLES}
        )
    """  # noqa: S608 - our own names
