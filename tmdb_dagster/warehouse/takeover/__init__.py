"""Takes over a live database: compares what is there with what this version makes, and makes up the difference.

catalog.py reads a schema; reference.py makes the one to compare with; difference.py is the plan; access.py is who
may read; tolerance.py is what may differ. Nothing that this package did not create is dropped or renamed, but for
the queue's UNIQUE (work_id), which would let a movie be refreshed once in its life.
"""
