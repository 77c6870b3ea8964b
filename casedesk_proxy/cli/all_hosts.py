"""The ledger of all hosts that share a database, for commands."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from casedesk_proxy.cli.files import read_config
from casedesk_proxy.cli.report import fail
from casedesk_proxy.cli.serve import read_database
from casedesk_proxy.config.complaints import ConfigError
from casedesk_proxy.ledger.database import connect, explain
from casedesk_proxy.ledger.query import Query, read_shared_usage

__all__ = ["read_all_hosts"]


def read_all_hosts(file: Path, query: Query) -> list[dict[str, Any]]:
    """The result of the database in the configuration ``file``. Ends the command if there is none,
    or it cannot be read."""
    try:
        url = read_database(read_config(file).config, file)
    except ConfigError as error:
        fail(error)
    if url is None:
        fail(
            f"{file}: ledger.url is not set, so hosts share no database; set ledger.url, or leave"
            " --all-hosts out"
        )
    try:
        driver = importlib.import_module("asyncpg")
    except ImportError:
        fail("the package asyncpg is missing; pip install 'casedesk-proxy[postgres]'")
    try:
        return asyncio.run(_read(driver, url, query))
    except Exception as error:
        fail(f"the database of ledger.url: {explain(error)}")


async def _read(driver: ModuleType, url: str, query: Query) -> list[dict[str, Any]]:
    connection = await connect(driver, url)
    try:
        return await read_shared_usage(connection, query)
    finally:
        await connection.close()
