"""Where stages are computed: in threads of this process, or on a Dask cluster."""

from __future__ import annotations

import os
from typing import Any

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from pipeline_lib.errors import ConfigError

_CONNECT_SEC = 20


def make_runner(workers: int | None, dask_address: str | None) -> TaskRunner[Any]:
    """The task runner that was asked for.

    Parameters
    ----------
    workers : int or None
        Stages computed side by side on this machine, each with its own process for reading files; as many
        as there are cores if None.
    dask_address : str or None
        Of a Dask scheduler, such as "tcp://10.0.0.5:8786". Its workers need this project, in the same
        version, and must see the corpus and the artifacts folder under the same paths.

    Raises
    ------
    ConfigError
        Both are given, or a cluster that cannot be reached.
    """
    if dask_address is None:
        return ThreadPoolTaskRunner(max_workers=workers or available_cores())
    if workers is not None:
        raise ConfigError(
            f"workers = {workers} and dask_address = {dask_address!r} exclude each other",
            remedy="leave workers out: the cluster has its own",
        )
    try:
        from distributed import Client
        from prefect_dask import DaskTaskRunner
    except ImportError:
        raise ConfigError(
            f"dask_address = {dask_address!r}, but Dask is not installed",
            remedy="pip install -e '.[dask]'",
        ) from None
    try:
        Client(dask_address, timeout=_CONNECT_SEC, set_as_default=False).close()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"no Dask scheduler answers at {dask_address!r} ({error or type(error).__name__})",
            remedy="start one with `dask scheduler`, and workers with `dask worker ADDRESS`",
        ) from None
    return DaskTaskRunner(address=dask_address)


def available_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
