"""The transform's room: pure rules, from one answer of TMDB's to the rows, the card, the score and the plan of images.

A rule belongs here if values alone decide it. No I/O, no clock, no log, no settings: `now` is an argument. How rows
are written is the warehouse's, and what an answer may look like is the TMDB room's. Begin in `movie.py`, through which
a movie passes, and in `rows.py`, which says what comes out.
"""
