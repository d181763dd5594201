# mt3drum on the CPU: docker build -t mt3drum . && docker run --rm -v "$PWD:/work" mt3drum transcribe song.wav -o out
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY tokenizer tokenizer
COPY mt3drum mt3drum
RUN python -m venv /opt/mt3drum \
    && /opt/mt3drum/bin/pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu '.[web]'

FROM python:3.13-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ffmpeg \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/mt3drum /opt/mt3drum
RUN useradd --create-home --uid 1000 mt3drum
USER mt3drum
WORKDIR /work
ENTRYPOINT ["/opt/mt3drum/bin/mt3drum"]
CMD ["--help"]
