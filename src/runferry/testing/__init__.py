"""What proves a reader or a writer: contracts to subclass, samples, and a reference tracker.

    from runferry.testing.reader_contract import ReaderContract
    from runferry.testing.writer_contract import WriterContract

The contracts need pytest, `strategies` needs hypothesis; nothing else in runferry imports them.
"""
