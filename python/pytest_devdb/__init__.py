"""A clean Postgres database at the head of the project's migrations for each test.

The databases come from ``devdb serve``: from the one that ``DEVDB_SERVE_URL`` names, else from one
that is started with the first test that wants a database.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Iterator

import pytest

__all__ = ["Database", "devdb_database", "devdb_server", "devdb_url", "devdb_worker_url"]

# A local address is asked directly, whatever proxy the environment names.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


@dataclass(frozen=True)
class Database:
    """A database that was lent."""

    id: int
    #: ``postgresql://user:password@host:port/database``
    url: str
    #: Each variable of the project's ``[env]`` for this database.
    env: dict[str, str]


@pytest.fixture(scope="session")
def devdb_server(pytestconfig: pytest.Config) -> Iterator[str]:
    """The URL of the ``devdb serve`` that lends the databases."""
    given = os.environ.get("DEVDB_SERVE_URL")
    if given:
        yield given.rstrip("/")
        return
    program = os.environ.get("DEVDB_BIN", "devdb")
    # It ends when its stdin does, and so with this process, however that ends.
    command = [program, "serve", "--json", "--port", "0", "--pool", "2", "--jobs", "2", "--while-stdin"]
    try:
        process = subprocess.Popen(
            command, cwd=str(pytestconfig.rootpath), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    except OSError as error:
        pytest.fail(
            f"cannot run {program}: {error}\nhint: install devdb, or set DEVDB_BIN or DEVDB_SERVE_URL",
            pytrace=False,
        )
    assert process.stdin is not None and process.stdout is not None
    try:
        line = process.stdout.readline()
        try:
            url = json.loads(line)["url"]
        except (ValueError, KeyError):
            # An error is JSON of several lines, and was written to stderr for people.
            process.stdout.read()
            pytest.fail(f"devdb serve ended with exit code {process.wait()}: see what it wrote above", pytrace=False)
        yield url
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def _request(method: str, url: str) -> bytes:
    request = urllib.request.Request(url, method=method)
    token = os.environ.get("DEVDB_SERVE_TOKEN")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with _open(request) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")
        with contextlib.suppress(ValueError, KeyError, TypeError):
            body = json.loads(said)
            said = body["message"] + (f"\nhint: {body['hint']}" if body.get("hint") else "")
        pytest.fail(f"devdb serve: {error.code}: {said}", pytrace=False)
    except urllib.error.URLError as error:
        pytest.fail(f"devdb serve does not answer at {url}: {error.reason}", pytrace=False)


@contextlib.contextmanager
def _lent(server: str) -> Iterator[Database]:
    database = Database(**json.loads(_request("POST", f"{server}/databases")))
    try:
        yield database
    finally:
        _request("DELETE", f"{server}/databases/{database.id}")


@pytest.fixture
def devdb_database(devdb_server: str) -> Iterator[Database]:
    """A database of the test's own, dropped after it."""
    with _lent(devdb_server) as database:
        yield database


@pytest.fixture
def devdb_url(devdb_database: Database) -> str:
    """The URL of a database of the test's own, dropped after it."""
    return devdb_database.url


@pytest.fixture(scope="session")
def devdb_worker_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database that all tests of a session share; each xdist worker has its own.

    Below ``devdb run --databases N`` it is one of those that it made.
    """
    if "DEVDB_URL_1" in os.environ:
        number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) + 1
        url = os.environ.get(f"DEVDB_URL_{number}")
        if url is None:
            pytest.fail(
                f"devdb run made no database for worker {number}\nhint: devdb run --databases N -- pytest -n N",
                pytrace=False,
            )
        yield url
        return
    with _lent(request.getfixturevalue("devdb_server")) as database:
        yield database.url
