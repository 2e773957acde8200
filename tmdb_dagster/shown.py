"""How texts are shown: those from elsewhere, such as titles, as they are in a terminal and in Markdown; and numbers."""

from __future__ import annotations

import re

CONTROL = {code: ascii(chr(code))[1:-1] for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}
"""What a terminal would obey, and what would end the line, as Python shows it."""

# Bidirectional marks reorder what stands around them.
CONTROL |= {code: ascii(chr(code))[1:-1] for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}

_SPECIAL = re.compile(r"[\\`*_\[\]<>&|#~]|!(?=\[)|(?<=\w):(?=//)|(?<=www)\.|@", re.IGNORECASE)


def visible(text: str) -> str:
    """The text in one line, in which a terminal obeys nothing."""
    return text.translate(CONTROL)


def in_markdown(text: str) -> str:
    """The text as Markdown that shows it, and makes no link, picture or HTML of it."""
    return _SPECIAL.sub(r"\\\g<0>", visible(text))


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number of things: `1 movie`, `2 movies`; `plural` where it takes more than an s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
