from cart_coupon import Cart


def test_with_coupon():
    cart = Cart(200)
    cart.apply("VI P")
    assert cart.price() == 150


def test_without_coupon():
    assert Cart(200).price() == 200
