"""`make ui`: MLflow's pages over the embedded store, on this machine alone."""

import os
import sys

from sda.config.environment import URI, choose_uri
from sda.tracking.delivery_state import resolve_uri
from sda.tracking.quiet import keep_quiet

VIEW = "#/experiments?workflowType=machine_learning"
"""MLflow 3 opens on a page for language models that hides training runs; this is the other one."""


def main(port: str) -> None:
    """Become the MLflow server; ends with Ctrl-C. A store that is a server already only has its address shown."""
    store = resolve_uri(choose_uri())
    if not store.startswith("sqlite:///"):
        print(f"open {store.rstrip('/')}/{VIEW}: {URI} names a server, which shows its runs itself", flush=True)
        return
    print(f"open http://127.0.0.1:{port}/{VIEW}", flush=True)
    keep_quiet()
    command = ["mlflow", "server", "--backend-store-uri", store, "--host", "127.0.0.1", "--port", port]
    os.execv(sys.executable, [sys.executable, "-m", *command])


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "5000")
