"""Tells people of what they must act on, by a webhook."""

from __future__ import annotations

import requests
import tenacity
from pydantic import SecretStr

from tmdb_dagster.outgoing import CertificatesUnreadable
from tmdb_dagster.pipeline.errors import AlertNotSent
from tmdb_dagster.tmdb.exchange import DeadlineAdapter

_TIMEOUT_S = 10


def send_alert(url: SecretStr, text: str) -> None:
    """Post `{"text": …}`, as Slack, Mattermost and Google Chat take it.

    Raises AlertNotSent, which does not name the address: whoever knows that may post.
    """
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_random_exponential(multiplier=0.5, max=5),
        retry=tenacity.retry_if_exception_type(AlertNotSent),
        reraise=True,
    )
    retrying(_post, url, text)


def _post(url: SecretStr, text: str) -> None:
    address = url.get_secret_value()
    try:
        with requests.Session() as session:
            session.trust_env = False  # the rule of outgoing.py counts
            adapter = DeadlineAdapter(address, 1, _TIMEOUT_S)
            session.mount("https://", adapter)
            session.mount("http://", adapter)
            session.proxies = adapter.proxies
            answer = session.post(address, json={"text": text}, timeout=_TIMEOUT_S, allow_redirects=False)
    except requests.RequestException as error:
        # Its text and its cause hold the address.
        kind = type(error).__name__
        raise AlertNotSent(f"The alert could not be sent ({kind}): check ALERT_WEBHOOK_URL.") from None
    except CertificatesUnreadable as error:
        raise AlertNotSent(f"The alert could not be sent: {error}") from error
    if not 200 <= answer.status_code < 300:  # a redirect is not followed, so nobody has read it
        raise AlertNotSent(f"The alert was refused ({answer.status_code}): check ALERT_WEBHOOK_URL.")
