# SPDX-License-Identifier: MIT OR Apache-2.0
"""Real connections through real nftables: a server qube, its netvm, the network around and another
qube, each a network namespace of this process, as root.

    packets.py BASE.nft

Each line of the input is a case, as JSON: the `script` that opens and closes ports in the server, the
server's `address`, where its programs `listen` ([address, port], ...), and `probes`: [namespace,
source address, port], ... Each line of the output is what came of the probes: "connected", or
"dropped", or "refused" where the firewall let a packet through and nobody listens. Nothing is told by
the time that it takes: a packet that came to the server, and not through its firewall, was dropped.

The netvm forwards everything to the server, as it does with qubes-network-server. It answers for the
server's address, and hides no source.
"""
import contextlib
import ctypes
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time

CLONE_NEWNET = 0x40000000
IP_TRANSPARENT = 19
LIBC = ctypes.CDLL(None, use_errno=True)

SERVER6, LAN6 = "fd00:1::100", "fd00:2::9"

NETVM = """
table ip qubes {
    chain forward {
        type filter hook forward priority filter; policy accept
        ct state invalid drop
        ct state related,established accept
        oifname "server" accept
        oifname "qube" drop
    }
}
"""

# What came in, and what got through; a connection is told by its source.
WATCH = """
table inet watch {
    set came { typeof ip saddr . tcp sport; }
    set passed { typeof ip saddr . tcp sport; }
    set came6 { typeof ip6 saddr . tcp sport; }
    set passed6 { typeof ip6 saddr . tcp sport; }
    chain first {
        type filter hook prerouting priority -400
        tcp flags & (syn | ack) == syn add @came { ip saddr . tcp sport }
        tcp flags & (syn | ack) == syn add @came6 { ip6 saddr . tcp sport }
    }
    chain last {
        type filter hook input priority 400
        tcp flags & (syn | ack) == syn add @passed { ip saddr . tcp sport }
        tcp flags & (syn | ack) == syn add @passed6 { ip6 saddr . tcp sport }
    }
}
"""


class Namespace:
    servers = None

    def __init__(self):
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        if LIBC.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare: network namespaces need root")
        self.fd = os.open("/proc/self/ns/net", os.O_RDONLY)
        LIBC.setns(home, CLONE_NEWNET)
        os.close(home)
        self.path = "/proc/{}/fd/{}".format(os.getpid(), self.fd)
        self.run("ip", "link", "set", "lo", "up")

    @contextlib.contextmanager
    def inside(self):
        """What is made in here belongs to the namespace."""
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        LIBC.setns(self.fd, CLONE_NEWNET)
        try:
            yield
        finally:
            LIBC.setns(home, CLONE_NEWNET)
            os.close(home)

    def run(self, *argv, text=None, env=None):
        with self.inside():
            return subprocess.run(argv, check=True, input=text, env=env, text=True,
                                  stdout=subprocess.PIPE).stdout

    def ip(self, line):
        self.run("ip", *line.split())

    def set(self, name, value):
        with self.inside():
            subprocess.run(["sysctl", "--quiet", "{}={}".format(name, value)], check=True)

    def move(self, address, over=None):
        """The server, which this is, or which is reached over a link, has this address."""
        old, self.servers = self.servers, address
        if old == address:
            return
        if over:
            if old:
                self.ip("route del {} dev {}".format(old, over))
            self.ip("route add {} dev {}".format(address, over))
        else:
            self.ip("-4 address flush dev eth0")
            self.ip("address add {}/32 dev eth0".format(address))
            # It was gone with the last address.
            self.ip("route replace default dev eth0")

    def everybody(self, own):
        """Every address that is looked for here is here. `own` is what it asks for others with."""
        self.ip("address add {}/32 dev eth0".format(own))
        self.ip("route add local 0.0.0.0/0 dev lo table 100")
        self.ip("rule add iif eth0 lookup 100")


