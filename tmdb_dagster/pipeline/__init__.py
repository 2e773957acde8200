"""The pipeline: the use cases, one a file. What a run does, step by step, and what it reports.

The order of steps, what is done together, and what happens to the others when one fails belong here. SQL is in the
warehouse, HTTP in `tmdb/` and `images/`, rules in `transform/`; when a use case runs is said in `defs/`, and Dagster
is not known here. A use case is a function: it takes a Run and a callback for what is settled, and returns a report.
Begin in `ingest.py`, and follow a movie through `enrich.py`; `run.py` says what every run holds.
"""
