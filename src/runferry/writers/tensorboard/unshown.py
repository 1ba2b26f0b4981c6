"""What TensorBoard does not show, or shows as another, of what it usually shows; all is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runferry.losses import Fate, Loss


@dataclass
class Unshown:
    """Counted while a run is written."""

    media: Counter[str] = field(default_factory=Counter)
    """How many images and sounds of each series it has no player for."""
    numbers: Counter[str] = field(default_factory=Counter)
    """How many numbers of each series are infinite or zero as floats of 32 bits, and are not."""
    has_other_config: bool = False

    def look_at(self, points: pa.RecordBatch) -> None:
        """Count the numbers of rows of `tables.POINTS` that are shown as floats of 32 bits."""
        values = pc.fill_null(points.column("value"), 0.0).to_numpy(zero_copy_only=False)
        with np.errstate(over="ignore", under="ignore"):
            shown = values.astype(np.float32)
        is_beyond = np.isinf(shown) & np.isfinite(values) | (shown == 0) & (values != 0)
        if is_beyond.any():
            keys = points.column("key").filter(pa.array(is_beyond))
            for found in pc.value_counts(keys).to_pylist():
                self.numbers[found["values"]] += found["counts"]

    def losses(self) -> Iterator[Loss]:
        """What the user is told."""
        for key, count in self.media.items():
            detail = "TensorBoard shows PNG, JPEG, GIF and BMP images, and WAV sounds; kept beside"
            yield Loss("not-shown", Fate.REENCODED, key, count, detail)
        for key, count in self.numbers.items():
            detail = "shown as infinite or zero in floats of 32 bits; the numbers are kept beside"
            yield Loss("beyond-float32", Fate.REENCODED, key, count, detail)
        if self.has_other_config:
            detail = "HPARAMS shows the values that were sent first; the last are kept beside"
            yield Loss("first-shown", Fate.REENCODED, "config", 1, detail)
