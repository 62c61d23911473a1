# SPDX-License-Identifier: MIT OR Apache-2.0
"""Stand-in for qrexec: its daemon in dom0 (one a running qube), its agent in a
qube, and the two clients. The wire between them is this file's own; what is kept
is what programs on both ends see: the command lines, the order in which handlers
are looked up, socket services, who asks the policy, half-closed connections, exit
codes and limits.

Xen's shared memory is a folder, /mnt/vchan in dom0 with a folder for each qube,
which that qube sees as its own /mnt/vchan. Which qube a call comes from is told by
the folder that it comes through, so no qube can name another.

Faults kept on purpose: the daemon handles 256 descriptors and exits for good
beyond; at most 128 calls of one qube to others are open, and the next is refused;
a qube that was killed looks like the end of the data; Linux gives dom0, or a qube,
1,024 grant pages for all calls that are made from there, to whichever qube, and a
call takes 33; a call fails if the other side does not take it up in time.
"""
import errno
import grp
import json
import os
import pwd
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid

UNREACHABLE, REFUSED, NO_HANDLER = 125, 126, 127
MAX_DESCRIPTORS = 256
MAX_QUBE_CALLS = 128
START_TIMEOUT = 60
# xen_gntalloc's limit, and the two rings of 64 KiB of a call with the page that describes them.
GRANT_PAGES, CALL_PAGES = 1024, 33
# Seconds until the other side takes up a call: of qrexec-client, unless -w says otherwise, and of
# qrexec-client-vm.
CONNECT_TIMEOUT, CONNECT_TIMEOUT_VM = 5, 120
DIRECTORIES = ("/run/qubes-rpc", "/usr/local/etc/qubes-rpc", "/etc/qubes-rpc")
CONFIGURATION = "/etc/qubes/rpc-config"
DOM0_SOCKET = "/run/qubes/qrexec.{}"
PEAK = "/run/qubes/qrexec-peak."
VCHAN = "/mnt/vchan"

STDIN, STDOUT, STDERR, EXIT, HELLO = range(5)
FRAME = struct.Struct("!BI")


# ------------------------------------------------------------------- the wire
def send_frame(wire, kind, data=b""):
    wire.sendall(FRAME.pack(kind, len(data)) + data)


def _read(wire, size):
    parts = []
    while size:
        part = wire.recv(min(size, 1 << 16))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def frames(wire):
    """(kind, data) until the other side is gone."""
    try:
        while True:
            kind, size = FRAME.unpack(_read(wire, FRAME.size))
            yield kind, _read(wire, size)
    except (EOFError, OSError):
        return


def send_message(wire, message):
    wire.sendall(json.dumps(message).encode() + b"\n")


