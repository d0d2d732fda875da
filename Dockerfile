# One image for the gateway, the worker and the migrations: `docker run IMAGE gateway`, `worker`, `migrate`.
FROM python:3.11-slim
WORKDIR /srv/yibao
COPY requirements/production.txt requirements/production.txt
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/production.txt
COPY workflows workflows
COPY activities activities
COPY gateway gateway
COPY stack stack
USER nobody
ENV PYTHONUNBUFFERED=1
ENTRYPOINT ["python", "-m", "stack.cli"]
