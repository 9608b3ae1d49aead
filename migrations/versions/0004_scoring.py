"""where answers stood, and hints on their form

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not as a batch, which would copy the table on SQLite: it may be large.
    op.add_column("attempt", sa.Column("position", sa.Integer(), nullable=True))
    op.add_column("attempt", sa.Column("feedback", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("attempt") as table:
        table.drop_column("feedback")
        table.drop_column("position")
