"""Dagster's room: when things run, in what order, and what if they fail. One file a noun, each a thin shell.

Nothing outside of this room and `tmdb_dagster.definitions` imports Dagster.
"""
