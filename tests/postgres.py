# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL of the tests' own: Debian's package, an unprivileged user, TLS by a CA of its own, SCRAM.

As a program: postgres.py [--fsync] [--pooler] [--with=OPTION=VALUE]… COMMAND… starts one, runs the command with PGTEST_URL (as its owner etl), PGTEST_SINK
(the same, with these options; --pooler: through PgBouncer) and PGTEST_DIR in its environment, and stops it. --fsync: one that syncs, for what measures it.
"""
import contextlib
import glob
import itertools
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PASSWORD = "s3cret etl/@"  # what a URL must escape
ESCAPED = "s3cret%20etl%2F%40"


def binaries():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda path: int(path.split("/")[4]))
    return pathlib.Path(found[-1]).parent if found else None


def server_binaries():
    """Debian's, or those of another version, which need no more than postgres and initdb."""
    named = os.environ.get("GECKOTAPE_POSTGRES")
    return pathlib.Path(named) if named else binaries()


def as_postgres(*command):
    """initdb and postgres refuse to run as root."""
    return ["runuser", "-u", "postgres", "--", *map(str, command)] if os.geteuid() == 0 else list(map(str, command))


def free_port():
    """Below those that the system gives to outgoing connections: it stays free while the server is down."""
    while True:
        with contextlib.closing(socket.socket()) as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", random.SystemRandom().randrange(20000, 32000)))
            return s.getsockname()[1]


def openssl(*args, cwd):
    subprocess.run(["openssl", *args], cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Server:
    def __init__(self, fsync="off"):
        # a place that the user postgres can reach, whatever TMPDIR is
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="geckotape-pg-", dir="/tmp"))
        self.port = self.process = None
        self.make(fsync)
        self.start()

    def make(self, fsync):
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.crt", "-days", "30", "-subj", "/CN=test-ca", cwd=self.dir)
        openssl("req", "-x509", *curve, "-keyout", "other.key", "-out", "other.crt", "-days", "30", "-subj", "/CN=other", cwd=self.dir)
        openssl("req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost", cwd=self.dir)
        (self.dir / "san").write_text("subjectAltName=DNS:localhost\n")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
                "-extfile", "san", "-out", "server.crt", cwd=self.dir)
        (self.dir / "password").write_text(PASSWORD)
        (self.dir / "sock").mkdir()
        self.dir.chmod(0o755)
        for key in self.dir.glob("*.key"):
            key.chmod(0o600)
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "postgres:", self.dir], check=True)
        data = self.dir / "data"
        subprocess.run(as_postgres(server_binaries() / "initdb", "-D", data, "-U", "admin", "--auth=scram-sha-256",
                                   f"--pwfile={self.dir / 'password'}", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"),
                       check=True, stdout=subprocess.DEVNULL, cwd="/")
        (data / "pg_hba.conf").write_text("local all all scram-sha-256\nlocal replication admin scram-sha-256\n"
                                          "hostssl all all 127.0.0.1/32 scram-sha-256\n"
                                          "hostnossl plain all 127.0.0.1/32 scram-sha-256\n")  # through a proxy that looks at messages
        self.port = free_port()  # late, as others look for one too
        with open(data / "postgresql.conf", "a", encoding="ascii") as conf:
            conf.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = '{self.dir}/sock'\n"
                       f"ssl = on\nssl_cert_file = '{self.dir}/server.crt'\nssl_key_file = '{self.dir}/server.key'\n"
                       "timezone = 'Asia/Kathmandu'\nlc_messages = 'C'\nshared_buffers = 32MB\nmax_connections = 30\n"
                       "superuser_reserved_connections = 3\ndynamic_shared_memory_type = mmap\n"
                       f"fsync = {fsync}\n")  # processes are killed here, not the system under them

    def start(self):
        """As a child of ours: whoever ends the tests ends it too."""
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(as_postgres(server_binaries() / "postgres", "-D", self.dir / "data"),
                                            stdout=log, stderr=log, cwd="/")
        until = time.monotonic() + 60
        while subprocess.run([binaries() / "pg_isready", "-q", "-h", self.dir / "sock", "-p", str(self.port)], check=False).returncode:
            assert time.monotonic() < until and self.process.poll() is None, (self.dir / "log").read_text()
            time.sleep(0.05)

    def pid(self):
        return int((self.dir / "data" / "postmaster.pid").read_text().splitlines()[0])

    def stop(self, how=signal.SIGINT):
        """SIGINT: fast; SIGQUIT: at once; SIGKILL: with all that it has started."""
        pid = self.pid()
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], stdout=subprocess.PIPE, text=True, check=False).stdout.split()
        os.kill(pid, how)
        if how == signal.SIGKILL:
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)
        self.process.wait(60)
        if how == signal.SIGKILL:
            (self.dir / "data" / "postmaster.pid").unlink(missing_ok=True)

    def remove(self):
        if self.process.poll() is None:
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self.dir, ignore_errors=True)

    def url(self, database="etl", user="etl", host=None, port=None, **options):
        """Over TLS, verified; or host="socket"."""
        if host == "socket":
            return f"postgres://{user}:{ESCAPED}@/{database}?host={self.dir}/sock&port={self.port}" + \
                "".join(f"&{k}={v}" for k, v in options.items())
        options = {"sslmode": "verify-full", "sslrootcert": f"{self.dir}/ca.crt", "hostaddr": "127.0.0.1", **options}
        return f"postgres://{user}:{ESCAPED}@{host or 'localhost'}:{port or self.port}/{database}?" + \
            "&".join(f"{k}={v}" for k, v in options.items() if v is not None)

    def url_with(self, other, database="etl", **options):
        """Of both, this one first."""
        return self.url(database, hostaddr="127.0.0.1,127.0.0.1", **options).replace(f":{self.port}/", f":{self.port},localhost:{other.port}/")

    def psql(self, sql, database="etl", user="admin", check=True, at=None):
        """One value a line, | between columns; at: a pooler."""
        host = at.dir if at else self.dir / "sock"
        done = subprocess.run([binaries() / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", str((at or self).port),
                               "-U", user, "-d", database, "-f", "-"], input=sql, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False, env={**os.environ, "PGPASSWORD": PASSWORD, "PGTZ": "UTC"})
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip() if check else done.stdout.strip() + done.stderr

    def psql_in_background(self, sql, database="etl"):
        """A session that goes on by itself; the caller waits for its end."""
        return subprocess.Popen([binaries() / "psql", "-XqAt", "-h", self.dir / "sock", "-p", str(self.port), "-U", "admin", "-d", database,
                                 "-c", sql], stdout=subprocess.DEVNULL, env={**os.environ, "PGPASSWORD": PASSWORD})

    def create(self, database, owner="etl"):
        """A database that belongs to a plain role, as on a managed server."""
        self.psql(f"do $$ begin if not exists (select from pg_roles where rolname = '{owner}') then "
                  f"create role {owner} login password '{PASSWORD}'; end if; end $$", "postgres")
        self.psql(f"drop database if exists {database} with (force)", "postgres")
        self.psql(f"create database {database} owner {owner}", "postgres")


