"""reports without a rollout index

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NAMED = sa.text("report_id IS NOT NULL")


def upgrade() -> None:
    op.add_column("attempt", sa.Column("report_id", sa.String(length=80), nullable=True))
    op.create_index(
        "uq_attempt_group_id_report_id",
        "attempt",
        ["group_id", "report_id"],
        unique=True,
        sqlite_where=NAMED,
        postgresql_where=NAMED,
    )


def downgrade() -> None:
    op.drop_index("uq_attempt_group_id_report_id", table_name="attempt")
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.drop_column("report_id")
