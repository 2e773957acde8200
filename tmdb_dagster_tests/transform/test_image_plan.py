"""Which images are wanted, under which names, and how the rows read with them."""

from __future__ import annotations

from dataclasses import replace

from tmdb_dagster.tmdb.models import parse_movie
from tmdb_dagster.transform.card import card_row
from tmdb_dagster.transform.image_plan import WantedImage, planned_images, source_urls
from tmdb_dagster.transform.images import ImageUrls
from tmdb_dagster_tests.transform.builders import FETCHED_AT, WORK_ID, movie_body, transformed
from tmdb_dagster_tests.transform.checks import check_card

IMAGES = ImageUrls("https://images.example/t/p", "https://thumbs.example/vi")


def ours(key: str) -> str:
    return f"https://cdn.example/{key}?v=0123abcd"


def planned(**changes: object) -> list[WantedImage]:
    return planned_images(parse_movie(movie_body(**changes)).movie, WORK_ID, FETCHED_AT)


def person(number: int, **changes: object) -> dict[str, object]:
    entry = {"id": number, "name": f"P{number}", "character": f"C{number}", "order": number, "gender": 1}
    return {**entry, "profile_path": f"/p{number}.jpg", **changes}


def test_names_sources_and_sizes() -> None:
    images = planned(
        poster_path="/poster.jpg",
        backdrop_path="/backdrop.jpg",
        credits={"cast": [person(5)], "crew": []},
        images={"backdrops": [{"file_path": f"/still{n}.jpg"} for n in range(7)], "posters": [], "logos": []},
        videos={
            "results": [
                {"id": key, "key": key, "name": key, "site": "YouTube", "type": kind, "official": True}
                for key, kind in (("clip", "Clip"), ("main", "Trailer"))
            ]
        },
    )

    wanted = {image.key: image for image in images}

    assert {key: (image.kind, image.source_path, image.source_size) for key, image in wanted.items()} == {
        f"posters/{WORK_ID}_medium.jpg": ("poster", "/poster.jpg", "w342"),
        f"posters/{WORK_ID}_large.jpg": ("poster", "/poster.jpg", "w500"),
        f"backdrops/{WORK_ID}.jpg": ("backdrop", "/backdrop.jpg", "w780"),
        f"trailers/{WORK_ID}_thumb.jpg": ("trailer", "youtube:main", "maxresdefault"),
        f"trailers/{WORK_ID}_1.jpg": ("trailer", "youtube:clip", "hqdefault"),
        f"trailers/{WORK_ID}_2.jpg": ("trailer", "youtube:main", "hqdefault"),
        "cast/5.jpg": ("cast", "/p5.jpg", "w185"),
        **{f"stills/{WORK_ID}_{n}.jpg": ("still", f"/still{n - 1}.jpg", "w780") for n in range(1, 6)},
    }
    assert {image.work_id for image in wanted.values() if image.kind != "cast"} == {WORK_ID}
    assert (wanted["cast/5.jpg"].work_id, wanted["cast/5.jpg"].person_id) == (None, "5")
    assert source_urls(wanted[f"trailers/{WORK_ID}_thumb.jpg"], IMAGES) == [
        "https://thumbs.example/vi/main/maxresdefault.jpg",
        "https://thumbs.example/vi/main/hqdefault.jpg",
    ]
    assert source_urls(wanted["cast/5.jpg"], IMAGES) == ["https://images.example/t/p/w185/p5.jpg"]


def test_the_first_ten_people_with_a_photo() -> None:
    cast = [person(1, profile_path=None), person(2), person(2, character="Twin"), *(person(n) for n in range(3, 15))]
    wanted = planned(credits={"cast": cast, "crew": []})

    assert [image.key for image in wanted if image.kind == "cast"] == [f"cast/{n}.jpg" for n in range(2, 12)]


def test_every_stored_image_is_shown_and_nothing_else_changes() -> None:
    rows = transformed()
    stored = {image.key: "0123abcdef" for image in planned()}

    shown = transformed(urls=replace(IMAGES, store_url="https://cdn.example/", stored=stored))

    meta = shown.meta
    assert meta["poster_url_medium"] == ours(f"posters/{WORK_ID}_medium.jpg")
    assert meta["poster_url_large"] == ours(f"posters/{WORK_ID}_large.jpg")
    assert meta["backdrop_url"] == meta["backdrop_url_mobile"] == ours(f"backdrops/{WORK_ID}.jpg")
    for name in ("poster_url_small", "poster_url_original"):
        assert dict(meta)[name] == dict(rows.meta)[name]
    assert all(url.startswith("https://cdn.example/stills/") for url in meta["still_images"])
    card = card_row(shown)
    assert card["payload"]["poster"]["large"] == meta["poster_url_large"]
    assert card["payload"]["director"] == card_row(rows)["payload"]["director"]
    assert card["etag"] != card_row(rows)["etag"]
    check_card(card["payload"])


def test_what_is_not_stored_stays_at_tmdb() -> None:
    rows = transformed()
    wanted = planned()

    stored = {image.key: None for image in wanted}
    shown = transformed(urls=replace(IMAGES, store_url="https://cdn.example/", stored=stored))

    assert (shown.meta, card_row(shown)) == (rows.meta, card_row(rows))
    assert [(image["key"], image["sha256"]) for image in shown.images] == [(key, None) for key in stored]
    assert wanted
