"""The art of posters, backdrops and thumbnails: one scene a function, in any palette and any format."""

from __future__ import annotations

import math
from collections.abc import Callable

from tmdb_dagster.sandbox.draw import Draw
from tmdb_dagster.sandbox.drawings.canvas import Canvas, Point
from tmdb_dagster.sandbox.drawings.palette import Colour, Palette, luminance, mix

Scene = Callable[[Canvas, Palette, Draw], None]


def hills(canvas: Canvas, colours: Palette, draw: Draw) -> None:
    """A sun or moon over ranges of hills, paler with distance."""
    canvas.gradient([colours.high, mix(colours.high, colours.low, 0.45), colours.low], 0, 0.75)
    canvas.box((0, 0.74, 1, 1), colours.low)
    x, y = draw.uniform(0.25, 0.75), draw.uniform(0.34, 0.5)
    canvas.glow(x, y, 0.75, colours.accent, 0.55)
    canvas.disc(x, y, draw.uniform(0.13, 0.22), mix(colours.accent, colours.paper, 0.35))
    _birds(canvas, draw, mix(colours.near, colours.low, 0.2))
    for layer in range(5):
        depth = layer / 4
        base = 0.56 + 0.1 * layer
        canvas.ridge(
            draw, base, 0.06 + 0.015 * layer, mix(colours.low, colours.near, 0.22 + 0.78 * depth), 0.6 + 0.25 * layer
        )
    if draw.chance(0.6):
        _walker(canvas, draw.uniform(0.3, 0.7), 0.9, 0.06, mix(colours.near, (0, 0, 0), 0.5))


def _birds(canvas: Canvas, draw: Draw, colour: Colour) -> None:
    x0, y0 = draw.uniform(0.2, 0.7), draw.uniform(0.2, 0.34)
    for _ in range(draw.whole(3, 7)):
        x, y, span = x0 + draw.uniform(-0.12, 0.12), y0 + draw.uniform(-0.05, 0.05), draw.uniform(0.012, 0.024)
        canvas.line([(x - span, y - span * 0.4), (x, y), (x + span, y - span * 0.4)], colour, 0.005)


def _walker(canvas: Canvas, x: float, ground: float, height: float, colour: Colour) -> None:
    """A lone figure in a long coat."""
    w = height * 0.3 / canvas.aspect
    top = ground - height
    canvas.polygon(
        [
            (x - w * 0.55, ground),
            (x - w * 0.35, top + height * 0.22),
            (x + w * 0.35, top + height * 0.22),
            (x + w * 0.55, ground),
        ],
        colour,
    )
    canvas.disc(x, top + height * 0.12, height * 0.13 * canvas.height / canvas.unit, colour)


def city(canvas: Canvas, colours: Palette, draw: Draw) -> None:
    """A skyline at night with lit windows and a wet street."""
    canvas.gradient([colours.high, mix(colours.high, colours.low, 0.5), colours.low], 0, 0.8)
    x, y = draw.uniform(0.2, 0.8), draw.uniform(0.2, 0.36)
    canvas.glow(x, y, 0.6, mix(colours.low, colours.accent, 0.5), 0.7)
    canvas.disc(x, y, draw.uniform(0.1, 0.17), mix(colours.low, colours.paper, 0.75))
    for layer in range(3):
        shade = mix(colours.low, colours.near, 0.45 + 0.27 * layer)
        left = -0.02
        while left < 1:
            width = draw.uniform(0.07, 0.15) / max(1, canvas.aspect)
            top = 0.66 - draw.random() ** 2 * (0.36 - 0.07 * layer) - 0.1 + 0.1 * layer
            canvas.box((left, top, left + width, 0.9), shade)
            if draw.chance(0.18):
                canvas.line([(left + width / 2, top), (left + width / 2, top - 0.05)], shade, 0.006)
            if layer:
                _windows(canvas, draw, (left, top, width), mix(shade, colours.accent, 0.35 + 0.3 * layer))
            left += width + (0.0 if layer < 2 else draw.uniform(0, 0.02))
    canvas.gradient([mix(colours.near, colours.low, 0.35), colours.near], 0.84, 1)
    for _ in range(40):
        x, y = draw.random(), draw.uniform(0.855, 0.99)
        canvas.line(
            [(x, y), (x + draw.uniform(0.01, 0.06), y)],
            mix(colours.near, colours.accent, draw.uniform(0.1, 0.55)),
            0.003,
        )
    if draw.chance(0.7):
        _walker(canvas, draw.uniform(0.35, 0.65), 0.95, 0.12, mix(colours.near, (0, 0, 0), 0.6))


