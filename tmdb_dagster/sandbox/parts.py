"""The parts of a movie that can be appended to its details, apart from `credits`."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

from tmdb_dagster.sandbox.draw import Draw
from tmdb_dagster.sandbox.movie import Json, Movie
from tmdb_dagster.sandbox.names import PROVIDERS
from tmdb_dagster.sandbox.tokens import ImageKind, image_path, video_key
from tmdb_dagster.sandbox.world import COUNTRIES, IMAGE_LANGUAGES, Country

_VIDEO_TYPES = ("Trailer", "Trailer", "Teaser", "Clip", "Featurette", "Behind the Scenes", "Bloopers")
_LATER_VIDEOS = 12
_OFFERS = ("flatrate", "rent", "buy", "ads", "free")
_OFFER_CHOICES = 6
_NOTES = ("", "", "", "", "Limited", "IMAX", "Netflix-free re-release", "Film Festival", "Blu-ray", "4K restoration")


def videos_of(movie: Movie) -> Json:
    """`videos`: trailers and clips, some not official, some on Vimeo; one movie in seven has none as it is made.

    Changes bring new ones, of which the last few stay.
    """
    draw = Draw(movie.seed, "videos", movie.id)
    fame = movie.outline.fame
    count = 0 if draw.chance(0.75 if movie.obscure else 0.09) else draw.whole(1, 4 + int(36 * fame**2))
    all_unofficial, only_vimeo = draw.chance(0.15), draw.chance(0.02)
    results = []
    for number in range(count):
        vimeo = only_vimeo or draw.chance(0.04)
        results.append(_video(movie, draw, number, vimeo=vimeo, official=not all_unofficial))
    for later in range(max(0, movie.revision.videos - _LATER_VIDEOS), movie.revision.videos):
        draw = Draw(movie.seed, "later video", movie.id, later)
        results.append(_video(movie, draw, count + later, vimeo=False, official=True))
    return {"results": results}


def _video(movie: Movie, draw: Draw, number: int, *, vimeo: bool, official: bool) -> Json:
    kind = "Trailer" if number == 0 and draw.chance(0.8) else draw.pick(_VIDEO_TYPES)
    published = (movie.outline.released or date(2020, 1, 1)) - timedelta(days=draw.whole(1, 200))
    return {
        "iso_639_1": "en",
        "iso_3166_1": "US",
        "name": f"{movie.story.title} | {'Official ' if draw.chance(0.6) else ''}{kind} {number + 1}",
        "key": str(draw.whole(10**7, 10**9)) if vimeo else video_key(movie.seed, movie.id, number),
        "site": "Vimeo" if vimeo else "YouTube",
        "size": draw.pick((480, 720, 1080, 1080, 1080, 2160)),
        "type": kind,
        "official": official and draw.chance(0.75),
        "published_at": f"{published}T{draw.whole(8, 20):02d}:00:{draw.whole(0, 59):02d}.000Z",
        "id": draw.hex24(),
    }


def release_dates_of(movie: Movie) -> Json:
    """`release_dates` by country; most certifications are "", and a country can have several entries."""
    draw = Draw(movie.seed, "release_dates", movie.id)
    if movie.obscure:
        countries = [draw.pick(COUNTRIES[:12])] if draw.chance(0.6) else []
    else:
        count = int(3 + 38 * movie.outline.fame * (0.3 + 0.7 * draw.random()))
        countries = draw.sample(COUNTRIES[1:], count)
        if not draw.chance(0.07):
            countries.insert(draw.whole(0, len(countries)), COUNTRIES[0])
    mild = any(genre.name in ("Animation", "Family", "TV Movie") for genre in movie.genres)
    strictness = draw.random() * (0.45 if mild else 0.85)
    return {
        "results": [
            {"iso_3166_1": country.code, "release_dates": _releases(movie, draw, country, strictness)}
            for country in countries
        ]
    }


def _releases(movie: Movie, draw: Draw, country: Country, strictness: float) -> list[Json]:
    first = movie.outline.released or date(2020, 1, 1)
    kinds = draw.pick(((3,), (3,), (3,), (1, 3), (2, 3), (3, 4), (3, 5), (4,), (6,), (1, 3, 4, 5), (1, 2, 3, 3)))
    entries: list[Json] = []
    for kind in kinds:
        rated = kind != 1 and draw.chance(0.75 if country.code == "US" else 0.4)
        marks = country.certifications
        day = first + timedelta(days={1: -20, 2: -7, 3: 0, 4: 75, 5: 120, 6: 0}[kind] + draw.whole(-3, 25))
        entries.append(
            {
                "certification": marks[int(strictness * len(marks))] if rated and marks else "",
                "descriptors": [],
                "iso_639_1": draw.pick(("", "", "", None, country.language)),
                "note": draw.pick(_NOTES) if draw.chance(0.4) else "",
                "release_date": f"{day}T00:00:00.000Z",
                "type": kind,
            }
        )
    return entries


def images_of(movie: Movie) -> Json:
    """`images` in all languages; most backdrops have no language, most posters have one."""
    draw = Draw(movie.seed, "images", movie.id)
    fame = movie.outline.fame
    scale = 0 if movie.obscure else 1
    backdrops = int(scale * (3 + 44 * fame * draw.random())) + 1 if movie.has_backdrop else 0
    posters = int(scale * (4 + 90 * fame * draw.random())) + 1 if movie.has_poster else 0
    logos = int(scale * 9 * fame * draw.random())
    return {
        "backdrops": [
            _image(movie, draw, ImageKind.BACKDROP, n, draw.pick(IMAGE_LANGUAGES) if n and draw.chance(0.3) else None)
            for n in range(backdrops)
        ],
        "logos": [_image(movie, draw, ImageKind.TITLE_LOGO, n, draw.pick(IMAGE_LANGUAGES)) for n in range(logos)],
        "posters": [
            _image(movie, draw, ImageKind.POSTER, n, None if n and draw.chance(0.06) else _poster_language(draw, n))
            for n in range(posters)
        ],
    }


def _poster_language(draw: Draw, number: int) -> str:
    return "en" if number == 0 else draw.pick(IMAGE_LANGUAGES)


def _image(movie: Movie, draw: Draw, kind: ImageKind, number: int, language: str | None) -> Json:
    width, height = {
        ImageKind.BACKDROP: (1920, 1080),
        ImageKind.POSTER: (1000, 1500),
        ImageKind.TITLE_LOGO: (800, 310),
    }[kind]
    votes = draw.pick((0, 0, 1, 2, 4, 11, 26))
    path = movie.poster_path if kind is ImageKind.POSTER and number == 0 else None
    return {
        "aspect_ratio": round(width / height, 3),
        "height": height,
        "iso_639_1": language,
        "file_path": path or image_path(movie.seed, kind, movie.id, number),
        "vote_average": round(4 + 2.4 * draw.random(), 3) if votes else 0,
        "vote_count": votes,
        "width": width,
    }


def keywords_of(movie: Movie) -> Json:
    """`keywords`, from the vocabulary of the movie's genres."""
    draw = Draw(movie.seed, "keywords", movie.id)
    words = [(genre.id * 100 + n, word) for genre in movie.genres for n, word in enumerate(genre.keywords)]
    chosen = draw.sample(words, min(len(words), draw.whole(0, 4 if movie.obscure else 22)))
    unique = {word: number for number, word in chosen}
    return {"keywords": [{"id": number, "name": word} for word, number in unique.items()]}


