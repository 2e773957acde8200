"""What must hold for the rows of any movie."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_type_hints

import orjson
from jsonschema_rs import Draft202012Validator

from tmdb_dagster.transform import rows
from tmdb_dagster.transform.card import card_row
from tmdb_dagster.transform.card_schema import CARD_SCHEMA, CARD_SHORT_SCHEMA
from tmdb_dagster.transform.movie import MovieRows

_CARD = Draft202012Validator(CARD_SCHEMA)
_SHORT_CARD = Draft202012Validator(CARD_SHORT_SCHEMA)
_BIGINTS = {"budget", "revenue_worldwide", "revenue"}
_REALS = {"value_raw", "value_0_100", "ai_score", "ai_score_low", "ai_score_high", "audience_score"}


def all_rows(movie: MovieRows) -> list[tuple[type, dict[str, Any]]]:
    """Every row, with its type."""
    found: list[tuple[type, Any]] = [
        (rows.WorkRow, movie.work),
        (rows.MetaRow, movie.meta),
        (rows.CardRow, card_row(movie)),
        *((rows.AggregateRow, row) for row in movie.aggregates),
        *((rows.SimilarRow, row) for row in movie.similar),
    ]
    if movie.rating:
        found.append((rows.RatingRow, movie.rating))
    return found


def check_rows(movie: MovieRows) -> None:
    """Columns as declared, JSON that Postgres takes, integers and reals within their columns, a valid card."""
    for kind, row in all_rows(movie):
        assert row.keys() == get_type_hints(kind).keys()
        encoded = orjson.dumps(row)
        assert b"\\u0000" not in encoded
        for name, value in _leaves(row):
            if isinstance(value, int):
                assert abs(value) < (2**63 if name in _BIGINTS else 2**31), (name, value)
            if isinstance(value, float) and name in _REALS:
                assert value == 0 or 1e-37 < abs(value) < 1e38, (name, value)
    card = card_row(movie)
    check_card(card["payload"])
    _SHORT_CARD.validate(card["payload_short"])


def check_card(payload: dict[str, Any]) -> None:
    """The card is what its schema says."""
    _CARD.validate(payload)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, name)
    else:
        yield name, value
