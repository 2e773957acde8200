"""The MetaData that every table belongs to, and the column shapes that many of them share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, MetaData, func

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)


def timestamp(name: str, comment: str, *, now: bool = False, required: bool = False) -> Column[Any]:
    """A TIMESTAMPTZ column; `now` gives it the default now()."""
    default = func.now() if now else None
    return Column(name, DateTime(timezone=True), nullable=not required, server_default=default, comment=comment)


def work_id(comment: str, *, primary_key: bool = False) -> Column[Any]:
    """A column that names a work and goes with it."""
    return Column(
        "work_id",
        BigInteger,
        ForeignKey("works.work_id", ondelete="CASCADE"),
        primary_key=primary_key,
        autoincrement=False,
        nullable=False,
        comment=comment,
    )
