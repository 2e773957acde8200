"""Cast and crew."""

from __future__ import annotations

from tmdb_dagster.tmdb.bodies import CREW_JOBS
from tmdb_dagster.tmdb.models import CastMember, Credits, CrewMember
from tmdb_dagster.transform.distinct import distinct_by
from tmdb_dagster.transform.images import ImageUrls, image_key
from tmdb_dagster.transform.rows import CastEntry, CrewEntry
from tmdb_dagster.transform.text import text_or_none

_CAST_LENGTH = 15
_CREW_LENGTH = 10
_GENDERS = {
    1: "female",
    2: "male",
    3: "non-binary",
}  # https://developer.themoviedb.org/reference/person-details


def billed_cast(cast_and_crew: Credits | None) -> list[CastMember]:
    """The first 15 roles by order, those without an order last.

    TMDB may list a person twice: two characters are two entries, the same character is one.
    """
    cast = sorted(cast_and_crew.cast, key=_billing) if cast_and_crew else []
    return distinct_by(cast, key=lambda member: (member.id, member.character))[:_CAST_LENGTH]


def cast_members(cast_and_crew: Credits | None, images: ImageUrls) -> list[CastEntry]:
    """The billed cast; a photo that is ours is one file for all sizes."""
    return [_cast_entry(member, images) for member in billed_cast(cast_and_crew)]


def crew_members(cast_and_crew: Credits | None, images: ImageUrls) -> list[CrewEntry]:
    """Up to 10 with CREW_JOBS, by job, then in TMDB's order.

    What is more is cut from the job with most people, its last first; of two such jobs, from the later one. A director
    is cut only where every other job has one person left, and no job is cut out while another has two.
    """
    crew = distinct_by(cast_and_crew.crew, key=lambda member: (member.id, member.job)) if cast_and_crew else []
    ranked = [
        (min(rank, 1) if job == "Director" else rank, order, member)
        for order, job in enumerate(CREW_JOBS)
        for rank, member in enumerate(one for one in crew if one.job == job)
    ]
    kept = sorted(ranked, key=lambda one: one[:2])[:_CREW_LENGTH]
    return [_crew_entry(member, images) for _, _, member in sorted(kept, key=lambda one: one[1])]


def first_with_job(cast_and_crew: Credits | None, job: str) -> str | None:
    """The name of the first crew member with the job."""
    crew = cast_and_crew.crew if cast_and_crew else ()
    return next((member.name for member in crew if member.job == job), None)


def gender(code: int | None) -> str:
    """TMDB's code in words; 0, null and unheard-of codes are `unknown`."""
    return _GENDERS.get(code or 0, "unknown")


def _billing(member: CastMember) -> tuple[bool, int]:
    return member.order is None, member.order or 0


def _cast_entry(member: CastMember, images: ImageUrls) -> CastEntry:
    key = image_key("cast", member.id)
    return {
        "person_id": str(member.id),
        "name": member.name,
        "character": text_or_none(member.character),
        "order": member.order,
        "photo_url_small": images.shown(images.image(member.profile_path, "w92"), key),
        "photo_url_medium": images.shown(images.image(member.profile_path, "w185"), key),
        "photo_url_large": images.shown(images.image(member.profile_path, "h632"), key),
        "gender": gender(member.gender),
    }


def _crew_entry(member: CrewMember, images: ImageUrls) -> CrewEntry:
    return {
        "person_id": str(member.id),
        "name": member.name,
        "job": member.job,
        "department": text_or_none(member.department),
        "photo_url_small": images.image(member.profile_path, "w92"),
        "photo_url_medium": images.image(member.profile_path, "w185"),
    }
