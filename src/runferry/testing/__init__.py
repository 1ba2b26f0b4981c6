"""What proves a reader or a writer: contracts to subclass, samples, and a reference tracker.

    from runferry.testing.reader_contract import ReaderContract
    from runferry.testing.writer_contract import WriterContract

The contracts need pytest, `strategies` needs hypothesis: `pip install 'runferry[testing]'`. Nothing
else in runferry imports them. docs/plugins.md shows a package that is proven by them.
"""

import sys

if (pytest := sys.modules.get("pytest")) is not None:  # so that a broken law shows its values
    pytest.register_assert_rewrite(
        f"{__name__}.reader_contract", f"{__name__}.writer_contract", f"{__name__}.writer_laws"
    )