def _windows(canvas: Canvas, draw: Draw, tower: tuple[float, float, float], light: Colour) -> None:
    left, top, width = tower
    step_x, step_y = 0.019 / max(1, canvas.aspect), 0.021 * min(1.4, max(1, canvas.aspect))
    y = top + step_y
    while y < 0.8:
        x = left + step_x * 0.6
        while x < left + width - step_x:
            if draw.chance(0.24):
                canvas.box((x, y, x + step_x * 0.5, y + step_y * 0.5), light)
            x += step_x
        y += step_y


def planet(canvas: Canvas, colours: Palette, draw: Draw) -> None:
    """A ringed planet among stars, and a small ship's trail."""
    canvas.gradient([colours.high, mix(colours.high, colours.low, 0.35), mix(colours.high, colours.low, 0.8)])
    _stars(canvas, draw, colours.paper, 130)
    x, y, radius = draw.uniform(0.3, 0.7), draw.uniform(0.36, 0.5), draw.uniform(0.26, 0.36)
    canvas.glow(x, y, radius * 2.4, colours.low, 0.9)
    canvas.arc((x, y), (radius * 1.75, radius * 0.42), (180, 360), mix(colours.accent, colours.low, 0.55), 0.012)
    body = mix(colours.low, colours.accent, 0.35)
    for step in range(28):
        share = step / 27
        drift = radius * 0.42 * share
        canvas.disc(
            x - drift * canvas.unit / canvas.width * 0.7,
            y - drift * canvas.unit / canvas.height * 0.7,
            radius * (1 - share * 0.62),
            mix(mix(body, colours.near, 0.75), mix(body, colours.paper, 0.3), share),
        )
    canvas.arc((x, y), (radius * 1.75, radius * 0.42), (0, 180), colours.accent, 0.012)
    canvas.arc((x, y), (radius * 1.95, radius * 0.5), (0, 180), mix(colours.accent, colours.low, 0.5), 0.005)
    moon_x, moon_y = x + draw.choice((-1, 1)) * 0.3, y - draw.uniform(0.15, 0.24)
    canvas.disc(moon_x, moon_y, 0.045, mix(colours.paper, colours.low, 0.35))
    canvas.ridge(draw, 0.86, 0.05, mix(colours.near, colours.low, 0.25), 1.6)
    canvas.ridge(draw, 0.92, 0.04, colours.near, 2.2)


def _stars(canvas: Canvas, draw: Draw, colour: Colour, count: int) -> None:
    for _ in range(count):
        x, y = draw.random(), draw.random() * 0.85
        canvas.disc(x, y, draw.random() ** 4 * 0.006 + 0.0012, colour)


