"""Poster layouts: how a scene and a movie's words share a sheet of paper."""

from __future__ import annotations

from collections.abc import Callable

from tmdb_dagster.sandbox.draw import Draw
from tmdb_dagster.sandbox.drawings.canvas import Canvas, Lettering
from tmdb_dagster.sandbox.drawings.palette import PAPER, Colour, Palette, luminance, mix
from tmdb_dagster.sandbox.drawings.scenes import Scene, shapes
from tmdb_dagster.sandbox.movie import Movie

Layout = Callable[[Canvas, Draw, Movie, Palette, Scene], None]

_LINE = 1.12
"""Distance between baselines, in parts of the text's size."""


def draw_poster(canvas: Canvas, draw: Draw, movie: Movie, colours: Palette, scene: Scene) -> None:
    """A poster in one of the layouts that suit the scene."""
    layouts: tuple[Layout, ...] = (_band, _framed) if scene is shapes else (_low, _high, _framed, _left)
    draw.pick(layouts)(canvas, draw, movie, colours, scene)


def _imprint(movie: Movie) -> str:
    parts = [str(movie.year) if movie.year else "COMING SOON", *(genre.name.upper() for genre in movie.genres[:2])]
    return "   ·   ".join(parts)


def _title(
    canvas: Canvas, movie: Movie, sizes: tuple[float, float], width: float, lines: int
) -> tuple[list[str], float, float]:
    """The title's lines, the text's size, and the distance between baselines as a part of the height."""
    text, size = canvas.fit(movie.story.title.upper(), width, sizes, lines)
    return text, size, size * _LINE * canvas.unit / canvas.height


def _tagline(canvas: Canvas, movie: Movie, y: float, colour: Colour, x: float = 0.5) -> None:
    if movie.story.tagline:
        anchor = "m" if x == 0.5 else "l"
        _, size = canvas.fit(movie.story.tagline, 0.8, (0.018, 0.034), 1)
        canvas.text(movie.story.tagline, (x, y), Lettering(size, colour, anchor=anchor, tracking=0.06))


def _low(canvas: Canvas, draw: Draw, movie: Movie, colours: Palette, scene: Scene) -> None:
    """The scene on the whole sheet, the title in its lower part."""
    scene(canvas, colours, draw)
    ground = mix(colours.near, (0, 0, 0), 0.35)
    canvas.scrim(ground, 0.46, 1, 0.96)
    lines, size, step = _title(canvas, movie, (0.06, 0.13), 0.86, 3)
    top = 0.905 - step * (len(lines) - 1)
    for number, line in enumerate(lines):
        canvas.text(line, (0.5, top + step * number), Lettering(size, PAPER, tracking=0.02, weight=0.018))
    _tagline(canvas, movie, top - step * 0.92 - 0.012, mix(PAPER, colours.accent, 0.25))
    canvas.text(_imprint(movie), (0.5, 0.962), Lettering(0.026, mix(PAPER, colours.near, 0.25), tracking=0.16))


def _high(canvas: Canvas, draw: Draw, movie: Movie, colours: Palette, scene: Scene) -> None:
    """The scene on the whole sheet, the title above it."""
    scene(canvas, colours, draw)
    dark = luminance(colours.high) < 0.55
    ink = PAPER if dark else colours.near
    canvas.scrim(mix(colours.high, (0, 0, 0), 0.45) if dark else colours.high, 0.42, 0, 0.92)
    canvas.scrim(mix(colours.near, (0, 0, 0), 0.35), 0.8, 1, 0.9)
    lines, size, step = _title(canvas, movie, (0.07, 0.12), 0.86, 2)
    canvas.text(_imprint(movie), (0.5, 0.062), Lettering(0.026, ink, tracking=0.16))
    for number, line in enumerate(lines):
        canvas.text(line, (0.5, 0.085 + step * (number + 0.9)), Lettering(size, ink, tracking=0.02, weight=0.018))
    _tagline(canvas, movie, 0.955, PAPER)


def _framed(canvas: Canvas, draw: Draw, movie: Movie, colours: Palette, scene: Scene) -> None:
    """A sheet of paper with the scene in a frame and the title below, as on a book's jacket."""
    canvas.box((0, 0, 1, 1), PAPER)
    panel = canvas.panel(0.86, 0.66)
    scene(panel, colours, draw)
    canvas.inset(panel, 0.07, 0.047)
    ink = mix(colours.near, (0, 0, 0), 0.15)
    lines, size, step = _title(canvas, movie, (0.045, 0.11), 0.86, 2)
    for number, line in enumerate(lines):
        canvas.text(line, (0.07, 0.735 + step * (number + 0.72)), Lettering(size, ink, anchor="l", weight=0.02))
    _tagline(canvas, movie, 0.925, mix(ink, PAPER, 0.3), 0.07)
    canvas.box((0.07, 0.94, 0.93, 0.9415), ink)
    canvas.text(_imprint(movie), (0.07, 0.967), Lettering(0.025, ink, anchor="l", tracking=0.14))
    canvas.disc(0.915, 0.9595, 0.014, colours.accent if luminance(colours.accent) < 0.75 else colours.low)


def _left(canvas: Canvas, draw: Draw, movie: Movie, colours: Palette, scene: Scene) -> None:
    """The scene on the whole sheet, the title large at the left, its words one below the other."""
    scene(canvas, colours, draw)
    ground = mix(colours.near, (0, 0, 0), 0.35)
    canvas.scrim(ground, 0.42, 1, 0.97)
    lines, size, step = _title(canvas, movie, (0.06, 0.13), 0.66, 4)
    top = 0.888 - step * (len(lines) - 1)
    canvas.box((0.07, top - step * 1.05, 0.19, top - step * 1.05 + 0.006), colours.accent)
    for number, line in enumerate(lines):
        canvas.text(line, (0.07, top + step * number), Lettering(size, PAPER, anchor="l", weight=0.025))
    _tagline(canvas, movie, 0.93, mix(PAPER, colours.near, 0.15), 0.072)
    canvas.text(
        _imprint(movie), (0.072, 0.965), Lettering(0.026, mix(PAPER, colours.near, 0.3), anchor="l", tracking=0.14)
    )


def _band(canvas: Canvas, draw: Draw, movie: Movie, colours: Palette, scene: Scene) -> None:
    """The scene above, and a plain block of colour with the title below."""
    scene(canvas, colours, draw)
    ground = draw.pick((colours.near, colours.accent if luminance(colours.accent) < 0.8 else colours.near))
    ink = PAPER if luminance(ground) < 0.6 else colours.near
    lines, size, step = _title(canvas, movie, (0.06, 0.15), 0.86, 3)
    top = 0.9 - step * (len(lines) - 1)
    canvas.box((0, top - step - 0.03 - (0.03 if movie.story.tagline else 0), 1, 1), ground)
    for number, line in enumerate(lines):
        canvas.text(line, (0.07, top + step * number), Lettering(size, ink, anchor="l", weight=0.025))
    _tagline(canvas, movie, top - step * 0.9 - 0.014, ink, 0.072)
    canvas.text(_imprint(movie), (0.072, 0.96), Lettering(0.026, mix(ink, ground, 0.2), anchor="l", tracking=0.14))
