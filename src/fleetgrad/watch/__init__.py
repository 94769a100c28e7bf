"""A local page that shows a study while it runs, and can stop it in order.

    ledger      what the record says so far, read piece by piece as it grows
    curves      learning curves, few enough to send and to draw
    snapshot    all that the page shows, as plain values
    follower    looks again when something has changed, and never more often than that is worth
    stopping    tells the process that holds the run to end
    guard       who may ask, and what a browser may do with the answers
    site        the page's own files
    app         the addresses, and events as they come
    serving     a server on this machine alone, in a thread

It reads the record as `show` does, and writes nothing into a run's directory.
"""
