from __future__ import annotations

from tmdb_dagster.transform.list_movers import Mover, Place, list_movers


def places(*tmdb_ids: int, first: int = 1) -> list[Place]:
    """A list with these movies in this order; its pages have 20 each."""
    return [
        Place(tmdb_id, f"Movie {tmdb_id}", rank, (rank - 1) // 20 + 1)
        for rank, tmdb_id in enumerate(tmdb_ids, start=first)
    ]


def test_who_entered_left_rose_and_fell() -> None:
    movers = list_movers(places(1, 2, 3, 4, 5), places(2, 6, 1, 5, 3))

    assert movers == [
        Mover(6, "Movie 6", "entered", None, 2),
        Mover(4, "Movie 4", "left", 4, None),
        Mover(2, "Movie 2", "rose", 2, 1),
        Mover(5, "Movie 5", "rose", 5, 4),
        Mover(1, "Movie 1", "fell", 1, 3),
        Mover(3, "Movie 3", "fell", 3, 5),
    ]


def test_an_unchanged_list_has_no_movers() -> None:
    assert list_movers(places(1, 2), places(1, 2)) == []


def test_a_first_snapshot_or_an_empty_one_has_no_movers() -> None:
    assert list_movers([], places(1)) == list_movers(places(1), []) == []


def test_a_page_that_could_not_be_fetched_moves_nobody() -> None:
    whole = places(*range(1, 41))

    assert list_movers(whole, whole[:20]) == list_movers(whole[:20], whole) == []
    assert list_movers(whole, whole[20:]) == list_movers(whole[20:], whole) == []


def test_a_movie_from_a_page_that_is_compared_no_more_has_its_old_place() -> None:
    before = places(*range(1, 41))
    now = places(40, *range(1, 20))

    assert list_movers(before, now)[:2] == [
        Mover(20, "Movie 20", "left", 20, None),
        Mover(40, "Movie 40", "rose", 40, 1),
    ]


def test_a_movie_that_is_listed_twice_counts_at_its_best_place() -> None:
    assert list_movers(places(1, 2, 1), places(1, 2, 3, 1)) == [Mover(3, "Movie 3", "entered", None, 3)]


def test_a_movie_keeps_the_title_that_is_known() -> None:
    nameless = [Place(1, None, 1, 1), Place(2, None, 2, 1)]

    assert [mover.title for mover in list_movers(nameless, places(2, 1))] == ["Movie 2", "Movie 1"]
    assert [mover.title for mover in list_movers(nameless, nameless[:1])] == [""]
