"""OSS Vizier's own server (service and algorithms in one process) on loopback, until it is killed.

    vizier_server.py PORT sqlite:///FILE | memory
"""

import sys
import time

from vizier._src.service import vizier_server

port, storage = int(sys.argv[1]), sys.argv[2]
server = vizier_server.DefaultVizierServer(host="127.0.0.1", port=port, database_url=None if storage == "memory" else storage)
while True:
    time.sleep(3600)