def forest(canvas: Canvas, colours: Palette, draw: Draw) -> None:
    """Rows of firs in fog under a moon."""
    canvas.gradient([colours.high, mix(colours.high, colours.low, 0.6), colours.low], 0, 0.9)
    if luminance(colours.high) < 0.35:
        _stars(canvas, draw, mix(colours.high, colours.paper, 0.7), 45)
    x, y = draw.uniform(0.3, 0.7), draw.uniform(0.26, 0.4)
    canvas.glow(x, y, 0.62, mix(colours.accent, colours.low, 0.3), 0.6)
    canvas.disc(x, y, draw.uniform(0.1, 0.2), mix(colours.accent, colours.paper, 0.4))
    for layer in range(4):
        shade = mix(mix(colours.low, colours.high, 0.25), colours.near, 0.25 + 0.25 * layer)
        base = 0.7 + 0.09 * layer
        left = -0.05
        while left < 1.05:
            height = (0.1 + 0.055 * layer) * draw.uniform(0.7, 1.5)
            _fir(canvas, (left, base + draw.uniform(-0.01, 0.02)), height, shade)
            left += draw.uniform(0.035, 0.07) * (1 + 0.5 * layer) / max(1, canvas.aspect)
        canvas.box((0, base, 1, 1), shade)
        if layer < 3:
            canvas.scrim(mix(colours.low, colours.paper, 0.12), base - 0.12, base + 0.04, 0.4)


def _fir(canvas: Canvas, foot: Point, height: float, colour: Colour) -> None:
    x, ground = foot
    for tier in range(4):
        top = ground - height + height * 0.2 * tier
        half = height * (0.09 + 0.055 * tier) / canvas.aspect
        canvas.polygon([(x, top), (x + half, top + height * 0.36), (x - half, top + height * 0.36)], colour)
    canvas.box((x - 0.003, ground - height * 0.2, x + 0.003, ground + 0.02), colour)


def sea(canvas: Canvas, colours: Palette, draw: Draw) -> None:
    """A lighthouse over waves, with its beam."""
    canvas.gradient([colours.high, mix(colours.high, colours.low, 0.55), colours.low], 0, 0.66)
    canvas.gradient([mix(colours.low, colours.near, 0.35), colours.near], 0.66, 1)
    right = draw.chance(0.5)
    x = draw.uniform(0.66, 0.76) if right else draw.uniform(0.24, 0.34)
    side = -1 if right else 1
    top, foot, half = 0.34, 0.7, 0.04 / canvas.aspect * 0.75
    canvas.beam([(x, top), (x + side * 1.2, top - 0.2), (x + side * 1.2, top + 0.12)], colours.accent, 0.28)
    canvas.beam([(x, top), (x - side * 0.9, top - 0.06), (x - side * 0.9, top + 0.1)], colours.accent, 0.14)
    canvas.polygon(
        [
            (x - 0.3 / canvas.aspect, 0.78),
            (x - 0.1 / canvas.aspect, foot - 0.015),
            (x + 0.12 / canvas.aspect, foot),
            (x + 0.34 / canvas.aspect, 0.78),
        ],
        mix(colours.near, colours.low, 0.12),
    )
    paint = mix(colours.paper, colours.low, 0.12)
    canvas.polygon(
        [(x - half * 0.62, top + 0.03), (x + half * 0.62, top + 0.03), (x + half, foot), (x - half, foot)], paint
    )
    for band in range(3):
        y = top + 0.075 + 0.1 * band
        canvas.polygon(
            [
                (x - half * (0.7 + 0.12 * band), y),
                (x + half * (0.7 + 0.12 * band), y),
                (x + half * (0.76 + 0.12 * band), y + 0.045),
                (x - half * (0.76 + 0.12 * band), y + 0.045),
            ],
            mix(colours.near, colours.accent, 0.35),
        )
    canvas.box((x - half * 0.5, top - 0.015, x + half * 0.5, top + 0.025), colours.accent)
    canvas.polygon([(x - half * 0.8, top - 0.012), (x, top - 0.045), (x + half * 0.8, top - 0.012)], colours.near)
    canvas.box((x - half * 0.95, top + 0.022, x + half * 0.95, top + 0.032), colours.near)
    canvas.glow(x, top, 0.2, colours.accent, 0.9)
    for layer in range(6):
        _wave(
            canvas,
            draw,
            0.75 + 0.045 * layer,
            mix(mix(colours.low, colours.near, 0.55), mix(colours.near, (0, 0, 0), 0.25), layer / 5),
        )


