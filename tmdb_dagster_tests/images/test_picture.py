from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageCms, ImageOps

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


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def shown(content: bytes) -> Image.Image:
    """What a viewer sees of the picture that is made of it."""
    with Image.open(BytesIO(read_picture(content).content)) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def brightness(image: Image.Image, x: int, y: int) -> int:
    pixel = image.convert("L").getpixel((x, y))
    assert isinstance(pixel, int)
    return pixel


def test_a_picture_of_16_bits_keeps_its_greys() -> None:
    ramp = b"".join((65535 * x // 255).to_bytes(2, "little") for x in range(256))
    image = shown(saved(Image.frombytes("I;16", (256, 64), ramp * 64), "PNG"))

    assert [brightness(image, x, 30) for x in (10, 128, 245)] == pytest.approx([10, 128, 245], abs=3)


def _transparent(mode: str) -> bytes:
    image = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    image.paste((200, 200, 200, 255), (40, 40, 60, 60))
    return saved(image.convert(mode), "PNG")


@pytest.mark.parametrize(
    "content",
    [
        _transparent("RGBA"),
        _transparent("LA"),
        saved(Image.new("L", (100, 100), 7), "PNG", transparency=7),
        saved(Image.new("RGB", (100, 100), (1, 2, 3)), "PNG", transparency=(1, 2, 3)),
        saved(Image.new("P", (100, 100), 0), "PNG", transparency=0),
        saved(Image.new("RGBA", (100, 100), (0, 0, 0, 0)), "WEBP", lossless=True),
    ],
    ids=["RGBA", "grey and alpha", "a grey", "a colour", "of a palette", "WebP"],
)
def test_what_is_transparent_becomes_white(content: bytes) -> None:
    assert brightness(shown(content), 5, 5) > 250


@pytest.mark.parametrize("kind", ["WEBP", "PNG", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_as_upright_as_its_source(orientation: int, kind: str) -> None:
    source = Image.new("RGB", (120, 60), "black")
    source.paste("white", (0, 0, 60, 30))  # a corner that tells how it lies
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(source, kind, exif=exif.tobytes())
    with Image.open(BytesIO(content)) as file:
        right = ImageOps.exif_transpose(file).convert("L")

    image = shown(content)
    assert image.size == right.size == (read_picture(content).width, read_picture(content).height)
    for x, y in ((10, 10), (right.width - 10, 10), (10, right.height - 10), (right.width - 10, right.height - 10)):
        assert brightness(image, x, y) == pytest.approx(right.getpixel((x, y)), abs=10)


def test_exif_data_that_are_none_cost_nothing() -> None:
    content = saved(Image.new("RGB", (60, 60), "red"), "WEBP", exif=b"Exif\x00\x00nonsense")
    assert read_picture(content).width == 60


def test_a_jpeg_of_repeated_scans_is_refused() -> None:
    content = saved(Image.new("L", (1000, 1000), 128), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    with pytest.raises(ImageInvalid, match="more than 100 scans"):
        read_picture(content[:-2] + content[last:-2] * 200 + content[-2:])
    assert read_picture(content).content == content


def test_a_colour_profile_is_kept() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    content = read_picture(saved(Image.new("RGB", (60, 60), "red"), "PNG", icc_profile=profile)).content

    with Image.open(BytesIO(content)) as image:
        assert image.info["icc_profile"] == profile
