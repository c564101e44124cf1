#!/usr/bin/env python3
"""Runs a server for a test, and ends it with everything it started once the test's process is gone.

    watchdog.py WORK COMMAND ...

The test holds the other end of this process's standard input and writes nothing. However the test ends (a panic, an
abort, kill -9), the kernel closes that pipe, which is the sign here to end the server's process group and to delete
WORK, the folder that the server runs and writes in. Standard output and error go to WORK.log, which stays only when
the server died by itself.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading

# Seconds that a server has to end by itself.
GRACE = 5


def main():
    work, command = sys.argv[1], sys.argv[2:]
    # Ctrl-C reaches the whole group in the foreground; the test's own end is what counts here.
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, lambda *_: None)
    with open(f"{work}.log", "wb") as log:
        server = subprocess.Popen(
            command, cwd=work, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    test_ended = threading.Event()
    watcher = threading.Thread(target=end_with_the_server, args=(server, test_ended), daemon=True)
    watcher.start()
    while os.read(0, 4096):
        pass
    test_ended.set()
    # Asked first, so that it takes away what it made outside of its folder: SeaweedFS has sockets in /tmp.
    send_to_all_of(server, signal.SIGTERM)
    watcher.join(GRACE)
    send_to_all_of(server, signal.SIGKILL)
    # A killed writer's last file may still appear while the tree is deleted: a second round takes it.
    for _ in range(2):
        shutil.rmtree(work, ignore_errors=True)
    try:
        os.unlink(f"{work}.log")
    except FileNotFoundError:
        pass


def end_with_the_server(server, test_ended):
    code = server.wait()
    if not test_ended.is_set():
        send_to_all_of(server, signal.SIGKILL)
        os._exit(code if code >= 0 else 1)


def send_to_all_of(server, sign):
    """Signals the server and whatever it started: they share the process group that bears the server's id."""
    try:
        os.killpg(server.pid, sign)
    except ProcessLookupError:
        pass


if __name__ == "__main__":
    main()