def external_ids_of(movie: Movie, imdb_id: str | None) -> Json:
    """`external_ids`: null where TMDB knows none."""
    draw = Draw(movie.seed, "external_ids", movie.id)
    fame = movie.outline.fame
    handle = "".join(filter(str.isalnum, movie.story.title))
    return {
        "imdb_id": imdb_id or None,
        "wikidata_id": f"Q{draw.whole(10**5, 10**8)}" if draw.chance(0.2 + 0.75 * fame) else None,
        "facebook_id": handle if draw.chance(0.6 * fame) else None,
        "instagram_id": f"{handle.lower()}movie" if draw.chance(0.5 * fame) else None,
        "twitter_id": handle[:15] if draw.chance(0.5 * fame) else None,
    }


def providers_of(movie: Movie) -> Json:
    """`watch/providers` by country; one movie in eight has none."""
    draw = Draw(movie.seed, "providers", movie.id)
    if draw.chance(0.6 if movie.obscure else 0.07):
        return {"results": {}}
    count = 3 if movie.obscure else int(36 + 37 * movie.outline.fame * draw.random())
    chosen = draw.sample(COUNTRIES[1:], min(count, len(COUNTRIES) - 1))
    if not draw.chance(0.06):
        chosen.append(COUNTRIES[0])
    results = {}
    for country in sorted(chosen):
        offers: Json = {"link": f"https://www.themoviedb.org/movie/{movie.id}/watch?locale={country.code}"}
        for offer in _OFFERS:
            if draw.chance({"flatrate": 0.8, "rent": 0.75, "buy": 0.7, "ads": 0.08, "free": 0.04}[offer]):
                offers[offer] = _services(movie.seed, country.code, offer, draw.whole(0, _OFFER_CHOICES - 1))
        results[country.code] = offers
    return {"results": results}


@lru_cache(maxsize=len(COUNTRIES) * len(_OFFERS) * _OFFER_CHOICES)
def _services(seed: int, country: str, offer: str, choice: int) -> list[Json]:
    """One of a country's usual line-ups; movies share them, as the real ones do."""
    draw = Draw(seed, "services", country, offer, choice)
    size = draw.whole(1, 2) if offer in ("ads", "free", "flatrate") else draw.whole(2, 4)
    return [
        {
            "logo_path": image_path(seed, ImageKind.PROVIDER_LOGO, number),
            "provider_id": number + 2,
            "provider_name": PROVIDERS[number],
            "display_priority": number,
        }
        for number in sorted(draw.sample(range(len(PROVIDERS)), size))
    ]
