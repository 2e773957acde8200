"""Shows what a migration found, and what it did or would do."""

from __future__ import annotations

import click

from tmdb_dagster.warehouse.takeover.plan import Plan


def show_plan(plan: Plan, *, with_sql: bool) -> None:
    """Print what was found, the steps (`with_sql`: as a script for psql), and what stays as it is."""
    mark = "-- " if with_sql else ""
    click.echo(f"{mark}Found: {plan.found}.")
    for step in plan.steps:
        click.echo(f"\n-- {step.what}" if with_sql else f"* {step.what}")
        if with_sql:
            statements = [f"{statement.rstrip(';')};" for statement in step.sql]
            click.echo("\n".join(statements if step.alone or len(statements) == 1 else _transaction(statements)))
    for note in plan.notes:
        click.echo(f"{mark}Note: {note}")
    for refusal in plan.refusals:
        click.echo(f"{mark}Refused: {refusal}")


def _transaction(statements: list[str]) -> list[str]:
    return ["BEGIN;", *statements, "COMMIT;"]
