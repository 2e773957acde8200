"""Takes over a live database: compares what is there with what this version makes, and makes up the difference.

What a plan knows of a kind of object belongs here, a file a kind. What the schema is does not: `tables/` and `sql/`
say it. Nothing that this package did not create is dropped or renamed, but for the queue's UNIQUE (work_id), which
would let a movie be refreshed once in its life. Begin in `difference.py`, which makes the plan; `catalog.py` reads a
schema, `reference.py` makes the one to compare with, and `tolerance.py` says what may differ.
"""
