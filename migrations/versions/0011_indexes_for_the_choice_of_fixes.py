"""Indexes for the choice of fixes: by the values that they were seen with, and by what was tried in vain.

An agent waits for the answer, and an error that is about a name ("no module named ...") has as many mappings as there are names.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # without a pending list, which every question would have to read
    op.execute(
        "create index debug_error_success_mappings_slots on debug_error_success_mappings"
        " using gin (slot_values jsonb_path_ops) with (fastupdate = off)"
    )
    op.execute(
        "create index debug_error_success_mappings_failed on debug_error_success_mappings"
        " (signature, failure_count desc, mapping_id) where failure_count > success_count"
    )


def downgrade() -> None:
    op.execute("drop index debug_error_success_mappings_failed")
    op.execute("drop index debug_error_success_mappings_slots")
