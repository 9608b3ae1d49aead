"""packages are known by their folder, not by their title

Revision: 0007, after 0006
"""

import re

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
problem = sa.table("problem", sa.column("source", sa.String), sa.column("source_name", sa.Text))


def upgrade() -> None:
    connection = op.get_bind()
    slugs = set(connection.execute(sa.select(environment.c.slug)).scalars())
    # Environments that synthesis made are known by their problem's name.
    of_problems = {tuple(row) for row in connection.execute(sa.select(problem.c.source, problem.c.source_name))}
    columns = (environment.c.id, environment.c.slug, environment.c.source, environment.c.source_name)
    packages = environment.c.source.in_(["catalogue", "escalade"])
    rows = [
        row
        for row in connection.execute(sa.select(*columns).where(packages).order_by(environment.c.slug))
        if (row.source, row.source_name) not in of_problems
    ]
    taken = {(source, name) for source, name in of_problems if source in ("catalogue", "escalade")}
    folders: dict[str, str] = {}
    for row in rows:
        # A slug that was in use has its source behind it, and perhaps a number.
        found = re.fullmatch(rf"(.+)-{row.source}(-[0-9]+)?", row.slug)
        name = found[1] if found is not None and found[1] in slugs else row.slug
        if (row.source, name) in taken:
            name = row.slug
        taken.add((row.source, name))
        folders[row.id] = name
    # First all are away: one's title may be another's folder.
    for names in ({key: key for key in folders}, folders):
        for key, name in names.items():
            op.execute(environment.update().where(environment.c.id == key).values(source_name=name))


def downgrade() -> None:
    """Titles are not known any more; the folders' names are as unique."""
