"""What all tests stand on: a real Postgres, a database of its own for each test, and the sandbox in TMDB's place."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool
from starlette.applications import Starlette

from tmdb_dagster.cli.main import main
from tmdb_dagster.pipeline.run import Run, open_run
from tmdb_dagster.sandbox.life import FIRST_DAY
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.services.image_server import image_routes
from tmdb_dagster.services.postgres import database_url, start_postgres, stop_postgres
from tmdb_dagster.settings import Settings, load_settings
from tmdb_dagster.warehouse.databases import create_database
from tmdb_dagster.warehouse.engine import connect
from tmdb_dagster.warehouse.migrate import migrate
from tmdb_dagster_tests.seaweed import S3Server, seaweed
from tmdb_dagster_tests.serving import serving

# All workers of one test run share one server; its folder is named to them by the environment.
STATE_VARIABLE = "TMDB_DAGSTER_TEST_STATE"
# A Postgres to test on instead of the embedded one: a superuser's address of a new server that is the tests' alone.
SERVER_VARIABLE = "TEST_DATABASE_URL"
TEMPLATE = "template_catalogue"
SETTINGS_VARIABLES = [name.upper() for name in Settings.model_fields]


def pytest_configure(config: pytest.Config) -> None:
    # What the tests start is to get Ctrl+C even where they run in the background of a script, which ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        os.environ[STATE_VARIABLE] = tempfile.mkdtemp(prefix="tmdb-test-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        state = Path(os.environ.pop(STATE_VARIABLE))
        stop_postgres(state / "postgres")
        shutil.rmtree(state)


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    """No test reaches beyond this machine."""
    connect_anywhere = socket.socket.connect

    def connect_here(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"A test tried to reach {address[0]}")
        connect_anywhere(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_here)
        yield


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the developer's machine reaches a test, nor does a .env file."""
    for name in SETTINGS_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SANDBOX_DAY", FIRST_DAY.isoformat())  # a sandbox that a test starts is the same every day
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def database_address() -> Callable[[str], str]:
    """The address of a database by name, on the tests' server; created where it is missing."""
    if given := os.environ.get(SERVER_VARIABLE):
        return lambda name: _database_of(given, name)
    server = start_postgres(Path(os.environ[STATE_VARIABLE]) / "postgres")
    return lambda name: database_url(server, name)


def _database_of(server: str, name: str) -> str:
    url = make_url(server).set(drivername="postgresql+psycopg2")
    create_database(url.render_as_string(hide_password=False), name)
    return url.set(database=name).render_as_string(hide_password=False)


@contextmanager
def _admin(database_address: Callable[[str], str]) -> Iterator[Any]:
    engine = create_engine(database_address("postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture(scope="session")
def template(database_address: Callable[[str], str]) -> str:
    """A migrated database that every test's own is copied from."""
    with _admin(database_address) as admin:
        # One worker makes it while the others wait.
        admin.execute(text("SELECT pg_advisory_lock(1)"))
        exists = admin.scalar(text("SELECT count(*) FROM pg_database WHERE datname = :name"), {"name": TEMPLATE})
        if not exists:
            admin.execute(text("ALTER SYSTEM SET fsync = off"))
            admin.execute(text("SELECT pg_reload_conf()"))
            engine = connect(database_address(f"{TEMPLATE}_new"))
            migrate(engine)
            engine.dispose()
            admin.execute(text(f"ALTER DATABASE {TEMPLATE}_new RENAME TO {TEMPLATE}"))
        admin.execute(text("SELECT pg_advisory_unlock(1)"))
    return TEMPLATE


@pytest.fixture
def new_database(database_address: Callable[[str], str]) -> Iterator[Callable[..., str]]:
    """Makes databases, empty or from a template, that go with the test; returns their addresses."""
    with ExitStack() as stack:

        def make(template: str = "template1") -> str:
            name = f"test_{uuid.uuid4().hex[:12]}"
            with _admin(database_address) as admin:
                admin.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
            stack.callback(_drop, database_address, name)
            return database_address(name)

        yield make


def _drop(database_address: Callable[[str], str], name: str) -> None:
    with _admin(database_address) as admin:
        admin.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def catalogue_url(new_database: Callable[..., str], template: str) -> str:
    """The address of an empty catalogue."""
    return new_database(template)


@pytest.fixture
def engine(catalogue_url: str) -> Iterator[Engine]:
    """An empty catalogue."""
    engine = connect(catalogue_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    with SandboxServer(movies=2000) as server:
        yield server


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> SandboxServer:
    """The sandbox without faults or figures of earlier tests; its catalogue is shared: do not change it."""
    sandbox_server.reset()
    return sandbox_server


@pytest.fixture
def settings_environment(
    catalogue_url: str, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> dict[str, str]:
    """An environment that leads to the test's catalogue and the sandbox, as if it were TMDB, without a rate limit.

    Images stay where they are, unless a test chooses a store.
    """
    variables = {
        "DATABASE_URL": catalogue_url,
        "TMDB_API_KEY": "test-key",
        "TMDB_API_URL": sandbox.api_url,
        "TMDB_IMAGE_URL": sandbox.image_url,
        "YOUTUBE_IMAGE_URL": sandbox.youtube_url,
        "TMDB_RATE_LIMIT": "unlimited",
        "INGEST_INCLUDE_ADULT": "yes",  # the sandbox's lists have some
        "MOVIE_IMAGES_STORE": "none",
        "TMDB_DAGSTER_STATE": str(tmp_path / "state"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.fixture
def settings(settings_environment: dict[str, str]) -> Settings:
    return load_settings()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server."""
    with seaweed(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    """An empty bucket that anybody may read."""
    return s3_server.new_bucket()


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """The folder of the local store."""
    return tmp_path / "images"


@pytest.fixture
def image_server(image_folder: Path) -> Iterator[str]:
    """The address of a server that shows the local store's files."""
    with serving(Starlette(routes=image_routes(image_folder))) as url:
        yield url


@pytest.fixture(params=["local", "s3"])
def image_store(
    request: pytest.FixtureRequest, settings_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> str:
    """Each store in turn, chosen by the environment."""
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("s3_server")
        variables = server.variables(request.getfixturevalue("bucket"))
    else:
        variables = {
            "MOVIE_IMAGES_STORE": "local",
            "MOVIE_IMAGES_FOLDER": str(request.getfixturevalue("image_folder")),
            "MOVIE_IMAGES_PUBLIC_URL": request.getfixturevalue("image_server"),
        }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return str(request.param)


@pytest.fixture
def check(settings_environment: dict[str, str]) -> Callable[..., None]:
    """Asserts that every invariant of the catalogue holds, or of another at `url`, as an operator asks."""

    def ask(url: str = settings_environment["DATABASE_URL"]) -> None:
        done = CliRunner().invoke(main, ["check"], env={"DATABASE_URL": url})
        assert done.exit_code == 0, done.output

    return ask


@pytest.fixture
def start_run(settings: Settings) -> Iterator[Callable[..., Run]]:
    """Opens runs that end with the test."""
    with ExitStack() as stack:

        def start(run_id: str = "run-1", **changes: Any) -> Run:
            changed = settings.model_copy(update=changes)
            return stack.enter_context(open_run(changed, run_id=run_id, job="test", origin="tmdb"))

        yield start
