"""What the service asks of a payment provider, one Protocol for each capability. Nothing here knows Stripe's SDK.

Money is a whole number of the currency's smallest unit, times are microseconds since 1970, statuses are the provider's
own words. Every method raises ProviderRefused or ProviderUnavailable, and nothing else of its own.

Repeating a call
    Every call that makes something takes an idempotency key derived from our own row. All its parameters must come from
    that row as well, because the same key with other parameters is refused. A URL read from settings at the time of a
    retry would break the retry. Within a day the same key gives the same answer. After that, look before repeating.

After ProviderUnavailable the outcome is unknown. Keep what was set aside and call again with the same key, unless:
    `key_spent`: the provider keeps answering this key with a failure that it stored. A new attempt needs a new key
    (such as the old one with an attempt number that the row counts), and is safe to make
      - at once for a customer or a checkout, because a second one whose address no caller got can't be paid.
      - for a refund only after `list_refunds` of the payment shows none with our `refund_id`. If one is there, that is
        the outcome.
    The same look-up comes first for a refund whose key is older than a day.
"""
