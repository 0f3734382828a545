"""The first event of a resolution by one look-up: a common change has many thousand."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("drop index mapping_events_resolution")
    op.execute(
        "create index mapping_events_resolution on mapping_events (resolution_id, occurred_at, attempt_id, correlation_id, signature)"
    )


def downgrade() -> None:
    op.execute("drop index mapping_events_resolution")
    op.execute("create index mapping_events_resolution on mapping_events (resolution_id)")
