"""Times cross the wire as Timestamp and Python as datetime."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp


def timestamp_of(time: datetime | None) -> Timestamp | None:
    """None stays absent. ValueError for a time without its zone: guessing one moves it by hours."""
    if time is None:
        return None
    if time.tzinfo is None:
        raise ValueError("a time must carry its zone, such as datetime.now(UTC)")
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
