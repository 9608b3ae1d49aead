"""Models and migrations agree, on both engines, and every migration can be taken back."""

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from escalade_server.errors import DatabaseBehind, DatabaseUnavailable
from escalade_server.storage import migrations
from escalade_server.storage.sessions import Database
from escalade_server.storage.tables import Base


async def test_models_and_migrations_agree(database_url: str) -> None:
    database = Database(database_url)
    try:
        async with database.read() as session:
            connection = await session.connection()
            differences = await connection.run_sync(
                lambda sync: compare_metadata(MigrationContext.configure(sync), Base.metadata)
            )
    finally:
        await database.close()
    assert differences == []


async def test_every_migration_can_be_taken_back_and_run_again(empty_database_url: str) -> None:
    database = Database(empty_database_url)

    async def tables() -> set[str]:
        async with database.read() as session:
            connection = await session.connection()
            return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names())) - {"alembic_version"}

    try:
        for _ in range(2):
            await migrations.upgrade(empty_database_url)
            assert await tables() == set(Base.metadata.tables)
            await migrations.downgrade(empty_database_url, "base")
            assert await tables() == set()
    finally:
        await database.close()


async def test_a_database_behind_its_migrations_is_refused(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    try:
        with pytest.raises(DatabaseBehind, match="escalade migrate"):
            await migrations.require_head(database)
    finally:
        await database.close()


async def test_a_database_of_a_newer_version_is_refused_with_another_remedy(database_url: str) -> None:
    database = Database(database_url)
    try:
        async with database.write() as session:
            await session.execute(text("update alembic_version set version_num = '9999'"))
        for attempt in (migrations.require_head(database), migrations.upgrade(database_url)):
            with pytest.raises(DatabaseBehind, match="newer version") as refused:
                await attempt
            assert "escalade migrate" not in refused.value.detail
            assert "backup" in refused.value.detail
    finally:
        await database.close()


async def test_a_database_that_is_not_there_is_told_so() -> None:
    database = Database("postgresql+psycopg://nobody:x@127.0.0.1:9/none")
    try:
        with pytest.raises(DatabaseUnavailable, match="ESCALADE_DATABASE_URL"):
            await asyncio.wait_for(database.ping(), 30)
    finally:
        await database.close()
