"""Images: found by their paths, of the right size, decodable, and the same each time."""

from __future__ import annotations

import io
import json

import pytest
import requests
from PIL import Image

from tmdb_dagster.sandbox.catalogue import Catalogue
from tmdb_dagster.sandbox.drawings.artwork import draw_image, maxres_missing_status
from tmdb_dagster.sandbox.genres import GENRES
from tmdb_dagster.sandbox.tokens import ImageKind, ImageRef, image_path, read_image_path, read_video_key, video_key
from tmdb_dagster_tests.sandbox.conftest import Ask


def _decoded(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


@pytest.mark.parametrize("kind", list(ImageKind))
def test_a_path_names_one_image_of_one_seed(kind: ImageKind) -> None:
    for owner in (0, 1, 603, 1_399_999, 2**24 - 1):
        for variant in (0, 1, 0xFFF):
            path = image_path(1, kind, owner, variant)
            assert len(path) == 32
            assert read_image_path(1, path) == ImageRef(kind, owner, variant)
            assert read_image_path(2, path) is None
            assert read_image_path(1, path.swapcase()) is None


@pytest.mark.parametrize("path", ["", "/x.jpg", "/" + "z" * 27 + ".jpg", "/" + "é" * 27 + ".jpg"])
def test_other_paths_name_nothing(path: str) -> None:
    assert read_image_path(1, path) is None


def test_video_keys_are_youtubes_and_name_one_video() -> None:
    key = video_key(1, 603, 7)
    assert len(key) == 11
    assert read_video_key(1, key) == ImageRef(ImageKind.THUMBNAIL, 603, 7)
    assert read_video_key(2, key) is None
    assert read_video_key(1, "not a key!!") is None


@pytest.mark.parametrize(
    ("kind", "size", "pixels"),
    [
        *(("poster", size, int(size[1:])) for size in ("w92", "w154", "w185", "w342", "w500", "w780")),
        ("poster", "original", 1000),
        *(("backdrop", size, int(size[1:])) for size in ("w300", "w780", "w1280")),
        ("backdrop", "original", 1920),
        *(("profile", size, int(size[1:])) for size in ("w45", "w185")),
        ("profile", "h632", 421),
        ("profile", "original", 600),
    ],
)
def test_images_are_jpegs_as_wide_as_their_size_says(
    ask: Ask, sandbox_url: str, kind: str, size: str, pixels: int
) -> None:
    movie = ask("/movie/603", append_to_response="credits").json()
    profiles = [one["profile_path"] for one in movie["credits"]["cast"] if one["profile_path"]]
    path = {"poster": movie["poster_path"], "backdrop": movie["backdrop_path"], "profile": profiles[0]}[kind]
    answer = requests.get(f"{sandbox_url}/t/p/{size}{path}", timeout=20)
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert "max-age=31536000" in answer.headers["Cache-Control"]
    image = _decoded(answer.content)
    assert (image.format, image.width) == ("JPEG", pixels)
    if size == "h632":
        assert image.height == 632
    # A drawn picture, not a plain colour.
    assert len(image.convert("RGB").resize((40, 40)).getcolors(1600) or []) > 20


def test_every_image_that_a_movie_names_is_there(ask: Ask, http: requests.Session, sandbox_url: str) -> None:
    movie = ask("/movie/603", append_to_response="images,credits,watch/providers").json()
    text = json.dumps(movie)
    paths = {text[at + 1 : text.index('"', at + 1)] for at in range(len(text)) if text.startswith('"/', at)}
    assert len(paths) > 60
    for path in sorted(paths)[::6]:
        answer = http.get(f"{sandbox_url}/t/p/w45{path}", timeout=5)
        image = _decoded(answer.content)
        assert image.width == 45
        assert (image.format == "PNG") == path.endswith(".png")


@pytest.mark.parametrize("path", ["/t/p/w342/unknown.jpg", "/t/p/w343{poster}", "/t/p/{poster}", "/elsewhere"])
def test_unknown_images_are_404(ask: Ask, http: requests.Session, sandbox_url: str, path: str) -> None:
    poster = ask("/movie/603").json()["poster_path"]
    assert http.get(sandbox_url + path.format(poster=poster), timeout=5).status_code == 404


def test_a_picture_is_the_same_each_time_and_differs_between_movies(catalogue: Catalogue) -> None:
    def poster(movie_id: int, of: Catalogue) -> bytes:
        return draw_image(of, ImageRef(ImageKind.POSTER, movie_id, 0), (92, 138))

    assert poster(603, catalogue) == poster(603, Catalogue(movies=2000))
    posters = {poster(movie_id, catalogue) for movie_id in catalogue.ids[:20]}
    assert len(posters) == 20


@pytest.mark.parametrize("kind", list(ImageKind))
def test_every_kind_of_every_genre_can_be_drawn(catalogue: Catalogue, kind: ImageKind) -> None:
    by_genre = {catalogue.movie_as_made(one).outline.main_genre: one for one in catalogue.ids}
    assert len(by_genre) == len(GENRES)
    for number, owner in enumerate(by_genre.values()):
        ref = ImageRef(kind, number if kind not in (1, 2, 3, 9) else owner, number)
        assert _decoded(draw_image(catalogue, ref, (45, 30))).size == (45, 30)


def test_thumbnails_fall_back_as_youtubes_do(ask: Ask, http: requests.Session, sandbox_url: str) -> None:
    rows = ask("/movie/popular").json()["results"]
    seen = set()
    for row in rows:
        videos = ask(f"/movie/{row['id']}/videos").json()["results"]
        for key in [video["key"] for video in videos if video["site"] == "YouTube"][:6]:
            ref = read_video_key(1, key)
            assert ref is not None
            expected = maxres_missing_status(1, ref)
            if expected in seen:
                continue
            seen.add(expected)
            best = http.get(f"{sandbox_url}/vi/{key}/maxresdefault.jpg", timeout=5)
            assert best.status_code == (expected or 200)
            assert _decoded(best.content).size == ((120, 90) if expected else (1280, 720))
            assert _decoded(http.get(f"{sandbox_url}/vi/{key}/hqdefault.jpg", timeout=5).content).size == (480, 360)
    assert seen == {None, 404, 200}


def test_an_unknown_video_has_the_grey_picture(http: requests.Session, sandbox_url: str) -> None:
    answer = http.get(f"{sandbox_url}/vi/AAAAAAAAAAA/hqdefault.jpg", timeout=5)
    assert answer.status_code == 404
    assert _decoded(answer.content).size == (120, 90)
