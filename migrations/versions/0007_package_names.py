"""packages are known by their folder, not by their title

Revision: 0007, after 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

environment = sa.table(
    "environment", sa.column("id", sa.String), sa.column("slug", sa.String), sa.column("source", sa.String),
    sa.column("source_name", sa.Text),
)  # fmt: skip


def upgrade() -> None:
    packages = environment.c.source.in_(["catalogue", "escalade"])
    columns = (environment.c.id, environment.c.slug, environment.c.source)
    rows = op.get_bind().execute(sa.select(*columns).where(packages).order_by(environment.c.slug)).all()
    # First all are away: one's title may be another's folder.
    op.execute(environment.update().where(packages).values(source_name=environment.c.id))
    taken: set[tuple[str, str]] = set()
    for row in rows:
        # A slug that was in use has its source behind it; of two that claim one folder, the later keeps its whole slug.
        name = row.slug.removesuffix(f"-{row.source}")
        if (row.source, name) in taken:
            name = row.slug
        taken.add((row.source, name))
        op.execute(environment.update().where(environment.c.id == row.id).values(source_name=name))


def downgrade() -> None:
    """Titles are not known any more; the folders' names are as unique."""
