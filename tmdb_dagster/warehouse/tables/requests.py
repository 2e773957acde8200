"""What comes into the catalogue: what readers may ask for by request_movie, what was refused, what is kept out."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Date, Integer, Table, Text, text

from tmdb_dagster.warehouse.tables.metadata import metadata, timestamp


def _cap(name: str, default: int, comment: str) -> Column[int]:
    check = CheckConstraint(f"{name} >= 0", name=name)
    return Column(name, Integer, check, nullable=False, server_default=text(str(default)), comment=comment)


excluded_movies = Table(
    "excluded_movies",
    metadata,
    Column(
        "tmdb_id",
        Text,
        CheckConstraint("tmdb_id ~ '^[1-9][0-9]{0,9}$'", name="tmdb_id"),
        primary_key=True,
        comment="TMDB's id of the movie.",
    ),
    Column("reason", Text, comment="Why, for whoever reads the table."),
    timestamp("since", "Since when.", now=True, required=True),
    comment="Movies that are kept out: no discovery chooses them, no request brings them, no refresh asks for them.",
)

request_limits = Table(
    "request_limits",
    metadata,
    Column(
        "only_row",
        Boolean,
        CheckConstraint("only_row", name="only_row"),
        primary_key=True,
        server_default=text("true"),
        comment="Always true: there is one row, made by the first request or by the owner.",
    ),
    _cap("per_day", 200, "Movies that all readers together may ask for in a day (UTC)."),
    _cap("per_person", 20, "Movies that one signed-in person may ask for in a day (UTC)."),
    _cap("waiting", 50, "Requests that may wait in the queue at once."),
    comment="How much readers may ask for by request_movie. The owner alone may change it.",
)

request_counts = Table(
    "request_counts",
    metadata,
    Column("day", Date, primary_key=True, comment="Day, in UTC."),
    Column("person", Text, primary_key=True, comment="The JWT's sub; '' for all readers together."),
    Column("requests", Integer, nullable=False, comment="Movies asked for and queued."),
    comment="How much was asked for by request_movie; a day's rows go when it is over.",
)

refused_requests = Table(
    "refused_requests",
    metadata,
    Column("tmdb_id", Text, primary_key=True, comment="TMDB's id of the movie."),
    Column("reason", Text, nullable=False, comment="Why it did not come into the catalogue."),
    timestamp("refused_at", "When TMDB was asked; for a week it is not asked again for a request.", required=True),
    comment="Movies that were asked for and did not come into the catalogue.",
)
