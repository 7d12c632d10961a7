"""MLflow's pages over the embedded store: whether they are there to be opened."""

import re
from http.client import HTTPConnection, HTTPException
from urllib.parse import unquote, urlsplit

from sda.tracking.deadline import answer_in_time
from sda.tracking.delivery_state import LOCAL_UI

ANSWER_S = 1.0
"""How long the end of a run waits to hear whether its page is there."""
_RUN_ID = re.compile(r"[0-9a-f]{32}")


def is_shown(link: str, deadline_s: float = ANSWER_S) -> bool:
    """Whether a server answers at the address of a page on this machine, and knows the run that it is about.

    Another program, or another project's pages, may well have the port.
    """
    run_id = _RUN_ID.search(unquote(link))
    address = urlsplit(link)
    if run_id is None or address.hostname != urlsplit(LOCAL_UI).hostname:
        return False

    def ask() -> bool:
        connection = HTTPConnection("127.0.0.1", address.port or 80, timeout=deadline_s)
        try:
            connection.request("GET", f"/api/2.0/mlflow/runs/get?run_id={run_id.group()}")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    return answer_in_time(ask, False, deadline_s)
