"""Makes rate cards from the price lists of other libraries. The running service never imports this; `billing rates
import` does.

An importer is a function from a library's data, handed to it as plain values, to a card and a report of every model of
the data.
"""