def read_message(wire):
    """One line, and not a byte of what follows it."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = wire.recv(1)
        if not byte or len(line) > 4096:
            raise EOFError
        line += byte
    return json.loads(line)


def _write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


def _listen(path, mode, group=0):
    if os.path.exists(path):
        os.unlink(path)
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    os.chown(path, 0, group)
    os.chmod(path, mode)
    server.listen(1024)
    return server


def _connect(path):
    wire = socket.socket(socket.AF_UNIX)
    wire.connect(path)
    return wire


# ---------------------------------------------------------- a client's own end
def _plain(data):
    """What the options -t and -T make of text that a terminal may take for commands."""
    return bytes(byte if 32 <= byte < 127 or byte in b"\n\t" else ord("_") for byte in data)


def _relay(wire, use_stdin_socket, process=None, plain_errors=False):
    """Joins this program's standard streams, or a local program's, to a call; the
    exit code."""
    if use_stdin_socket:
        stream = socket.socket(fileno=0)
        source, sink = stream.detach(), 0
    elif process:
        source, sink = process.stdout.fileno(), process.stdin.fileno()
    else:
        source, sink = 0, 1

    def forward():
        try:
            while data := os.read(source, 1 << 16):
                send_frame(wire, STDIN, data)
            send_frame(wire, STDIN)
        except OSError:
            pass

    threading.Thread(target=forward, daemon=True).start()
    ended = False
    for kind, data in frames(wire):
        try:
            if kind == STDOUT and data:
                if not ended:
                    _write_all(sink, data)
            elif kind == STDOUT:
                ended = True
                if use_stdin_socket:
                    socket.socket(fileno=os.dup(0)).shutdown(socket.SHUT_WR)
                else:
                    os.close(sink)
            elif kind == STDERR:
                _write_all(2, _plain(data) if plain_errors else data)
            elif kind == EXIT:
                return data[0]
        except OSError:
            ended = True
    return 255


def _take_grants():
    """The pages for one call, given back as this process ends; fails if there are none left.

    A name that one socket in this host can have stands for each call that there is room for.
    """
    pages = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for number in range(GRANT_PAGES // CALL_PAGES):
        try:
            pages.bind("\0standin-grants {} {}".format(VCHAN, number))
            return pages
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _call(wire, request, timeout):
    """The connection to the handler, or the exit code."""
    try:
        send_message(wire, request)
        answer, descriptors, _, _ = socket.recv_fds(wire, 4096, 1)
    except OSError:
        answer, descriptors = b"", []
    if not descriptors:
        return None, json.loads(answer)["code"] if answer else UNREACHABLE
    data = socket.socket(fileno=descriptors[0])
    data.settimeout(timeout)
    try:
        _read(data, FRAME.size)
    except (EOFError, OSError):
        print("qrexec connection timeout", file=sys.stderr)
        return None, UNREACHABLE
    data.settimeout(None)
    return data, 0


def _finish(code):
    # Threads may still wait for input that no longer matters.
    sys.stdout.flush()
    os._exit(code)


def _usage(name, text):
    print("usage: {} {}".format(name, text), file=sys.stderr)
    _finish(1)


def client(argv):
    """qrexec-client -d QUBE [-w SECONDS] [--use-stdin-socket] USER:COMMAND"""
    usage = "[options] -d domain_name user:remote_cmdline\n  -w timeout\n  --use-stdin-socket"
    if "--help" in argv or "-h" in argv:
        print("usage: qrexec-client " + usage)
        return 0
    domain, use_socket, plain, rest = None, False, False, []
    timeout = CONNECT_TIMEOUT
    words = iter(argv)
    for word in words:
        if word == "-d":
            domain = next(words, None)
        elif word == "-w":
            timeout = int(next(words, "")) or None
        elif word == "--use-stdin-socket":
            use_socket = True
        elif word == "-T":
            plain = True
        elif word.startswith("-"):
            _usage("qrexec-client", usage)
        else:
            rest.append(word)
    if not domain or len(rest) != 1 or ":" not in rest[0]:
        _usage("qrexec-client", usage)
    if use_socket:
        _must_be_socket()
    user, command = rest[0].split(":", 1)
    try:
        wire = _connect(DOM0_SOCKET.format(domain))
    except OSError as error:
        print("qrexec-client: connect to qrexec.{}: {}".format(domain, error.strerror),
              file=sys.stderr)
        return UNREACHABLE
    try:
        pages = _take_grants()
    except OSError as error:
        print("qrexec-client: Failed to start data vchan server: " + error.strerror,
              file=sys.stderr)
        return UNREACHABLE
    data, code = _call(wire, {"user": user, "command": command}, timeout)
    with pages:
        return _relay(data, use_socket, plain_errors=plain) if data else code


def _must_be_socket():
    try:
        socket.socket(fileno=os.dup(0)).getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
    except OSError:
        print("--use-stdin-socket passed, but stdin not a socket", file=sys.stderr)
        _finish(2)


def client_vm(argv):
    """qrexec-client-vm [--use-stdin-socket] TARGET SERVICE [PROGRAM [ARGUMENT...]]"""
    usage = "[--use-stdin-socket] target_vmname program_ident [local_program [args]]"
    use_socket = plain = False
    while argv and argv[0].startswith("-"):
        option, *argv = argv
        if option == "--":
            break
        if option == "--use-stdin-socket":
            use_socket = True
        elif option == "-T":
            plain = True
        else:
            _usage("qrexec-client-vm", usage)
    if len(argv) < 2 or (use_socket and argv[2:]):
        _usage("qrexec-client-vm", usage)
    if use_socket:
        _must_be_socket()
    target, service, *program = argv
    try:
        wire = _connect(VCHAN + "/daemon.sock")
    except OSError as error:
        print("qrexec-client-vm: " + error.strerror, file=sys.stderr)
        return UNREACHABLE
    try:
        # Here before the policy is asked, in the original after it.
        pages = _take_grants()
    except OSError as error:
        print("qrexec-client-vm: Data vchan connection failed: " + error.strerror,
              file=sys.stderr)
        return 1
    data, code = _call(wire, {"target": "@default" if target == "" else target,
                              "service": service}, CONNECT_TIMEOUT_VM)
    if not data:
        if code == REFUSED:
            print("Request refused", file=sys.stderr)
        return code
    process = None
    if program:
        process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with pages:
        code = _relay(data, use_socket, process, plain)
        return process.wait() or code if process else code


# ------------------------------------------------------------ the daemon, dom0
class Daemon:
    def __init__(self, name):
        self.name = name
        self.lock = threading.Lock()
        self.clients = self.calls = 0
        self.names = []

    def run(self):
        self.control = self._agent(self.name, START_TIMEOUT)
        send_message(self.control, {"control": True})
        # By the number that Xen gives it; its name and its UUID lead there.
        number = str(os.getpid())
        self.names = [DOM0_SOCKET.format(name) for name in (
            number, self.name, "uuid:{}".format(uuid.uuid5(uuid.NAMESPACE_OID, self.name)))]
        from_dom0 = _listen(self.names[0], 0o777, grp.getgrnam("qubes").gr_gid)
        for name in self.names[1:]:
            if os.path.lexists(name):
                os.unlink(name)
            os.symlink(os.path.basename(self.names[0]), name)
        from_qube = _listen("{}/{}/daemon.sock".format(VCHAN, self.name), 0o666)
        for server, serve in ((from_dom0, self._serve_dom0), (from_qube, self._serve_qube)):
            threading.Thread(target=self._accept, args=(server, serve), daemon=True).start()
        _notify_ready()
        self.control.recv(1)  # nothing comes but the end of the qube
        self._exit(0)

    def _exit(self, code):
        for path in (*self.names, "{}/{}/daemon.sock".format(VCHAN, self.name)):
            try:
                os.unlink(path)
            except OSError:
                pass
        _finish(code)

    def _agent(self, name, timeout=5):
        deadline = time.monotonic() + timeout
        while True:
            try:
                return _connect("{}/{}/agent.sock".format(VCHAN, name))
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _accept(self, server, serve):
        while True:
            wire, _ = server.accept()
            threading.Thread(target=self._guard, args=(serve, wire), daemon=True).start()

    def _guard(self, serve, wire):
        with self.lock:
            self.clients += 1
            # The daemon's own: three streams, two listeners, the agent.
            if self.clients + 6 > MAX_DESCRIPTORS:
                print("too many clients ?", file=sys.stderr, flush=True)
                self._exit(1)
            with open(PEAK + self.name, "a+") as peak:
                peak.seek(0)
                if self.clients > int(peak.read() or 0):
                    peak.truncate(0)
                    peak.write(str(self.clients))
        try:
            serve(wire)
        except (OSError, EOFError, ValueError) as error:
            print("{}: {!r}".format(self.name, error), file=sys.stderr, flush=True)
        finally:
            wire.close()
            with self.lock:
                self.clients -= 1

    def _serve_dom0(self, wire):
        request = read_message(wire)
        command = request["command"]
        if command.startswith("QUBESRPC "):
            _, service, source = command.split(" ")
            header = {"service": service, "source": source, "user": None}
        else:
            header = {"command": command, "source": "dom0"}
        header["user"] = None if request["user"] == "DEFAULT" else request["user"]
        self._hand_over(wire, self._agent(self.name), header)

    def _hand_over(self, wire, agent, header):
        """Gives the caller its connection; returns when the caller is gone."""
        send_message(agent, header)
        socket.send_fds(wire, [b"{}"], [agent.fileno()])
        agent.close()
        while wire.recv(4096):
            pass

    def _serve_qube(self, wire):
        request = read_message(wire)
        with self.lock:
            self.calls += 1
            full = self.calls > MAX_QUBE_CALLS
        try:
            header, target = (None, None) if full else self._decide(request)
            if header is None:
                send_message(wire, {"code": REFUSED})
                return
            try:
                agent = self._agent(target)
            except OSError:
                send_message(wire, {"code": UNREACHABLE})
                return
            self._hand_over(wire, agent, header)
        finally:
            with self.lock:
                self.calls -= 1

    def _decide(self, request):
        """(what the target's agent is told, the target), or nothing if refused."""
        # Imported here: a qube has no use for either.
        import standin_model
        import standin_policy
        full, wanted = request["service"], request["target"]
        say = "{}: {} -> {}: ".format(full, self.name, wanted)
        try:
            full, wanted = standin_policy.check_call(full, wanted)
            service, plus, argument = full.partition("+")
            machine = standin_model.Model().data
            decision = standin_policy.decide(None, machine, self.name, wanted, service,
                                          plus + argument if plus else "+")
        except ValueError as error:
            print(say + "refused: {}".format(error), file=sys.stderr, flush=True)
            return None, None
        action, target = decision.action, decision.target
        if action == "ask":
            # The person at the screen: a file with the qube to answer with.
            try:
                with open("/var/lib/qubes-standin/answer", encoding="ascii") as file:
                    target = file.read().strip()
            except FileNotFoundError:
                target = None
            action = "allow" if target in decision.targets else "deny"
        why = decision.error or decision.rule or "no rule"
        if action != "allow":
            print(say + "denied ({})".format(why), file=sys.stderr, flush=True)
            return None, None
        print(say + "allowed to {} ({})".format(target, why), file=sys.stderr, flush=True)
        if target not in machine["qubes"] or target == "dom0":
            print(say + "the stand-in has no such qube", file=sys.stderr, flush=True)
            return None, None
        subprocess.run(["/usr/bin/qvm-start", "--skip-if-running", target], check=False)
        return {"service": full, "source": self.name, "user": decision.user}, target


def _notify_ready():
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.connect("\0" + path[1:] if path.startswith("@") else path)
            notify.send(b"READY=1")


def daemon(argv):
    """qrexec-daemon QUBE: in dom0, for as long as the qube runs"""
    (name,) = argv
    Daemon(name).run()


# ------------------------------------------------------------ the agent, a qube
def agent(argv):
    """qrexec-agent: in a qube"""
    if argv:
        _usage("qrexec-agent", "")
    server = _listen(VCHAN + "/agent.sock", 0o600)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _notify_ready()
    held = []
    while True:
        wire, _ = server.accept()
        try:
            header = read_message(wire)
        except (EOFError, OSError, ValueError):
            wire.close()
            continue
        if header.get("control"):
            held = [wire]
        elif os.fork() == 0:
            server.close()
            for other in held:
                other.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                send_frame(wire, HELLO)
                try:
                    code = _serve(wire, header)
                except (OSError, ValueError):
                    # Something of the service cannot be read.
                    code = UNREACHABLE
                send_frame(wire, EXIT, bytes([code & 255]))
            except OSError:
                pass
            finally:
                os._exit(0)
        else:
            wire.close()


def find_handler(full):
    """(path, name of its configuration), the argument's own first."""
    for name in dict.fromkeys((full, full.partition("+")[0])):
        for directory in DIRECTORIES:
            path = os.path.join(directory, name)
            if os.path.lexists(path):
                return path
    return None


def settings(full):
    """The service's configuration: that with the argument, or that without."""
    for name in dict.fromkeys((full, full.partition("+")[0])):
        path = os.path.join(CONFIGURATION, name)
        # That of a name that is too long for a file cannot be there.
        if not os.path.lexists(path):
            continue
        with open(path, encoding="ascii") as file:
            lines = [line.strip() for line in file]
        pairs = (line.split("=", 1) for line in lines if line and line[0] != "#")
        return {name: value.strip("'\"") for name, value in pairs}
    return {}


def _flag(given, name):
    value = given.get(name, "false")
    if value not in ("true", "false", "1", "0"):
        raise ValueError("{}={}".format(name, value))
    return value in ("true", "1")


def _serve(wire, header):
    if "command" in header:
        return _run(wire, ["/bin/sh", "-c", header["command"]], header["user"], {})
    full = header["service"]
    service, plus, argument = full.partition("+")
    path = find_handler(full)
    if path is None:
        send_frame(wire, STDERR, b"")
        send_frame(wire, STDOUT)
        return NO_HANDLER
    given = settings(full)
    link = os.readlink(path) if os.path.islink(path) else ""
    tcp = re.fullmatch(r"/dev/tcp/([^/]+)(?:/([^/]*))?", link)
    if tcp:
        return _join(wire, tcp, plus, argument, full, header["source"], given)
    environment = {"QREXEC_REMOTE_DOMAIN": header["source"],
                   "QREXEC_SERVICE_FULL_NAME": full,
                   "QREXEC_AGENT_PID": str(os.getpid())}
    if plus:
        environment["QREXEC_SERVICE_ARGUMENT"] = argument
    command = [path] + ([argument] if argument else [])
    return _run(wire, command, given.get("force-user") or header["user"], environment)


def _run(wire, command, user, environment):
    account = pwd.getpwnam(user or "user")
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name,
        "SHELL": account.pw_shell, "LANG": "C.UTF-8", **environment}
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=environment, cwd=account.pw_dir,
            user=account.pw_uid, group=account.pw_gid,
            extra_groups=os.getgrouplist(account.pw_name, account.pw_gid),
            start_new_session=True)
    except OSError:
        send_frame(wire, STDOUT)
        return UNREACHABLE
    lock = threading.Lock()

    def feed():
        try:
            for kind, data in frames(wire):
                if kind == STDIN and not data:
                    break
                _write_all(process.stdin.fileno(), data)
        except OSError:
            pass
        try:
            process.stdin.close()
        except OSError:
            pass

    def drain(pipe, kind):
        try:
            while data := os.read(pipe.fileno(), 1 << 16):
                with lock:
                    send_frame(wire, kind, data)
            if kind == STDOUT:
                with lock:
                    send_frame(wire, kind)
        except OSError:
            pass

    threading.Thread(target=feed, daemon=True).start()
    errors = threading.Thread(target=drain, args=(process.stderr, STDERR), daemon=True)
    errors.start()
    drain(process.stdout, STDOUT)
    # A grandchild may hold the stream of errors open for ever.
    code = process.wait()
    errors.join(1)
    return code if code >= 0 else 128 - code


