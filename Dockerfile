# One image; $DEPLOYMENT chooses what it runs.
FROM python:3.11-slim-bookworm

# minimac4 is the engine of the nodes; without it they use the numpy one.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends minimac4 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 1001 --create-home platform \
    && install --directory --owner platform /srv/data

WORKDIR /srv/app
COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements.txt
COPY manage.py ./
COPY federated_imputation federated_imputation
COPY apps apps
COPY strangler_proxy strangler_proxy
COPY migrations_to_services migrations_to_services
RUN ENVIRONMENT=check DEPLOYMENT=monolith python manage.py collectstatic --noinput

USER platform
ENV PYTHONUNBUFFERED=1 ENVIRONMENT=production
EXPOSE 8000
# Paths are not logged: that of a node's download is the only key to the file.
# The platform itself decides which proxies it believes (TRUSTED_PROXIES).
# httptools would collect headers without an end.
# One server process: a node runs its jobs as children of it. Scale out with more containers.
CMD ["uvicorn", "federated_imputation.asgi:application", "--host", "0.0.0.0", "--port", "8000", \
     "--http", "h11", "--h11-max-incomplete-event-size", "65536", "--no-proxy-headers", \
     "--timeout-keep-alive", "75", "--no-server-header", "--no-access-log", "--timeout-graceful-shutdown", "30"]
