"""One invented movie: its facts, and the two forms in which TMDB shows them (a list's row and the details)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from tmdb_dagster.sandbox.draw import Draw, hashed
from tmdb_dagster.sandbox.genres import GENRES, Genre
from tmdb_dagster.sandbox.life import FIRST_DAY, Revision, appeared_on
from tmdb_dagster.sandbox.names import COMPANY_SUFFIXES, COMPANY_WORDS
from tmdb_dagster.sandbox.story import Story, tell
from tmdb_dagster.sandbox.tokens import ImageKind, image_path
from tmdb_dagster.sandbox.world import COUNTRIES, COUNTRY_BY_CODE, LANGUAGES, ORIGINAL_COUNTRY

Json = dict[str, Any]

LANDMARKS = (550, 603)
"""In every catalogue, famous, English, and with a poster and a backdrop."""
COMPANIES = len(COMPANY_WORDS) * len(COMPANY_SUFFIXES)
_FOREIGN = ("fr", "de", "es", "it", "sv", "ja", "ja", "ko", "ko", "zh", "ru", "hi")


@dataclass(frozen=True)
class Outline:
    """What lists sort and filter by, on the day on which the movie came into the catalogue.

    `fame` runs from 0 (nobody has seen it) to 1; `released` is None where TMDB has no date.
    """

    id: int
    appeared: date
    fame: float
    released: date | None
    popularity: float
    main_genre: int


def outline(seed: int, movie_id: int) -> Outline:
    """The outline of a movie, cheap enough to make for a whole catalogue."""
    draw = Draw(seed, "outline", movie_id)
    fame, appeared = draw.random(), appeared_on(movie_id)
    if movie_id in LANDMARKS:
        fame, days = 0.97, 4_000 + movie_id
    elif appeared == FIRST_DAY:
        days = _days_since_release(draw)
    else:  # new: in the cinemas within two weeks, and likelier than most to be talked about
        fame, days = fame**0.25, draw.whole(-14, -1)
    released = None if fame < 0.1 and draw.chance(0.25) else appeared - timedelta(days=days)
    popularity = round(0.6 + _recency(days) * 40 * fame**4 * (0.5 + draw.random()) + 2 * draw.random(), 4)
    return Outline(movie_id, appeared, fame, released, popularity, draw.whole(0, len(GENRES) - 1))


def _recency(days: int) -> float:
    """How much more popular a movie is so many days after its release than it will be in the end."""
    return 1.7 if -30 <= days <= 90 else 1.2 if days <= 720 else 1.0


def popularity_of(seed: int, about: Outline, revision: Revision) -> float:
    """A movie's popularity: each change moves it up or down, and the years make it fade."""
    if not revision.number:
        return about.popularity
    swing = 0.75 + hashed(seed, "swing", about.id, revision.number) % 1000 / 2000
    if about.released:
        now, then = ((day - about.released).days for day in (revision.day, about.appeared))
        swing *= _recency(now) / _recency(then)
    return round(about.popularity * swing, 4)


def _days_since_release(draw: Draw) -> int:
    """Days between the release and FIRST_DAY: most movies are recent, a few are to come, the oldest is from 1920."""
    era = draw.random()
    if era < 0.08:
        return draw.whole(-7, 42)
    if era < 0.13:
        return draw.whole(-420, -8)
    if era < 0.40:
        return draw.whole(43, 730)
    if era < 0.75:
        return draw.whole(731, 26 * 365)
    return draw.whole(26 * 365, 105 * 365)


@dataclass(frozen=True)
class Movie:
    """A movie in one revision."""

    seed: int
    id: int
    revision: Revision
    outline: Outline
    genres: tuple[Genre, ...]
    story: Story
    language: str
    vote_average: float
    vote_count: int
    has_poster: bool
    has_backdrop: bool
    adult: bool

    @property
    def year(self) -> int | None:
        """The year of release."""
        return self.outline.released.year if self.outline.released else None

    @property
    def obscure(self) -> bool:
        """True for the tenth of the catalogue of which TMDB knows next to nothing."""
        return self.outline.fame < 0.1

    @property
    def poster_path(self) -> str | None:
        """The main poster's path; a revision can name a new one."""
        if not self.has_poster:
            return None
        posters = self.revision.posters
        return image_path(self.seed, ImageKind.POSTER, self.id, 0xF00 + posters % 0x100 if posters else 0)

    @property
    def backdrop_path(self) -> str | None:
        """The main backdrop's path."""
        return image_path(self.seed, ImageKind.BACKDROP, self.id) if self.has_backdrop else None


AS_MADE = Revision()


