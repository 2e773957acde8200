"""Every way in which a use case can fail as a whole; a movie that fails is an outcome, not an error.

TmdbDagsterError
└── PipelineError
    ├── InvalidRequest     asked for something that does not exist; nothing was done
    ├── ListsUnavailable   no page of any list could be fetched, and no snapshot is kept that is wanted instead
    ├── NoCandidates       no candidates wait for their ingest
    ├── ChangesUnavailable TMDB's feed of changes could not be read to its end
    ├── TmdbOutage         TMDB failed one movie after another
    ├── MostMoviesFailed   a run lost more movies than it got
    ├── MovieFailed        the one movie asked for could not be ingested
    │   └── MovieBusy      another run is at it, and was not done in time
    ├── AlertNotSent       the webhook did not take an alert
    └── RunEnding          a call was given up because the run is ending
"""

from __future__ import annotations

from tmdb_dagster.errors import TmdbDagsterError


class PipelineError(TmdbDagsterError):
    """A use case that could not be carried out."""


class InvalidRequest(PipelineError):
    """The request names something that does not exist; the text says what does."""

    permanent = True


class ListsUnavailable(PipelineError):
    """No page of any list could be fetched, and no snapshot is kept that is wanted instead."""


class NoCandidates(PipelineError):
    """No candidates wait for their ingest."""


class ChangesUnavailable(PipelineError):
    """TMDB's feed of changes could not be read to its end."""


class TmdbOutage(PipelineError):
    """TMDB failed so many movies in a row that going on would only fail more."""


class MostMoviesFailed(PipelineError):
    """The run lost more movies than it got; those that it got are kept."""


class MovieFailed(PipelineError):
    """The movie asked for could not be ingested."""


class MovieBusy(MovieFailed):
    """Another run is ingesting the movie and was not done in time."""


class AlertNotSent(PipelineError):
    """The webhook did not take an alert."""


class RunEnding(PipelineError):
    """The run is ending: whoever waits for another try gives up."""
