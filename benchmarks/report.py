"""Plain tables, and which targets were reached."""

from __future__ import annotations

from dataclasses import dataclass

import click


@dataclass(frozen=True)
class Target:
    """A figure, and the most that it may be."""

    name: str
    measured: float
    limit: float

    @property
    def reached(self) -> bool:
        """Whether the figure is within its limit."""
        return self.measured <= self.limit


def show_table(header: list[str], lines: list[list[str]]) -> None:
    """Print columns, the first two to the left."""
    widths = [max(len(line[column]) for line in [header, *lines]) for column in range(len(header))]
    for line in [header, *lines]:
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


def show_targets(targets: list[Target]) -> None:
    """Print each target with its measured figure and whether it is reached."""
    if targets:
        click.echo("\nTargets")
        lines = [[one.name, "yes" if one.reached else "NO", f"{one.measured:.2f}", f"{one.limit:g}"] for one in targets]
        show_table(["", "reached", "measured", "at most"], lines)
