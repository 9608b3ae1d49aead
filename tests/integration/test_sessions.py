"""Sessions of the database, and what a cancelled task leaves of them."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.pool import QueuePool

from escalade_server.errors import DatabaseBehind, DatabaseUnavailable
from escalade_server.storage.sessions import Database


async def test_closing_waits_for_connections_in_use(database_url: str) -> None:
    database = Database(database_url)
    held = asyncio.Event()

    async def hold() -> None:
        async with database.read() as session:
            await session.execute(text("select 1"))
            held.set()
            await asyncio.sleep(0.3)

    task = asyncio.create_task(hold())
    await held.wait()
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    assert pool.checkedout() == 1
    await database.close()
    assert pool.checkedout() == 0
    await task


async def test_a_task_cancelled_at_any_step_leaves_no_connection_behind(database_url: str) -> None:
    left, loop = {}, asyncio.get_running_loop()
    for steps in range(200):
        database = Database(database_url)

        async def look(database: Database = database) -> None:
            async with database.write() as session:
                await session.execute(text("select 1"))
            async with database.read() as session:
                await session.execute(text("select 1"))

        await look()  # the pool has a connection
        task = asyncio.create_task(look())
        until = loop.time() + steps * 5e-5
        while loop.time() < until:  # noqa: ASYNC110 - the moment to cancel at
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        pool = database.engine.pool
        assert isinstance(pool, QueuePool)
        await database.close()
        left[steps] = pool.checkedout()
    assert set(left.values()) == {0}, left


async def test_a_schema_that_is_not_there_is_told_on_both_engines(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    try:
        with pytest.raises(DatabaseBehind, match="escalade migrate"):
            async with database.read() as session:
                await session.execute(text("select id from api_key"))
    finally:
        await database.close()


async def test_a_pool_without_a_free_connection_is_a_pause_and_no_fault(database_url: str) -> None:
    database = Database(database_url)
    pool = database.engine.pool
    assert isinstance(pool, QueuePool)
    pool._timeout = 0.05
    try:
        async with AsyncExitStack() as stack:
            for _ in range(20):
                session = await stack.enter_async_context(database.read())
                await session.execute(text("select 1"))
            with pytest.raises(DatabaseUnavailable, match="in use") as refused:
                await database.ping()
        assert refused.value.retry_after_s
    finally:
        await database.close()


async def test_a_damaged_file_is_told_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "escalade.db").write_bytes(b"no database" * 100)
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'escalade.db'}")
    try:
        with pytest.raises(DatabaseUnavailable, match="restore a backup"):
            await database.ping()
    finally:
        await database.close()
