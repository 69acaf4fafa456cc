"""What Crosshatch stores for the bands plan: the code, and its bands as `plans add` cuts them for this many records."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from integration.search.plan import Target
from mappings import bands
from mappings.code import codes_of
from mappings.fields import StoredCodes, space_mapping
from tests.bench.search.collection import BITS, Packed
from tests.bench.search.layouts import SPACE, Layout, target


@dataclass(frozen=True, slots=True)
class BandsLayout:
    """Bands for `size` records. The bits of this collection are independent: any order is as good as a learnt one."""

    size: int

    @property
    def banding(self) -> bands.Banding:
        """As wide as `plans add` makes them."""
        return bands.Banding(BITS, bands.fitting_width(self.size, BITS))

    @property
    def layout(self) -> Layout:
        """The index that holds codes and bands."""
        properties = {**space_mapping(SPACE)["properties"], **bands.space_mapping(SPACE)["properties"]}
        return Layout(f"bands{self.banding.width}", properties, self._members)

    def target(self, index: str) -> Target:
        """The index as searches see it."""
        return replace(target(index), bands=self.banding)

    def _members(self, codes: Packed) -> list[Mapping[str, Any]]:
        cut = self.banding
        stored = [StoredCodes(text=code) for code in codes_of(codes)]
        return [{"crosshatch": {SPACE: one.members()}, bands.OBJECT: {SPACE: cut.members(one)}} for one in stored]