def make_movie(seed: int, about: Outline, revision: Revision = AS_MADE) -> Movie:
    """The movie of that outline, in that revision."""
    draw = Draw(seed, "movie", about.id)
    obscure = about.fame < 0.1
    main = GENRES[about.main_genre]
    others = [draw.pick(GENRES) for _ in range(0 if obscure else draw.whole(0, 3))]
    genres = () if obscure and draw.chance(0.3) else tuple(dict.fromkeys((main, *others)))
    language = draw.pick(_FOREIGN) if draw.chance(0.28) and about.id not in LANDMARKS else "en"
    unseen = about.released is None or about.released > about.appeared or (obscure and draw.chance(0.4))
    votes = 0 if unseen else int(1 + 18_000 * about.fame**5 * draw.random() + 40 * about.fame)
    return Movie(
        seed=seed,
        id=about.id,
        revision=revision,
        outline=about,
        genres=genres,
        story=_revised(tell(seed, about.id, main, language, obscure=obscure), revision.overviews),
        language=language,
        vote_average=_drifted(seed, about.id, _average(draw, votes), revision),
        vote_count=votes + (7 + int(50 * about.fame**4)) * revision.number,
        has_poster=about.id in LANDMARKS or not draw.chance(0.5 if obscure else 0.04),
        has_backdrop=about.id in LANDMARKS or not draw.chance(0.6 if obscure else 0.08),
        adult=draw.chance(0.01),
    )


def _revised(story: Story, overviews: int) -> Story:
    if not overviews:
        return story
    news = f"Restored version no. {overviews}, first shown in {story.place}."
    return story._replace(overview=f"{story.overview} {news}".strip())


def _average(draw: Draw, votes: int) -> float:
    """A vote average; few votes make extreme and whole averages likelier."""
    if not votes:
        return 0
    average = draw.whole(1, 10) if votes < 4 else min(9.4, max(2.0, draw.gauss(6.4, 1.0)))
    average = round(average, 3)
    return int(average) if average == int(average) or draw.chance(0.06) else average


def _drifted(seed: int, movie_id: int, average: float, revision: Revision) -> float:
    """The average after the votes that came with the changes; of the first ones, where there were none."""
    if not revision.number:
        return average
    first = 5 + hashed(seed, "first votes", movie_id) % 3000 / 1000
    drift = hashed(seed, "votes", movie_id, revision.number) % 101 / 1000 - 0.05
    return round(min(10.0, max(1.0, (average or first) + drift)), 3)


def list_row(movie: Movie) -> Json:
    """The movie as a row of a list (`/movie/popular`, `similar`, …)."""
    oddity = hashed(movie.seed, "row", movie.id) % 100
    row: Json = {
        "adult": movie.adult,
        "backdrop_path": movie.backdrop_path,
        "genre_ids": [genre.id for genre in movie.genres],
        "id": movie.id,
        "original_language": movie.language,
        "original_title": movie.story.original_title,
        "overview": movie.story.overview,
        "popularity": popularity_of(movie.seed, movie.outline, movie.revision),
        "poster_path": movie.poster_path,
        "release_date": movie.outline.released.isoformat() if movie.outline.released else "",
        "title": movie.story.title,
        "video": oddity == 1,
        "vote_average": movie.vote_average,
        "vote_count": movie.vote_count,
    }
    if movie.outline.released is None and oddity % 2:
        del row["release_date"]
    if oddity % 3 == 0:
        row["softcore"] = False
    return row


def details(movie: Movie, shared_imdb_of: int | None) -> Json:
    """The body of `GET /movie/{id}` without appended parts.

    `shared_imdb_of` is another movie's id where both carry the same `imdb_id`, as TMDB sometimes has it.
    """
    draw = Draw(movie.seed, "details", movie.id)
    fame = movie.outline.fame
    home = ORIGINAL_COUNTRY[movie.language]
    countries = list(
        dict.fromkeys([home, *(draw.pick(COUNTRIES[:20]).code for _ in range(draw.pick((0, 0, 0, 1, 2))))])
    )
    released, appeared = movie.outline.released, movie.outline.appeared
    money = released is not None and released <= appeared and draw.chance(fame)
    body: Json = {
        "adult": movie.adult,
        "backdrop_path": movie.backdrop_path,
        "belongs_to_collection": _collection(movie),
        "budget": int(10 ** (5.5 + 2.9 * fame * draw.random())) if money and draw.chance(0.8) else 0,
        "genres": [{"id": genre.id, "name": genre.name} for genre in movie.genres],
        "homepage": _homepage(movie, draw),
        "id": movie.id,
        "imdb_id": imdb_id_of(movie, shared_imdb_of),
        "origin_country": [home],
        "original_language": movie.language,
        "original_title": movie.story.original_title,
        "overview": movie.story.overview,
        "popularity": popularity_of(movie.seed, movie.outline, movie.revision),
        "poster_path": movie.poster_path,
        "production_companies": _companies(movie, draw),
        "production_countries": [{"iso_3166_1": code, "name": COUNTRY_BY_CODE[code].name} for code in countries],
        "release_date": movie.outline.released.isoformat() if movie.outline.released else "",
        "revenue": _revenue(draw, fame) if money else 0,
        "runtime": _runtime(draw, obscure=movie.obscure),
        "spoken_languages": _spoken(movie, draw),
        "status": _status(movie, draw),
        "tagline": movie.story.tagline,
        "title": movie.story.title,
        "video": hashed(movie.seed, "row", movie.id) % 100 == 1,
        "vote_average": movie.vote_average,
        "vote_count": movie.vote_count,
    }
    if hashed(movie.seed, "row", movie.id) % 3 == 0:
        body["softcore"] = False
    return body


