"""The client for ordinary code. Its asynchronous twin is derived from these files by `derive_async.py`."""
