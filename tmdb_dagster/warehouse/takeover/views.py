"""The operators' views: made where they are missing, and replaced in a database of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tmdb_dagster.warehouse.takeover.catalog import Relation
from tmdb_dagster.warehouse.takeover.plan import Plan, Step, literal, quoted


class ViewPlan:
    """Adds to a plan the views that a schema lacks; `own` says whether those that are there are ours."""

    def __init__(self, plan: Plan, schema: str, *, own: bool) -> None:
        self._plan = plan
        self._schema = schema
        self._own = own

    def add(self, ours: Mapping[str, Relation], live: Mapping[str, Relation]) -> None:
        """Views that are missing or different; another program's are refused."""
        views = [view for view in ours.values() if view.kind == "v"]
        there = {view.name: live[view.name] for view in views if view.name in live}
        if self._own and not all(_extends(view, there[view.name]) for view in views if view.name in there):
            # Postgres replaces no view that loses a column, and drops none that another one uses.
            names = ", ".join(quoted(self._schema, name) for name in there)
            self._plan.steps.append(Step("drop the views, since columns of one have changed", (f"DROP VIEW {names}",)))
            there = {}
        for view in views:
            if view.name not in there:
                self._make("create", view, None)
            elif there[view.name].query != view.query and not self._own:
                self._plan.refusals.append(
                    f"{view.name} is there already, and is not what the pipeline makes: rename it."
                )
            elif self._own and not _equal(view, there[view.name]):
                self._make("replace", view, there[view.name])

    def _make(self, verb: str, view: Relation, there: Relation | None) -> None:
        options = f" WITH ({view.options})" if view.options else ""
        create = f"CREATE OR REPLACE VIEW {quoted(self._schema, view.name)}{options} AS {view.query}"
        statements = (create, *comments(self._schema, view, there, own=self._own))
        self._plan.steps.append(Step(f"{verb} view {view.name}", statements))


def comments(schema: str, table: Relation, there: Relation | None, *, own: bool = False) -> Iterator[str]:
    """What a table or view and its columns mean, where nobody has said it yet, or (`own`) where we say it now."""
    name = quoted(schema, table.name)
    if _is_news(table.comment, there.comment if there else None, own=own):
        yield f"COMMENT ON {'VIEW' if table.kind == 'v' else 'TABLE'} {name} IS {literal(str(table.comment))}"
    for column in table.columns.values():
        known = there.columns.get(column.name) if there else None
        if _is_news(column.comment, known.comment if known else None, own=own):
            yield f"COMMENT ON COLUMN {name}.{quoted(column.name)} IS {literal(str(column.comment))}"


def _is_news(comment: str | None, known: str | None, *, own: bool) -> bool:
    return bool(comment) and (known is None or (own and known != comment))


def _columns(view: Relation) -> list[tuple[str, str]]:
    return [(column.name, column.type) for column in view.columns.values()]


def _extends(view: Relation, there: Relation) -> bool:
    return _columns(view)[: len(there.columns)] == _columns(there)


def _equal(view: Relation, there: Relation) -> bool:
    return (view.query, view.comment, view.options, view.columns) == (
        there.query,
        there.comment,
        there.options,
        there.columns,
    )
