"""What implements each RPC, for tests that call it without the wire."""

from tests.support.wire import snake_case


def methods_of(services):
    """By the name that clients call it by, as in `deduct_credits`."""
    return {snake_case(rpc): serve for service in services for rpc, serve in service.implementations.items()}
