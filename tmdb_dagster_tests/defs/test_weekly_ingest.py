from __future__ import annotations

import pytest
from dagster import DagsterInstance
from sqlalchemy import Engine, text

from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.tmdb.transport import RetryPolicy
from tmdb_dagster_tests.defs.conftest import Execute
from tmdb_dagster_tests.defs.events import failure, materializations, values, warnings_of

DOWN = {"kind": "status", "status": 503, "headers": {"Retry-After": "0"}}

def test_t(execute, instance, engine, sandbox):
    r = execute("weekly_ingest", max_movies=5, pages_per_source=1)
    for n in ["popular_snapshot","candidates","movies","works"]:
        for m in materializations(instance, n): print(n, m.partition, values(m))
    print(instance.get_dynamic_partitions("movies"))
    sandbox.faults.add(Fault("/movie/[a-z_]+|/trending/.*", **DOWN))
    import time; t=time.time()
    r = execute("weekly_ingest", max_movies=5, pages_per_source=1)
    print(time.time()-t, failure(r))
    with engine.begin() as c: 
        for row in c.execute(text("select * from scheduled_ingestion_log")): print(row)
    sandbox.reset()
    sandbox.faults.add(Fault("/movie/[0-9]+", **DOWN))
    t=time.time()
    r = execute("weekly_ingest", max_movies=15, pages_per_source=1)
    print(time.time()-t, failure(r))
    with engine.begin() as c: 
        for row in c.execute(text("select * from scheduled_ingestion_log")): print(row)
    print(warnings_of(instance, r.run_id))
    for rec in instance.all_logs(r.run_id): print(rec.level_name if hasattr(rec,'level_name') else rec.level, rec.user_message)
