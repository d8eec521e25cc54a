"""The types of arrays, written once."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

#: Numbers.
Array: TypeAlias = NDArray[np.float64]
#: Positions and codes.
Index: TypeAlias = NDArray[np.intp]
#: Yes or no.
Mask: TypeAlias = NDArray[np.bool_]
