"""The published contract of the cards: each field is explained, and a new version is one that the rule allows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator, meta

from tmdb_dagster.transform.card_schema import CARD_SCHEMA, CARD_SHORT_SCHEMA, GROWTH

Schema = dict[str, Any]
SCHEMAS = {"card": CARD_SCHEMA, "card_short": CARD_SHORT_SCHEMA}
FIRST = Path(__file__).parent / "card_schemas"
"""The first version of each MAJOR, without its explanations; frozen."""

_EXPLAIN = {"$schema", "$id", "$comment", "$defs", "title", "description", "examples"}
_WITHIN = {"properties", "patternProperties", "items"}


def resolved(field: Schema, root: Schema) -> Schema:
    reference = field.get("$ref")
    return root["$defs"][reference.removeprefix("#/$defs/")] if reference else field


def fields(field: Schema, root: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every field with its path, those of items and of values by any key included."""
    field = resolved(field, root)
    yield path, field
    for name, one in field.get("properties", {}).items():
        yield from fields(one, root, f"{path}.{name}")
    for pattern, one in field.get("patternProperties", {}).items():
        yield from fields(one, root, f"{path}.{pattern}")
    if "items" in field:
        yield from fields(field["items"], root, f"{path}[]")


def explained(field: Schema, root: Schema) -> bool:
    """Whether it has a description that is a sentence, and examples that are examples of it."""
    sentence = re.fullmatch(r"[A-Z0-9].*\.", field.get("description", ""))
    validator = Draft202012Validator({**field, "$defs": root.get("$defs", {})})
    examples = field.get("examples", [])
    return bool(sentence and examples and all(validator.is_valid(example) for example in examples))


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_every_field_has_a_description_and_an_example(schema: Schema) -> None:
    meta.validate(schema)
    found = dict(fields(schema, schema))

    assert [path for path, field in found.items() if not explained(field, schema)] == []


def test_the_fields_of_the_deepest_objects_are_among_them() -> None:
    found = dict(fields(CARD_SCHEMA, CARD_SCHEMA))

    assert {".cast[].name", ".streaming.^[a-z]{2}$.flatrate[].logo_path", ".attribution.justwatch.url"} <= found.keys()
    assert not explained({**found[".title"], "examples": [""]}, CARD_SCHEMA)


@pytest.mark.parametrize(("name", "schema"), SCHEMAS.items())
def test_its_id_has_the_version_and_it_says_how_it_may_grow(name: str, schema: Schema) -> None:
    assert re.fullmatch(rf"urn:tmdb-dagster:{name}:[1-9]\d*\.\d+", schema["$id"])
    assert schema["$comment"] == GROWTH


def rules(field: Schema) -> Schema:
    """What a value must be, but for what is within it."""
    return {key: rule for key, rule in field.items() if key not in _EXPLAIN | _WITHIN}


def broken(old: Schema, new: Schema) -> list[str]:
    """Where a reader of the old schema may fail on what the new one allows, or misses what was there."""
    before, after = dict(fields(old, old)), dict(fields(new, new))
    return [path for path, field in before.items() if path not in after or rules(field) != rules(after[path])]


@pytest.mark.parametrize(("name", "schema"), SCHEMAS.items())
def test_within_a_major_version_it_only_gets_optional_fields(name: str, schema: Schema) -> None:
    major = schema["$id"].rsplit(":")[-1].split(".")[0]
    first = json.loads((FIRST / f"{name}-{major}.0.json").read_text("utf8"))

    assert broken(first, schema) == []


def test_what_breaks_readers_is_seen() -> None:
    first = json.loads((FIRST / "card-1.0.json").read_text("utf8"))

    def changed(name: str, **changes: Any) -> Schema:
        field = {**CARD_SCHEMA["properties"][name], **changes}
        return {**CARD_SCHEMA, "properties": {**CARD_SCHEMA["properties"], name: field}}

    without = {key: field for key, field in CARD_SCHEMA["properties"].items() if key != "tagline"}
    required = [*CARD_SCHEMA["required"], "similar_movies"]
    assert broken(first, changed("title", type=["string", "null"])) == [".title"]
    assert broken(first, changed("cast", maxItems=9)) == [".cast"]
    assert broken(first, {**CARD_SCHEMA, "properties": without}) == [".tagline"]
    assert broken(first, {**CARD_SCHEMA, "required": required}) == [""]
