from datetime import UTC, datetime, timedelta

import pytest
from certificates import NEVER, remaining


def test_states():
    assert remaining(NEVER) == "fine"
    assert remaining(datetime(2001, 1, 1, tzinfo=UTC)) == "expired"
    assert remaining(datetime.now(UTC) + timedelta(days=3)) == "soon"


def test_naive_expiry_is_refused():
    with pytest.raises(ValueError, match="zone"):
        remaining(datetime(2001, 1, 1))
