"""devdb's runner: Alembic's own commands inside the project's own Python, one process for many.

Started by devdb as `python runner.py SOCKET [alembic options such as -c FILE, -n NAME, -x ARG]`,
in the folder of alembic.ini. Speaks JSON lines on the socket, because stdout and stderr belong to
env.py. Each request gets any number of events and then exactly one reply:

    {"do": "hello"}                     {"ok": {python, alembic, sqlalchemy, drivers}}
    {"do": "graph"}                     {"ok": {revisions, heads, warnings, files, folders}}
    {"do": "alembic", "argv": [...],    {"event": "plan", "total": 3}
     "expect": {oid, started},          {"event": "step", "id": ..., "name": ...}
                                        {"event": "busy", "rows": ..., "sql": ..., "seconds": ...}
     "dialect": "sqlite",               (where it is only a matter of that)
     "create_all": true,                (the tables of the models instead of the revisions)
     "autogenerate": "write"|"look",    {"ok": {ran, contexts, strays, found, left_out, mended,
     "leave_out": [code], "blocks": {},         grounds, files}}
     "writes": true}                    (a command that makes files without autogenerate)
                                        {"error": {type, message, traceback, place, step, contexts, ...}}
     "roll_back": true                  (in one transaction that is rolled back)
     "sql": true}                       (offline: {sql})
    {"do": "move", "from": DIR,         {"ok": null}
     "to": DIR}

Runs on every Python that Alembic 1.11 runs on (3.7), so it is written for that.
"""

import contextlib
import functools
import gc
import io
import json
import os
import queue
import re
import shutil
import socket
import sys
import threading
import time
import traceback
import warnings
import weakref

ME = os.path.abspath(__file__)
ENDS_TRANSACTION = re.compile(
    r"\b(commit|rollback|abort|prepare\s+transaction)\b|(^|;)\s*end\b", re.IGNORECASE
)
# Every engine that connected in this process.
ENGINES = weakref.WeakSet()
DRIVERS = ("psycopg", "psycopg2", "pg8000", "asyncpg")


