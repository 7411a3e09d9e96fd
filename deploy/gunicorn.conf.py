"""gunicorn in production: sync workers, one for each core unless WEB_CONCURRENCY says otherwise.

Only sync workers: the threaded ones of gunicorn 26 and later leave requests unanswered under bursts of new connections.
A request holds its worker, so the reverse proxy in front must buffer slow clients.
"""

import os

bind = os.environ.get("BIND", "0.0.0.0:8000")
worker_class = "sync"
workers = int(os.environ.get("WEB_CONCURRENCY") or len(os.sched_getaffinity(0)))
timeout = 30  # seconds; the longest statement may take 15
graceful_timeout = 20
max_requests = 5000  # a slow leak anywhere is ended by a fresh process
max_requests_jitter = 500
preload_app = True
worker_tmp_dir = "/dev/shm"  # noqa: S108 - the workers' heartbeat must not wait for a disk
errorlog = "-"
loglevel = "warning"
