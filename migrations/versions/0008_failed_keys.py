"""Why a key of a fold was left undone, and the problems of all steps by one index each."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_UP = """
alter table fold_marks add column problem text;
comment on column fold_marks.problem is 'Why the key could not be recomputed, when it was tried: our own code failed at it.';
comment on column step_progress.digest is 'The revision that was done; empty where our own code failed at it, which problem tells.';
create index fold_marks_problem on fold_marks (day) where problem is not null;
drop index step_progress_problem;
create index step_progress_problem on step_progress (day) where problem is not null;
"""

_DOWN = """
drop index step_progress_problem;
create index step_progress_problem on step_progress (step, day) where problem is not null;
drop index fold_marks_problem;
comment on column step_progress.digest is null;
alter table fold_marks drop column problem;
"""


def upgrade() -> None:
    op.execute(_UP)


def downgrade() -> None:
    op.execute(_DOWN)
