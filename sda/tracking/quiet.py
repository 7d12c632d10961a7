"""MLflow kept to runs, and to this machine.

Left alone, MLflow tells its makers how it is used, from every process that imports it and every page that it shows, and
offers a gateway to language models. Both are turned off before it is imported; whoever sets these variables is obeyed.

What it cannot be told: at 127.0.0.1 its page opens an assistant beside the runs, once in every browser, which sends
nothing by itself; closed, it stays closed.
"""

import os

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_DISABLE_AGENT_HINT": "true",
    "MLFLOW_ENABLE_AI_GATEWAY": "false",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # a dozen idle processes less
    "MLFLOW_LOGGING_LEVEL": "WARNING",  # else it announces every table it creates
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # the run prints its link itself, once
}
"""MLflow's environment variables."""


def keep_quiet() -> None:
    """Set what is not set; to be called before the first import of mlflow."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
