"""The database's functions: new bodies under the signatures that callers know."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from tmdb_dagster.warehouse.takeover.access import as_owner, function_guards
from tmdb_dagster.warehouse.takeover.catalog import Function
from tmdb_dagster.warehouse.takeover.plan import Plan, Step, literal, quoted
from tmdb_dagster.warehouse.takeover.tolerance import OPTIONAL_FUNCTIONS


class FunctionPlan:
    """Adds to a plan what the functions of a schema lack; `own` says whether those that are there are ours."""

    def __init__(self, plan: Plan, schema: str, scratch: str, roles: Collection[str], *, own: bool = False) -> None:
        self._plan = plan
        self._schema = schema
        self._scratch = scratch
        self._roles = roles
        self._own = own

    def add(self, ours: Mapping[tuple[str, str], Function], live: Mapping[tuple[str, str], Function]) -> None:
        """Functions that are missing, or that are not ours yet."""
        for signature, function in ours.items():
            there = live.get(signature)
            if there is None:
                self._make(function, None)
            elif there.kind != function.kind or there.result != function.result:
                self._other_result(function, there)
            elif not there.owned:
                self._plan.refusals.append(
                    f"The function {function.name}({function.types}) belongs to the role {there.owner}: migrate as "
                    "that role, or as a member of it."
                )
            elif (
                there.source != _body(function, there)
                or there.parallel != function.parallel
                or (self._own and there.comment != function.comment)
            ):
                self._make(function, there)

    def _other_result(self, function: Function, there: Function) -> None:
        found = f"The function {function.name}({function.types}) returns {there.result or 'nothing'}"
        if function.name in OPTIONAL_FUNCTIONS:
            self._plan.notes.append(f"{found}: it is kept, and returns what it did.")
        elif self._own:
            self._make(function, None, drop=True)
        else:
            self._plan.refusals.append(
                f"{found}, and the pipeline needs {function.result}: "
                f"ALTER FUNCTION {quoted(self._schema)}.{function.name}({function.types}) RENAME TO ...;"
            )

    def _make(self, function: Function, there: Function | None, *, drop: bool = False) -> None:
        signature = f"{function.name}({function.types})"
        definition = function.definition.replace(self._scratch, self._schema)
        statements = [f"DROP FUNCTION {quoted(self._schema)}.{signature}"] if drop else []
        if there is not None:
            # Parameters keep their names, since callers use them; by number they are found under any name.
            definition = definition.replace(f"({function.arguments})", f"({there.arguments})", 1)
            definition = definition.replace(function.source, _body(function, there), 1)
        statements.append(definition)
        if there is not None and there.as_owner and not function.as_owner:
            statements.append(as_owner(self._schema, signature))
        elif function.as_owner and there is None:  # of one that was there its owner may have granted more
            statements += function_guards(self._schema, signature, self._roles)
        if function.comment and (there is None or there.comment is None or self._own):
            statements.append(f"COMMENT ON FUNCTION {quoted(self._schema)}.{signature} IS {literal(function.comment)}")
        verb = "replace the body of" if there else "replace" if drop else "create"
        self._plan.steps.append(Step(f"{verb} function {signature}", tuple(statements)))


def _body(function: Function, there: Function) -> str:
    body = function.source
    if there.names[: len(function.names)] != function.names:
        for number, name in enumerate(function.names, start=1):
            body = re.sub(rf"\b{re.escape(name)}\b", f"${number}", body)
    return body
