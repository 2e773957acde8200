"""The command `tmdb-dagster`: what `make` calls, and what an operator types.

What is asked, printed and returned as an exit code belongs here. What is done is a use case of `pipeline/`, or a
migration of the warehouse's, and Dagster is called as a process, never imported. Begin in `main.py`, where every
command is.
"""
