"""The view v_problems: the cheap checks for what can only read SQL, such as a dashboard."""

from __future__ import annotations

from collections.abc import Iterable

from tmdb_dagster.warehouse.checks.check import Check

_COMMENTS = {
    "VIEW v_problems": "What the cheap checks find wrong now, as `tmdb-dagster status` tells it.",
    "COLUMN v_problems.severity": "error: a person must act. warning: it may mend itself, or can wait.",
    "COLUMN v_problems.name": "Name of the check.",
    "COLUMN v_problems.asset": "Asset that it is about.",
    "COLUMN v_problems.text": "What is wrong.",
    "COLUMN v_problems.advice": "What to do.",
}


def problems_view(checks: Iterable[Check]) -> str:
    """The statements that make it, of the same queries that Python asks."""
    query = "\nUNION ALL\n".join(_branch(check) for check in checks if check.cheap)
    view = f"CREATE OR REPLACE VIEW v_problems WITH (security_invoker = true) AS\n{query}"
    return ";\n".join([view, *(f"COMMENT ON {what} IS '{comment}'" for what, comment in _COMMENTS.items())]) + ";"


def _branch(check: Check) -> str:
    words = (("severity", check.severity), ("name", check.name), ("asset", check.asset), ("advice", check.advice))
    told = ", ".join(f"{_literal(word)} AS {column}" for column, word in words)
    return f"SELECT {told}, text FROM ({check.query.strip()}) AS answer WHERE NOT passed"  # noqa: S608 - our own texts


def _literal(words: str) -> str:
    return "'" + words.replace("'", "''") + "'::text"
