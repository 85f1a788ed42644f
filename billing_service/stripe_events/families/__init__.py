"""One file for each family of events: its types, how its object is read, whose it is, and what it does. `registry`
lists them."""
