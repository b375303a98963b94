"""How figures are written: as many digits as their interval bears out, and a true minus."""

from __future__ import annotations

import math

_MOST_DECIMALS = 6


def decimals_for(low: float, high: float, usual: int = 3) -> int:
    """How many decimals show two digits of the width of an interval.

    ``usual`` where there is no width or it is unknown.
    """
    width = high - low
    if not math.isfinite(width) or width <= 0:
        return usual
    return min(max(1 - math.floor(math.log10(width)), 0), _MOST_DECIMALS)


def written(value: float, decimals: int = 2) -> str:
    """A rounded figure; a dash where it is not known. What would round to nothing is told from nothing."""
    if math.isnan(value):
        return "—"
    if value == 0:
        return "0"
    smallest = 10**-decimals
    if abs(value) < smallest / 2:
        return f"< {smallest:.{decimals}f}" if value > 0 else f"> −{smallest:.{decimals}f}"
    return f"{value:,.{decimals}f}".replace("-", "−")


def probability(p: float) -> str:
    """A p-value, to three decimals."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