def _wave(canvas: Canvas, draw: Draw, base: float, colour: Colour) -> None:
    phase, pace, height = draw.random() * 7, draw.uniform(2.2, 3.4) * canvas.aspect, draw.uniform(0.008, 0.016)
    points = [(step / 120, base - height * abs(math.sin(pace * math.pi * step / 120 + phase))) for step in range(121)]
    canvas.polygon([(0, 1.01), *points, (1, 1.01)], colour)


def shapes(canvas: Canvas, colours: Palette, draw: Draw) -> None:
    """Quarter circles, discs and bars on a grid, in the manner of Swiss posters."""
    inks = [colours.high, colours.low, colours.near, colours.accent, colours.paper]
    across = draw.pick((3, 4)) if canvas.aspect < 1 else draw.pick((6, 8))
    cell = 1 / across
    down = math.ceil(canvas.height / canvas.width * across)
    tall = cell * canvas.width / canvas.height
    canvas.box((0, 0, 1, 1), colours.low)
    for row in range(down):
        for column in range(across):
            ground, ink = draw.sample(inks, 2)
            left, top = column * cell, row * tall
            canvas.box((left, top, left + cell, top + tall), ground)
            _tile(canvas, draw, (left, top, cell, tall), ink, draw.pick([one for one in inks if one != ink]))


def _tile(canvas: Canvas, draw: Draw, cell: tuple[float, float, float, float], ink: Colour, other: Colour) -> None:
    left, top, wide, tall = cell
    side = wide * canvas.width / canvas.unit
    kind, turn = draw.whole(0, 5), draw.whole(0, 3)
    x, y = left + wide / 2, top + tall / 2
    if kind == 0:
        canvas.disc(x, y, side * 0.42, ink)
        canvas.disc(x, y, side * 0.18, other)
    elif kind in (1, 2):
        corner = ((left, top), (left + wide, top), (left + wide, top + tall), (left, top + tall))[turn]
        canvas.slice(*corner, side, (90 * turn, 90 * turn + 90), ink)
        canvas.slice(*corner, side * 0.5, (90 * turn, 90 * turn + 90), other)
    elif kind == 3:
        canvas.slice(x, y, side * 0.5, (90 * turn, 90 * turn + 180), ink)
    elif kind == 4:
        for bar in range(3):
            canvas.box((left, top + tall * (bar / 3 + 0.06), left + wide, top + tall * (bar / 3 + 0.22)), ink)
    else:
        corners = [(left, top), (left + wide, top), (left + wide, top + tall), (left, top + tall)]
        canvas.polygon([one for number, one in enumerate(corners) if number != turn], ink)


def door(canvas: Canvas, colours: Palette, draw: Draw) -> None:
    """One lit door in a dark wall; its light falls on the floor, and somebody stands in it."""
    canvas.gradient([mix(colours.near, colours.high, 0.55), colours.high, mix(colours.high, colours.low, 0.3)], 0, 0.72)
    canvas.gradient([mix(colours.near, colours.low, 0.18), colours.near], 0.72, 1)
    x, half, top = draw.uniform(0.42, 0.58), 0.088 / max(1, canvas.aspect * 0.8), 0.4
    canvas.glow(x, 0.56, 0.75, colours.low, 0.95)
    light = mix(colours.accent, colours.paper, 0.25)
    canvas.beam([(x - half, 0.72), (x + half, 0.72), (x + half * 3.6, 1), (x - half * 3.6, 1)], light, 0.5)
    canvas.box((x - half * 1.14, top - 0.014, x + half * 1.14, 0.72), colours.near)
    canvas.box((x - half, top, x + half, 0.72), light)
    figure = mix(colours.near, (0, 0, 0), 0.5)
    _walker(canvas, x, 0.725, 0.21, figure)
    canvas.beam(
        [(x - half * 0.28, 0.725), (x + half * 0.28, 0.725), (x + half * 0.9, 1), (x - half * 0.9, 1)], figure, 0.85
    )
    canvas.vignette()


