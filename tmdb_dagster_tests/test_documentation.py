from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from tmdb_dagster.settings import REPOSITORY
from tmdb_dagster.warehouse.data_model import data_model


def test_the_data_model_page_says_what_the_database_is(engine: Engine) -> None:
    with engine.begin() as connection:
        page = data_model(connection)

    written = Path(REPOSITORY / "docs/data-model.md").read_text("utf8")
    assert written == page, "docs/data-model.md is out of date: run `make docs`"
