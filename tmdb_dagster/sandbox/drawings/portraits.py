"""Portraits of invented people, in flat colours."""

from __future__ import annotations

from tmdb_dagster.sandbox.draw import Draw
from tmdb_dagster.sandbox.drawings.canvas import Canvas
from tmdb_dagster.sandbox.drawings.palette import Colour, luminance, mix
from tmdb_dagster.sandbox.people import person

_SKINS: tuple[Colour, ...] = (
    (246, 213, 189),
    (233, 188, 155),
    (206, 151, 112),
    (168, 113, 78),
    (124, 79, 54),
    (88, 56, 42),
)
_HAIR: tuple[Colour, ...] = ((38, 28, 26), (74, 48, 34), (124, 78, 44), (196, 150, 84), (156, 68, 42), (178, 172, 166))
_GROUNDS: tuple[Colour, ...] = (
    (233, 196, 106),
    (244, 162, 97),
    (42, 157, 143),
    (120, 150, 190),
    (205, 180, 219),
    (180, 200, 170),
    (226, 149, 120),
)
_CLOTHES: tuple[Colour, ...] = (
    (38, 70, 83),
    (109, 33, 79),
    (52, 58, 64),
    (29, 78, 137),
    (140, 60, 50),
    (60, 90, 70),
    (240, 236, 226),
)


def draw_portrait(canvas: Canvas, draw: Draw, seed: int, person_id: int) -> None:
    """Head and shoulders of a person, with the hair of their gender more often than not."""
    woman = person(seed, person_id)["gender"] == 1
    skin, ground, cloth = draw.pick(_SKINS), draw.pick(_GROUNDS), draw.pick(_CLOTHES)
    hair = draw.pick(_HAIR if luminance(skin) > 0.42 else (_HAIR[0], _HAIR[0], _HAIR[-1]))
    canvas.gradient([mix(ground, (255, 255, 255), 0.45), ground, mix(ground, (30, 30, 50), 0.22)])
    canvas.glow(0.5, 0.4, 0.75, mix(ground, (255, 255, 255), 0.6), 0.7)
    long_hair = draw.chance(0.8 if woman else 0.08)
    if long_hair:
        canvas.oval(0.5, 0.45, (0.285, 0.37), hair)
        canvas.box((0.215, 0.42, 0.785, draw.uniform(0.6, 0.78)), hair, 0.12)
    _body(canvas, draw, skin, cloth)
    _head(canvas, draw, skin, hair)
    _fringe(canvas, draw, hair, bald=not woman and draw.chance(0.1))
    if not woman and draw.chance(0.35):
        _beard(canvas, hair, skin)
    if draw.chance(0.22):
        _glasses(canvas, mix(hair, (20, 20, 20), 0.6))


def _body(canvas: Canvas, draw: Draw, skin: Colour, cloth: Colour) -> None:
    shade = mix(skin, (60, 20, 20), 0.18)
    canvas.oval(0.5, 1.03, (0.47, 0.43), cloth)
    canvas.box((0.405, 0.56, 0.595, 0.76), shade, 0.08)
    collar = draw.whole(0, 2)
    if collar == 0:
        canvas.oval(0.5, 0.745, (0.135, 0.075), skin)
        canvas.arc((0.5, 0.745), (0.14, 0.08), (0, 180), mix(cloth, (255, 255, 255), 0.25), 0.018)
    elif collar == 1:
        canvas.polygon([(0.385, 0.735), (0.615, 0.735), (0.5, 0.9)], skin)
        canvas.polygon([(0.385, 0.72), (0.5, 0.9), (0.36, 0.85)], mix(cloth, (255, 255, 255), 0.18))
        canvas.polygon([(0.615, 0.72), (0.5, 0.9), (0.64, 0.85)], mix(cloth, (255, 255, 255), 0.18))
    else:
        canvas.box((0.375, 0.7, 0.625, 0.79), mix(cloth, (0, 0, 0), 0.18), 0.05)


def _head(canvas: Canvas, draw: Draw, skin: Colour, hair: Colour) -> None:
    for side in (0.275, 0.725):
        canvas.oval(side, 0.475, (0.035, 0.055), mix(skin, (120, 40, 30), 0.12))
    canvas.oval(0.5, 0.46, (0.22, 0.285), skin)
    for side in (0.41, 0.59):
        canvas.oval(side, 0.465, (0.021, 0.024), (40, 32, 34))
        canvas.arc((side, 0.435), (0.045, 0.028), (200, 340), mix(hair, (0, 0, 0), 0.3), 0.014)
        canvas.oval(side + (0.5 - side) * -0.35, 0.54, (0.034, 0.02), mix(skin, (214, 90, 80), 0.22))
    canvas.arc((0.5, 0.505), (0.022, 0.03), (20, 160), mix(skin, (90, 30, 20), 0.35), 0.011)
    smile = draw.uniform(0.02, 0.045)
    canvas.arc((0.5, 0.56), (0.068, smile), (15, 165), mix(skin, (150, 30, 40), 0.6), 0.014)


def _fringe(canvas: Canvas, draw: Draw, hair: Colour, *, bald: bool) -> None:
    """Hair over the forehead."""
    if bald:
        return
    style = draw.whole(0, 3)
    canvas.slice(0.5, 0.425, 0.245, (180, 360), hair)
    if style == 0:
        canvas.slice(0.4, 0.36, 0.13, (10, 170), hair)
        canvas.slice(0.62, 0.36, 0.1, (10, 170), hair)
    elif style == 1:
        canvas.polygon([(0.26, 0.415), (0.74, 0.415), (0.72, 0.47), (0.62, 0.42), (0.35, 0.42), (0.275, 0.49)], hair)
    elif style == 2:
        for step in range(6):
            canvas.disc(0.29 + 0.084 * step, 0.335 - 0.05 * (1 - abs(step - 2.5) / 2.5), 0.085, hair)
    else:
        canvas.slice(0.72, 0.3, 0.3, (125, 200), hair)
        canvas.disc(0.5, 0.235, 0.09, hair)


def _beard(canvas: Canvas, hair: Colour, skin: Colour) -> None:
    canvas.slice(0.5, 0.5, 0.2, (25, 155), mix(hair, skin, 0.15))
    canvas.oval(0.5, 0.56, (0.085, 0.045), skin)
    canvas.arc((0.5, 0.553), (0.06, 0.03), (15, 165), mix(skin, (150, 30, 40), 0.6), 0.014)


def _glasses(canvas: Canvas, colour: Colour) -> None:
    for side in (0.41, 0.59):
        canvas.ring(side, 0.466, 0.07, colour, 0.014)
    canvas.line([(0.48, 0.46), (0.52, 0.46)], colour, 0.014)
