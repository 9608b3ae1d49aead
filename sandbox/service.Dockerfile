# The sandbox service: runs the pool of containers through the Docker socket that is mounted into it.
# Built from the top of the repository: docker build --file sandbox/service.Dockerfile .
FROM python:3.11-slim-bookworm

WORKDIR /usr/src/escalade
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# The dependencies first and apart, so that a changed source file does not fetch them again.
COPY pyproject.toml constraints.txt ./
RUN python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
extras = project['optional-dependencies']; wanted = project['dependencies'] + extras['cli'] + extras['sandbox']; \
print(*(name for name in wanted if not name.startswith('escalade')), sep='\n')" > requirements.txt \
 && python -m pip install -c constraints.txt -r requirements.txt
COPY . .
RUN python -m pip install --no-deps . && rm -rf /usr/src/escalade/*

# Root, and no more than that user's name would say: whoever may open the socket is root on the engine's machine.
WORKDIR /tmp
ENV PYTHONUNBUFFERED=1
EXPOSE 8701
HEALTHCHECK --interval=5s --timeout=5s --start-period=300s --retries=6 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8701/healthz', timeout=4)"]
CMD ["escalade", "sandbox", "serve", "--host", "0.0.0.0"]
