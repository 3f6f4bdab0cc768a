#!/usr/bin/env python3
"""Makes captures of traffic between network namespaces of Linux.

    make.py DIR [NAME...]

Needs root, dumpcap and ethtool. Everything happens in namespaces that end with this script. What delays, loses,
repeats and marks packets is a relay in this script between two TUN devices.
Packets are small (an MTU of 600, 1280 for IPv6), so that the files are.
"""
import ctypes
import fcntl
import heapq
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
TAG = f"jv{os.getpid()}"
SYSCTLS = {
    "net.ipv4.tcp_ecn": "0",
    "net.ipv4.tcp_no_metrics_save": "1",
    "net.ipv6.conf.all.accept_dad": "1",
}


def sh(command, check=True):
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    if check and done.returncode:
        raise SystemExit(f"{command}: {done.stderr.strip()}")
    return done.stdout


class Host:
    """A network namespace."""

    def __init__(self, name):
        self.name = f"{TAG}{name}"
        sh(f"ip netns add {self.name}")
        self.run("ip link set lo up")
        for key, value in SYSCTLS.items():
            self.run(f"sysctl -qw {key}={value}")

    def run(self, command, check=True):
        return sh(f"ip netns exec {self.name} {command}", check)

    def sysctl(self, key, value):
        self.run(f"sysctl -qw {key}={value}")

    def inside(self, make):
        """What `make` returns when called in this namespace."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            assert LIBC.setns(there, CLONE_NEWNET) == 0
            made = make()
            assert LIBC.setns(home, CLONE_NEWNET) == 0
        finally:
            os.close(home)
            os.close(there)
        return made

    def socket(self, family, kind, protocol=0):
        made = self.inside(lambda: socket.socket(family, kind, protocol))
        made.settimeout(20)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
        return made

    def tun(self, name):
        def make():
            tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x1001))
            return tun
        return self.inside(make)


class Relay(threading.Thread):
    """Carries packets between two TUN devices; `treat(packet, way)` gives the delays in seconds of its copies."""

    def __init__(self, ends, treat):
        super().__init__(daemon=True)
        self.ends, self.treat, self.ended = ends, treat, False

    def run(self):
        waiting, order = [], 0
        while not self.ended:
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                _, _, way, packet = heapq.heappop(waiting)
                os.write(self.ends[1 - way], packet)
            pause = min(0.05, max(0, waiting[0][0] - now)) if waiting else 0.05
            for tun in select.select(self.ends, [], [], pause)[0]:
                way = self.ends.index(tun)
                packet = bytearray(os.read(tun, 70000))
                for delay in self.treat(packet, way):
                    order += 1
                    heapq.heappush(waiting, (time.monotonic() + delay, order, way, bytes(packet)))


def mark(packet):
    """Says congestion experienced, where the packet allows it."""
    if packet[0] >> 4 == 4 and packet[1] & 3 in (1, 2):
        packet[1] |= 3
        packet[10:12] = b"\0\0"
        total = sum(struct.unpack(f"!{(packet[0] & 15) * 2}H", packet[: (packet[0] & 15) * 4]))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        packet[10:12] = struct.pack("!H", total ^ 0xFFFF)


class Net:
    """Two hosts on one link: `a` (10.9.0.1, fd09::1) and `b` (10.9.0.2, fd09::2)."""

    def __init__(self, mtu=600, offload=False, link=True):
        self.mtu = mtu
        self.hosts, self.captures = [], []
        self.a, self.b = self.host("a"), self.host("b")
        if link:
            self.join(self.a, "e0", self.b, "e0", mtu, offload)

    def host(self, name):
        made = Host(name)
        self.hosts.append(made)
        return made

    def join(self, one, one_dev, two, two_dev, mtu, offload=False):
        sh(f"ip link add {one_dev} mtu {mtu} netns {one.name} type veth peer name {two_dev} mtu {mtu} netns {two.name}")
        for host, dev in ((one, one_dev), (two, two_dev)):
            if not offload:
                host.run(f"ethtool -K {dev} tso off gso off gro off tx off rx off sg off", check=False)

    def up(self, capture=None):
        """Brings `a` up, begins a capture there when asked, then `b`: so that all is seen from the first packet."""
        self.a.run("ip link set e0 up")
        if capture:
            self.capture(self.a, "e0", capture)
        self.b.run("ip link set e0 up")
        for host, last in ((self.a, 1), (self.b, 2)):
            host.run(f"ip addr add 10.9.0.{last}/24 dev e0")
            if self.mtu >= 1280:
                host.run(f"ip addr add fd09::{last}/64 dev e0")
        time.sleep(2.5 if self.mtu >= 1280 else 0.2)

    def capture(self, host, dev, path, *more):
        devices = " ".join(f"-i {name}" for name in (dev, *more))
        process = subprocess.Popen(
            f"ip netns exec {host.name} dumpcap -q {devices} -w {path}".split(),
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        while "File:" not in process.stderr.readline():
            if process.poll() is not None:
                raise SystemExit("dumpcap ended")
        time.sleep(0.3)
        self.captures.append(process)

    def end(self):
        time.sleep(0.3)
        for process in self.captures:
            process.send_signal(signal.SIGINT)
            process.wait()
        for host in self.hosts:
            sh(f"ip netns del {host.name}", check=False)


def pair(net, family=socket.AF_INET, port=5001, prepare=lambda client, server: None, wait=True):
    """A connection from `a` to `b`: (client, server's end, listener)."""
    address = "10.9.0.2" if family == socket.AF_INET else "fd09::2"
    listener = net.b.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client = net.a.socket(family, socket.SOCK_STREAM)
    prepare(client, listener)
    listener.bind((address, port))
    listener.listen(4)
    client.connect((address, port))
    server, _ = listener.accept()
    server.settimeout(20)
    return client, server, listener


def drain(sock, into=None):
    total = 0
    while data := sock.recv(65536):
        total += len(data)
        if into is not None:
            into.append(data)
    return total


def transfer(net, size, family=socket.AF_INET, prepare=lambda client, server: None, port=5001):
    """`size` bytes from a to b and a tenth back, then an orderly end."""
    client, server, listener = pair(net, family, port, prepare)
    data = bytes((i * 7 + i // 256) % 256 for i in range(size))
    sender = threading.Thread(target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
    sender.start()
    assert drain(server) == size
    server.sendall(data[: size // 10])
    server.close()
    assert drain(client) == size // 10
    sender.join()
    client.close()
    listener.close()


SCENES = {}


def scene(function):
    SCENES[function.__name__] = function
    return function


def simple(path, work, mtu=600, settle=1.0):
    net = Net(mtu)
    try:
        net.up()
        net.capture(net.a, "e0", path)
        work(net)
        time.sleep(settle)
    finally:
        net.end()


def relayed(path, work, treat, where="a", sysctls=(), settle=1.5, mtu=600):
    """`work` between hosts whose packets go through a relay; the capture is `a`'s or `b`'s."""
    net = Net(mtu, link=False)
    relay = None
    try:
        ends = []
        for host, here, there in ((net.a, 1, 2), (net.b, 2, 1)):
            for key, value in sysctls:
                host.sysctl(key, value)
            ends.append(host.tun("e0"))
            host.run(f"ip link set e0 mtu {mtu} up")
            host.run(f"ip addr add 10.9.0.{here} peer 10.9.0.{there} dev e0")
            host.run("ip route add 10.9.0.0/24 dev e0")
        relay = Relay(ends, treat)
        relay.start()
        net.capture(net.a if where == "a" else net.b, "e0", path)
        work(net)
        time.sleep(settle)
    finally:
        if relay:
            relay.ended = True
            relay.join()
        net.end()


def link(seed, delay, loss=0.0, duplicate=0.0, reorder=0.0, marked=0.0):
    """A bad link, the same each time."""
    dice = random.Random(seed)

    def treat(packet, way):
        lost, twice, late, ce = (dice.random() < p for p in (loss, duplicate, reorder, marked))
        if ce:
            mark(packet)
        if lost:
            return []
        return [delay * (1.4 if late else 1)] * (2 if twice else 1)

    return treat


@scene
def bulk4(path):
    simple(path, lambda net: transfer(net, 60_000))


@scene
def bulk6(path):
    simple(path, lambda net: transfer(net, 100_000, socket.AF_INET6), mtu=1280)


@scene
def slow_start(path):
    relayed(path, lambda net: transfer(net, 80_000), link(1, 0.02))


@scene
def lossy_sender(path):
    relayed(path, lambda net: transfer(net, 90_000), link(2, 0.01, loss=0.05))


@scene
def lossy_receiver(path):
    relayed(path, lambda net: transfer(net, 90_000), link(3, 0.01, loss=0.05), where="b")


@scene
def lossy_nosack(path):
    relayed(path, lambda net: transfer(net, 60_000), link(4, 0.01, loss=0.04),
            sysctls=[("net.ipv4.tcp_sack", 0), ("net.ipv4.tcp_timestamps", 0)])


@scene
def reordered(path):
    relayed(path, lambda net: transfer(net, 60_000), link(5, 0.01, reorder=0.1), where="b")


@scene
def reordered_sender(path):
    relayed(path, lambda net: transfer(net, 60_000), link(6, 0.01, reorder=0.1))


@scene
def duplicated(path):
    relayed(path, lambda net: transfer(net, 40_000), link(7, 0.005, duplicate=0.1), where="b")


@scene
def ecn(path):
    relayed(path, lambda net: transfer(net, 90_000), link(8, 0.01, marked=0.04), where="b",
            sysctls=[("net.ipv4.tcp_ecn", 1)])


@scene
def ecn_sender(path):
    relayed(path, lambda net: transfer(net, 90_000), link(9, 0.01, marked=0.04, loss=0.01),
            sysctls=[("net.ipv4.tcp_ecn", 1)])


@scene
def keep_alive(path):
    def work(net):
        def prepare(client, _):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
        client, server, listener = pair(net, prepare=prepare)
        client.sendall(b"hello")
        server.recv(10)
        time.sleep(5.5)
        client.close()
        server.close()
        listener.close()
    simple(path, work)


@scene
def zero_window(path):
    def work(net):
        def prepare(_, listener):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client, server, listener = pair(net, prepare=prepare)
        sender = threading.Thread(target=lambda: (client.sendall(bytes(range(256)) * 80), client.shutdown(socket.SHUT_WR)))
        sender.start()
        time.sleep(8)
        drain(server)
        sender.join()
        server.close()
        client.close()
        listener.close()
    simple(path, work)


@scene
def timeouts(path):
    """Intervals in which `b` is deaf, with data and with a FIN on the way; and a SYN that nobody answers."""
    deaf = [False]

    def treat(packet, way):
        return [] if deaf[0] and way == 0 else [0.001]

    def work(net):
        client, server, listener = pair(net)
        client.sendall(bytes(2000))
        time.sleep(0.3)
        deaf[0] = True
        client.sendall(bytes(range(250)) * 8)
        time.sleep(4)
        deaf[0] = False
        time.sleep(2)
        deaf[0] = True
        client.shutdown(socket.SHUT_WR)
        time.sleep(2)
        deaf[0] = False
        drain(server)
        time.sleep(1)
        server.close()
        client.close()
        listener.close()
        lost = net.a.socket(socket.AF_INET, socket.SOCK_STREAM)
        lost.settimeout(4)
        deaf[0] = True
        try:
            lost.connect(("10.9.0.2", 9))
        except OSError:
            pass
        lost.close()

    relayed(path, work, treat)


@scene
def closes(path):
    """Half-close, simultaneous close, abort, a closed port, reuse of a port, Fast Open, an interactive exchange."""
    delay = [0.0005]

    def work(net):
        client, server, listener = pair(net, port=5002)
        client.shutdown(socket.SHUT_WR)
        for _ in range(5):
            server.sendall(b"still here" * 20)
            time.sleep(0.06)
        server.close()
        drain(client)
        client.close()
        listener.close()

        client, server, listener = pair(net, port=5003)
        client.sendall(b"x" * 300)
        server.recv(1000)
        delay[0] = 0.03
        client.shutdown(socket.SHUT_WR)
        server.shutdown(socket.SHUT_WR)
        time.sleep(0.3)
        delay[0] = 0.0005
        client.close()
        server.close()
        listener.close()

        client, server, listener = pair(net, port=5004)
        client.sendall(b"y" * 500)
        server.recv(1000)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        time.sleep(0.1)
        server.close()
        listener.close()

        refused = net.a.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            refused.connect(("10.9.0.2", 5999))
        except ConnectionRefusedError:
            pass
        refused.close()

        client, server, listener = pair(net, port=5006)
        for i in range(12):
            client.sendall(b"question %d" % i)
            server.recv(100)
            time.sleep(0.06)
            server.sendall(b"answer %d" % i)
            client.recv(100)
        server.close()
        client.recv(1)
        client.close()
        listener.close()

        listener = net.b.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 4)
        listener.bind(("10.9.0.2", 5005))
        listener.listen(4)
        for _ in range(2):
            client = net.a.socket(socket.AF_INET, socket.SOCK_STREAM)
            client.settimeout(None)
            client.sendto(b"early data", 0x20000000, ("10.9.0.2", 5005))
            server, _ = listener.accept()
            server.recv(100)
            server.sendall(b"answer")
            client.recv(100)
            server.close()
            client.recv(1)
            client.close()
        listener.close()

    relayed(path, work, lambda packet, way: [delay[0]], sysctls=[("net.ipv4.tcp_fastopen", 3)])


@scene
def datagrams(path):
    """ARP, DAD, neighbours, MLD, IGMP, ping, UDP in one piece and in many, unreachable ports, both families."""
    net = Net(1280)
    try:
        net.up(capture=path)
        net.a.run("ping -c 2 -i 0.2 -s 100 10.9.0.2")
        net.a.run("ping -6 -c 2 -i 0.2 -s 100 fd09::2")
        net.a.run("ping -c 1 -s 3000 10.9.0.2")
        net.a.run("ping -6 -c 1 -s 3000 fd09::2")
        for family, address in ((socket.AF_INET, "10.9.0.2"), (socket.AF_INET6, "fd09::2")):
            server = net.b.socket(family, socket.SOCK_DGRAM)
            server.bind((address, 7))
            client = net.a.socket(family, socket.SOCK_DGRAM)
            client.connect((address, 7))
            for size in (0, 1, 100, 1200, 3000):
                client.send(bytes(size))
                data, peer = server.recvfrom(9000)
                server.sendto(data, peer)
                client.recv(9000)
            closed = net.a.socket(family, socket.SOCK_DGRAM)
            closed.connect((address, 9))
            closed.send(b"anybody there?" * 60)
            time.sleep(0.1)
        member = net.a.socket(socket.AF_INET, socket.SOCK_DGRAM)
        member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                          socket.inet_aton("239.1.2.3") + socket.inet_aton("10.9.0.1"))
        time.sleep(1.5)
        net.a.run("ping -c 1 -W 1 10.9.0.99", check=False)
        net.a.run("ping -6 -c 1 -W 1 fd09::99", check=False)
        time.sleep(2.5)
    finally:
        net.end()


@scene
def router(path):
    """Both sides of a forwarder: ping, TCP, TTL 1, and packets too big for the second link."""
    net = Net(1500)
    try:
        net.b.run("sysctl -qw net.ipv4.ip_forward=1")
        net.b.run("sysctl -qw net.ipv6.conf.all.forwarding=1")
        c = net.host("c")
        net.join(net.b, "e1", c, "e0", 1300)
        net.a.run("ip link set e0 up")
        for dev in ("e0", "e1"):
            net.b.run(f"ip link set {dev} up")
        c.run("ip link set e0 up")
        net.a.run("ip addr add 10.9.0.1/24 dev e0")
        net.a.run("ip addr add fd09::1/64 dev e0 nodad")
        net.b.run("ip addr add 10.9.0.2/24 dev e0")
        net.b.run("ip addr add fd09::2/64 dev e0 nodad")
        net.b.run("ip addr add 10.9.1.2/24 dev e1")
        net.b.run("ip addr add fd0a::2/64 dev e1 nodad")
        c.run("ip addr add 10.9.1.1/24 dev e0")
        c.run("ip addr add fd0a::1/64 dev e0 nodad")
        net.a.run("ip route add default via 10.9.0.2")
        net.a.run("ip -6 route add default via fd09::2")
        c.run("ip route add default via 10.9.1.2")
        c.run("ip -6 route add default via fd0a::2")
        time.sleep(2)
        net.capture(net.b, "e0", path, "e1")
        net.a.run("ping -c 2 -i 0.2 10.9.1.1")
        net.a.run("ping -6 -c 2 -i 0.2 fd0a::1")
        net.a.run("ping -c 1 -W 1 -t 1 10.9.1.1", check=False)
        net.a.run("ping -6 -c 1 -W 1 -t 1 fd0a::1", check=False)
        net.a.run("ping -c 2 -W 1 -i 0.3 -M do -s 1400 10.9.1.1", check=False)
        net.a.run("ping -6 -c 2 -W 1 -i 0.3 -s 1400 fd0a::1", check=False)
        listener = c.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind(("10.9.1.1", 80))
        listener.listen(1)
        client = net.a.socket(socket.AF_INET, socket.SOCK_STREAM)
        client.connect(("10.9.1.1", 80))
        server, _ = listener.accept()
        client.sendall(bytes(range(250)) * 80)
        client.shutdown(socket.SHUT_WR)
        drain(server)
        server.close()
        client.close()
        time.sleep(0.5)
    finally:
        net.end()


@scene
def offload(path):
    """Before segmentation and checksums: super-packets with partial checksums."""
    net = Net(1500, offload=True)
    try:
        net.up()
        net.capture(net.a, "e0", path)
        transfer(net, 150_000)
        transfer(net, 20_000, socket.AF_INET6, port=5002)
        time.sleep(0.5)
    finally:
        net.end()


@scene
def cooked(path):
    """The pseudo-device `any`, whose link type is Linux cooked."""
    net = Net(600)
    try:
        net.up()
        net.capture(net.a, "any", path)
        transfer(net, 10_000)
        net.a.run("ping -c 2 -i 0.2 10.9.0.2")
        time.sleep(0.5)
    finally:
        net.end()


def main():
    directory = os.path.abspath(sys.argv[1])
    os.makedirs(directory, exist_ok=True)
    for name in sys.argv[2:] or SCENES:
        path = os.path.join(directory, f"{name}.pcapng")
        SCENES[name](path)
        print(name, os.path.getsize(path), flush=True)


main()
