"""A picture under construction: shapes in fractions of its width and height, and text that fits."""

from __future__ import annotations

import io
import math
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from tmdb_dagster.sandbox.draw import Draw
from tmdb_dagster.sandbox.drawings.palette import Colour

Point = tuple[float, float]
Edges = tuple[float, float, float, float]


class Lettering(NamedTuple):
    """How a line is written: the size of its letters, their colour, and which end of the line is anchored.

    `tracking` is the space between letters and `weight` the boldness, both in parts of the size; `anchor` is the
    left (`l`), the middle (`m`) or the right end (`r`).
    """

    size: float
    colour: Colour
    anchor: str = "m"
    tracking: float = 0.0
    weight: float = 0.0


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("This build of Pillow has no FreeType, so it cannot letter posters.")
    return font


@lru_cache(maxsize=8)
def _spot(size: int) -> Image.Image:
    """A mask that fades from its centre."""
    return Image.radial_gradient("L").resize((size, size)).point(lambda value: max(0, 255 - value * 2))


@lru_cache(maxsize=8)
def _vignette(width: int, height: int) -> Image.Image:
    return Image.radial_gradient("L").resize((width, height)).point(lambda value: max(0, value - 90) * 2 // 3)


def _lettered(text: str) -> str:
    """Without accents: Pillow's own font has none."""
    return "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))


class Canvas:
    """Draws at a multiple of the final size, so that edges come out smooth.

    Positions and lengths are fractions: x of the width, y of the height, radii and text sizes of the shorter side.
    """

    def __init__(self, size: tuple[int, int], scale: int | None = None) -> None:
        self.size = size
        scale = scale or (2 if max(size) <= 800 else 1)
        self.width, self.height = size[0] * scale, size[1] * scale
        self.unit = min(self.width, self.height)
        self.image = Image.new("RGB", (self.width, self.height))
        self._draw = ImageDraw.Draw(self.image)

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.width / self.height

    def gradient(self, colours: Sequence[Colour], top: float = 0.0, bottom: float = 1.0) -> None:
        """Fill a band with colours that blend from top to bottom."""
        strip = Image.new("RGB", (1, len(colours)))
        strip.putdata(list(colours))
        first, last = round(top * self.height), round(bottom * self.height)
        tall = strip.resize((1, max(1, last - first)), Image.Resampling.BICUBIC)
        self.image.paste(_widened(tall, self.width), (0, first))

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float = 1.0) -> None:
        """A soft light."""
        size = max(2, round(2 * radius * self.unit))
        mask = _spot(256).resize((size, size), Image.Resampling.BILINEAR)
        if strength < 1:
            mask = mask.point(lambda value: int(value * strength))
        self.image.paste(colour, (round(x * self.width) - size // 2, round(y * self.height) - size // 2), mask)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """A filled circle."""
        cx, cy, r = x * self.width, y * self.height, radius * self.unit
        self._draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=colour)

    def oval(self, x: float, y: float, radii: Point, colour: Colour) -> None:
        """A filled ellipse."""
        cx, cy, rx, ry = x * self.width, y * self.height, radii[0] * self.unit, radii[1] * self.unit
        self._draw.ellipse((cx - rx, cy - ry, cx + rx, cy + ry), fill=colour)

    def ring(self, x: float, y: float, radius: float, colour: Colour, thickness: float) -> None:
        """A circle's outline."""
        cx, cy, r = x * self.width, y * self.height, radius * self.unit
        self._draw.ellipse((cx - r, cy - r, cx + r, cy + r), outline=colour, width=max(1, round(thickness * self.unit)))

    def arc(self, at: Point, radii: Point, angles: Point, colour: Colour, thickness: float) -> None:
        """A part of an ellipse's outline; angles in degrees, clockwise from the right."""
        cx, cy, rx, ry = at[0] * self.width, at[1] * self.height, radii[0] * self.unit, radii[1] * self.unit
        width = max(1, round(thickness * self.unit))
        self._draw.arc((cx - rx, cy - ry, cx + rx, cy + ry), *angles, fill=colour, width=width)

    def slice(self, x: float, y: float, radius: float, angles: Point, colour: Colour) -> None:
        """A filled sector of a circle."""
        cx, cy, r = x * self.width, y * self.height, radius * self.unit
        self._draw.pieslice((cx - r, cy - r, cx + r, cy + r), *angles, fill=colour)

    def box(self, edges: Edges, colour: Colour, radius: float = 0.0) -> None:
        """A filled rectangle (left, top, right, bottom), with rounded corners where `radius` is given."""
        left, top, right, bottom = edges
        corners = (left * self.width, top * self.height, right * self.width, bottom * self.height)
        self._draw.rounded_rectangle(corners, radius * self.unit, fill=colour)

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """A filled polygon."""
        self._draw.polygon([(x * self.width, y * self.height) for x, y in points], fill=colour)

    def line(self, points: Sequence[Point], colour: Colour, thickness: float) -> None:
        """A line through the points."""
        width = max(1, round(thickness * self.unit))
        self._draw.line([(x * self.width, y * self.height) for x, y in points], fill=colour, width=width, joint="curve")

    def ridge(self, draw: Draw, base: float, swing: float, colour: Colour, roughness: float = 1.0) -> None:
        """Ground from a wavy or jagged horizon around `base` down to the lower edge."""
        waves = [
            (swing / (n + 1) ** 1.1, (n + 0.6 + draw.random()) * 1.6 * self.aspect * roughness, draw.random() * 7)
            for n in range(5)
        ]
        steps = 90
        points = [
            (
                step / steps,
                base + sum(height * math.sin(pace * 2 * step / steps + phase) for height, pace, phase in waves) * 0.6,
            )
            for step in range(steps + 1)
        ]
        self.polygon([(0, 1.01), *points, (1, 1.01)], colour)

    def beam(self, points: Sequence[Point], colour: Colour, strength: float) -> None:
        """A translucent polygon."""
        corners = [(x * self.width, y * self.height) for x, y in points]
        left, top = (max(0, int(min(corner[axis] for corner in corners))) for axis in (0, 1))
        right, bottom = (
            min(limit, int(max(corner[axis] for corner in corners)) + 1) for axis, limit in enumerate(self.image.size)
        )
        mask = Image.new("L", (right - left, bottom - top))
        shape = [(x - left, y - top) for x, y in corners]
        ImageDraw.Draw(mask).polygon(shape, fill=round(255 * strength))
        self.image.paste(colour, (left, top), mask)

    def scrim(self, colour: Colour, top: float, bottom: float, strength: float) -> None:
        """Fade into a colour from `top` (not at all) towards `bottom` (at that strength), under a text."""
        first, last = sorted((round(top * self.height), round(bottom * self.height)))
        fade = Image.linear_gradient("L").resize((1, max(1, last - first)), Image.Resampling.BILINEAR)
        if top > bottom:
            fade = fade.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        fade = fade.point(lambda value: int(min(255, value * 1.6) * strength))
        self.image.paste(colour, (0, first), _widened(fade, self.width))

    def vignette(self, colour: Colour = (0, 0, 0)) -> None:
        """Darken the corners."""
        self.image.paste(colour, (0, 0), _vignette(self.width, self.height))

    def panel(self, width: float, height: float) -> Canvas:
        """A canvas for a part of this one, to be `inset` when it is drawn."""
        return Canvas((round(width * self.width), round(height * self.height)), scale=1)

    def inset(self, other: Canvas, left: float, top: float) -> None:
        """Paste a panel."""
        self.image.paste(other.image, (round(left * self.width), round(top * self.height)))

    def jpeg(self) -> bytes:
        """The finished picture."""
        return _encoded(self._final(), "JPEG", quality=86)

    def png(self) -> bytes:
        """The finished picture, lossless."""
        return _encoded(self._final(), "PNG")

    def _final(self) -> Image.Image:
        if self.image.size == self.size:
            return self.image
        return self.image.resize(self.size, Image.Resampling.BOX)

    def text_width(self, text: str, size: float, tracking: float = 0.0) -> float:
        """Width of one line in pixels."""
        font = _font(max(6, round(size * self.unit)))
        text = _lettered(text)
        return font.getlength(text) + tracking * font.size * max(0, len(text) - 1)

    def text(self, text: str, at: Point, style: Lettering) -> None:
        """One line; `at` is the end of its baseline that the style's anchor names."""
        font = _font(max(6, round(style.size * self.unit)))
        before = {"l": 0.0, "m": 0.5, "r": 1.0}[style.anchor]
        x = at[0] * self.width - before * self.text_width(text, style.size, style.tracking)
        stroke = style.weight * font.size
        text = _lettered(text)
        for run in text if style.tracking else [text]:
            self._draw.text(
                (x, at[1] * self.height), run, fill=style.colour, font=font, anchor="ls", stroke_width=stroke
            )
            x += font.getlength(run) + style.tracking * font.size

    def fit(self, text: str, width: float, sizes: Point, most_lines: int) -> tuple[list[str], float]:
        """Break a text into lines of at most `width` (of the picture's), as large as `sizes` (least, most) allows."""
        least, most = sizes
        size = most
        while True:
            lines = self._wrap(text.split(), width * self.width, size)
            widest = max(self.text_width(line, size) for line in lines)
            if size <= least or (len(lines) <= most_lines and widest <= width * self.width):
                return self._balanced(lines, width * self.width, size), size
            size = max(least, size * 0.94)

    def _balanced(self, lines: list[str], limit: float, size: float) -> list[str]:
        """The same number of lines, as alike in width as they can be."""
        words = " ".join(lines).split()
        for share in (0.92, 0.84, 0.76, 0.68, 0.6):
            narrower = self._wrap(words, limit * share, size)
            if len(narrower) > len(lines):
                break
            lines = narrower
        return lines

    def _wrap(self, words: list[str], limit: float, size: float) -> list[str]:
        lines = [words[0]]
        for word in words[1:]:
            longer = f"{lines[-1]} {word}"
            if self.text_width(longer, size) <= limit:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines


def _widened(strip: Image.Image, width: int) -> Image.Image:
    return strip.resize((width, strip.height), Image.Resampling.NEAREST)


def _encoded(image: Image.Image, form: str, **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()
