from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from tmdb_dagster.images.errors import ImageInvalid
from tmdb_dagster.images.picture import read_picture
from tmdb_dagster_tests.images.pictures import bomb, jpeg, png


def test_a_jpeg_is_kept_byte_by_byte() -> None:
    picture = read_picture(jpeg(185, 278))

    assert picture.content == jpeg(185, 278)
    assert (picture.width, picture.height, len(picture.sha256)) == (185, 278, 64)


def encoded(mode: str, kind: str, **options: Any) -> bytes:
    with Image.open(BytesIO(png(120, 80))) as image:
        file = BytesIO()
        frames = [image.convert(mode), image.rotate(90).convert(mode)]
        frames[0].save(file, kind, **options, **({"append_images": frames[1:]} if options.get("save_all") else {}))
        return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        png(120, 80),
        encoded("RGBA", "PNG"),
        encoded("P", "PNG"),
        encoded("I;16", "PNG"),
        encoded("CMYK", "JPEG"),
        encoded("RGB", "WEBP", save_all=True),
    ],
    ids=["PNG", "transparent PNG", "PNG with a palette", "PNG of 16 bits", "CMYK", "animated WebP"],
)
def test_another_format_becomes_an_rgb_jpeg(content: bytes) -> None:
    picture = read_picture(content)

    with Image.open(BytesIO(picture.content)) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (120, 80))
        assert (picture.width, picture.height) == (120, 80)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no JPEG, PNG or WebP"),
        (b"<html><body>502 Bad Gateway</body></html>", "no JPEG, PNG or WebP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' width='99' height='99'></svg>", "no JPEG, PNG or WebP"),
        (encoded("RGB", "ICO"), "no JPEG, PNG or WebP"),
        (encoded("P", "GIF", save_all=True), "no JPEG, PNG or WebP"),
        (jpeg()[: len(jpeg()) // 2], "no readable image"),
        (png()[: len(png()) // 2], "no readable image"),
        (bomb(), "10000x10000 pixels|no readable image"),
        (jpeg(4000, 3000), "4000x3000 pixels"),
        (jpeg(1, 1), "1x1 pixels"),
    ],
    ids=["empty", "html", "svg", "icon", "animated gif", "half a jpeg", "half a png", "bomb", "huge", "one pixel"],
)
def test_what_is_no_sane_image_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ImageInvalid, match=reason):
        read_picture(content)


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.99])
def test_a_jpeg_that_is_cut_off_anywhere_is_refused(kept: float) -> None:
    content = jpeg(500, 750)
    with pytest.raises(ImageInvalid, match="no readable image"):
        read_picture(content[: int(len(content) * kept)])


def test_the_bomb_is_small_as_a_file() -> None:
    assert len(bomb()) < 100_000
