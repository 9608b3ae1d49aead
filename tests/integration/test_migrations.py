"""Models and migrations agree, on both engines, and every migration can be taken back."""

import asyncio
import secrets
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import DateTime, bindparam, inspect, make_url, select, text

from escalade_server.errors import DatabaseBehind, DatabaseUnavailable
from escalade_server.storage import migrations
from escalade_server.storage.clock import now
from escalade_server.storage.sessions import Database
from escalade_server.storage.tables import Base, Environment, Problem


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


async def test_migrations_keep_the_rows_of_a_database_in_use(empty_database_url: str) -> None:
    """Rows that refer to one another: SQLite copies a table to alter it, and PostgreSQL locks it."""
    rows: list[tuple[str, dict[str, Any]]] = [
        ("api_key", {"id": "key_1", "name": "n", "secret_hash": "h", "scopes": '["admin"]'}),
        (
            "environment",
            {
                "id": "env_1", "slug": "s", "source": "x", "source_name": "s", "tags": "[]", "status": "verified",
                "version_id": "ver_1", "version": "v", "answer_type": "number", "levels": 3,
            },
        ),
        (
            "environment_version",
            {"id": "ver_1", "environment_id": "env_1", "hash": "v", "number": 1, "definition": "{}"},
        ),
        (
            "run",
            {
                "id": "run_1", "key_id": "key_1", "name": "r", "settings": "{}", "deadline_s": 1, "generation": 0,
                "sequence": 0, "batches": 0,
            },
        ),
    ]  # fmt: skip
    await migrations.upgrade(empty_database_url, "0005")
    database = Database(empty_database_url)
    try:
        async with database.write() as session:
            for table, values in rows:
                names = ", ".join((*values, "created_at"))
                places = ", ".join(f":{name}" for name in (*values, "created_at"))
                types = [bindparam("created_at", type_=DateTime(timezone=True))]
                await session.execute(
                    text(f"insert into {table} ({names}) values ({places})").bindparams(*types),
                    {**values, "created_at": now()},
                )
        for step, revision in (
            (migrations.upgrade, "head"),
            (migrations.downgrade, "0004"),
            (migrations.upgrade, "head"),
        ):
            await step(empty_database_url, revision)
            async with database.read() as session:
                counts = {table: await session.scalar(text(f"select count(*) from {table}")) for table, _ in rows}
            assert counts == {table: 1 for table, _ in rows}, revision
    finally:
        await database.close()


async def test_packages_are_known_by_their_folders_after_an_upgrade(empty_database_url: str) -> None:
    await migrations.upgrade(empty_database_url)
    await migrations.downgrade(empty_database_url, "0006")
    database = Database(empty_database_url)
    # One's title is another's folder, and one folder was taken for two problems.
    before = {
        "roll": ("catalogue", "call"), "call": ("catalogue", "roll"), "call-escalade": ("escalade", "Call"),
        "call-escalade-2": ("escalade", "Call 2"), "hello-escalade": ("escalade", "Hello"),
        "my-sum": ("escalade", "My Sum"), "lamps": ("scaler", "901_A. Lamps"),
    }  # fmt: skip
    try:
        async with database.write() as session:
            for slug, (source, name) in before.items():
                session.add(
                    Environment(
                        id=f"env_{slug}", slug=slug, source=source, source_name=name, tags=[], status="unverified",
                        version_id="", version="", imported="", answer_type="number", levels=1, created_at=now(),
                    )
                )  # fmt: skip
            session.add(
                Problem(
                    id="prb_1", slug="my-sum", source="escalade", source_name="My Sum", title="", tags=[], missing=[],
                    hash="", document={}, created_at=now(),
                )
            )  # fmt: skip
        await migrations.upgrade(empty_database_url)
        async with database.read() as session:
            after = {row.slug: row.source_name for row in await session.scalars(select(Environment))}
    finally:
        await database.close()
    assert after == {
        "roll": "roll", "call": "call", "call-escalade": "call", "call-escalade-2": "call-escalade-2",
        "hello-escalade": "hello-escalade", "my-sum": "My Sum", "lamps": "901_A. Lamps",
    }  # fmt: skip


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


@pytest.mark.parametrize("_new_database", ["postgres"], indirect=True)
async def test_a_user_that_may_not_make_tables_is_told_what_to_grant(
    empty_database_url: str, postgres_server: Any
) -> None:
    name = f"guest_{secrets.token_hex(4)}"
    postgres_server.execute(f"create role {name} login password 'x'")
    try:
        url = make_url(empty_database_url).set(username=name, password="x").render_as_string(hide_password=False)
        with pytest.raises(DatabaseUnavailable, match="GRANT CREATE"):
            await migrations.upgrade(url)
    finally:
        postgres_server.execute(f"drop role {name}")
