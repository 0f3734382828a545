from tag_cloud import linked, tags


def test_linked():
    assert linked("#a and #b") == ["/tags/a", "/tags/b"]


def test_posts_do_not_share_tags():
    assert tags("On #python") == ["python"]
    assert tags("On #rust") == ["rust"]
