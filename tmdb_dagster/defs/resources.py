"""The resources: typed factories of plain objects. What they make never sees Dagster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetKey,
    ConfigurableIOManager,
    ConfigurableResource,
    InputContext,
    OpExecutionContext,
    OutputContext,
)

from tmdb_dagster.defs.failures import clear_failures

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tmdb_dagster.pipeline.run import Run
    from tmdb_dagster.settings import Settings


def job_or_assets(job: str, assets: Iterable[AssetKey]) -> str:
    """The name of a job; of one that Dagster made to run assets outside of jobs, these assets' keys instead."""
    return ", ".join(sorted(key.to_user_string() for key in assets)) if job.startswith("__") else job


def _job(context: OpExecutionContext) -> str:
    checked = {key.asset_key for key in context.selected_asset_check_keys}
    return job_or_assets(context.job_name, context.selected_asset_keys or checked)


class CatalogueResource(ConfigurableResource[Any]):
    """The catalogue's database, and TMDB or the sandbox, by the settings of the process that runs."""

    @contextmanager
    def run(self, context: OpExecutionContext) -> Iterator[Run]:
        """All that a run needs to ask TMDB and write movies; our errors end it as clear failures."""
        from tmdb_dagster.pipeline.run import open_run
        from tmdb_dagster.services.provide import SANDBOX_NOTICE, provide_services

        with clear_failures():
            services = provide_services(self._settings())
            if services.origin == "sandbox":
                context.log.info(SANDBOX_NOTICE)
            with open_run(
                services.settings,
                run_id=context.run_id,
                job=_job(context),
                origin=services.origin,
            ) as run:
                yield run

    @contextmanager
    def database(self, context: OpExecutionContext | None = None) -> Iterator[tuple[Engine, Settings]]:
        """The database alone, for what asks TMDB nothing; a step of a run holds the run's lease."""
        from tmdb_dagster.services.catalogue import open_catalogue
        from tmdb_dagster.services.provide import provide_services
        from tmdb_dagster.warehouse.engine import check_schema
        from tmdb_dagster.warehouse.leases import step_lease
        from tmdb_dagster.warehouse.origin import require_origin
        from tmdb_dagster.warehouse.rolling import await_migration

        with clear_failures():
            services = provide_services(self._settings())
            # A tick of a sensor does not wait: the next one asks again.
            migrated = partial(await_migration, run_id=context.run_id, job=_job(context)) if context else check_schema
            with open_catalogue(services.settings, migrated) as engine:
                with engine.begin() as connection:
                    require_origin(connection, services.origin)  # a rebuild writes the origin's image addresses
                with nullcontext() if context is None else step_lease(engine, run_id=context.run_id, job=_job(context)):
                    yield engine, services.settings

    def _settings(self) -> Settings:
        """The settings of this process, which from now on logs as they say."""
        from tmdb_dagster.logs import configure_logging
        from tmdb_dagster.settings import load_settings

        settings = load_settings()
        configure_logging(settings.log_format, settings.redact)
        return settings


class NoOutputKept(ConfigurableIOManager):
    """What an op returns are figures for its caller, and no step reads them: no machine has a file of them."""

    def handle_output(self, context: OutputContext, obj: object) -> None:
        """Keep nothing."""

    def load_input(self, context: InputContext) -> object:
        """Raises TypeError: a step that reads another's output needs a place for it that all machines share."""
        raise TypeError(f"{context.name} is an output of another step, and none is kept.")