def balloons(canvas: Canvas, colours: Palette, draw: Draw) -> None:
    """Hot-air balloons over rolling fields."""
    canvas.gradient([colours.high, mix(colours.high, colours.low, 0.6), colours.low], 0, 0.8)
    canvas.box((0, 0.79, 1, 1), colours.low)
    for _ in range(7):
        _cloud(canvas, draw, (draw.random(), draw.uniform(0.08, 0.6)), mix(colours.low, (255, 255, 255), 0.55))
    inks = [
        colours.accent,
        colours.near,
        mix(colours.accent, colours.low, 0.5),
        mix(colours.accent, (40, 30, 90), 0.45),
    ]
    for number, size in enumerate((0.055, 0.08, 0.17)):
        at = (draw.uniform(0.14, 0.86), draw.uniform(0.2, 0.5)) if number < 2 else (draw.uniform(0.35, 0.65), 0.38)
        _balloon(canvas, at, size, draw.pick(inks), colours.paper)
    for layer in range(3):
        canvas.ridge(
            draw, 0.74 + 0.09 * layer, 0.05, mix(mix(colours.near, colours.low, 0.55), colours.near, layer / 2), 0.8
        )


def _cloud(canvas: Canvas, draw: Draw, at: Point, colour: Colour) -> None:
    size = draw.uniform(0.03, 0.055)
    reach = canvas.unit / canvas.width
    for step in range(-2, 3):
        canvas.disc(at[0] + step * size * 0.8 * reach, at[1], size * (1.15 - 0.28 * abs(step)), colour)


def _balloon(canvas: Canvas, at: Point, size: float, ink: Colour, paper: Colour) -> None:
    x, y = at
    wide, tall = size * canvas.unit / canvas.width, size * canvas.unit / canvas.height
    canvas.polygon(
        [
            (x - wide * 0.82, y + tall * 0.55),
            (x + wide * 0.82, y + tall * 0.55),
            (x + wide * 0.2, y + tall * 1.6),
            (x - wide * 0.2, y + tall * 1.6),
        ],
        ink,
    )
    canvas.disc(x, y, size, ink)
    for share, colour in ((0.68, paper), (0.36, ink), (0.12, paper)):
        canvas.oval(x, y, (size * share, size), colour)
        canvas.polygon(
            [
                (x - wide * share * 0.86, y + tall * 0.5),
                (x + wide * share * 0.86, y + tall * 0.5),
                (x + wide * share * 0.22, y + tall * 1.6),
                (x - wide * share * 0.22, y + tall * 1.6),
            ],
            colour,
        )
    for side in (-0.16, 0.16):
        canvas.line([(x + wide * side, y + tall * 1.58), (x + wide * side * 0.8, y + tall * 1.86)], ink, 0.003)
    canvas.box((x - wide * 0.18, y + tall * 1.84, x + wide * 0.18, y + tall * 2.1), mix(ink, (60, 35, 15), 0.75), 0.004)


_SCENES: dict[Scene, tuple[int, ...]] = {
    hills: (12, 18, 36, 37, 10749, 10752, 10770, 99),
    city: (28, 80, 53, 10402),
    planet: (878,),
    forest: (27, 9648, 14, 10751, 10770),
    sea: (18, 12, 99, 9648, 10749, 36),
    shapes: (35, 10402, 16, 99, 35),
    door: (27, 53, 9648, 80),
    balloons: (10751, 16, 12, 35),
}


def scene_for(genre_id: int | None, draw: Draw) -> Scene:
    """One of the scenes that suit a genre."""
    return draw.pick([scene for scene, genres in _SCENES.items() if genre_id in genres] or [hills, sea])