class Standby(Server):
    """A streaming standby of a server, until it is promoted."""

    def __init__(self, primary):
        self.dir, self.port, self.process = primary.dir / "standby", free_port(), None
        (self.dir / "sock").mkdir(parents=True)
        shutil.copy(primary.dir / "ca.crt", self.dir)
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "postgres:", self.dir], check=True)
        subprocess.run(as_postgres(binaries() / "pg_basebackup", "-D", self.dir / "data", "-R", "-X", "stream", "-c", "fast", "-N",
                                   "-h", primary.dir / "sock", "-p", primary.port, "-U", "admin"),
                       check=True, cwd="/", env={**os.environ, "PGPASSWORD": PASSWORD})
        with open(self.dir / "data" / "postgresql.conf", "a", encoding="ascii") as conf:
            conf.write(f"port = {self.port}\nunix_socket_directories = '{self.dir}/sock'\n")
        self.start()

    def promote(self):
        self.psql("select pg_promote()", "postgres")


class Pooler:
    """Debian's PgBouncer in transaction mode, in front of a server: each transaction gets another of its connections."""

    def __init__(self, server, **settings):
        self.server, self.dir, self.port = server, server.dir / "pooler", free_port()
        self.dir.mkdir()
        settings = {"listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": self.dir, "pool_mode": "transaction",
                    "auth_type": "scram-sha-256", "auth_file": self.dir / "users", "logfile": self.dir / "log",
                    "default_pool_size": 3, "min_pool_size": 3, "server_round_robin": 1, "client_tls_sslmode": "allow",
                    "client_tls_key_file": server.dir / "server.key", "client_tls_cert_file": server.dir / "server.crt", **settings}
        (self.dir / "users").write_text(f'"etl" "{PASSWORD}"\n')
        (self.dir / "ini").write_text(f"[databases]\n* = host={server.dir}/sock port={server.port}\n[pgbouncer]\n" +
                                      "".join(f"{name} = {value}\n" for name, value in settings.items()))
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "postgres:", self.dir], check=True)
        self.start()

    def start(self):
        self.process = subprocess.Popen(as_postgres("/usr/sbin/pgbouncer", "-q", self.dir / "ini"), cwd="/", stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while not (self.dir / f".s.PGSQL.{self.port}").exists():
            assert time.monotonic() < until and self.process.poll() is None, (self.dir / "log").read_text()
            time.sleep(0.05)

    def url(self, *database, **options):
        return self.server.url(*database, port=self.port, **options)

    def stop(self):
        self.process.terminate()  # runuser hands it on
        self.process.wait(60)

    def remove(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


def main():
    if binaries() is None:
        print("1..0 # SKIP no PostgreSQL here")
        return 0
    words = sys.argv[1:]
    flags = list(itertools.takewhile(lambda word: word.startswith("--"), words))
    options = "".join(f"&{flag.removeprefix('--with=')}" for flag in flags if flag.startswith("--with="))
    server = Server("on" if "--fsync" in flags else "off")
    try:
        server.create("etl")
        pooler = Pooler(server) if "--pooler" in flags else None
        url = server.url(host="socket")
        done = subprocess.run(words[len(flags):], check=False, env={
            **os.environ, "PGTEST_URL": url, "PGTEST_SINK": (pooler.url() if pooler else url) + options, "PGTEST_DIR": str(server.dir)})
        if pooler:
            pooler.remove()
        return done.returncode
    finally:
        server.remove()


if __name__ == "__main__":
    sys.exit(main())
