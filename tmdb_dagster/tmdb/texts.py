"""Texts of an answer: whether they say anything, and what translations say where they do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_TRANSLATED = ("title", "overview", "tagline")


def is_visible(character: str) -> bool:
    """Whether a character shows: no white space, and nothing that prints as nothing."""
    return character.isprintable() and not character.isspace()


def has_text(value: object) -> bool:
    """Whether a value is a text in which something shows."""
    return isinstance(value, str) and any(map(is_visible, value))


def with_translated_texts(body: Mapping[str, Any], fallback: str) -> dict[str, Any]:
    """The body of a movie whose title, overview and tagline, where they are empty, are taken from its `translations`.

    First the one in `fallback` (`en-US`), then others in that language, then those in the original language. Texts
    that no translation has stay as they are.
    """
    empty = [name for name in _TRANSLATED if not has_text(body.get(name))]
    found: dict[str, Any] = {}
    for texts in _translations(body, fallback) if empty else ():
        found = {name: texts[name] for name in empty if has_text(texts.get(name))} | found
    return {**body, **found}


def _translations(body: Mapping[str, Any], fallback: str) -> Iterator[Mapping[str, Any]]:
    """The texts of the translations that may stand in, the best first."""
    match body.get("translations"):
        case {"translations": list(entries)}:
            pass
        case _:
            return
    language, _, country = fallback.partition("-")
    original = body.get("original_language")
    usable = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("data"), dict)]
    of_language = [entry for entry in usable if entry.get("iso_639_1") == language]
    for entry in (
        *(entry for entry in of_language if entry.get("iso_3166_1") == country),
        *of_language,
        *(entry for entry in usable if has_text(original) and entry.get("iso_639_1") == original),
    ):
        texts = entry["data"]
        if entry["iso_639_1"] == original and not has_text(texts.get("title")):
            # Where a translation's title is the original one, TMDB leaves it empty.
            texts = {**texts, "title": body.get("original_title")}
        yield texts
