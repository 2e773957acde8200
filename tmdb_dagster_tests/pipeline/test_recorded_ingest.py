"""Recorded answers of TMDB by the job's own way: asked over HTTP, written to Postgres, read back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from sqlalchemy import Connection, Engine, text

from tmdb_dagster.pipeline.ingest import ingest_movie
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.transform.rows import CardRow, Credited, MovieRows
from tmdb_dagster_tests.recorded import DETAILS, combined, needs_samples, read, sample_name, samples
from tmdb_dagster_tests.transform.checks import check_card
from tmdb_dagster_tests.transform.test_recorded import IMAGE, check_details, check_parts, check_people


@needs_samples
def test_ingest_movie_writes_the_right_rows_for_every_recorded_movie(
    start_run: Callable[..., Run], engine: Engine, sandbox: SandboxServer, subtests: pytest.Subtests
) -> None:
    run = start_run(tmdb_image_url=IMAGE)
    for path in samples(*DETAILS):
        raw = combined(read(path))
        sandbox.faults.clear()
        sandbox.faults.add(Fault(path=f"/movie/{raw['id']}", kind="body", body=raw))
        with engine.begin() as connection:
            # Some movies were recorded twice, once without parts that a refresh would keep.
            connection.execute(text("DELETE FROM works"))
        with subtests.test(sample_name(path)):
            outcome = ingest_movie(run, raw["id"], force_refresh=True)
            with engine.begin() as connection:
                movie, card = stored_rows(connection, outcome.work_id)
            assert sandbox.faults.fired == 1
            check_details(raw, movie)
            check_people(raw, movie, card)
            check_parts(raw, movie)
            check_card(card["payload"])
            for source in ("tmdb", "tmdb_recommendation"):
                ranks = [row["rank_order"] for row in movie.similar if row["source"] == source]
                assert ranks == [*range(1, len(ranks) + 1)]


def stored_rows(connection: Connection, work_id: int | None) -> tuple[MovieRows, CardRow]:
    """A work's rows as they are in the database."""

    def rows(query: str) -> list[dict[str, Any]]:
        found = connection.execute(text(query), {"work_id": work_id})
        return [dict(row) for row in found.mappings()]

    [work] = rows("SELECT *, release_date::text AS release_date FROM works WHERE work_id = :work_id")
    [meta] = rows("SELECT * FROM works_meta WHERE work_id = :work_id")
    [rating] = rows("SELECT * FROM rating_sources WHERE work_id = :work_id")
    [card] = rows("SELECT * FROM work_cards_cache WHERE work_id = :work_id")
    shown = card["payload"]
    movie = MovieRows(
        work=cast("Any", work),
        meta=cast("Any", meta),
        rating=cast("Any", rating),
        aggregates=cast("Any", rows("SELECT * FROM aggregates WHERE work_id = :work_id ORDER BY method_version")),
        similar=cast("Any", rows("SELECT * FROM similar_movies WHERE work_id = :work_id ORDER BY rank_order")),
        similar_sources=(),
        images=[],
        credited=Credited(shown["director"], shown["writer"], shown["screenplay"], shown["composer"]),
    )
    return movie, cast("Any", card)
