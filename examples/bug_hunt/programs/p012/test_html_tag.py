from html_tag import Tag


def test_classes():
    assert Tag("p").css("big").css("red").open() == '<p class="big red">'


def test_attributes_in_between():
    assert Tag("a").attr("href", "/x").css("nav").open() == '<a class="nav" href="/x">'
