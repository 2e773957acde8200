"""The database's functions and views: each is one file here, and stands nowhere else; v_problems is made of checks/.

A file creates or replaces what it is called after, and describes it (COMMENT). `migrate` executes all of them in a new
database; in others it compares what is there with what they make, and replaces what differs, after the revisions. So
a change is an edit of its file, or of a check, with a revision that may be empty. What Postgres does not replace (other
parameters, or an option such as STABLE under the same body) that revision drops first.

Tables, their constraints and indexes are in tables/.
"""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path

from tmdb_dagster.warehouse.checks import CHECKS
from tmdb_dagster.warehouse.checks.view import problems_view

FOLDER = Path(__file__).parent


def definitions() -> dict[str, str]:
    """The SQL of the files and of v_problems by name, in an order in which each finds what it uses."""
    files = {path.stem: path.read_text(encoding="utf-8").strip() for path in sorted(FOLDER.glob("*.sql"))}
    files["v_problems"] = problems_view(CHECKS.values())
    words = {name: set(re.findall(r"\w+", re.sub("--.*", "", sql))) for name, sql in files.items()}
    uses = {name: files.keys() & words[name] - {name} for name in files}
    return {name: files[name] for name in TopologicalSorter(uses).static_order()}
