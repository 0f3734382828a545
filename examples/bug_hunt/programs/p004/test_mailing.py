from mailing import Member, domains


def test_one_domain():
    members = [Member("Ann", "ann@example.org"), Member("Bo", "bo@example.org")]
    assert domains(members) == {"example.org": ["Ann", "Bo"]}


def test_member_without_address():
    members = [Member("Ann", "ann@example.org"), Member("Cy")]
    assert domains(members) == {"example.org": ["Ann"], "": ["Cy"]}
