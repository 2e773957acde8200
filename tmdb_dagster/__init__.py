"""Keeps a movie catalogue fresh: from TMDB into the Postgres tables that an app and a dashboard read."""
