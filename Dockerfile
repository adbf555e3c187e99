# The image of code-insight: an interpreter, git, locked dependencies, the server's source, and nothing else.
#
# The last stage starts from nothing and is filled from the others, so that no build tool, package manager or shell is
# in it. Each layer is a function of what is copied in: bytecode without times, every mtime 0, fixed modes; two builds
# of one tree give the same layers. No mounts, heredocs or `# syntax=` line: the classic builder of engine 20.10 and
# BuildKit both read it.

# The base's Python and Debian are what ends up in the image; pin it by digest for a release.
ARG BASE=python:3.14-slim

# uv, and strip from binutils: what the stages that install need.
FROM ${BASE} AS uv
ARG UV_VERSION=0.13.9
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils >/dev/null
RUN pip install --no-cache-dir --no-compile --root-user-action ignore uv==${UV_VERSION}
ENV UV_NO_CACHE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 PYTHONDONTWRITEBYTECODE=1 \
    PY_KEY_VALUE_DISABLE_BEARTYPE=true

# What the server alone needs, in locked versions with their hashes. A stage of its own, because the lock also holds
# the tools of development: while this file stays the same, the dependencies' layer does.
FROM uv AS lock
WORKDIR /workspace
COPY pyproject.toml uv.lock ./
COPY server/pyproject.toml server/
COPY deploy/pyproject.toml deploy/
RUN uv export --locked --quiet --package code-insight --extra otel --no-dev --no-emit-workspace --no-annotate --no-header \
    --output-file /requirements.txt

FROM uv AS dependencies
COPY --from=lock /requirements.txt /
RUN uv venv --quiet /app && uv pip sync --quiet --python /app --require-hashes /requirements.txt && rm -f /app/.lock \
 && find /app -name '*.so' -exec strip --strip-unneeded {} + \
 && find /app -type d '(' -name tests -o -name benchmarks ')' -prune -exec rm -r {} +
COPY server/image/bytecode.py /
RUN /app/bin/python /bytecode.py /app \
 && mkdir /out && cp -a /app /out/ && find /out -exec touch -hd @0 {} +

# The interpreter with its standard library, git, and the libraries of all of them.
FROM ${BASE} AS system
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends git >/dev/null
COPY server/image/collect.py /
COPY --from=dependencies /app /app
RUN python /collect.py /out /app \
 && mkdir -p /volume/data && find /out /volume -exec touch -hd @0 {} +

# In 24 folders, each to be a layer: a change of one file sends a small part of the source.
FROM ${BASE} AS source
COPY server/image/spread.py /
COPY server/src /tree/srv
RUN chmod -R u=rwX,go=rX /tree \
 && python -m compileall -q -s /tree --invalidation-mode unchecked-hash /tree/srv \
 && python /spread.py /tree /out 24 && find /out -exec touch -hd @0 {} +

FROM scratch
COPY --from=system /out /
COPY --from=system --chown=10001:10001 /volume /
COPY --from=dependencies /out /
COPY --from=source /out/0 /
COPY --from=source /out/1 /
COPY --from=source /out/2 /
COPY --from=source /out/3 /
COPY --from=source /out/4 /
COPY --from=source /out/5 /
COPY --from=source /out/6 /
COPY --from=source /out/7 /
COPY --from=source /out/8 /
COPY --from=source /out/9 /
COPY --from=source /out/10 /
COPY --from=source /out/11 /
COPY --from=source /out/12 /
COPY --from=source /out/13 /
COPY --from=source /out/14 /
COPY --from=source /out/15 /
COPY --from=source /out/16 /
COPY --from=source /out/17 /
COPY --from=source /out/18 /
COPY --from=source /out/19 /
COPY --from=source /out/20 /
COPY --from=source /out/21 /
COPY --from=source /out/22 /
COPY --from=source /out/23 /
ENV PATH=/app/bin:/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    PYTHONPATH=/srv \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PY_KEY_VALUE_DISABLE_BEARTYPE=true \
    CODE_INSIGHT_HOST=0.0.0.0 \
    CODE_INSIGHT_PORT=8080 \
    CODE_INSIGHT_DATA_DIR=/data
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
CMD ["/app/bin/python", "-m", "code_insight", "serve"]
# Last, so that a new tree with the same server in it keeps every layer.
ARG SOURCE_TREE=unknown
ARG VERSION=unknown
ENV CODE_INSIGHT_SOURCE_TREE=${SOURCE_TREE}
LABEL org.opencontainers.image.title="code-insight" \
      org.opencontainers.image.description="An MCP server that answers questions about git repositories." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      code-insight.tree="${SOURCE_TREE}"
