"""What a world has, by its seed. Each kind is as it would be if there were no other."""


def has_batches(seed):
    """Two worlds of three."""
    return seed % 3 != 1


def has_streams(seed):
    """Two worlds of five."""
    return seed % 5 in (1, 2)


def has_holds(seed):
    """Half of them: holds, prices and spend limits."""
    return seed % 2 == 0


def has_two(seed):
    """Three worlds of twenty: two processes at one database."""
    return seed % 4 == 0 and not has_streams(seed)


def loses_events(seed):
    """Two worlds of seven: what Stripe has not told by a quiet point is lost, and a comparison finds it."""
    return seed % 7 in (2, 5)
