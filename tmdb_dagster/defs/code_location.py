"""The code location of this package, as workspace.yaml names it."""

from __future__ import annotations

from dagster import DagsterRun
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

LOCATION = "tmdb_dagster.definitions"
"""Its module and its name."""

_REPOSITORY = RemoteRepositoryOrigin(
    ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name=LOCATION), location_name=LOCATION),
    SINGLETON_REPOSITORY_NAME,
)


def executed_here(run: DagsterRun) -> RemoteJobOrigin | None:
    """Where a run of `dagster job execute` on our module belongs, which Dagster does not note; None for others'."""
    code = run.job_code_origin
    pointer = None if code is None else code.repository_origin.code_pointer
    if isinstance(pointer, ModuleCodePointer) and pointer.module == LOCATION:
        return _REPOSITORY.get_job_origin(run.job_name)
    return None
