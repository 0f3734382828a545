from roster import Team, squad


def test_given_players():
    assert squad(Team("Oslo", players=["Kari"]).sign("Bo")) == ["Bo", "Kari"]


def test_two_teams():
    Team("Rome").sign("Aldo")
    assert squad(Team("Bari").sign("Zeno")) == ["Zeno"]
