"""The Wilson score interval's lower end: what a share of successes is at least, with 95 % confidence."""

from __future__ import annotations

from math import sqrt

Z_95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""


def wilson_lower_bound(successes: int, total: int, z: float = Z_95) -> float:
    """Lower end of the two-sided Wilson interval (E. B. Wilson 1927) for `successes` out of `total`; 0.0 for none.

    One success out of one gives 0.2065: above the threshold of 0.2 under which nothing is recommended (DOMAIN 3.11).

    Raises:
        ValueError: a count is negative or there are more successes than trials.
    """
    if not 0 <= successes <= total:
        raise ValueError(f"{successes} successes out of {total} is no share")
    if total == 0 or successes == 0:
        return 0.0
    share = successes / total
    spread = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return max(0.0, (share + z * z / (2 * total) - spread) / (1 + z * z / total))
