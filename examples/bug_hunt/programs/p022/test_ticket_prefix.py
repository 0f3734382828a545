from ticket_prefix import by_project, prefix


def test_prefix():
    assert prefix({"key": "OPS-12"}) == "OPS"


def test_draft_without_key():
    assert prefix({"key": None}) == ""


def test_counts():
    tickets = [{"key": "OPS-1"}, {"key": None}, {"key": "WEB-4"}, {"key": "OPS-9"}]
    assert by_project(tickets) == {"OPS": 2, "": 1, "WEB": 1}
