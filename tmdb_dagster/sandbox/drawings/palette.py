"""Colours: a palette for each genre, and the arithmetic of mixing them."""

from __future__ import annotations

import colorsys
from typing import NamedTuple

from tmdb_dagster.sandbox.draw import Draw

Colour = tuple[int, int, int]


class Palette(NamedTuple):
    """A picture's colours: sky from top to horizon, the nearest ground, one colour that stands out, and paper."""

    high: Colour
    low: Colour
    near: Colour
    accent: Colour
    paper: Colour


_BY_GENRE: dict[int, str] = {
    28: "2b0f0e e2572b 140505 ffd166",
    12: "0f4c5c f2a65a 12232e fff1c9",
    16: "4fb3d9 fde9a9 2a6f5e ff6f59",
    35: "ffd23f ff8c42 3a1772 f2386f",
    80: "0b132b 6d2a3c 05070f f7c548",
    99: "a9bfb4 e9ede4 26413c d1603d",
    18: "39304a e8a87c 1b1a2b f6e7cb",
    10751: "6fc3f0 fef0c8 357266 ef476f",
    14: "241046 a15ed8 120a2a ffe08a",
    36: "3b2f2f c9a66b 1f1714 f3e3c3",
    27: "0a0a0c 6b0d18 030303 e8e1d0",
    10402: "1a0b3b ff4d8d 0d0620 36e2ec",
    9648: "0d1f2d 4b7f7c 071018 f4c95d",
    10749: "d96b7c fbd3b8 5c2240 fff0e0",
    878: "020617 1d4e89 01030a 7df9ff",
    10770: "7fb2d0 f4ead8 2f4f73 c8553d",
    53: "101418 4a6a78 07090b ff3c38",
    10752: "3a3a2c b8ad83 1c1c14 c8412b",
    37: "b8452f f6bd60 3d1f14 fff0d4",
}
_DEFAULT = 18
PAPER: Colour = (244, 238, 226)


def _colour(text: str) -> Colour:
    return int(text[:2], 16), int(text[2:4], 16), int(text[4:], 16)


def palette_for(genre_id: int | None, draw: Draw) -> Palette:
    """The genre's palette with its hues turned a little, so that two posters of a genre differ."""
    turn = draw.uniform(-0.045, 0.045)
    colours = [_turned(_colour(text), turn) for text in _BY_GENRE.get(genre_id or 0, _BY_GENRE[_DEFAULT]).split()]
    return Palette(colours[0], colours[1], colours[2], colours[3], PAPER)


def _turned(colour: Colour, turn: float) -> Colour:
    hue, lightness, saturation = colorsys.rgb_to_hls(*(part / 255 for part in colour))
    red, green, blue = colorsys.hls_to_rgb((hue + turn) % 1, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """`one` with that share (0 to 1) of `other` in it."""
    return (
        round(one[0] + (other[0] - one[0]) * share),
        round(one[1] + (other[1] - one[1]) * share),
        round(one[2] + (other[2] - one[2]) * share),
    )


def luminance(colour: Colour) -> float:
    """How light a colour looks, from 0 to 1."""
    return (0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]) / 255
