"""What a person sees, through Rich: progress while a run goes on, tables at its end.

    live       progress on the terminal, or plain lines
    outcome    the winner, the leaderboard, and how to go on: after `tune`, and for `show`
    measures   the tables of `bench`, `notebook` and `data list`
    sentences  what may be said of a run, for `report` too
    words      figures and settings as text, for `report` too

Results go to standard output, progress and errors to standard error, so that one can be piped
while the other is watched. Colors are left out where nobody would see them.
"""
