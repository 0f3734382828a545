"""Coupons of a web shop."""

DISCOUNTS = {"SPRING": 10, "VIP": 25}


class Cart:
    """What a customer is about to buy."""

    def __init__(self, total):
        self.total = total
        self.coupon = None

    def apply(self, code):
        """Remembers a coupon."""
        self.coupon = code

    def price(self):
        """What has to be paid, with the discount of the coupon."""
        percent = DISCOUNTS.get(self.coupon.replace(" ", ""), 0)
        return self.total * (100 - percent) // 100
