# docker build -t confirmation-broker .
# docker run -p 127.0.0.1:3606:3606 -v broker-data:/data confirmation-broker
FROM python:3.13-slim

WORKDIR /src
COPY . .
RUN pip install --no-cache-dir . \
    && rm -rf /src \
    && useradd --system --home-dir /data broker \
    && mkdir /data \
    && chown broker /data

WORKDIR /data
USER broker
ENV HOST=0.0.0.0 DATA_DIR=/data
VOLUME /data
EXPOSE 3606
HEALTHCHECK --interval=30s --timeout=10s --start-period=5s --retries=3 CMD ["python", "-m", "broker.healthcheck"]
CMD ["broker"]
