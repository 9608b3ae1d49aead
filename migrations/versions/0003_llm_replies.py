"""replies of the LLM

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "llm_reply",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("payer", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("finish", sa.String(length=40), nullable=False),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_llm_reply")),
    )
    with op.batch_alter_table("llm_reply", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_llm_reply_payer"), ["payer"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("llm_reply", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_llm_reply_payer"))
    op.drop_table("llm_reply")
