"""cast_members, crew_members, and the names on the card."""

from __future__ import annotations

from typing import Any

import pytest

from tmdb_dagster.tmdb.bodies import CREW_JOBS
from tmdb_dagster.transform.card import card_row
from tmdb_dagster_tests.transform.builders import cast, crew, transformed


def _crew(*members: dict[str, Any]) -> list[tuple[str, str]]:
    entries = transformed(credits={"cast": [], "crew": list(members)}).meta["crew_members"]
    return [(entry["person_id"], entry["job"]) for entry in entries]


def test_a_cast_entry() -> None:
    base = "https://images.example/t/p"
    assert transformed(credits={"cast": [cast(7)], "crew": []}).meta["cast_members"] == [
        {
            "person_id": "7",
            "name": "Actor 7",
            "character": "Role 7",
            "order": 7,
            "photo_url_small": f"{base}/w92/a7.jpg",
            "photo_url_medium": f"{base}/w185/a7.jpg",
            "photo_url_large": f"{base}/h632/a7.jpg",
            "gender": "female",
        }
    ]


def test_a_crew_entry() -> None:
    member = crew(8, "Director", profile_path="/d.jpg")
    assert transformed(credits={"cast": [], "crew": [member]}).meta["crew_members"] == [
        {
            "person_id": "8",
            "name": "Crew 8",
            "job": "Director",
            "department": "Work",
            "photo_url_small": "https://images.example/t/p/w92/d.jpg",
            "photo_url_medium": "https://images.example/t/p/w185/d.jpg",
        }
    ]


def _people(members: list[dict[str, Any]]) -> list[str]:
    entries = transformed(credits={"cast": members, "crew": []}).meta["cast_members"]
    return [entry["person_id"] for entry in entries]


def test_the_cast_is_the_first_15_by_order_and_those_without_an_order_last() -> None:
    members = [cast(1, order=None), *(cast(n, order=n) for n in range(30, 1, -1))]
    assert _people(members) == [str(n) for n in range(2, 17)]
    assert _people([cast(1, order=None), cast(2, order=9), cast(3, order=0)]) == ["3", "2", "1"]


def test_a_person_with_two_characters_is_listed_twice_and_with_the_same_character_once() -> None:
    members = [
        cast(1, character="Twin A", order=4),
        cast(1, character="Twin B", order=2),
        cast(1, character="Twin A", order=1),
    ]
    entries = transformed(credits={"cast": members, "crew": []}).meta["cast_members"]
    assert [(entry["character"], entry["order"]) for entry in entries] == [("Twin A", 1), ("Twin B", 2)]


@pytest.mark.parametrize(
    ("code", "expected"),
    [(0, "unknown"), (1, "female"), (2, "male"), (3, "non-binary"), (None, "unknown"), (9, "unknown")],
)
def test_gender(code: int | None, expected: str) -> None:
    entries = transformed(credits={"cast": [cast(1, gender=code)], "crew": []}).meta["cast_members"]
    assert entries[0]["gender"] == expected


def test_what_tmdb_does_not_know_of_a_role_is_none() -> None:
    bare = {"id": 3, "name": "Somebody"}
    blank = cast(4, character="", profile_path="", order=0)
    known, unknown = transformed(credits={"cast": [bare, blank], "crew": []}).meta["cast_members"]
    assert (unknown["order"], unknown["gender"]) == (None, "unknown")
    for entry in (known, unknown):
        assert entry["character"] is None
        assert entry["photo_url_small"] is entry["photo_url_medium"] is entry["photo_url_large"] is None


def test_the_crew_keeps_six_jobs_by_job_then_in_tmdbs_order() -> None:
    assert _crew(
        crew(1, "Gaffer"),
        crew(2, "Original Music Composer"),
        crew(3, "Director of Photography"),
        crew(4, "Producer"),
        crew(5, "Screenplay"),
        crew(6, "Executive Producer"),
        crew(7, "Writer"),
        crew(9, "Director"),
        crew(8, "Director"),
    ) == [
        ("9", "Director"),
        ("8", "Director"),
        ("7", "Writer"),
        ("5", "Screenplay"),
        ("4", "Producer"),
        ("3", "Director of Photography"),
        ("2", "Original Music Composer"),
    ]


def test_producers_crowd_out_nobody() -> None:
    members = [*(crew(n, "Producer") for n in range(1, 13)), crew(50, "Director"), crew(60, "Original Music Composer")]
    assert _crew(*members) == [
        ("50", "Director"),
        *((str(n), "Producer") for n in range(1, 9)),
        ("60", "Original Music Composer"),
    ]
    card = card_row(transformed(credits={"cast": [], "crew": members}))["payload"]
    assert (card["director"], card["composer"]) == ("Crew 50", "Crew 60")


def _cut(*people: int) -> list[int]:
    """How many stay of so many people with each of CREW_JOBS; those who stay are the first of each."""
    everybody = [[(str(100 * n + i), job) for i in range(1, people[n] + 1)] for n, job in enumerate(CREW_JOBS)]
    listed = _crew(*(crew(int(person), job) for of_job in everybody for person, job in of_job))
    kept = [sum(job == of for _, of in listed) for job in CREW_JOBS]
    assert listed == [one for of_job, n in zip(everybody, kept, strict=True) for one in of_job[:n]]
    return kept


def test_what_is_more_than_ten_is_cut_from_the_job_with_most_people() -> None:
    assert _cut(1, 3, 0, 9, 0, 0) == [1, 3, 0, 6, 0, 0]
    assert _cut(1, 6, 0, 6, 0, 0) == [1, 5, 0, 4, 0, 0], "of two such jobs, from the later one"
    assert _cut(4, 0, 4, 4, 0, 1) == [4, 0, 3, 2, 0, 1], "directors stay"
    assert _cut(12, 0, 0, 0, 1, 0) == [9, 0, 0, 0, 1, 0], "but they crowd out nobody"


def test_the_same_person_and_job_is_listed_once() -> None:
    members = [crew(1, "Director"), crew(1, "Director"), crew(1, "Writer")]
    assert _crew(*members) == [("1", "Director"), ("1", "Writer")]


def test_the_card_names_the_first_of_four_jobs() -> None:
    members = [
        crew(1, "Screenplay"),
        crew(2, "Screenplay"),
        crew(3, "Original Music Composer"),
        crew(4, "Director"),
        crew(5, "Director"),
    ]
    card = card_row(transformed(credits={"cast": [], "crew": members}))["payload"]
    names = [card[key] for key in ("director", "writer", "screenplay", "composer")]
    assert names == ["Crew 4", None, "Crew 1", "Crew 3"]
