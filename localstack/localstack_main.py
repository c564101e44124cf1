"""Starts LocalStack's default gateway (twisted) on one address.

The gateway listens on every IPv4 address of the machine, whatever the host part of GATEWAY_LISTEN says. Here it gets
the address of LOCALSTACK_BIND: loopback unless told otherwise, as docker-compose.yml does inside its own network. The
tests start this same file.

Large objects go to the folder for temporary files (TMPDIR), where LocalStack itself names one folder of /tmp: two of
them on one machine would share it, and the first to end would delete the objects of the other.
"""

import os
import tempfile

import twisted.internet.endpoints as endpoints

ADDRESS = os.environ.get("LOCALSTACK_BIND", "127.0.0.1")
on_every_address = endpoints.TCP4ServerEndpoint
endpoints.TCP4ServerEndpoint = lambda reactor, port, **options: on_every_address(
    reactor, port, **{**options, "interface": ADDRESS}
)

# Only now: the modules below bind the name above when they are imported.
import localstack.services.s3.provider as s3  # noqa: E402
from localstack.runtime.main import main  # noqa: E402

s3.DEFAULT_S3_TMP_DIR = os.path.join(tempfile.gettempdir(), "localstack-s3-storage")

main()
