"""Movies that a person adds, by whatever names them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from tmdb_dagster.cli.main import main
from tmdb_dagster.sandbox.faults import Fault
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster_tests.pipeline.enriching import some_movies
from tmdb_dagster_tests.warehouse.database import execute, rows, value

pytestmark = pytest.mark.usefixtures("settings_environment")

QUEUE = "SELECT w.tmdb_id, w.added_by, q.priority FROM refresh_queue q JOIN works w USING (work_id) ORDER BY w.tmdb_id"


def add(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["add", *arguments])


def details(sandbox: SandboxServer, tmdb_id: int) -> dict[str, object]:
    body: dict[str, object] = json.loads(sandbox.catalogue.body(tmdb_id, (), None).plain)
    return body


def test_ids_pages_and_files_name_movies(engine: Engine, sandbox: SandboxServer, tmp_path: Path) -> None:
    known = next(one for one in sandbox.catalogue.ids[50:] if details(sandbox, one)["imdb_id"])
    imdb_id = str(details(sandbox, known)["imdb_id"])
    wishes = tmp_path / "wishes.txt"
    wishes.write_text(f"550  # a remark\n\n# nothing\nhttps://www.imdb.com/title/{imdb_id}/\n")

    done = add("603", "https://www.themoviedb.org/movie/11-star-wars", "--file", str(wishes))

    assert done.exit_code == 0, done.output
    assert "Queued 4 movies" in done.output
    expected = sorted(["603", "11", "550", str(known)])
    assert [tuple(row) for row in rows(engine, QUEUE)] == [(one, "operator", 100) for one in expected]
    assert "Queued 4 movies" in add("603", "11", "550", imdb_id).output, "a repetition queues nothing twice"
    assert value(engine, "SELECT count(*) FROM refresh_queue") == 4


def test_a_title_that_means_one_movie_adds_it_now(engine: Engine, sandbox: SandboxServer) -> None:
    tmdb_id = some_movies(sandbox, 1)[0]
    body = details(sandbox, tmdb_id)
    name = f"{body['title']} ({str(body['release_date'])[:4]})"

    done = add(name, "--now")

    assert done.exit_code == 0, done.output
    assert f"ingested: {tmdb_id} {body['title']}" in done.output
    assert value(engine, "SELECT count(*) FROM work_cards_cache") == 1
    again = add(str(tmdb_id))
    assert "1 movie is in the catalogue already" in again.output


def test_of_several_movies_none_is_guessed(engine: Engine, sandbox: SandboxServer) -> None:
    done = add("the", "603")

    assert done.exit_code == 1
    assert "the may be, by TMDB id:" in done.output
    assert "/t/p/w342/" in done.output
    assert "and others: add the year" in done.output
    assert rows(engine, "SELECT FROM works") == []


def test_a_collection_comes_whole(engine: Engine, sandbox: SandboxServer) -> None:
    def collection(tmdb_id: int) -> object:
        found = details(sandbox, tmdb_id)["belongs_to_collection"]
        return found["id"] if isinstance(found, dict) else None

    of_movie = {one: number for one in sandbox.catalogue.ids if (number := collection(one))}
    numbers = list(of_movie.values())
    first = next(one for one, number in of_movie.items() if numbers.count(number) > 1)

    assert add(str(first), "--collection").exit_code == 0

    queued = {int(row.tmdb_id) for row in rows(engine, QUEUE)}
    assert queued == {one for one, number in of_movie.items() if number == of_movie[first]}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("0", "tmdb_id is 0, and must be"),
        ("2147483648", "tmdb_id is 2147483648, and must be"),
        ("tt0000001", "TMDB knows no movie tt0000001."),
        ("tt13x", "tt13x is no address of a movie"),
        ("https://www.themoviedb.org/tv/1", "is no address of a movie"),
        (" ", "A name is empty"),
        ("no such title anywhere", "TMDB knows no movie no such title anywhere."),
    ],
)
def test_what_names_no_movie_is_told_in_a_sentence_and_adds_nothing(engine: Engine, name: str, told: str) -> None:
    done = add("603", name)

    assert done.exit_code == 1
    assert told in done.output
    assert "Traceback" not in done.output
    assert rows(engine, "SELECT FROM works") == []


def test_nothing_named_an_excluded_movie_and_one_that_tmdb_lacks(engine: Engine, sandbox: SandboxServer) -> None:
    assert "No movie is named." in add().output
    execute(engine, "INSERT INTO excluded_movies (tmdb_id) VALUES ('603')")
    assert "603 is excluded: `tmdb-dagster include 603`" in add("603").output

    failed = add("604", "550", "--now")

    assert failed.exit_code == 1
    assert "gone: 604" in failed.output
    assert "1 of 2 movies could not be added." in failed.output
    assert [row.tmdb_id for row in rows(engine, "SELECT tmdb_id FROM works")] == ["550"]
    sandbox.faults.add(Fault("/search/movie", "body", body={"nothing": "of use"}))
    broken = add("any title")
    assert broken.exit_code == 1
    assert "/search/movie" in broken.output