def imdb_id_of(movie: Movie, shared_imdb_of: int | None) -> str | None:
    """The IMDb id; null, and sometimes "", where TMDB knows none."""
    oddity = hashed(movie.seed, "imdb", movie.id) % 90
    if shared_imdb_of is not None:
        return f"tt{1_000_000 + shared_imdb_of * 5:07d}"
    if oddity < 10:
        return None
    return "" if oddity < 12 else f"tt{1_000_000 + movie.id * 5:07d}"


def _revenue(draw: Draw, fame: float) -> int:
    """US dollars; now and then unknown, and for the greatest hits beyond 32 bits."""
    if fame > 0.98 and draw.chance(0.3):
        return draw.whole(2_200_000_000, 2_950_000_000)
    return int(10 ** (5 + 3.8 * fame * draw.random())) if draw.chance(0.85) else 0


def _runtime(draw: Draw, *, obscure: bool) -> int | None:
    """Minutes; 0 and null are both how TMDB says that it does not know."""
    if draw.chance(0.35 if obscure else 0.03):
        return None if draw.chance(0.05) else 0
    return draw.whole(4, 40) if draw.chance(0.08) else max(62, int(draw.gauss(107, 18)))


def _status(movie: Movie, draw: Draw) -> str:
    released = movie.outline.released
    if released is None:
        return draw.pick(("Released", "Released", "In Production", "Planned", "Rumored"))
    if released > movie.revision.day:
        return draw.pick(("Post Production", "In Production", "Released"))
    return "Released"


def _homepage(movie: Movie, draw: Draw) -> str | None:
    if draw.chance(0.55):
        return None if draw.chance(0.03) else ""
    slug = "".join(c if c.isalnum() else "-" for c in movie.story.title.lower()).strip("-")
    return f"https://{slug}.movie.example/"


def _spoken(movie: Movie, draw: Draw) -> list[Json]:
    if movie.obscure and draw.chance(0.5):
        return []
    codes = dict.fromkeys([movie.language, *(draw.pick(list(LANGUAGES)) for _ in range(draw.pick((0, 0, 0, 1, 2))))])
    return [{"english_name": LANGUAGES[code][0], "iso_639_1": code, "name": LANGUAGES[code][1]} for code in codes]


def _collection(movie: Movie) -> Json | None:
    number = movie.story.series
    if number is None:
        return None
    draw = Draw(movie.seed, "collection", number)
    return {
        "id": 80_000 + number,
        "name": f"{movie.story.series_name} Collection",
        "poster_path": image_path(movie.seed, ImageKind.COLLECTION_POSTER, number) if draw.chance(0.9) else None,
        "backdrop_path": image_path(movie.seed, ImageKind.COLLECTION_BACKDROP, number) if draw.chance(0.75) else None,
    }


def company_name(number: int) -> str:
    """The name of a production company (0 ≤ number < COMPANIES)."""
    return f"{COMPANY_WORDS[number % len(COMPANY_WORDS)]} {COMPANY_SUFFIXES[number // len(COMPANY_WORDS)]}"


@lru_cache(maxsize=1024)
def _company(seed: int, number: int) -> Json:
    draw = Draw(seed, "company", number)
    return {
        "id": 300 + number,
        "logo_path": image_path(seed, ImageKind.COMPANY_LOGO, number) if draw.chance(0.65) else None,
        "name": company_name(number),
        "origin_country": "" if draw.chance(0.12) else draw.pick(COUNTRIES[:25]).code,
    }


def _companies(movie: Movie, draw: Draw) -> list[Json]:
    """Companies; one movie in 40 has the same one twice."""
    count = draw.pick((0, 0, 1)) if movie.obscure else draw.whole(1, 2 + int(4 * movie.outline.fame))
    found = [_company(movie.seed, draw.whole(0, COMPANIES - 1)) for _ in range(count)]
    return [*found, found[0]] if found and draw.chance(0.025) else found