def _join(wire, tcp, plus, argument, full, source, given):
    """A socket service. The port is the argument's where the link gives none."""
    host, port = tcp.groups()
    if port is None:
        port = argument
    elif argument:
        port = ""
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535:
        send_frame(wire, STDOUT)
        return UNREACHABLE
    try:
        stream = socket.create_connection((host, int(port)))
        if not _flag(given, "skip-service-descriptor"):
            stream.sendall("{} {}\0".format(full, source).encode())
    except OSError:
        send_frame(wire, STDOUT)
        return UNREACHABLE
    fed = threading.Event()

    def feed():
        try:
            for kind, data in frames(wire):
                if kind == STDIN and not data:
                    stream.shutdown(socket.SHUT_WR)
                    fed.set()
                else:
                    stream.sendall(data)
            # The caller is gone, not merely at the end of what it says.
            stream.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        fed.set()

    threading.Thread(target=feed, daemon=True).start()
    try:
        while data := stream.recv(1 << 16):
            send_frame(wire, STDOUT, data)
    except OSError:
        pass
    send_frame(wire, STDOUT)
    if not _flag(given, "exit-on-service-eof"):
        fed.wait()
    return 0


PROGRAMS = {"qrexec-client": client, "qrexec-client-vm": client_vm,
            "qrexec-daemon": daemon, "qrexec-agent": agent}


def main(path):
    _finish(PROGRAMS[os.path.basename(path)](sys.argv[1:]) or 0)
