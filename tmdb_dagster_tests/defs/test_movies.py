from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance, Definitions, ExecuteInProcessResult
from sqlalchemy import Engine, text

from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.services.provide import stop_services
from tmdb_dagster.settings import Settings
from tmdb_dagster_tests.defs.conftest import Execute
from tmdb_dagster_tests.defs.content import catalogue_content, etags
from tmdb_dagster_tests.defs.events import failures, materializations, metadata, observations, warnings_in

Materialise = Callable[..., ExecuteInProcessResult]


@pytest.fixture
def materialise(
    code_location: Definitions, instance: DagsterInstance, settings_environment: dict[str, str]
) -> Materialise:
    """Materialises the asset `movies` from one of its partitions, as a click in the UI does."""

    def run(partition: str, **config: Any) -> ExecuteInProcessResult:
        instance.add_dynamic_partitions("movies", [partition])
        return code_location.resolve_implicit_global_asset_job_def().execute_in_process(
            asset_selection=[AssetKey("movies")],
            partition_key=partition,
            run_config={"ops": {"movies": {"config": config}}},
            instance=instance,
            raise_on_error=False,
        )

    return run


def _output(result: ExecuteInProcessResult, op: str) -> dict[str, Any]:
    (output,) = [event.step_output_data for event in result.events_for_node(op) if event.is_successful_output]
    return {name: value.value for name, value in output.metadata.items()}


