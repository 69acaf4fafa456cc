"""How good an encoder is, by the field's protocol: counts at each distance, figures from them, plots and tables."""

from typing import Literal

Ties = Literal["average", "order"]  # items at one distance: averaged over all their orders, or as a sort leaves them
Stored = Literal["encoded", "learned"]  # what is searched: each item's own code, or the one that training gave it