class Link:
    """The socket to devdb."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self.requests = queue.Queue()
        self.writing = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with self.socket.makefile("r", encoding="utf-8") as lines:
            for line in lines:
                self.requests.put(json.loads(line))
        # devdb is done, or was killed. Whatever runs here then must not be committed, and a
        # `uv run` in between would not pass a signal on.
        shutil.rmtree(os.path.dirname(ME), ignore_errors=True)
        os._exit(0)

    def send(self, message):
        # A lone surrogate (from a file name, say) is legal in Python and not in JSON.
        text = json.dumps(message, ensure_ascii=False, default=str) + "\n"
        with self.writing:
            self.socket.sendall(text.encode("utf-8", "replace"))


class RolledBack(Exception):
    """Everything ran, and shall not be kept."""


class NotOneTransaction(Exception):
    """What runs commits by itself."""


class Elsewhere(Exception):
    """env.py connected to another database than the one that devdb prepared."""


class Watch:
    """Sees what Alembic does during one request."""

    def __init__(self, link, expect=None, dialect=None):
        self.link = link
        self.expect = expect
        self.dialect = dialect
        self.warnings = []
        self.contexts = []
        self.ran = []
        self.step = None
        self.engines = []
        self.create_all = False
        self.roll_back = False
        self.not_one_transaction = None

    def enter(self, context):
        """Called before a context runs anything: is this the right database?"""
        self.contexts.append(
            {
                "table": context.version_table,
                "schema": context.version_table_schema,
                "dialect": context.dialect.name,
            }
        )
        if context.as_sql or context.connection is None:
            return
        engine = context.connection.engine
        self.engines.append(engine)
        if self.dialect is not None and context.dialect.name != self.dialect:
            raise Elsewhere(shown_url(engine))
        if self.expect is None:
            return
        if context.dialect.name != "postgresql":
            raise Elsewhere(shown_url(engine))
        from sqlalchemy import text

        row = context.connection.execute(
            text(
                "select cast(d.oid as text), cast(cast(extract(epoch from"
                " pg_catalog.pg_postmaster_start_time()) * 1000000 as bigint) as text)"
                " from pg_catalog.pg_database d"
                " where d.datname = pg_catalog.current_database()"
            )
        ).fetchone()
        if [row[0], row[1]] != [self.expect["oid"], self.expect["started"]]:
            raise Elsewhere(shown_url(engine))

    def watched(self, steps):
        steps = list(steps)
        revisions = [step for step in steps if hasattr(step, "revision")]
        if revisions:
            self.link.send({"event": "plan", "total": len(revisions)})
        for step in steps:
            if hasattr(step, "revision"):
                self._time(step)
            yield step

    def _time(self, step):
        body = step.migration_fn
        about = {
            "id": step.revision.revision,
            "name": step.revision.doc,
            "file": str(step.revision.path),
            "upgrade": step.is_upgrade,
        }

        @functools.wraps(body)  # Alembic logs its name
        def timed(*args, **kwargs):
            self.step = about
            self.link.send(dict(about, event="step"))
            begun = time.perf_counter()
            with Progress(self.link, self.engines[-1:]) as progress:
                body(*args, **kwargs)
            self.ran.append(
                {
                    "id": about["id"],
                    "name": about["name"],
                    "seconds": time.perf_counter() - begun,
                    "rows": progress.rows,
                }
            )
            self.step = None

        step.migration_fn = timed

    def close(self):
        """Lets go of pooled connections: devdb is about to rename or clone the database."""
        any_async = False
        for engine in list(ENGINES):
            try:
                if getattr(engine.dialect, "is_async", False):
                    # Its event loop is gone: a fresh pool, and the old connections are garbage.
                    any_async = True
                    engine.dispose(close=False)
                else:
                    engine.dispose()
            except Exception:
                pass
        if any_async:
            gc.collect()


class Progress:
    """Tells what a revision that takes long is at: every half second from the first on."""

    def __init__(self, link, engines):
        self.link = link
        self.engines = [getattr(engine, "sync_engine", engine) for engine in engines]
        self.rows = 0
        self.statement = None
        self.ended = threading.Event()

    def __enter__(self):
        from sqlalchemy import event

        for engine in self.engines:
            event.listen(engine, "before_cursor_execute", self._begins)
            event.listen(engine, "after_cursor_execute", self._ends)
        threading.Thread(target=self._tell, daemon=True).start()
        return self

    def __exit__(self, *_error):
        from sqlalchemy import event

        self.ended.set()
        for engine in self.engines:
            event.remove(engine, "before_cursor_execute", self._begins)
            event.remove(engine, "after_cursor_execute", self._ends)

    def _begins(self, _connection, _cursor, statement, *_rest):
        self.statement = (statement, time.monotonic())

    def _ends(self, _connection, cursor, statement, *_rest):
        self.statement = None
        # Of a query it is what it found.
        if not statement.lstrip()[:6].upper().startswith(("SELECT", "SHOW")):
            self.rows += max(getattr(cursor, "rowcount", 0) or 0, 0)

    def _tell(self):
        while not self.ended.wait(0.5):
            statement, begun = self.statement or (None, time.monotonic())
            self.link.send(
                {
                    "event": "busy",
                    "rows": self.rows,
                    "sql": " ".join(statement.split())[:60] if statement else None,
                    "seconds": time.monotonic() - begun,
                }
            )


def shown_url(engine):
    url = engine.url
    if hasattr(url, "render_as_string"):
        return url.render_as_string(hide_password=True)
    return repr(url)


class Runner:
    def __init__(self, link, arguments):
        self.link = link
        self.arguments = arguments
        self.watch = Watch(link)
        self.moved_from = None

    # requests

    def hello(self, _request):
        from importlib.util import find_spec

        import alembic
        import sqlalchemy

        self._hook()
        return {
            "python": sys.executable,
            "alembic": alembic.__version__,
            "sqlalchemy": sqlalchemy.__version__,
            "drivers": [name for name in DRIVERS if find_spec(name)],
        }

    def graph(self, _request):
        from alembic.script import ScriptDirectory

        config, _options = self._configure(["history"])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            script = ScriptDirectory.from_config(config)
            try:
                # In the order of application: what is built on comes first.
                revisions = list(script.walk_revisions())[::-1]
                heads = list(script.get_heads())
            finally:
                # Alembic tells in a warning what the exception after it is about.
                self.watch.warnings = [str(warning.message) for warning in caught]
        files = [config.config_file_name, getattr(config, "toml_file_name", None)]
        files.append(os.path.join(str(script.dir), "env.py"))
        return {
            "revisions": [self._revision(revision) for revision in revisions],
            "heads": heads,
            "warnings": self.watch.warnings,
            "files": [os.path.abspath(str(f)) for f in files if f and os.path.isfile(str(f))]
            + imported([str(revision.path) for revision in revisions]),
            "folders": [os.path.abspath(str(f)) for f in script._version_locations],
        }

    def alembic(self, request):
        config, options = self._configure(request["argv"])
        if request.get("sql"):
            config.output_buffer = io.StringIO()
        self.watch.create_all = bool(request.get("create_all"))
        self.watch.roll_back = bool(request.get("roll_back"))
        function, positional, keywords = options.cmd
        generating = request.get("autogenerate")
        writing = generating or request.get("writes")
        before = self._version_files(config) if writing else set()
        generation = beside("autogenerate").Generation(request) if generating else None
        try:
            with generation or contextlib.nullcontext():
                function(
                    config,
                    *[getattr(options, name, None) for name in positional],
                    **{name: getattr(options, name, None) for name in keywords}
                )
        except RolledBack:
            pass
        except NotOneTransaction as error:
            self.watch.not_one_transaction = str(error)
        except BaseException as error:
            reason = next((c for c in causes(error) if isinstance(c, NotOneTransaction)), None)
            if reason is not None:
                self.watch.not_one_transaction = str(reason)
                return {
                    "ran": [],
                    "contexts": self.watch.contexts,
                    "not_one_transaction": str(reason),
                }
            # A formatter that fails after the file was written, for one.
            if writing:
                for path in self._version_files(config) - before:
                    os.remove(path)
            raise
        answer = {
            "ran": self.watch.ran,
            "contexts": self.watch.contexts,
            "strays": self._strays(),
            "not_one_transaction": self.watch.not_one_transaction,
        }
        if generation:
            for name in ("found", "left_out", "mended", "grounds", "files"):
                answer[name] = getattr(generation, name)
        elif request.get("sql"):
            answer["sql"] = config.output_buffer.getvalue()
        elif writing:
            answer["files"] = sorted(self._version_files(config) - before)
        return answer

    def move(self, request):
        """The project is another copy of its files now: what is installed so that it can be edited
        is looked for there, too."""
        self.moved_from = os.path.realpath(request["from"])
        to = os.path.realpath(request["to"])

        def moved(path):
            real = os.path.realpath(path)
            inside = real == self.moved_from or real.startswith(self.moved_from + os.sep)
            return to + real[len(self.moved_from) :] if inside and is_own(real) else path

        sys.path[:] = [moved(path) if path else path for path in sys.path]
        for finder in sys.meta_path:
            # Those of setuptools keep a map from packages to folders.
            mapping = getattr(sys.modules.get(finder.__module__), "MAPPING", None)
            if isinstance(mapping, dict):
                mapping.update({name: moved(path) for name, path in mapping.items()})

    # parts

    def _configure(self, argv):
        """The configuration as Alembic's command line makes it; env.py may look at all of it."""
        from alembic.config import CommandLine, Config

        line = CommandLine(prog="alembic")
        # As a shell would: `-x url=$DATABASE_URL`.
        argv = [os.path.expandvars(argument) for argument in self.arguments] + argv
        sys.argv = ["alembic"] + argv
        options = line.parser.parse_args(argv)
        if hasattr(line, "_inis_from_config"):  # 1.16 and newer
            toml, ini = line._inis_from_config(options)
            config = Config(
                file_=ini, toml_file=toml, ini_section=options.name, cmd_opts=options
            )
        else:
            config = Config(
                file_=options.config, ini_section=options.name, cmd_opts=options
            )
        return config, options

    @staticmethod
    def _revision(script):
        def many(value):
            if value is None:
                return []
            return [value] if isinstance(value, str) else list(value)

        return {
            "id": script.revision,
            "name": (script.doc or "").strip(),
            "file": str(script.path),
            "parents": many(script.down_revision),
            "depends_on": many(getattr(script, "_resolved_dependencies", ())),
            "labels": sorted(getattr(script, "_orig_branch_labels", ())),
            "reversible": hasattr(script.module, "downgrade"),
        }

    def _hook(self):
        """Every way through env.py ends in run_migrations: look in there."""
        from alembic.runtime.migration import MigrationContext
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        # Also those that the application opens besides Alembic's.
        event.listen(Engine, "engine_connect", lambda connection, *_: ENGINES.add(connection.engine))
        run = MigrationContext.run_migrations

        def run_migrations(context, **kwargs):
            watch, plan = self.watch, context._migrations_fn
            watch.enter(context)
            if watch.create_all:
                with context.begin_transaction(_per_migration=True):
                    create_all(context)
                return None
            if plan is not None:
                context._migrations_fn = lambda heads, ctx: watch.watched(plan(heads, ctx))
            try:
                if not watch.roll_back:
                    return run(context, **kwargs)
                with one_transaction(context):
                    run(context, **kwargs)
                raise RolledBack()
            finally:
                context._migrations_fn = plan

        MigrationContext.run_migrations = run_migrations

        # env.py hands the URL to a ConfigParser, to which a percent sign is the beginning of
        # something. In a password it is one, and a lone one would be an error in any case.
        from alembic.config import Config

        set_option = Config.set_section_option

        def set_section_option(config, section, name, value):
            if "://" in str(value) and "%" in value.replace("%%", ""):
                value = value.replace("%%", "%").replace("%", "%%")
            return set_option(config, section, name, value)

        Config.set_section_option = set_section_option

    def _strays(self):
        """Files of the project that was moved away from and that were imported all the same."""
        if self.moved_from is None:
            return []
        files = [own_file(module) for module in list(sys.modules.values())]
        inside = self.moved_from + os.sep
        return sorted(f for f in files if f and os.path.realpath(f).startswith(inside))[:5]

    @staticmethod
    def _version_files(config):
        from alembic.script import ScriptDirectory

        found = set()
        for folder in ScriptDirectory.from_config(config)._version_locations:
            for place, _folders, names in os.walk(str(folder)):
                found.update(os.path.join(place, n) for n in names if n.endswith(".py"))
        return found


