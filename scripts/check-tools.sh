#!/bin/sh
# Checks what the build and the tests need besides Rust: a C and C++ compiler, make, bash and pkg-config (librdkafka is
# compiled from its bundled source), headers of OpenSSL and zlib, a JDK 17 or newer and Maven (the real Kafka of tests
# and demo, and the Kafka Streams programs that the service is compared with). Installs what is missing by apt when it
# may (root on Debian or Ubuntu), else names the command.
set -eu

has() {
    command -v "$1" >/dev/null 2>&1
}

java_is_new_enough() {
    java=java javac=javac
    if [ -n "${JAVA_HOME:-}" ]; then java=$JAVA_HOME/bin/java javac=$JAVA_HOME/bin/javac; fi
    has "$java" && has "$javac" || return 1
    # 'openjdk version "17.0.15" ...' or "17": the part before the first dot; Java 8 calls itself 1.8.
    major=$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
    # 'javac 17.0.15'
    compiler=$("$javac" -version 2>&1 | sed -n 's/^javac \([0-9]*\).*/\1/p' | head -n 1)
    [ "${major:-0}" -ge 17 ] && [ "${compiler:-0}" -ge 17 ]
}

# Prints one line per missing thing: its apt package, a space, what it is for.
missing() {
    has cc && has c++ && has make || echo "build-essential a C and C++ compiler and make"
    has bash || echo "bash the configure script of librdkafka"
    if ! has pkg-config; then
        echo "pkg-config finding libraries"
        # Without it the headers cannot be looked up: ask for them as well, apt knows those that are there.
        echo "libssl-dev the headers of OpenSSL"
        echo "zlib1g-dev the headers of zlib"
    else
        pkg-config --exists openssl || echo "libssl-dev the headers of OpenSSL"
        pkg-config --exists zlib || echo "zlib1g-dev the headers of zlib"
    fi
    java_is_new_enough || echo "$(java_package) JDK 17 or newer, for Kafka and programs around it"
    has mvn || echo "maven Maven, which fetches Kafka"
}

# The first of the packages with a JDK that is new enough which this release of the distribution has.
java_package() {
    for package in openjdk-17-jdk-headless openjdk-21-jdk-headless openjdk-25-jdk-headless; do
        if has apt-cache && apt-cache show "$package" >/dev/null 2>&1; then
            echo "$package"
            return
        fi
    done
    echo openjdk-17-jdk-headless
}

if ! has cargo; then
    echo "Rust is missing; install it as https://rustup.rs says, then run this again." >&2
    exit 1
fi

list=$(missing)
[ -n "$list" ] || exit 0

echo "Missing for the build and the tests:" >&2
echo "$list" | while read -r package purpose; do echo "  $purpose (package $package)" >&2; done
packages=$(echo "$list" | cut -d ' ' -f 1 | tr '\n' ' ')
if has apt-get && [ "$(id -u)" = 0 ]; then
    echo "Installing: apt-get install $packages" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >&2
    # The packages may be named otherwise once the lists are fresh.
    packages=$(missing | cut -d ' ' -f 1 | tr '\n' ' ')
    # shellcheck disable=SC2086 # one word per package
    apt-get install -y -q --no-install-recommends $packages >&2
elif has apt-get; then
    echo "Install it with: sudo apt-get install $packages" >&2
    exit 1
else
    echo "Install the packages that your system has for these, then run this again." >&2
    exit 1
fi

list=$(missing)
if [ -n "$list" ]; then
    echo "Still missing after the installation:" >&2
    echo "$list" >&2
    exit 1
fi
