from __future__ import annotations

import inspect
import pickle
import re

import pytest

from tmdb_dagster.errors import TmdbDagsterError
from tmdb_dagster.tmdb import errors
from tmdb_dagster.tmdb.errors import MovieNotFound, RateLimited, TmdbError


def test_the_tree_drawn_at_the_top_is_the_tree_of_the_classes() -> None:
    drawn = {}
    parents: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^[ │]*(└── |├── )?([A-Z]\w+)(?=  |$)", line)
        if match and (match[1] or match[2] == "TmdbDagsterError"):
            depth = match.start(2)
            parents = [(d, name) for d, name in parents if d < depth]
            if parents:
                drawn[match[2]] = parents[-1][1]
            parents.append((depth, match[2]))

    real = {
        name: cls.__bases__[0].__name__
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, TmdbError)
    }
    assert drawn == real


@pytest.mark.parametrize(
    "error",
    [
        TmdbError("said", endpoint="/movie/1", http_status=500),
        RateLimited("said", endpoint="/movie/1", http_status=429, attempts=6, retry_after_s=2.5),
        MovieNotFound("said", endpoint="/movie/1", tmdb_id=1),
    ],
)
def test_an_error_survives_the_way_between_processes(error: TmdbError) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert isinstance(copy, TmdbDagsterError)
    assert (type(copy), str(copy), vars(copy)) == (type(error), "said", vars(error))
