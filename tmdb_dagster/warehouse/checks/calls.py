"""What must hold of the calls to TMDB: they succeed, and their log gives no secret away."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row

from tmdb_dagster.redaction import REDACTED
from tmdb_dagster.warehouse.checks.check import EXAMPLES, Answer, Check, Redact, reasons

ERROR_RATE = 0.1
"""Share of the last day's calls that may fail."""

FEWEST_CALLS = 20
"""Fewer calls say nothing about a rate."""

LOG_DAYS = 8
"""Days of tmdb_api_logs that are searched for secrets."""

_LAST_DAY = "created_at > now() - interval '1 day'"
# A firewall's 403 says nothing of the key: tmdb/answers.py names who answered in TMDB's place.
_REFUSED = f"""
    http_status IN (401, 403) AND {_LAST_DAY} AND coalesce(position(': not TMDB but ' IN error_message), 0) = 0
"""
_ERRORS = reasons(
    "coalesce(e.error_message, 'HTTP ' || e.http_status)", "tmdb_api_logs e", f"is_failed_call(e) AND {_LAST_DAY}"
)

_CREDENTIAL = re.compile(
    r"""(api_key=|"api_key": *"|"authorization": *"(?:bearer +)?|bearer +)(?!\[redacted)[^\s"&]+""", re.IGNORECASE
)


def _search_for_secrets(rows: Iterable[Row[Any]], redact: Redact) -> Answer:
    """Whether the logged texts hold a secret, or anything that is named as a credential."""
    # Compared here: a secret in a statement would be in the server's own log.
    searched = found = 0
    examples = []
    for row in rows:
        searched += row.calls
        shown = _CREDENTIAL.sub(rf"\1{REDACTED}", redact(row.logged))
        if shown != row.logged:
            found += row.calls
            examples.append(shown[:200])
    figures = {"calls searched": searched, "calls with a secret": found}
    return Answer(not found, f"Calls whose log holds a secret: {found}.", figures, examples[:EXAMPLES])


CALL_CHECKS = (
    Check(
        "credentials",
        "ops_report",
        "error",
        "TMDB refused the key in no call of the last day.",
        "Correct TMDB_READ_ACCESS_TOKEN or TMDB_API_KEY.",
        f"""
        SELECT refused = 0 AS passed, 'Calls of the last day in which TMDB refused the key: ' || refused || '.' AS text,
            jsonb_build_object('refused calls', refused) AS figures,
            {reasons("error_message", "tmdb_api_logs", _REFUSED)} AS examples
        FROM (SELECT count(*) AS refused FROM tmdb_api_logs WHERE {_REFUSED}) AS c
        """,  # noqa: S608 - constants only, here and below
        cheap=True,
    ),
    Check(
        "error_rate",
        "ops_report",
        "error",
        f"At most {ERROR_RATE:.0%} of the last day's calls to TMDB failed.",
        "If TMDB is down, it passes by itself; else mend what the most frequent error names.",
        f"""
        SELECT calls < {FEWEST_CALLS} OR errors <= {ERROR_RATE} * calls AS passed,
            round(100.0 * errors / greatest(calls, 1)) || ' % of the last day''s ' || calls
                || ' calls failed; most often: ' || messages[1] AS text,
            jsonb_build_object('calls', calls, 'failed', errors) AS figures, messages AS examples
        FROM (
            SELECT count(*) AS calls, count(*) FILTER (WHERE is_failed_call(c)) AS errors, {_ERRORS} AS messages
            FROM tmdb_api_logs c WHERE {_LAST_DAY}
        ) AS c
        """,  # noqa: S608
        cheap=True,
    ),
    Check(
        "no_secret_in_logs",
        "ops_report",
        "error",
        f"The calls of the last {LOG_DAYS} days hold no credential of the settings.",
        "Revoke the credential at its provider, set a new one, and delete these rows of tmdb_api_logs.",
        f"""
        SELECT count(*) AS calls, concat_ws(
            ' ', endpoint_pattern(endpoint), (query_params - 'page')::text,
            error_message, (metadata - 'run_id')::text, request_body::text
        ) AS logged
        FROM tmdb_api_logs WHERE created_at > now() - make_interval(days => {LOG_DAYS}) GROUP BY logged
        """,  # noqa: S608
        judge=_search_for_secrets,
    ),
)
