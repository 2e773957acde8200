"""Mutated answers: each is a movie whose rows Postgres takes, or is refused by name; it never costs the run."""

from __future__ import annotations

import copy
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine

from tmdb_dagster.pipeline.run import Run
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.tmdb.errors import InvalidResponse
from tmdb_dagster.tmdb.parts import PARTS
from tmdb_dagster_tests.pipeline.enriching import enriched, some_movies
from tmdb_dagster_tests.recorded import DETAILS, combined, needs_samples, read, samples
from tmdb_dagster_tests.transform.builders import transformed
from tmdb_dagster_tests.transform.checks import check_rows
from tmdb_dagster_tests.warehouse.database import value

BODIES = 20_000
STORED = 3_000
AT_ONCE = 100
SANDBOX = 60
DEEPER = 0.75
"""How likely a mutation goes on from a container into it, instead of taking its place."""

ODD: list[Any] = [
    *(None, True, "", " ", [], {}, [[]], {"results": None}),
    *(0, -1, 2**31, 2**63, 2**70, 1e300, 1e-320, -0.0),
    *("0000-00-00", "9999-12-31", "2020-02-30", "2019-04-12T00:00:00Z", "1,000", "tt 012", "-5"),
    *("a\0b", "\ud83d", "\u202ex", "x" * 5000, "'; DROP TABLE works; --", "<img src=x>", "[a](javascript:b)"),
]


@pytest.fixture
def originals(sandbox: SandboxServer) -> list[bytes]:
    """The sandbox's answers, and TMDB's where they were recorded."""
    ours = [sandbox.catalogue.body(tmdb_id, PARTS, None).plain for tmdb_id in some_movies(sandbox, SANDBOX)]
    return [*ours, *(orjson.dumps(combined(read(path))) for path in samples(*DETAILS))]


def _place(chance: random.Random, document: Any) -> tuple[Any, Any]:
    """Some place in a document that is not empty: what holds it, and the key."""
    while True:
        key = chance.choice(list(document)) if isinstance(document, dict) else chance.randrange(len(document))
        inner = document[key]
        if not isinstance(inner, dict | list) or not inner or chance.random() > DEEPER:
            return document, key
        document = inner


def _mutate(chance: random.Random, body: dict[str, Any], other: dict[str, Any]) -> None:
    """Remove or double one to six places, or put something odd, or another answer's value, into them."""
    for _ in range(chance.randint(1, 6)):
        holder, key = _place(chance, body)
        match chance.randrange(5):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, list):
                holder += copy.deepcopy([holder[key]]) * 3
            case 2:
                from_holder, from_key = _place(chance, other)
                holder[key] = from_holder[from_key]
            case _:
                holder[key] = copy.deepcopy(chance.choice(ODD))
        if not body:
            return


def _fuzzed(originals: list[bytes], seed: int, number: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Mutated answers, each with the id that it had."""
    chance = random.Random(seed)
    for _ in range(number):
        body, other = orjson.loads(chance.choice(originals)), orjson.loads(chance.choice(originals))
        before = body["id"]
        _mutate(chance, body, other)
        yield before, body


@needs_samples
def test_recorded_answers_take_part(originals: list[bytes]) -> None:
    assert len(originals) >= SANDBOX + 50


def test_mutated_bodies_are_movies_or_refused(originals: list[bytes]) -> None:
    refused = 0
    for number, (_, body) in enumerate(_fuzzed(originals, 1, BODIES)):
        try:
            movie = transformed(body)
        except InvalidResponse:
            refused += 1
            continue
        check_rows(movie)
        assert movie.work["title"].strip(), (number, body)
    print(f"{BODIES} bodies, {refused} refused")  # noqa: T201 - the figure for docs/reliability.md
    # Only an id or both titles cost a movie, and few mutations hit them.
    assert 0 < refused < BODIES / 5


def test_mutated_bodies_go_through_postgres(
    start_run: Callable[..., Run],
    engine: Engine,
    sandbox: SandboxServer,
    originals: list[bytes],
    check: Callable[[], None],
) -> None:
    run = start_run()
    ids = some_movies(sandbox, AT_ONCE)
    bodies = _fuzzed(originals, 2, STORED)
    statuses = Counter[str]()
    for _ in range(STORED // AT_ONCE):
        sandbox.reset()
        for tmdb_id in ids:
            before, body = next(bodies)
            if body.get("id") == before:
                body["id"] = tmdb_id
            # As json writes it: half an emoji and numbers of any size are sent as they are.
            sandbox.faults.add(Fault(f"/movie/{tmdb_id}", "body", body=json.dumps(body)))
        outcomes = enriched(run, ids, force=True).values()
        assert sandbox.stats.faults_fired >= AT_ONCE
        statuses.update(outcome.status.value for outcome in outcomes)
        for outcome in outcomes:
            assert outcome.status in ("ingested", "unchanged", "failed"), outcome
            assert "The database refused" not in str(outcome.message), outcome
            assert "while its answer was transformed" not in str(outcome.message), outcome
    print(dict(statuses))  # noqa: T201 - the figure for docs/reliability.md
    assert sum(statuses.values()) == STORED
    assert statuses["failed"] < STORED / 5
    assert value(engine, "SELECT count(*) FROM works") == AT_ONCE
    sandbox.reset()
    enriched(run, ids, force=True)
    assert value(engine, "SELECT count(*) FROM works WHERE ingestion_status = 'complete'") == AT_ONCE
    run.api_log.close()
    check()
