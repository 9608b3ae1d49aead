"""limits of programs

Revision: 0002, after 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "program_limits",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("version_id", sa.String(length=40), nullable=False),
        sa.Column("limits", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["environment_version.id"],
            name=op.f("fk_program_limits_version_id_environment_version"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_program_limits")),
    )


def downgrade() -> None:
    op.drop_table("program_limits")
