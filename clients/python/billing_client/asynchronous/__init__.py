"""The client for asyncio. All but `connection` and `client` is derived from `billing_client.blocking` by
`derive_async.py`."""
