"""Keeps a movie catalogue fresh: TMDB lists and movies into the Postgres tables that an app and a dashboard read."""
