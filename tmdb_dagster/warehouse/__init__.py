"""The warehouse: all SQL, one noun a file. Tables, migrations, writes, claims, the queue, logs, checks, views.

What Postgres is asked and told belongs here, and nothing else has SQL text. Rules that values alone decide are
transforms; what follows upon what is the pipeline's. It takes values and a connection, knows no settings, and asks
nobody over HTTP. A function that takes a Connection is a part of its caller's transaction; one that takes an Engine
makes its own. Begin in `tables/catalogue.py` for what there is, in `sql/` for what the database itself computes, in
`movies.py` for how a movie is written, and in `leases.py` for how runs keep out of each other's way.
"""
