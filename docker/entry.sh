#!/bin/sh
# What the container runs. The first start makes a certificate, the key ring and the control store; later ones keep them.
set -eu
tracegate certificate /var/lib/tracegate/tls --name localhost --name 127.0.0.1 --name traces.s3.localhost
tracegate init --config /etc/tracegate/tracegate.toml
exec tracegate serve --config /etc/tracegate/tracegate.toml
