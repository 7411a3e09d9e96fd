"""Ask this container's own web process, as the proxy would. For health checks: exit 0 when the answer is 200."""

import http.client
import os
import sys

host = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0].lstrip(".") or "localhost"
connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=4)
connection.request("GET", sys.argv[1], headers={"Host": host})
sys.exit(connection.getresponse().status != 200)
