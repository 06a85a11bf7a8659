"""`python -m broker.healthcheck`: exit code 0 if the broker on this machine answers that it is healthy."""

from __future__ import annotations

import os
import sys
from urllib.error import URLError
from urllib.request import urlopen

TIMEOUT_SECONDS = 8


def main() -> int:
    url = f"http://127.0.0.1:{os.environ.get('PORT') or 3606}/health"
    try:
        with urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
            return 0 if answer.status == 200 else 1
    except (URLError, TimeoutError, OSError) as error:
        print(f"unhealthy: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
