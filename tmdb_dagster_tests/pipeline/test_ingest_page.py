from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from tmdb_dagster.pipeline.errors import InvalidRequest
from tmdb_dagster.pipeline.ingest import PageReport, PageRequest, ingest_page
from tmdb_dagster.pipeline.outcome import MovieOutcome
from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.pipeline.enriching import enriched, some_movies
from tmdb_dagster_tests.warehouse.database import add_work, execute, take_lease, value

Start = Callable[..., Run]


def page(run: Run, request: PageRequest) -> tuple[list[int], PageReport]:
    """The TMDB ids that were dealt with, in order of work_id, and the report."""
    found: list[MovieOutcome] = []
    report = ingest_page(run, request, found.extend)
    return [one.tmdb_id for one in sorted(found, key=lambda one: one.work_id or 0)], report


def add_pending(engine: Engine, sandbox: SandboxServer, count: int) -> list[int]:
    ids = some_movies(sandbox, count)
    for tmdb_id in ids:
        add_work(engine, tmdb_id)
    return ids


def test_without_force_what_is_not_complete_is_ingested(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    run = start_run()
    ids = some_movies(sandbox, 6)
    enriched(run, ids[:1])
    for tmdb_id, status in zip(ids[1:], ("pending", "failed", None, "ingesting", "failed"), strict=True):
        add_work(engine, tmdb_id, ingestion_status=status)
    execute(engine, "UPDATE works SET gone_at = now() WHERE tmdb_id = :gone", gone=str(ids[5]))
    take_lease(engine, "other")
    add_work(engine, 999_999, ingestion_status="ingesting", claimed_by="other")

    done, report = page(run, PageRequest())

    assert done == ids[1:5]
    assert report == PageReport(total=4, processed=4, succeeded=4, failed=0, has_more=False, next_offset=None)


def test_pages_have_ten_works_without_force_and_fifty_with(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    run = start_run()
    ids = add_pending(engine, sandbox, 51)

    done, report = page(run, PageRequest())
    assert done == ids[:10]
    assert (report.total, report.processed, report.has_more, report.next_offset) == (51, 10, True, 0)

    done, report = page(run, PageRequest(force_refresh=True))
    assert done == ids[:50]
    assert (report.total, report.processed, report.has_more, report.next_offset) == (51, 50, True, 50)

    done, report = page(run, PageRequest(force_refresh=True, offset=50))
    assert done == ids[50:]
    assert (report.total, report.processed, report.has_more, report.next_offset) == (51, 1, False, None)


def test_a_limit_and_an_offset_choose_the_page(start_run: Start, engine: Engine, sandbox: SandboxServer) -> None:
    run = start_run()
    ids = add_pending(engine, sandbox, 7)

    assert page(run, PageRequest(limit=2, offset=3))[0] == ids[3:5]
    assert page(run, PageRequest(limit=2, offset=3, force_refresh=True))[0] == ids[3:5]
    assert page(run, PageRequest(limit=5, offset=99)) == ([], PageReport(total=5))


@pytest.mark.parametrize("force", [False, True])
def test_following_next_offset_deals_with_every_work_once(
    start_run: Start, engine: Engine, sandbox: SandboxServer, force: bool
) -> None:
    """Also where some fail, and stay in the list, and some are gone, and leave it."""
    run = start_run()
    ids = add_pending(engine, sandbox, 11)
    sandbox.faults.add(Fault(f"/movie/({ids[1]}|{ids[6]})", "status", 400))
    sandbox.faults.add(Fault(f"/movie/({ids[0]}|{ids[2]}|{ids[5]})", "status", 404))
    done: list[int] = []
    offset: int | None = 0
    processed = failed = 0

    while offset is not None:
        done_now, report = page(run, PageRequest(limit=3, offset=offset, force_refresh=force))
        done += done_now
        processed, failed = processed + report.processed, failed + report.failed
        assert (report.has_more, report.succeeded) == (report.next_offset is not None, report.processed - report.failed)
        offset = report.next_offset

    assert done == ids
    assert (processed, failed) == (11, 5)


def test_with_force_complete_and_gone_works_are_asked_for_again(
    start_run: Start, engine: Engine, sandbox: SandboxServer
) -> None:
    run = start_run()
    enriched(run, [603, 550])
    execute(engine, "UPDATE works SET gone_at = now(), ingestion_status = 'failed' WHERE tmdb_id = '550'")
    sandbox.reset()

    _, report = page(run, PageRequest(force_refresh=True))

    assert (report.succeeded, sandbox.stats.calls) == (2, 2)
    assert value(engine, "SELECT count(*) FROM works WHERE gone_at IS NULL AND ingestion_status = 'complete'") == 2


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (-1, 0), (1, -1)])
def test_a_page_that_cannot_be_is_refused(limit: int, offset: int) -> None:
    with pytest.raises(InvalidRequest, match=r"(limit|offset) is .*, and must be"):
        PageRequest(limit, offset)