def world():
    """The four namespaces, by name."""
    spaces = {name: Namespace() for name in ("server", "netvm", "lan", "qube")}
    netvm = spaces["netvm"]
    for name, space in spaces.items():
        if space is netvm:
            continue
        netvm.ip("link add {} type veth peer name eth0 netns {}".format(name, space.path))
        space.ip("link set eth0 up")
        netvm.ip("link set {} up".format(name))
        netvm.set("net.ipv4.conf.{}.proxy_arp".format(name), 1)
        netvm.set("net.ipv4.neigh.{}.proxy_delay".format(name), 0)
    for space in spaces.values():
        space.set("net.ipv4.conf.all.rp_filter", 0)
    netvm.set("net.ipv4.ip_forward", 1)
    netvm.set("net.ipv6.conf.all.forwarding", 1)
    netvm.ip("address add 10.137.0.5/32 dev server")
    netvm.ip("route add default dev lan")
    netvm.ip("route add 10.137.0.0/16 dev qube")
    netvm.ip("route add 10.138.0.0/16 dev qube")
    netvm.run("nft", "-f", "-", text=NETVM)
    spaces["lan"].everybody("192.0.2.9")
    spaces["qube"].everybody("198.51.100.9")
    # IPv6, for those who have it.
    for name, space, address in (("server", "server", SERVER6), ("lan", "lan", LAN6)):
        gateway = address.split("::")[0] + "::1"
        netvm.ip("-6 address add {}/64 dev {} nodad".format(gateway, name))
        spaces[space].ip("-6 address add {}/64 dev eth0 nodad".format(address))
        spaces[space].ip("-6 route add default via {}".format(gateway))
    return spaces


def listener(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = socket.socket(family, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.bind((address, port))
    server.listen(1024)
    return server


def begin(source, target, port):
    """A connection that is being made, and its source."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    probe = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET:
        probe.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
    probe.bind((source, 0))
    probe.setblocking(False)
    probe.connect_ex((target, port))
    return probe, (source, probe.getsockname()[1])


def seen(server, name):
    """The sources in both sets of this name."""
    sources = set()
    for family in ("", "6"):
        listing = json.loads(server.run("nft", "--json", "list", "set", "inet", "watch",
                                        name + family))
        for item in listing["nftables"]:
            for element in item.get("set", {}).get("elem", []):
                sources.add(tuple(element["concat"]))
    return sources


def wait_for(what, wanted):
    """Until `what()` covers all that is wanted, or a minute has passed."""
    deadline = time.monotonic() + 60
    while True:
        found = what()
        if wanted <= found or time.monotonic() > deadline:
            return found
        time.sleep(0.03)


def connected(probes):
    """The sources of those that are connected, or failed."""
    poll = select.poll()
    for probe, _ in probes:
        poll.register(probe, select.POLLOUT)
    ready = {fd for fd, _ in poll.poll(0)}
    return {source for probe, source in probes if probe.fileno() in ready}


def run_case(spaces, base, stubs, case):
    server, netvm = spaces["server"], spaces["netvm"]
    address = case["address"]
    server.run("nft", "flush", "ruleset")
    server.run("nft", "-f", base)
    server.run("nft", "-f", "-", text=WATCH)
    server.move(address)
    netvm.move(address, "server")
    for name in ("lan", "qube"):
        spaces[name].move(address, "eth0")
    if case["script"]:
        server.run("sh", case["script"], env={"PATH": stubs + ":" + os.environ["PATH"]})
        # As it is run again by each start of the qube, and by an apply.
        server.run("sh", case["script"], env={"PATH": stubs + ":" + os.environ["PATH"]})
    with contextlib.ExitStack() as stack:
        with server.inside():
            for where in case["listen"]:
                stack.enter_context(listener(*where))
        probes = []
        for space, source, port in case["probes"]:
            target = SERVER6 if ":" in source else "127.0.0.1" if source == "127.0.0.1" else address
            with spaces[space].inside():
                probe = begin(source, target, port)
            probes.append(probe)
            stack.enter_context(probe[0])
        sources = {source for _, source in probes}
        came = wait_for(lambda: seen(server, "came"), sources)
        if not sources <= came:
            raise OSError("never came: {}".format(sorted(sources - came)))
        # The last of them may be on its way between the two.
        time.sleep(0.02)
        passed = seen(server, "passed")
        done = wait_for(lambda: connected(probes), passed)
        results = []
        for probe, source in probes:
            if source not in passed:
                results.append("dropped" if source not in done else "answered")
            elif source not in done:
                results.append("without an answer")
            else:
                error = probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                results.append("refused" if error else "connected")
    return results


def main(base):
    spaces = world()
    with tempfile.TemporaryDirectory() as stubs:
        # The script also sees to the user's services.
        with open(os.path.join(stubs, "loginctl"), "w", encoding="ascii") as stub:
            stub.write("#!/bin/sh\n")
        os.chmod(stub.name, 0o755)
        for line in sys.stdin:
            print(json.dumps(run_case(spaces, base, stubs, json.loads(line))), flush=True)


main(*sys.argv[1:])
