"""`python -m tmdb_dagster.sandbox`: the local TMDB in the foreground, until it is stopped."""

from __future__ import annotations

import contextlib
import signal

import click

from tmdb_dagster.clock import utc_now
from tmdb_dagster.errors import TmdbDagsterError
from tmdb_dagster.logs import configure_logging
from tmdb_dagster.sandbox.server import SandboxServer
from tmdb_dagster.settings import load_settings


def _latency(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, int]:
    low, _, high = value.partition("-")
    try:
        return int(low), int(high or low)
    except ValueError as error:
        raise click.BadParameter("write it like 30-80 (milliseconds)") from error


@click.command()
@click.option("--port", default=8909, show_default=True, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--seed", default=1, show_default=True, help="Another seed is another catalogue.")
@click.option("--movies", default=2000, show_default=True, help="How many movies the catalogue has.")
@click.option("--latency-ms", default="0", callback=_latency, help="Hold API calls back, e.g. 30-80.")
@click.option("--rate-limit", default=None, help="Refuse more calls than this with 429, e.g. 40/10s.")
def main(port: int, seed: int, movies: int, latency_ms: tuple[int, int], rate_limit: str | None) -> None:
    """Serve a local TMDB with an invented catalogue, which moves from day to day unless SANDBOX_DAY is set."""
    try:
        settings = load_settings()
        configure_logging(settings.log_format, settings.redact)
        server = SandboxServer(port=port, seed=seed, movies=movies, latency_ms=latency_ms, rate_limit=rate_limit)
        server.catalogue.today = lambda: settings.sandbox_day or utc_now().date()
    except (ValueError, OSError, TmdbDagsterError) as error:
        raise click.ClickException(str(error)) from error
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    click.echo(f"TMDB sandbox: {server.api_url} (any api_key but bad-key); Ctrl+C stops it.")
    with contextlib.suppress(KeyboardInterrupt):
        server.run()


if __name__ == "__main__":
    main()
