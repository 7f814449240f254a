FROM registry.example/base:1
USER root
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
COPY certificates/ /usr/local/share/ca-certificates/chainctl/
RUN mkdir -p /etc/ssl/certs && for file in /usr/local/share/ca-certificates/chainctl/*.crt; do echo; cat "$file"; done >> /etc/ssl/certs/ca-certificates.crt
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ffmpeg libsndfile1 git 'tool=1.0~rc1' && rm -rf /var/lib/apt/lists/*
COPY requirements/ /tmp/requirements/
RUN cd /tmp/requirements && /opt/py/bin/python -m pip install --no-cache-dir -r runtime.txt -r pip_requirements.txt -r user/gpu/reqs.txt && rm -rf /tmp/requirements
RUN python -c 'import torch'
RUN ["/bin/sh", "-c", "set -e\n# not a comment of the Dockerfile\ncat > /x <<EOF\nUSER root\nEOF"]
RUN ["/bin/sh", "-c", "echo ends with a \\"]
RUN echo 'chainlet:x:10001:10001:chainlet:/tmp:/usr/sbin/nologin' >> /etc/passwd && echo 'chainlet:x:10001:' >> /etc/group
WORKDIR /app
ENV HOME=/tmp PYTHONPATH=/app/code:/app/packages:/app BACKSLASH="C:\\dir\\" DOLLAR="\$HOME \${PATH:-x} \$\$" EMPTY="" QUOTES="say \"hi\" and 'ho'" SPACES="  in and around  "
COPY app/data/ /app/data/
COPY app/chainctl/ /app/chainctl/
COPY app/packages/ /app/packages/
COPY app/code/ /app/code/
COPY app/shim.py /app/shim.py
RUN /opt/py/bin/python -m compileall -q --invalidation-mode unchecked-hash /app/chainctl /app/shim.py
LABEL chainctl.chain="shop" chainctl.chainlet="Leaf"
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["/opt/py/bin/python", "/app/shim.py"]