def test_a_movie_is_materialised_from_its_partition(
    materialise: Materialise, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    result = materialise("603")

    (movie,) = materializations(instance, "movies")
    with engine.begin() as connection:
        stored = connection.execute(
            text("SELECT w.*, etag FROM works w JOIN work_cards_cache USING (work_id) WHERE tmdb_id = '603'")
        ).one()
    shown = metadata(movie)
    assert result.success
    assert movie.partition == "603"
    assert (shown["title"], shown["year"], shown["card etag"]) == (stored.title, stored.year, stored.etag)
    assert (shown["status"], shown["calls"]) == ("ingested", 1)
    assert sandbox.stats.calls == 1


def test_materialising_a_movie_again_asks_tmdb_again(
    materialise: Materialise, instance: DagsterInstance, sandbox: SandboxServer
) -> None:
    materialise("603")
    sandbox.reset()

    poster = metadata(materializations(instance, "movies")[0])["poster"]
    for force, status in ((True, "unchanged"), (False, "cached")):
        materialise("603", force_refresh=force)
        shown = metadata(materializations(instance, "movies")[0])
        assert (sandbox.stats.calls, shown["status"]) == (1, status)
        assert shown["poster"] == poster, "its partition keeps it"


@pytest.mark.parametrize("partition", ["the-matrix", "-603", "6.03", "0", "99999999999"])
def test_a_partition_that_is_no_movie_id_is_refused_before_any_call(
    partition: str, materialise: Materialise, sandbox: SandboxServer
) -> None:
    (message,) = failures(materialise(partition).all_events)

    assert message is not None
    assert partition in message
    assert "such as 603" in message
    assert sandbox.stats.calls == 0


def test_ingest_movie_gives_the_movie_and_its_metadata(
    execute: Execute, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    result = execute("ingest_movie", tmdb_id=603)

    with engine.begin() as connection:
        stored = connection.execute(text("SELECT * FROM works WHERE tmdb_id = '603'")).one()
    value = result.output_for_node("ingest_movie")
    shown = _output(result, "ingest_movie")
    assert stored.ingestion_status == "complete"
    assert (value["status"], value["work_id"], value["title"]) == ("ingested", stored.work_id, stored.title)
    assert (shown["title"], shown["year"], shown["calls"]) == (stored.title, stored.year, 1)
    assert [one.partition for one in materializations(instance, "movies")] == ["603"]
    assert instance.get_dynamic_partitions("movies") == ["603"]

    again = execute("ingest_movie", tmdb_id=603)
    assert again.output_for_node("ingest_movie")["status"] == "cached"
    assert sandbox.stats.calls == 1

    forced = execute("ingest_movie", tmdb_id=603, force_refresh=True)
    assert forced.output_for_node("ingest_movie")["status"] == "unchanged"
    assert sandbox.stats.calls == 2


def test_a_movie_that_could_not_be_ingested_says_why_at_its_partition(
    execute: Execute, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    sandbox.faults.add(Fault("/movie/603", "body", body="[]"))

    assert not execute("ingest_movie", tmdb_id=603).success

    (observed,) = observations(instance, "movies")
    assert observed.partition == "603"
    assert metadata(observed)["status"] == "failed"
    assert "TMDB's answer is not the movie 603" in metadata(observed)["reason"]
    assert instance.get_dynamic_partitions("movies") == ["603"]


def test_a_movie_that_tmdb_does_not_know_is_a_clear_failure(execute: Execute, engine: Engine) -> None:
    result = execute("ingest_movie", tmdb_id=2_000_000_000)

    (message,) = failures(result.all_events)
    assert message is not None
    assert message.startswith("Movie 2000000000 could not be ingested: /movie/2000000000: TMDB answered 404")
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM works")) == 0, "a mistyped id leaves no row"


def test_batch_ingest_pages_through_all_works(
    execute: Execute, instance: DagsterInstance, sandbox: SandboxServer
) -> None:
    execute("weekly_ingest", source="popular", max_movies=5, pages_per_source=1)
    sandbox.reset()

    first = execute("batch_ingest", limit=3, force_refresh=True)
    report = first.output_for_node("batch_ingest")
    rest = execute("batch_ingest", limit=3, offset=report["next_offset"], force_refresh=True)

    shown = _output(first, "batch_ingest")
    assert report == {
        "total": 5,
        "processed": 3,
        "succeeded": 3,
        "failed": 0,
        "has_more": True,
        "next_offset": 3,
    }
    assert {name: shown[name] for name in report} == report
    assert (shown["TMDB calls"], shown["unchanged"]) == (3, 3)
    assert rest.output_for_node("batch_ingest")["processed"] == 2
    assert rest.output_for_node("batch_ingest")["has_more"] is False
    assert sandbox.stats.calls == 5, "each work once"
    assert len(materializations(instance, "movies")) == 5 + 5


def test_batch_ingest_without_force_takes_what_is_not_complete(
    execute: Execute, engine: Engine, sandbox: SandboxServer
) -> None:
    execute("weekly_ingest", source="popular", max_movies=3, pages_per_source=1)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE works SET ingestion_status = 'failed' WHERE work_id = (SELECT min(work_id) FROM works)")
        )
    sandbox.reset()

    report = execute("batch_ingest").output_for_node("batch_ingest")

    assert (report["total"], report["succeeded"], report["has_more"]) == (1, 1, False)
    assert sandbox.stats.calls == 1


def test_rebuild_makes_every_derived_table_anew_without_a_call(
    execute: Execute, instance: DagsterInstance, engine: Engine, sandbox: SandboxServer
) -> None:
    execute("weekly_ingest", source="popular", max_movies=4, pages_per_source=1)
    execute("rebuild_from_raw")  # by the catalogue's own mean, which an empty one has not
    before = catalogue_content(engine), etags(engine)
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE works_meta, rating_sources, aggregates, similar_movies, work_cards_cache"))
        connection.execute(text("UPDATE works SET title = 'spoiled', year = 1, release_date = NULL"))
    assert catalogue_content(engine) != before[0]
    sandbox.reset()

    result = execute("rebuild_from_raw")

    assert result.output_for_node("rebuild_from_raw") == {"rebuilt": 4, "failed": 0}
    assert _output(result, "rebuild_from_raw") == {"rebuilt": 4, "failed": 0}
    assert (catalogue_content(engine), etags(engine)) == before
    assert sandbox.stats.calls == 0
    assert metadata(materializations(instance, "work_cards_cache")[0])["dagster/row_count"] == 4


def test_rebuild_of_some_works_leaves_the_others(execute: Execute, engine: Engine) -> None:
    execute("weekly_ingest", source="popular", max_movies=3, pages_per_source=1)
    with engine.begin() as connection:
        one, *others = connection.scalars(text("SELECT tmdb_id FROM works ORDER BY work_id")).all()
        connection.execute(text("UPDATE works SET title = 'spoiled'"))

    result = execute("rebuild_from_raw", tmdb_ids=[int(one)])

    assert result.output_for_node("rebuild_from_raw") == {"rebuilt": 1, "failed": 0}
    with engine.begin() as connection:
        spoiled = connection.scalars(text("SELECT tmdb_id FROM works WHERE title = 'spoiled'")).all()
    assert set(spoiled) == set(others)


def test_a_broken_stored_answer_costs_its_movie_only(
    execute: Execute, instance: DagsterInstance, engine: Engine
) -> None:
    execute("weekly_ingest", source="popular", max_movies=3, pages_per_source=1)
    with engine.begin() as connection:
        broken = connection.scalar(text("SELECT tmdb_id FROM works ORDER BY work_id LIMIT 1"))
        connection.execute(
            text("""
                UPDATE movie_responses SET body = :body
                WHERE work_id = (SELECT work_id FROM works WHERE tmdb_id = :broken)
            """),
            {"broken": broken, "body": gzip.compress(b"[]")},
        )

    result = execute("rebuild_from_raw")

    assert result.output_for_node("rebuild_from_raw") == {"rebuilt": 2, "failed": 1}
    (warning,) = warnings_in(instance, result.run_id)
    assert warning.startswith(f"{broken}: ")


def test_a_rebuild_without_a_key_does_not_put_the_sandboxs_images_into_tmdbs_catalogue(
    execute: Execute, engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute("weekly_ingest", source="popular", max_movies=2, pages_per_source=1)
    before = catalogue_content(engine)
    for name in ("TMDB_API_KEY", "TMDB_API_URL", "TMDB_IMAGE_URL", "YOUTUBE_IMAGE_URL"):
        monkeypatch.delenv(name)

    result = execute("rebuild_from_raw")
    stop_services(settings.tmdb_dagster_state)

    (message,) = failures(result.all_events)
    assert message is not None
    assert "set TMDB_READ_ACCESS_TOKEN or TMDB_API_KEY" in message
    assert catalogue_content(engine) == before


def test_a_rebuild_that_waits_for_a_refresh_takes_the_newer_answer(execute: Execute, engine: Engine) -> None:
    execute("ingest_movie", tmdb_id=603)
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as refresh:
            body = refresh.scalar(text("SELECT body FROM movie_responses"))
            newer = gzip.compress(gzip.decompress(bytes(body or b"")).replace(b'"tagline":"', b'"tagline":"Newer. '))
            refresh.execute(text("UPDATE works SET failures = 2"))
            rebuild = pool.submit(execute, "rebuild_from_raw")
            while not rebuild.done() and not _waiting(engine):
                time.sleep(0.01)
            refresh.execute(text("UPDATE movie_responses SET body = :body"), {"body": newer})
        assert rebuild.result().success

    with engine.begin() as connection:
        assert str(connection.scalar(text("SELECT tagline FROM works_meta"))).startswith("Newer. ")


def _waiting(engine: Engine) -> bool:
    """Whether a session of this database waits for a lock."""
    with engine.begin() as connection:
        waiting = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(connection.scalar(waiting))
