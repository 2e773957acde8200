"""A movie's words: titles, overview and tagline, all about the same hero, place and genre."""

from __future__ import annotations

import re
from typing import NamedTuple

from tmdb_dagster.sandbox.draw import Draw
from tmdb_dagster.sandbox.genres import Genre
from tmdb_dagster.sandbox.names import CULTURES, PLACE_SCRIPTS, PLACES
from tmdb_dagster.sandbox.words import (
    CLOSINGS,
    CONSEQUENCES,
    COUNTS,
    FOREIGN_NOUNS,
    FOREIGN_PATTERNS,
    HEIRLOOMS,
    OPENINGS,
    TRADES,
)

_SERIES = 400
_FEMININE = {"she", "her", "girl", "grandmother", "queen", "widow", "widowed", "sisters", "postmistress", "seamstress"}
_MASCULINE = {"he", "his", "boy", "son", "brothers", "himself"}


class Story(NamedTuple):
    """What a movie is called and about; `series` is the number of the collection it belongs to
    (the heroes of odd ones are women).
    """

    title: str
    original_title: str
    tagline: str
    overview: str
    hero: str
    place: str
    series: int | None
    series_name: str


def tell(seed: int, movie_id: int, genre: Genre, language: str, *, obscure: bool) -> Story:
    """The story of a movie; of obscure ones little is known."""
    draw = Draw(seed, "story", movie_id)
    hero, quest, names = _protagonist(draw, genre)
    first = draw.pick(names)
    place = draw.pick(PLACES)
    series = draw.whole(0, _SERIES - 1) if language == "en" and draw.chance(0.2) and not obscure else None
    series_name = ""
    if series is not None:
        if names in (CULTURES["en"].women, CULTURES["en"].men):
            series = series | 1 if names is CULTURES["en"].women else series & ~1
        star = Draw(seed, "series", series)
        first = star.pick(CULTURES["en"].women if series % 2 else CULTURES["en"].men)
        series_name = f"{first} {star.pick(CULTURES['en'].surnames)}"
        title = original = f"{series_name} and the {draw.pick(genre.adjectives)} {draw.pick(genre.nouns)}"
    elif language == "en":
        title = original = _english_title(draw, genre, first, place)
    else:
        title, original, place = _foreign_title(draw, language)
    tagline = draw.pick(genre.taglines) if draw.chance(0.05 if obscure else 0.7) else ""
    overview = (
        ""
        if obscure and draw.chance(0.4)
        else _overview(draw, genre, f"{hero} named {first} {quest}" if genre.id != 99 else f"{hero} {quest}")
    )
    overview = overview.format(name=first, place=place)
    return Story(title, original, tagline, overview, first, place, series, series_name)


def _english_title(draw: Draw, genre: Genre, first: str, place: str) -> str:
    adjective, noun, other = draw.pick(genre.adjectives), draw.pick(genre.nouns), draw.pick(genre.nouns)
    return draw.pick(
        (
            f"The {adjective} {noun} of {place}",
            f"{first} and the {adjective} {noun}",
            f"The {draw.pick(TRADES)}'s {draw.pick(HEIRLOOMS)}",
            f"Nobody Leaves {place}",
            f"{draw.pick(COUNTS)} Nights in {place}",
            f"{adjective} {noun}, {draw.pick(genre.adjectives)} {other}",
            f"{place}: The {noun} Years",
            f"{noun} for {first}",
            f"The {noun} at {place}",
            f"The {draw.pick(TRADES)} of {place}",
            f"Goodbye, {first} {draw.pick(CULTURES['en'].surnames)}",
            f"A {noun} in {place}" if noun[0] not in "AEIOU" else f"An {noun} in {place}",
        )
    )


def _foreign_title(draw: Draw, language: str) -> tuple[str, str, str]:
    """English title, original title, and the place that both name."""
    scripts = PLACE_SCRIPTS.get(language, PLACES)
    where = draw.whole(0, len(scripts) - 1)
    nouns = len(FOREIGN_NOUNS["en"])
    one, two = draw.whole(0, nouns - 1), draw.whole(0, nouns - 2)
    two = two if two < one else two + 1
    pattern = draw.whole(0, 1)

    def render(code: str, place: str) -> str:
        words = FOREIGN_NOUNS[code]
        return FOREIGN_PATTERNS[code][pattern].format(
            a=words[one], b=words[two][0].lower() + words[two][1:], place=place
        )

    return render("en", PLACES[where]), render(language, scripts[where]), PLACES[where]


def _protagonist(draw: Draw, genre: Genre) -> tuple[str, str, tuple[str, ...]]:
    """A hero, a quest, and the first names that agree with the pronouns of both."""
    culture = CULTURES["en"]
    while True:
        hero, quest = draw.pick(genre.heroes), draw.pick(genre.quests)
        words = set(re.findall(r"\w+", f"{hero} {quest}"))
        feminine, masculine = bool(words & _FEMININE), bool(words & _MASCULINE)
        if not (feminine and masculine):
            break
    return hero, quest, culture.women if feminine else culture.men if masculine else culture.women + culture.men


def _overview(draw: Draw, genre: Genre, sentence: str) -> str:
    turn, consequence = draw.sample(genre.turns, 2), draw.sample(CONSEQUENCES, 2)
    parts = [f"{draw.pick(OPENINGS)} {sentence}.", f"But when {turn[0]}, {consequence[0]}."]
    if draw.chance(0.6):
        parts.append(f"Soon {turn[1]}, and {consequence[1]}.")
    if draw.chance(0.5):
        parts.append(draw.pick(CLOSINGS))
    return " ".join(parts)
