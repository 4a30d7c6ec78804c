# The command `unlearnable`, with PyTorch for CPUs. The README has the commands to build and run it.
FROM python:3.12-slim
RUN pip install --no-cache-dir torch --index-url https://download.pytorch.org/whl/cpu
COPY . /src
RUN pip install --no-cache-dir "/src[heic]" && rm -rf /src
# so that files in a mounted folder can belong to any user: `docker run --user "$(id -u):$(id -g)"`
ENV XDG_CACHE_HOME=/tmp/cache MPLCONFIGDIR=/tmp/matplotlib
ENTRYPOINT ["unlearnable"]