@contextlib.contextmanager
def one_transaction(context):
    """Nothing that runs inside can commit."""
    from sqlalchemy import event

    def refuse(what):
        raise NotOneTransaction(what)

    def commit(_connection):
        refuse("a migration or env.py commits")

    def options(_connection, opts):
        if opts.get("isolation_level") == "AUTOCOMMIT":
            refuse("a migration runs outside of a transaction")

    def statement(_connection, _cursor, sql, *_rest):
        # As SQL: the driver would not notice. Rather too many are found than too few.
        if ENDS_TRANSACTION.search(sql):
            refuse("a migration may end the transaction with SQL of its own")

    if context._transaction_per_migration:
        refuse("env.py has a transaction for each migration")
    engine = context.connection.engine
    event.listen(engine, "commit", commit)
    event.listen(engine, "set_connection_execution_options", options)
    event.listen(engine, "before_cursor_execute", statement)
    try:
        context.connection.exec_driver_sql("set local lock_timeout = '5s'")
        yield
    finally:
        event.remove(engine, "commit", commit)
        event.remove(engine, "set_connection_execution_options", options)
        event.remove(engine, "before_cursor_execute", statement)


class NoMetadata(Exception):
    """env.py names no models."""


def create_all(context):
    """Makes what the models say, in the database that env.py connected to."""
    found = context.opts.get("target_metadata")
    if not found:
        raise NoMetadata("env.py sets no target_metadata")
    for metadata in found if isinstance(found, (list, tuple)) else [found]:
        metadata.create_all(bind=context.connection)


