"""The sandbox: a server on this machine that speaks TMDB, with a synthetic catalogue and its pictures.

It knows nothing of the product, and only tests and benchmarks import it: `services/` starts it as a process of its own.
What TMDB answers belongs here; what else a machine may lack (Postgres, a server of images) is in `services/`. Begin in
`app.py`, which answers requests, and in `catalogue.py`, which says what movies there are.
"""
