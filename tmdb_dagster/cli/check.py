"""Whether every invariant of the catalogue holds, a line a rule."""

from __future__ import annotations

from collections.abc import Iterable

import click

from tmdb_dagster.shown import visible
from tmdb_dagster.transform.health import Finding
from tmdb_dagster.warehouse.checks.proof import INVARIANTS


def show_proof(findings: Iterable[Finding]) -> int:
    """Print each finding as it comes; returns the exit code: 0 all hold, 1 some do not, 2 some could not be asked."""
    holds = {check.name: check.holds for check in INVARIANTS}
    broken = unasked = 0
    for finding in findings:
        if finding.passed:
            click.echo(f"ok: {finding.name}: {holds[finding.name]}")
            continue
        broken += finding.asked
        unasked += not finding.asked
        word = "broken" if finding.asked else "not checked"
        click.echo(visible(f"{word}: {finding.name}: {finding.text} {finding.advice}"))
        for example in finding.examples:
            click.echo(f"    {visible(example)}")
    click.echo(_verdict(broken, unasked))
    return 1 if broken else 2 if unasked else 0


def _verdict(broken: int, unasked: int) -> str:
    if not broken and not unasked:
        return f"All {len(INVARIANTS)} rules hold."
    return f"Of {len(INVARIANTS)} rules {broken} are broken, and {unasked} could not be checked."
