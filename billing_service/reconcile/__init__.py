"""What Stripe has against what the ledger has: listed, compared, and repaired through the events' own handlers.

    listed      checkouts, payments, refunds, disputes, fraud warnings and customers that were made in a window;
                what is still open here and older than the window; events that some endpoint has not taken
    compared    many objects in one read, without a lock; almost all stand as the ledger has them
    repaired    what does not, one object in one transaction, by the handler that its event would have met

A run goes in steps: a page each. Between two steps nothing is open, and the cursor says where the next one begins. What
was repaired is not found again, so a run may be repeated, broken off, and run beside another one.
"""
