"""A catalogue, and a way of asking the shared sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests

from tmdb_dagster.sandbox.catalogue import Catalogue
from tmdb_dagster.sandbox.server import SandboxServer

Ask = Callable[..., requests.Response]

PARTS = (
    *("credits", "videos", "similar", "release_dates", "images", "keywords", "watch/providers"),
    *("translations", "recommendations", "external_ids", "alternative_titles"),
)


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """A catalogue that nobody changes."""
    return Catalogue(movies=2000)


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture
def ask(sandbox: SandboxServer, http: requests.Session) -> Ask:
    """GET a path below `/3` of the shared sandbox, with a key unless told otherwise."""

    def get(path: str, /, *, headers: dict[str, str] | None = None, **query: object) -> requests.Response:
        query.setdefault("api_key", "test-key")
        return http.get(f"{sandbox.api_url}{path}", params=query, headers=headers, timeout=10)  # type: ignore[arg-type]

    return get


@pytest.fixture
def sandbox_url(sandbox: SandboxServer) -> str:
    """The root of the shared sandbox, above `/3` and `/t/p`."""
    return sandbox.api_url.removesuffix("/3")
