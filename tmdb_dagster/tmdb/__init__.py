"""The TMDB room: questions to TMDB over HTTP, and its answers as typed values.

The client (one method an endpoint), the transport (pace, retries, time-outs, redaction), the models of the answers and
the errors belong here. What an answer means for a table does not (`transform/`), nor how many calls are allowed, which
the warehouse keeps for all runs, nor a setting: all comes as values. Begin in `client.py`; the errors are drawn as a
tree at the top of `errors.py`.
"""
