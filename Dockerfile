# The command `unlearnable`. The README and docs/scale.md have the commands to build and run it.
FROM python:3.12-slim
# https://download.pytorch.org/whl/cu130, for example, has PyTorch with CUDA 13.0
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# extras of pyproject.toml, separated by commas
ARG EXTRAS=heic
RUN pip install --no-cache-dir torch --index-url "${TORCH_INDEX}"
COPY pyproject.toml README.md LICENSE /src/
COPY src /src/src
RUN pip install --no-cache-dir "/src[${EXTRAS}]" && rm -rf /src
# so that files in a mounted folder can belong to any user: `docker run --user "$(id -u):$(id -g)"`
ENV XDG_CACHE_HOME=/tmp/cache MPLCONFIGDIR=/tmp/matplotlib PYTHONUNBUFFERED=1
# without a shell in between, so that SIGTERM reaches the command
ENTRYPOINT ["unlearnable"]
