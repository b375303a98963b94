"""Lets ``prefect deployment run music-pipeline`` work as typed.

Prefect names a deployment ``<flow>/<deployment>`` and refuses a name without a slash. This plugin, loaded
by Prefect's own command (entry point ``prefect.plugins``; switched on in ``[tool.prefect.plugins]``, so only
in this project's folder), reads a bare ``NAME`` as ``NAME/NAME``. Full names are passed on untouched.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.plugins import HookContext, SetupResult, register_hook

_MARK = "accepts_bare_names"


@register_hook
def setup_environment(*, ctx: HookContext) -> SetupResult | None:
    """Prefect's hook, called before one of its commands starts; changes no environment variable."""
    accept_bare_names()
    return None


def accept_bare_names() -> None:
    """Make the client read ``NAME`` as ``NAME/NAME``; doing it twice changes nothing."""
    client: Any = PrefectClient
    original = client.read_deployment_by_name
    if hasattr(original, _MARK):
        return

    @wraps(original)
    async def read_deployment_by_name(self: PrefectClient, name: str) -> Any:
        return await original(self, name if "/" in name else f"{name}/{name}")

    setattr(read_deployment_by_name, _MARK, True)
    client.read_deployment_by_name = read_deployment_by_name
