from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from tmdb_dagster.images.errors import ImageInvalid
from tmdb_dagster.images.picture import read_picture
from tmdb_dagster_tests.images.pictures import bomb, jpeg, png


def test_a_jpeg_is_kept_byte_by_byte() -> None:
    picture = read_picture(jpeg(185, 278))

    assert picture.content == jpeg(185, 278)
    assert (picture.width, picture.height, len(picture.sha256)) == (185, 278, 64)


def test_another_format_becomes_a_jpeg() -> None:
    picture = read_picture(png(120, 80))

    with Image.open(BytesIO(picture.content)) as image:
        assert (image.format, image.size) == ("JPEG", (120, 80))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no readable image"),
        (b"<html><body>502 Bad Gateway</body></html>", "no readable image"),
        (jpeg()[: len(jpeg()) // 2], "no readable image"),
        (png()[: len(png()) // 2], "no readable image"),
        (b"GIF89a" + bytes(200), "no readable image"),
        (bomb(), "10000x10000 pixels|no readable image"),
        (jpeg(4000, 3000), "4000x3000 pixels"),
        (jpeg(1, 1), "1x1 pixels"),
    ],
    ids=["empty", "html", "half a jpeg", "half a png", "gif", "bomb", "huge", "one pixel"],
)
def test_what_is_no_sane_image_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ImageInvalid, match=reason):
        read_picture(content)


def test_the_bomb_is_small_as_a_file() -> None:
    assert len(bomb()) < 100_000
