"""How many examples the properties are tried with, and whether each run tries others.

What has to pass tries the same ones each time: it is red for a change, and never by chance.
`EXPLORE=20 python -m pytest …` tries others, and twenty times as many of those that read what is
damaged or transfer whole runs; before a release, and whenever there is time.
"""

from __future__ import annotations

import os

_TIMES = int(os.environ.get("EXPLORE", "0"))
IS_EXPLORING = _TIMES > 0


def examples(few: int) -> int:
    """So many, or that times as many as are asked for."""
    return few * max(1, _TIMES)
