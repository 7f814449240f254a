FROM python:3.11-slim
USER root
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/ /tmp/requirements/
RUN cd /tmp/requirements && python3 -m pip install --no-cache-dir -r runtime.txt -r pyproject.txt && rm -rf /tmp/requirements
WORKDIR /app
COPY app/chainctl/ /app/chainctl/
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /app/chainctl && echo 'chainlet:x:10001:10001:chainlet:/tmp:/usr/sbin/nologin' >> /etc/passwd && echo 'chainlet:x:10001:' >> /etc/group
# All above is the same in every image with the same base, packages and build commands.
ENV HOME=/tmp PYTHONPATH=/app/code:/app
LABEL chainctl.chain="shop" chainctl.chainlet="Leaf"
EXPOSE 8080
ENTRYPOINT ["python3", "/app/shim.py"]
USER 10001:10001
COPY app/shim.py /app/shim.py
# An edit of code copies this, and does nothing else.
COPY app/code/ /app/code/
