"""`python -m nba_airflow.health_check PART`: whether Airflow's API says that a part of Airflow is
healthy; what containers are asked regularly.

Costs 0.1 s of a processor, since it imports nothing of Airflow; `airflow jobs check` costs 4 s
(3.3.2).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from urllib.parse import urljoin
from urllib.request import urlopen

PARTS = {
    "api-server": "metadatabase",
    "scheduler": "scheduler",
    "dag-processor": "dag_processor",
    "triggerer": "triggerer",
}
"""Airflow's commands -> what the API calls them; of itself it says whether it reaches the
database."""
MAX_SECONDS = 20.0
"""A busy host answers late, and is healthy."""


def find_fault(part: str, environment: Mapping[str, str]) -> str:
    """What is wrong with the part (a key of PARTS), or nothing; the API is where the tasks of this
    environment find it."""
    address = environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]
    try:
        with urlopen(urljoin(address, "/api/v2/monitor/health"), timeout=MAX_SECONDS) as answer:
            status = json.load(answer)[PARTS[part]]["status"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{part}: its health is not known: {error!r}"
    return "" if status == "healthy" else f"{part} is {status}"


if __name__ == "__main__":
    sys.exit(find_fault(sys.argv[1], os.environ) or None)
