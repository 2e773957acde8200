"""Dagster's room: when things run, in what order, and what if they fail. One file a noun, each a thin shell.

Assets, checks, jobs, schedules, sensors, partitions and resources belong here, with what the UI shows of them. What
they do is a use case of `pipeline/`: nothing here has SQL or HTTP, and nothing outside of this room and
`tmdb_dagster.definitions` imports Dagster. Loading it touches nothing. Begin in `jobs.py`, which lists what can be
run, and in `movies.py`, where movies become events.
"""
