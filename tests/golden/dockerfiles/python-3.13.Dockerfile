FROM python:3.13-slim
USER root
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/ /tmp/requirements/
RUN cd /tmp/requirements && python3 -m pip install --no-cache-dir -r runtime.txt && rm -rf /tmp/requirements
RUN echo 'chainlet:x:10001:10001:chainlet:/tmp:/usr/sbin/nologin' >> /etc/passwd && echo 'chainlet:x:10001:' >> /etc/group
WORKDIR /app
ENV HOME=/tmp PYTHONPATH=/app/code:/app
COPY app/chainctl/ /app/chainctl/
COPY app/code/ /app/code/
COPY app/shim.py /app/shim.py
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /app/chainctl /app/shim.py
LABEL chainctl.chain="shop" chainctl.chainlet="Leaf"
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["python3", "/app/shim.py"]
