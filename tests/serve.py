"""Run the app's real server, and write down what it loads and whom it calls. Usage: serve.py PORT REPORT [MODULE_ARGS]

REPORT is a JSON file, replaced every half second: {"modules": [...], "hosts": [...]} with every module in the process
and every host that it looked up or connected to, loopback left out.
"""

import ipaddress
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
hosts: set[str] = set()


def _local(host: str) -> bool:
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _audit(event: str, args: tuple[Any, ...]) -> None:
    host = None
    if event == "socket.getaddrinfo":
        host = args[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(args[-1], tuple):
        host = args[-1][0]
    if isinstance(host, bytes):
        host = host.decode()
    if isinstance(host, str) and not _local(host):
        hosts.add(host)


def _report(path: Path) -> None:
    while True:
        new = path.with_suffix(".new")
        new.write_text(json.dumps({"modules": sorted(sys.modules), "hosts": sorted(hosts)}))
        new.replace(path)
        time.sleep(0.5)


if __name__ == "__main__":
    port, report = sys.argv[1], Path(sys.argv[2])
    sys.addaudithook(_audit)
    threading.Thread(target=_report, args=(report,), daemon=True).start()
    os.chdir(ROOT)
    sys.argv = ["streamlit", "run", "app.py", "--server.headless", "true", "--server.port", port]
    from streamlit.web.cli import main

    main()
