from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import meta
from sqlalchemy import Engine

from tmdb_dagster.settings import REPOSITORY
from tmdb_dagster.transform.card_schema import CARD_SCHEMA, CARD_SHORT_SCHEMA
from tmdb_dagster.warehouse.checks import CHECKS
from tmdb_dagster.warehouse.data_model import data_model


def test_the_data_model_page_says_what_the_database_is(engine: Engine) -> None:
    with engine.begin() as connection:
        page = data_model(connection)

    written = Path(REPOSITORY / "docs/data-model.md").read_text("utf8")
    assert written == page, "docs/data-model.md is out of date: run `make docs`"


def test_the_operations_page_names_the_checks_of_the_status() -> None:
    page = Path(REPOSITORY / "docs/operations.md").read_text("utf8")
    table = page[page.index("| check | what must hold |") :].split("\n\n")[0]

    named = re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in table.splitlines()))

    assert sorted(named) == sorted(check.name for check in CHECKS.values() if check.cheap)


@pytest.mark.parametrize(
    ("name", "schema"), [("card.schema.json", CARD_SCHEMA), ("card_short.schema.json", CARD_SHORT_SCHEMA)]
)
def test_the_published_schemas_of_the_cards_are_those_that_the_cards_are_checked_by(
    name: str, schema: dict[str, Any]
) -> None:
    meta.validate(schema)
    published = json.loads(Path(REPOSITORY / "docs" / name).read_text("utf8"))
    assert published == schema, f"docs/{name} is out of date: run `make docs`"
