FROM registry.example/base:1
# registry.example/base:1 is sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a
USER root
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
COPY certificates/ /usr/local/share/ca-certificates/chainctl/
RUN mkdir -p /etc/ssl/certs && for file in /usr/local/share/ca-certificates/chainctl/*.crt; do echo; cat "$file"; done >> /etc/ssl/certs/ca-certificates.crt
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt
RUN --mount=type=cache,id=chainctl-apt,target=/mnt,sharing=locked mkdir -p /mnt/lists/partial /mnt/archives/partial && apt-get -o Dir::State::lists=/mnt/lists update && DEBIAN_FRONTEND=noninteractive apt-get -o Dir::State::lists=/mnt/lists -o Dir::Cache::archives=/mnt/archives install -y --no-install-recommends ffmpeg libsndfile1 git 'tool=1.0~rc1'
COPY install.py requirements/ /tmp/requirements/
RUN --mount=type=cache,id=chainctl-uv,target=/mnt /opt/py/bin/python /tmp/requirements/install.py && rm -rf /tmp/requirements
RUN python -c 'import torch'
RUN ["/bin/sh", "-c", "set -e\n# not a comment of the Dockerfile\ncat > /x <<EOF\nUSER root\nEOF"]
RUN ["/bin/sh", "-c", "echo ends with a \\"]
WORKDIR /app
COPY app/chainctl/ /app/chainctl/
RUN /opt/py/bin/python -m compileall -q --invalidation-mode unchecked-hash /app/chainctl && echo 'chainlet:x:10001:10001:chainlet:/tmp:/usr/sbin/nologin' >> /etc/passwd && echo 'chainlet:x:10001:' >> /etc/group
# All above is the same in every image with the same base, packages and build commands.
COPY app/data/ /app/data/
COPY app/packages/ /app/packages/
ENV HOME=/tmp PYTHONPATH=/app/code:/app/packages:/app BACKSLASH="C:\\dir\\" DOLLAR="\$HOME \${PATH:-x} \$\$" EMPTY="" QUOTES="say \"hi\" and 'ho'" SPACES="  in and around  "
LABEL chainctl.chain="shop" chainctl.chainlet="Leaf"
EXPOSE 8080
ENTRYPOINT ["/opt/py/bin/python", "/app/shim.py"]
USER 10001:10001
COPY app/shim.py /app/shim.py
# An edit of code copies this, and does nothing else.
COPY app/code/ /app/code/
