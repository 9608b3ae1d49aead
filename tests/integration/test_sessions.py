"""Sessions of the database, and what a cancelled task leaves of them."""

import asyncio

from sqlalchemy import text
from sqlalchemy.pool import QueuePool

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
