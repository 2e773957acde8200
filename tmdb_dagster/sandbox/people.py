"""People, and who did what in a movie (`credits`)."""

from __future__ import annotations

from functools import lru_cache

from tmdb_dagster.sandbox.draw import Draw, hashed
from tmdb_dagster.sandbox.movie import Json, Movie
from tmdb_dagster.sandbox.names import CULTURES
from tmdb_dagster.sandbox.tokens import ImageKind, image_path
from tmdb_dagster.sandbox.words import CHARACTER_ROLES

_PEOPLE = 40_000
"""Person ids run from 1 to this; the lower, the better known."""
_WORLDWIDE = ("en", "en", "en", "en", *CULTURES)
_DEPARTMENTS = (
    "Acting",
    "Acting",
    "Acting",
    "Directing",
    "Writing",
    "Production",
    "Camera",
    "Sound",
    "Editing",
    "Art",
    "Crew",
)

_KEY_JOBS: tuple[tuple[str, str], ...] = (
    ("Directing", "Director"),
    ("Writing", "Screenplay"),
    ("Production", "Producer"),
    ("Camera", "Director of Photography"),
    ("Sound", "Original Music Composer"),
    ("Editing", "Editor"),
)
_JOBS: tuple[tuple[str, str], ...] = (
    *(("Writing", job) for job in ("Writer", "Story", "Novel", "Characters")),
    *(("Production", job) for job in ("Producer", "Executive Producer", "Casting", "Line Producer", "Unit Manager")),
    *(("Art", job) for job in ("Art Direction", "Set Decoration", "Production Design", "Storyboard Artist", "Painter")),
    *(
        ("Camera", job)
        for job in ("Camera Operator", "Steadicam Operator", "Still Photographer", "Focus Puller", "Grip")
    ),
    *(("Sound", job) for job in ("Boom Operator", "Foley Artist", "Sound Designer", "Sound Re-Recording Mixer")),
    *(("Costume & Make-Up", job) for job in ("Costume Design", "Hairstylist", "Makeup Artist", "Set Costumer")),
    *(("Visual Effects", job) for job in ("Visual Effects Producer", "Compositor", "VFX Supervisor", "Animation")),
    *(("Crew", job) for job in ("Stunts", "Transportation Coordinator", "Driver", "Thanks", "Stunt Coordinator")),
    *(("Directing", job) for job in ("First Assistant Director", "Script Supervisor")),
    *(("Editing", job) for job in ("Assistant Editor", "Colorist", "Digital Intermediate")),
    *(("Lighting", job) for job in ("Gaffer", "Best Boy Electric", "Rigging Gaffer")),
)


@lru_cache(maxsize=_PEOPLE // 2)
def person(seed: int, person_id: int) -> Json:
    """The keys that cast and crew entries share; whoever is little known has no photo and often no gender."""
    bits = hashed(seed, "person", person_id)
    culture = CULTURES[_WORLDWIDE[bits % len(_WORLDWIDE)]]
    female = bits >> 8 & 1
    given = culture.women if female else culture.men
    first, _, first_script = given[(bits >> 9) % len(given)].partition("=")
    last, _, last_script = culture.surnames[(bits >> 17) % len(culture.surnames)].partition("=")
    name = f"{last} {first}" if culture.surname_first and bits >> 25 & 1 else f"{first} {last}"
    own = name
    if first_script:
        own = f"{last_script}{first_script}" if culture.surname_first else f"{first_script} {last_script}"
    rank = person_id / _PEOPLE
    spin = (bits >> 32) % 1000
    gender: int | None = 1 if female else 2
    if spin < 450 * rank + 30:
        gender = None if spin < 4 else 3 if spin < 10 else 0
    has_photo = (bits >> 44) % 1000 < (950 if rank < 0.02 else 760 - 1500 * rank if rank < 0.4 else 160)
    return {
        "adult": False,
        "gender": gender,
        "id": person_id,
        "known_for_department": _DEPARTMENTS[(bits >> 54) % len(_DEPARTMENTS)],
        "name": name,
        "original_name": own,
        "popularity": round(0.05 + 12 * (1 - rank) ** 30 + spin / 900, 4),
        "profile_path": image_path(seed, ImageKind.PROFILE, person_id) if has_photo else None,
    }


def credits_of(movie: Movie) -> Json:
    """`cast` and `crew`; long for famous movies, and for a few of them very long."""
    draw = Draw(movie.seed, "credits", movie.id)
    fame = movie.outline.fame
    if movie.obscure:
        cast_size, crew_size = draw.pick((0, 0, 1, 3, 6)), draw.pick((0, 1, 1, 4))
    else:
        cast_size = int(24 + 50 * fame * draw.random() + 18 * fame)
        crew_size = int(30 + 120 * fame**2 * draw.random() + 44 * fame)
        if draw.chance(0.012):
            cast_size, crew_size = draw.whole(120, 182), draw.whole(90, 160)
        elif draw.chance(0.012):
            crew_size = draw.whole(250, 587)
    return {"cast": _cast(movie, draw, cast_size), "crew": _crew(movie, draw, crew_size)}


def _someone(movie: Movie, draw: Draw, skew: float) -> Json:
    return person(movie.seed, 1 + int(_PEOPLE * draw.random() ** skew))


def _cast(movie: Movie, draw: Draw, size: int) -> list[Json]:
    cast: list[Json] = []
    for order in range(size):
        star = order < 12
        who = _someone(movie, draw, 4.0 if star else 2.0)
        if order and draw.chance(0.006):
            who = person(movie.seed, cast[draw.whole(0, order - 1)]["id"])
        cast.append(
            {
                **who,
                "cast_id": order + 1 if star else order + 17,
                "character": movie.story.hero if order == 0 else _character(draw),
                "credit_id": draw.hex24(),
                "order": order,
            }
        )
    return cast


def _character(draw: Draw) -> str:
    chance = draw.random()
    if chance < 0.05:
        return ""
    culture = CULTURES[draw.pick(("en", "en", "fr", "de", "es"))]
    first = draw.pick(culture.women if chance < 0.5 else culture.men)
    if draw.chance(0.35):
        return draw.pick(CHARACTER_ROLES).replace("{first}", first)
    return f"{first} {draw.pick(culture.surnames)}"


def _crew(movie: Movie, draw: Draw, size: int) -> list[Json]:
    crew: list[Json] = []
    for place in range(size):
        department, job = _KEY_JOBS[place] if place < len(_KEY_JOBS) else draw.pick(_JOBS)
        who = _someone(movie, draw, 2.5 if place < len(_KEY_JOBS) else 0.8)
        if crew and draw.chance(0.04):
            earlier = draw.pick(crew)
            who = person(movie.seed, earlier["id"])
            if draw.chance(0.3):
                department, job = earlier["department"], earlier["job"]
        crew.append({**who, "credit_id": draw.hex24(), "department": department, "job": job})
    return crew
