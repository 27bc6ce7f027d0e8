# syntax=docker/dockerfile:1
# The embedded model server and nothing that only training needs.
#
#   docker build -f deploy/docker/serving.Dockerfile -t dlpipe-serving .
#   docker run --rm -p 127.0.0.1:8500:8500 -p 127.0.0.1:8501:8501 \
#     -v "$PWD/workspace/images/serving:/models/images:ro" -e MODEL_NAME=images dlpipe-serving
#
# MODEL_NAME and MODEL_BASE_PATH are those of the tensorflow/serving image; arguments are flags.
ARG PYTHON_IMAGE=python:3.10-slim-bookworm
# The lock that goes with that Python.
ARG WORLD=py310-tfx1.16

FROM ${PYTHON_IMAGE} AS build
ARG WORLD
WORKDIR /build
COPY constraints/uv.txt constraints/roles/server-${WORLD}.txt ./
RUN python -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir --require-hashes -r uv.txt
# The versions are those that the tests ran with. What is pinned is whole: TensorFlow for the CPU
# stands in for the one that tensorflow-serving-api and tensorflow-text ask for.
RUN python -m venv --without-pip /opt/venv && /opt/uv/bin/uv pip sync --no-cache \
    --python /opt/venv/bin/python --require-hashes --compile-bytecode --only-binary :all: \
    server-${WORLD}.txt
COPY serving /opt/app/serving
COPY dlpipe/own_names.py /opt/app/dlpipe/own_names.py
RUN /opt/venv/bin/python /opt/app/dlpipe/own_names.py /opt/app \
    && /opt/venv/bin/python -m compileall -q /opt/app

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/app /opt/app
COPY --chmod=755 deploy/docker/serve.sh /usr/local/bin/serve
WORKDIR /opt/app
ENV MODEL_NAME=model \
    MODEL_BASE_PATH=/models \
    PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8500 8501
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/v1/models/' + os.environ['MODEL_NAME'] + '/metadata', timeout=4)"]
ENTRYPOINT ["serve"]
