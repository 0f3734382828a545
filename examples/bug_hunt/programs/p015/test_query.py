from query import Query


def test_plain():
    assert Query("users").limit(3).sql() == "select * from users limit 3"


def test_chained_conditions():
    text = Query("users").where("age > 3").where("age < 9").limit(1).sql()
    assert text == "select * from users where age > 3 and age < 9 limit 1"
