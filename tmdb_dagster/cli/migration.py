"""Shows what a migration found, and what it did or would do."""

from __future__ import annotations

import click

from tmdb_dagster.shown import visible
from tmdb_dagster.warehouse.takeover.plan import Plan, quoted


def show_plan(plan: Plan, *, script_in: str | None = None) -> None:
    """Print what was found, what a person should know, and the steps: a script for psql where it names its schema."""
    mark = "-- " if script_in else ""
    click.echo(f"{mark}Found: {plan.found}.")
    for refusal in plan.refusals:
        click.echo(visible(f"{mark}Refused: {refusal}"))
    for note in plan.notes:
        click.echo(visible(f"{mark}Note: {note}"))
    if script_in and script_in != "public" and plan.steps:
        click.echo(f"\nCREATE SCHEMA IF NOT EXISTS {quoted(script_in)};\n\nSET search_path TO {quoted(script_in)};")
    for step in plan.steps:
        click.echo(f"\n-- {step.what}" if script_in else f"* {step.what}")
        if script_in:
            statements = [f"{statement.rstrip(';')};" for statement in step.sql]
            click.echo("\n".join(statements if step.alone or len(statements) == 1 else _transaction(statements)))


def show_start(plan: Plan) -> None:
    """Print what is about to be done, so that nobody waits in the dark."""
    show_plan(plan)
    if plan.steps:
        click.echo("Migrating ...")


def _transaction(statements: list[str]) -> list[str]:
    return ["BEGIN;", *statements, "COMMIT;"]
