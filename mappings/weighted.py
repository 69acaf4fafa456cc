"""How sure an encoder is of each bit of a query's code, so that a doubtful bit that differs counts less.

Stored codes stay bits; the query keeps what came before its signs (Gordo, Perronnin, Gong and Lazebnik, Asymmetric
Distances for Binary Embeddings, PAMI 2014). With v the query's projections, the distance to stored bits is the sum of
|v_i| over the bits that differ, which orders them as the inner product of v with the bits as +1 and -1 does.

Weights are integers from 0 to 15, so that bit k of all weights together is a mask, a plane: the sum is that of
2^k * popcount(differing & plane_k), which the engine counts faster than it could read weights one by one.
"""

import base64
import binascii
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from mappings.code import HashCode
from mappings.errors import CodeLengthError

PLANES = 4  # bits of a weight
HIGHEST = 2**PLANES - 1


@dataclass(frozen=True, slots=True)
class WeightedCode(HashCode):
    """A query's code with a weight from 0 to 15 for each bit, not all 0. Raises CodeLengthError for any other."""

    weights: bytes

    def __post_init__(self) -> None:
        HashCode.__post_init__(self)  # a class with slots is made anew, which bare super() does not know
        if len(self.weights) != self.bits:
            raise CodeLengthError(
                f"{len(self.weights)} weights came for a code of {self.bits} bits; expected one for each bit"
            )
        if not 0 < max(self.weights) <= HIGHEST:
            raise CodeLengthError(
                f"the largest weight of a bit is {max(self.weights)}; expected weights of 0 to {HIGHEST}, not all 0"
            )

    @classmethod
    def from_floats(cls, relaxed: Sequence[float]) -> Self | HashCode:
        """Bit i is 1 where relaxed[i] > 0; the largest |relaxed[i]| weighs 15, the others in proportion.

        Without weights where all are 0. Raises CodeLengthError for what is not finite.
        """
        code = HashCode.from_signs(relaxed)
        largest = max(map(abs, relaxed), default=0.0)
        if not all(map(math.isfinite, relaxed)):
            raise CodeLengthError("a code's projections are not all finite; the encoder's weights or input are damaged")
        if largest == 0:
            return code
        return cls(code.bits, code.packed, bytes(round(HIGHEST * (abs(value) / largest)) for value in relaxed))

    def weights_base64(self) -> str:
        """The weights, a byte each, as messages carry them."""
        return base64.b64encode(self.weights).decode()

    @classmethod
    def weighing(cls, code: HashCode, weights: str) -> Self:
        """`code` with weights as `weights_base64` wrote them. Raises CodeLengthError where they are none of its own."""
        try:
            return cls(code.bits, code.packed, base64.b64decode(weights, validate=True))
        except (binascii.Error, ValueError) as error:
            raise CodeLengthError(f"weights must be base64; {weights[:40]!r} came") from error

    @property
    def bare(self) -> HashCode:
        """The code alone."""
        return HashCode(self.bits, self.packed)

    @property
    def unit(self) -> float:
        """Bits that a weight of 1 counts: the weights' mean square becomes 1."""
        return math.sqrt(self.bits / sum(weight * weight for weight in self.weights))

    @property
    def floor(self) -> float:
        """Distance in bits of a code that does not differ at all.

        With `unit` it gives distances the mean and the variance that Hamming distances of evenly spread bits have,
        bits / 2 and bits / 4, so that a calibration measured on those holds for these.
        """
        return (self.bits - self.unit * sum(self.weights)) / 2

    def param(self) -> dict[str, Any]:
        """As the scripts read it: planes of 64 bits a word, bit 0 the highest of the first; zeros fill the last one."""
        planes = []
        for plane in range(PLANES):
            ones = "".join(str(weight >> plane & 1) for weight in self.weights)
            words = (ones[at : at + 64].ljust(64, "0") for at in range(0, self.bits, 64))
            planes.append([int.from_bytes(int(word, 2).to_bytes(8), signed=True) for word in words])
        return {"planes": planes, "unit": self.unit, "floor": self.floor}
