# syntax=docker/dockerfile:1
# The whole pipeline, without what only its developers need: what a scheduler runs to train, gate
# and push.
#
#   docker build -f deploy/docker/training.Dockerfile -t dlpipe-training .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD/workspace:/workspace" \
#     -v /my/pictures:/data:ro dlpipe-training run images --data /data
ARG PYTHON_IMAGE=python:3.10-slim-bookworm
# The lock that goes with that Python.
ARG WORLD=py310-tfx1.16

FROM ${PYTHON_IMAGE} AS build
# pyfarmhash has no wheel.
RUN apt-get update && apt-get install -y --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
ARG WORLD
WORKDIR /build
COPY constraints/uv.txt constraints/roles/training-${WORLD}.txt ./
RUN python -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir --require-hashes -r uv.txt
RUN python -m venv --without-pip /opt/venv && /opt/uv/bin/uv pip sync --no-cache \
    --python /opt/venv/bin/python --require-hashes --compile-bytecode \
    --build-constraints training-${WORLD}.txt training-${WORLD}.txt
WORKDIR /opt/dlpipe
COPY . .
# Editable: the pipeline's cache keys are fingerprints of these sources.
RUN /opt/uv/bin/uv pip install --no-cache --python /opt/venv/bin/python --no-deps \
    --no-build-isolation --editable .

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/dlpipe /opt/dlpipe
RUN install -d -o 10001 -g 10001 /workspace
ENV DLPIPE_WORKSPACE=/workspace \
    HOME=/tmp \
    PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TF_CPP_MIN_LOG_LEVEL=2
USER 10001:10001
WORKDIR /workspace
VOLUME /workspace
STOPSIGNAL SIGINT
ENTRYPOINT ["dlpipe"]
CMD ["--help"]
