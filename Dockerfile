# The image of the jobs: `docker run forecast score config.yaml --run-date 2026-11-20`.
# Build with the CPU or the GPU build of torch: `--build-arg TORCH=torch==2.13.0+cpu` and pip's index settings as build arguments; see README.md.

FROM python:3.11-slim-bookworm AS builder
ARG TORCH=torch==2.13.0
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
RUN python3 -m venv /opt/forecast
WORKDIR /build
# The libraries first: this layer changes with the pins only, not with the code.
COPY pyproject.toml constraints.txt README.md ./
RUN /opt/forecast/bin/pip install --quiet -c constraints.txt "${TORCH}" \
    && /opt/forecast/bin/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > dependencies.txt \
    && /opt/forecast/bin/pip install --quiet -c constraints.txt -r dependencies.txt
COPY forecast forecast
COPY pipelines pipelines
COPY configs configs
COPY data/sample data/sample
# Then what no job runs: pip, the libraries' own tests, torch's headers.
RUN /opt/forecast/bin/pip install --quiet --no-deps . \
    && /opt/forecast/bin/pip uninstall --quiet --yes pip \
    && cd /opt/forecast/lib/python3*/site-packages \
    && find . -type d -name tests -prune -exec rm -rf {} + \
    && rm -rf torch/include torch/share

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="forecast" \
      org.opencontainers.image.description="Recurrent networks and classical baselines for panels of time series"
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin forecast
COPY --from=builder /opt/forecast /opt/forecast
# Any uid and a read-only root: nothing is written outside /tmp and the folders that are mounted.
# The allocator keeps its large blocks instead of handing them back at every step (half of a recurrent network's time otherwise).
# Threads that wait do not spin.
ENV PATH=/opt/forecast/bin:$PATH \
    HOME=/tmp \
    XDG_CACHE_HOME=/tmp/cache \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MALLOC_MMAP_MAX_=0 \
    MALLOC_TRIM_THRESHOLD_=17179869184 \
    OMP_WAIT_POLICY=PASSIVE \
    GIT_PYTHON_REFRESH=quiet \
    MLFLOW_DISABLE_TELEMETRY=true
WORKDIR /work
USER 10001:10001
ENTRYPOINT ["forecast"]
CMD ["--help"]
