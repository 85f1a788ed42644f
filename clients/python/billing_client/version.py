"""The version of this client, for its distribution and for the service's logs."""

__version__ = "0.1.0"
