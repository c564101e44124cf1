"""Starts LocalStack's default gateway (twisted) on one address.

The gateway listens on every IPv4 address of the machine, whatever the host part of GATEWAY_LISTEN says. Here it gets
the address of LOCALSTACK_BIND: loopback unless told otherwise, as docker-compose.yml does inside its own network. The
tests start this same file.
"""

import os

import twisted.internet.endpoints as endpoints

ADDRESS = os.environ.get("LOCALSTACK_BIND", "127.0.0.1")
on_every_address = endpoints.TCP4ServerEndpoint
endpoints.TCP4ServerEndpoint = lambda reactor, port, **options: on_every_address(
    reactor, port, **{**options, "interface": ADDRESS}
)

from localstack.runtime.main import main  # noqa: E402  (it binds the name above when it is imported)

main()