def imported(paths):
    """The project's own files that these files import, directly or not, at once or in a function: a
    replay depends on them. Nothing is imported for this."""
    import ast

    found, seen, todo = [], set(paths), list(paths)

    def add(path, follow):
        if path is not None and path not in seen:
            seen.add(path)
            found.append(path)
            if follow:
                todo.append(path)

    while todo:
        path = todo.pop()
        try:
            with open(path, "rb") as file:
                tree = ast.parse(file.read())
        except (OSError, SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            folder, names = None, []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                names = [module] * bool(module)
                names += [(module + "." + alias.name).lstrip(".") for alias in node.names]
                if node.level:
                    folder = os.path.dirname(path)
                    for _ in range(1, node.level):
                        folder = os.path.dirname(folder)
            for name in names:
                parents = name.split(".")
                # A package is run on the way to its module, and is no more than that.
                for count in range(1, len(parents)):
                    add(own_module(".".join(parents[:count]), folder), False)
                add(own_module(name, folder), True)
    return sorted(found)


def own_module(name, folder=None):
    """The project's own file of this module, loaded or not; below `folder` for a relative import."""
    if folder is None and name in sys.modules:
        return own_file(sys.modules[name])
    for place in sys.path if folder is None else [folder]:
        whole = os.path.abspath(os.path.join(place, *name.split(".")))
        for path in (whole + ".py", os.path.join(whole, "__init__.py")):
            if os.path.isfile(path):
                return path if is_own(path) else None
    return None


def own_file(module):
    """The file of a module that belongs to the project: not installed, not Python's."""
    path = getattr(module, "__file__", None)
    if not path or not path.endswith(".py") or not os.path.isfile(path):
        return None
    path = os.path.abspath(path)
    return path if is_own(path) else None


def is_own(path):
    import sysconfig

    libraries = ("stdlib", "platstdlib", "purelib", "platlib")
    foreign = [sysconfig.get_paths().get(name) for name in libraries] + [os.path.dirname(ME)]
    if "site-packages" in path or "dist-packages" in path:
        return False
    return not any(path.startswith(p + os.sep) for p in foreign if p)


def beside(name):
    """A module of devdb's own: its folder is not in the search path of the project."""
    known = sys.modules.get("devdb_" + name)
    if known is not None:
        return known
    from importlib.util import module_from_spec, spec_from_file_location

    path = os.path.join(os.path.dirname(ME), name + ".py")
    spec = spec_from_file_location("devdb_" + name, path)
    module = module_from_spec(spec)
    sys.modules["devdb_" + name] = module
    spec.loader.exec_module(module)
    return module


# errors


def describe(error, watch):
    """Everything about a failure that devdb needs to name its cause."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    chain = causes(error)
    place = None
    for cause in chain:
        place = own_place(cause) or place
    answer = {
        "type": "%s.%s" % (type(error).__module__, type(error).__name__),
        "message": str(error),
        "traceback": text,
        "place": place,
        "step": watch.step,
        "contexts": watch.contexts,
        "warnings": watch.warnings,
        "python": sys.executable,
    }
    for cause in chain:
        if isinstance(cause, ModuleNotFoundError) and cause.name:
            answer.setdefault("module", cause.name)
        if isinstance(cause, KeyError) and cause.args:
            answer.setdefault("key", str(cause.args[0]))
        if hasattr(cause, "orig") and hasattr(cause, "statement"):
            answer.setdefault("sql", cause.statement)
            answer.setdefault("postgres", said(cause.orig))
    if watch.step:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f.lineno for f in frames if same(f.filename, watch.step["file"])]
        if lines:
            answer["line"] = lines[-1]
    return answer


def causes(error):
    chain = []
    while error is not None and error not in chain:
        chain.append(error)
        if error.__cause__ is not None:
            error = error.__cause__
        else:
            error = None if error.__suppress_context__ else error.__context__
    return chain


def own_place(error):
    """The innermost place in the project's own files, or where Python could not read one."""
    if isinstance(error, SyntaxError) and error.filename:
        return {"file": error.filename, "line": error.lineno}
    place = None
    for frame in traceback.extract_tb(error.__traceback__):
        name = os.path.abspath(frame.filename)
        if frame.filename.startswith("<") or not os.path.isfile(name) or not is_own(name):
            continue
        place = {"file": name, "line": frame.lineno}
    return place


def same(one, other):
    return os.path.abspath(one) == os.path.abspath(other)


def said(error):
    """What the server said, as each driver keeps it."""
    for candidate in causes(error):
        args = getattr(candidate, "args", ())
        if args and isinstance(args[0], dict) and "C" in args[0]:  # pg8000
            fields = args[0]
            return {
                "code": fields.get("C"),
                "message": fields.get("M"),
                "detail": fields.get("D"),
                "hint": fields.get("H"),
                "position": fields.get("P"),
            }
        diag = getattr(candidate, "diag", None)  # psycopg, psycopg2
        if diag is not None and getattr(diag, "sqlstate", None):
            return {
                "code": diag.sqlstate,
                "message": diag.message_primary,
                "detail": diag.message_detail,
                "hint": diag.message_hint,
                "position": diag.statement_position,
            }
        if hasattr(candidate, "severity") and getattr(candidate, "sqlstate", None):  # asyncpg
            return {
                "code": candidate.sqlstate,
                "message": getattr(candidate, "message", None) or str(candidate),
                "detail": getattr(candidate, "detail", None),
                "hint": getattr(candidate, "hint", None),
                "position": getattr(candidate, "position", None),
            }
    return None


def main():
    link = Link(sys.argv[1])
    runner = Runner(link, sys.argv[2:])
    # Not the folder of this file. `alembic` itself adds nothing, `python -m alembic` the working
    # folder: as the last place it serves both.
    sys.path[0] = ""
    sys.path.append(sys.path.pop(0))
    while True:
        request = link.requests.get()
        runner.watch = watch = Watch(link, request.get("expect"), request.get("dialect"))
        try:
            answer = {"ok": getattr(runner, request["do"])(request)}
        except BaseException as error:  # env.py may well call sys.exit
            answer = {"error": describe(error, watch)}
        watch.close()
        sys.stdout.flush()
        sys.stderr.flush()
        link.send(answer)


main()
