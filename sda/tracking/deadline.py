"""Deadlines for what a server may draw out for ever: each of its bytes in time, and never the last one."""

import threading
from collections.abc import Callable
from typing import TypeVar

DEADLINE_S = 120.0
"""How long a command waits for MLflow in all, once for each run."""

Answer = TypeVar("Answer")


def answer_in_time(ask: Callable[[], Answer], late: Answer, deadline_s: float) -> Answer:
    """What `ask` gives, which must raise nothing, or `late` where it takes longer; it then goes on, and ends with us.

    >>> answer_in_time(lambda: "here", "late", 60.0)
    'here'
    """
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(ask()), name="mlflow-answer", daemon=True)
    thread.start()
    thread.join(deadline_s)
    return answers[0] if answers else late
