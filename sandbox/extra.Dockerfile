# The toolchain image with Java and Go. Build with `escalade sandbox build --extra`, or by hand with
# `docker build -t escalade-toolchain-extra --build-arg BASE=escalade-toolchain -f sandbox/extra.Dockerfile sandbox/`.
ARG BASE=escalade-toolchain
FROM $BASE

# What Java wants to be there and nobody here reads (manual pages) is made for its installation alone.
RUN mkdir -p /usr/share/man/man1 \
    && apt-get update \
    && apt-get install -y --no-install-recommends default-jdk-headless golang-go \
    && rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/* /usr/share/man

COPY jar_launcher.c /opt/escalade/jar_launcher.c
RUN gcc -O2 -static -s -o /opt/escalade/jar_launcher /opt/escalade/jar_launcher.c

# Which languages of `escalade_sandbox.languages` are here; the base image, which says nothing, has cpp and python.
LABEL escalade.languages="cpp python java go"
