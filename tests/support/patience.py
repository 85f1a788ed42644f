"""How tests treat time.

Time that a rule speaks of is a fake clock, which the test moves. Where real time can't be had out (sockets, processes,
other programs' locks), a test waits for what happened and not for a while. A bound on real time is one of two kinds:

- `PATIENCE_S`, for what must come: only what never comes reaches it, however busy the machine is.
- a bound of its own, for "soon": many times what it takes, and well below what it would take if the rule were broken.
  Its reason is written with it.
"""

PATIENCE_S = 30.0
