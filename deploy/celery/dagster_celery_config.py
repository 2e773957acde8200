"""The settings of a Celery worker: `celery --app dagster_celery.app` reads them where PYTHONPATH holds this folder.

The broker and the results are named by CELERY_BROKER_URL and CELERY_RESULT_BACKEND.
"""

import logging

from celery.signals import setup_logging

from tmdb_dagster.logs import configure_logging
from tmdb_dagster.settings import load_settings

# A worker takes a run when it has a process for it, not before: one worker would hoard what another could do at once.
worker_prefetch_multiplier = 1
worker_disable_prefetch = True
worker_max_tasks_per_child = 20  # memory that a run leaves behind goes with its process

# A run is acknowledged when it starts: it is never run twice, and the lease of a killed one ends it.
task_acks_late = False
# Seconds after which Redis gives a run that was taken and not started to another worker. It is below
# start_timeout_seconds of dagster.yaml, after which Dagster fails such a run.
broker_transport_options = {"visibility_timeout": 60}
broker_connection_retry_on_startup = True
result_expires = 24 * 60 * 60

# Dagster captures what a run prints: redirected by Celery it would be missing there.
worker_redirect_stdouts = False
worker_hijack_root_logger = False


@setup_logging.connect
def log_as_runs_do(loglevel: int, **_: object) -> None:
    """Celery's own lines look as all others; its handler, which this replaces, would write each line of runs again."""
    settings = load_settings()
    configure_logging(settings.log_format, settings.redact)
    logging.getLogger("celery").setLevel(loglevel)
