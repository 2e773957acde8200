"""The command `tmdb-dagster`."""
