"""problems, syntheses and reports of verification

Revision: 0006, after 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "problem",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("slug", sa.String(length=120), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("source_name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("licence", sa.Text(), nullable=True),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("missing", sa.JSON(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("environment", sa.String(length=120), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_problem")),
        sa.UniqueConstraint("slug", name=op.f("uq_problem_slug")),
        sa.UniqueConstraint("source", "source_name", name=op.f("uq_problem_source_source_name")),
    )
    with op.batch_alter_table("job") as batch_op:
        batch_op.add_column(sa.Column("request", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("activity", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("lease_by", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "synthesis_item",
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("problem_id", sa.String(length=40), nullable=True),
        sa.Column("environment_id", sa.String(length=40), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("stage", sa.String(length=40), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("environment", sa.String(length=120), nullable=True),
        sa.Column("repairs", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_synthesis_item_job_id_job")),
        sa.ForeignKeyConstraint(["problem_id"], ["problem.id"], name=op.f("fk_synthesis_item_problem_id_problem")),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environment.id"], name=op.f("fk_synthesis_item_environment_id_environment")
        ),
        sa.PrimaryKeyConstraint("job_id", "position", name=op.f("pk_synthesis_item")),
    )
    with op.batch_alter_table("synthesis_item") as batch_op:
        batch_op.create_index("ix_synthesis_item_sequence", ["job_id", "sequence"], unique=False)
    op.create_table(
        "verification",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("environment_id", sa.String(length=40), nullable=False),
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("served_version", sa.String(length=64), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environment.id"], name=op.f("fk_verification_environment_id_environment")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_verification_job_id_job")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verification")),
    )
    with op.batch_alter_table("verification") as batch_op:
        batch_op.create_index(batch_op.f("ix_verification_environment_id"), ["environment_id"], unique=False)
    op.add_column("environment", sa.Column("imported", sa.String(length=64), nullable=True))
    # Until now an environment was always served as its source gave it.
    op.execute("update environment set imported = version")
    with op.batch_alter_table("environment") as batch_op:
        batch_op.alter_column("imported", existing_type=sa.String(length=64), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("environment") as batch_op:
        batch_op.drop_column("imported")
    op.drop_table("verification")
    op.drop_table("synthesis_item")
    with op.batch_alter_table("job") as batch_op:
        for name in ("lease_until", "lease_by", "activity", "request"):
            batch_op.drop_column(name)
    op.drop_table("problem")
