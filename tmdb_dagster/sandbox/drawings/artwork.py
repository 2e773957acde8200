"""The picture behind each image path: posters, backdrops, portraits, logos and video thumbnails."""

from __future__ import annotations

from functools import cache

from tmdb_dagster.sandbox.catalogue import Catalogue
from tmdb_dagster.sandbox.draw import Draw, hashed
from tmdb_dagster.sandbox.drawings.canvas import Canvas, Lettering
from tmdb_dagster.sandbox.drawings.palette import PAPER, luminance, palette_for
from tmdb_dagster.sandbox.drawings.portraits import draw_portrait
from tmdb_dagster.sandbox.drawings.posters import draw_poster
from tmdb_dagster.sandbox.drawings.scenes import scene_for
from tmdb_dagster.sandbox.movie import Movie, company_name
from tmdb_dagster.sandbox.names import PROVIDERS
from tmdb_dagster.sandbox.tokens import ImageKind, ImageRef
from tmdb_dagster.sandbox.world import CONFIGURATION_SIZES

Size = tuple[int, int]

ORIGINALS: dict[ImageKind, Size] = {
    ImageKind.POSTER: (1000, 1500),
    ImageKind.COLLECTION_POSTER: (1000, 1500),
    ImageKind.BACKDROP: (1920, 1080),
    ImageKind.COLLECTION_BACKDROP: (1920, 1080),
    ImageKind.PROFILE: (600, 900),
    ImageKind.TITLE_LOGO: (800, 310),
    ImageKind.COMPANY_LOGO: (500, 200),
    ImageKind.PROVIDER_LOGO: (300, 300),
}
"""Width and height in the size `original`."""
_SIZES = frozenset(size for sizes in CONFIGURATION_SIZES.values() for size in sizes)


def pixels(kind: ImageKind, size: str) -> Size | None:
    """Width and height of that kind of image in one of TMDB's sizes (`w342`, `h632`); None for an unknown size."""
    if kind not in ORIGINALS or size not in _SIZES:
        return None
    width, height = ORIGINALS[kind]
    if size == "original":
        return width, height
    given = int(size[1:])
    return (round(given * width / height), given) if size[0] == "h" else (given, round(given * height / width))


@cache
def grey_placeholder() -> bytes:
    """The grey picture of 120x90 pixels that YouTube has in place of a missing thumbnail."""
    canvas = Canvas((120, 90))
    canvas.box((0, 0, 1, 1), (204, 204, 204))
    return canvas.jpeg()


def maxres_missing_status(seed: int, ref: ImageRef) -> int | None:
    """The status of the grey picture where a video has no `maxresdefault` (one in four); None where it has one."""
    return {0: 404, 1: 200}.get(hashed(seed, "maxres", ref.owner, ref.variant) % 8)


def draw_image(catalogue: Catalogue, ref: ImageRef, size: Size) -> bytes:
    """The picture in that size (width, height in pixels): JPEG, or PNG for logos on no ground."""
    draw = Draw(catalogue.seed, "image", ref.kind, ref.owner, ref.variant)
    canvas = Canvas(size)
    if ref.kind is ImageKind.PROFILE:
        draw_portrait(canvas, draw, catalogue.seed, ref.owner)
    elif ref.kind is ImageKind.PROVIDER_LOGO:
        _app_icon(canvas, draw, PROVIDERS[ref.owner])
    elif ref.kind is ImageKind.COMPANY_LOGO:
        _wordmark(canvas, company_name(ref.owner))
        return canvas.png()
    elif ref.kind in (ImageKind.COLLECTION_POSTER, ImageKind.COLLECTION_BACKDROP):
        scene_for(None, draw)(canvas, palette_for(None, draw), draw)
    else:
        movie = catalogue.movie_as_made(ref.owner)
        if ref.kind is ImageKind.TITLE_LOGO:
            _wordmark(canvas, movie.story.title)
            return canvas.png()
        _picture(canvas, draw, movie, ref.kind)
    return canvas.jpeg()


def _picture(canvas: Canvas, draw: Draw, movie: Movie, kind: ImageKind) -> None:
    genre = movie.genres[0].id if movie.genres else None
    colours = palette_for(genre, draw)
    scene = scene_for(genre, draw)
    if kind is ImageKind.POSTER:
        draw_poster(canvas, draw, movie, colours, scene)
        return
    scene(canvas, colours, draw)
    if kind is ImageKind.THUMBNAIL:
        canvas.scrim(colours.near, 0.55, 1, 0.85)
        lines, size = canvas.fit(movie.story.title.upper(), 0.86, (0.05, 0.1), 2)
        for number, line in enumerate(lines):
            y = 0.93 - (len(lines) - 1 - number) * size * 1.15
            canvas.text(line, (0.06, y), Lettering(size, PAPER, anchor="l", weight=0.02))


def _wordmark(canvas: Canvas, name: str) -> None:
    """White letters on black, as wide as the picture."""
    lines, size = canvas.fit(name.upper(), 0.92, (0.1, 0.42), 2)
    for number, line in enumerate(lines):
        y = 0.5 + size * canvas.unit / canvas.height * (0.36 + 1.1 * (number - (len(lines) - 1) / 2))
        canvas.text(line, (0.5, y), Lettering(size, PAPER, weight=0.02))


def _app_icon(canvas: Canvas, draw: Draw, name: str) -> None:
    """A service's initials on a colour of its own."""
    colours = palette_for(draw.pick((28, 16, 35, 14, 10402, 878, 10749)), draw)
    ground = draw.pick((colours.accent, colours.low, colours.high))
    ink = colours.near if luminance(ground) > 0.5 else PAPER
    canvas.box((0, 0, 1, 0.999), ground)
    initials = "".join(word[0] for word in name.replace("+", " +").split())[:2].upper()
    canvas.disc(0.5, 0.5, 0.4, ink)
    canvas.text(initials, (0.5, 0.63), Lettering(0.38, ground, weight=0.03))
