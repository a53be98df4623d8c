# SPDX-License-Identifier: Apache-2.0
"""A pod that lies about who it is: no frame of it arrives anywhere, while its honest ones do. Real frames on a real switch."""
from __future__ import annotations

import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from cni.cni_node import Node

MARK = b"sluice-spoof-guard"
VICTIM_IP, VICTIM_IP6 = "10.10.0.193", "fd10:10::c1"
LIAR_IP, LIAR_IP6 = "10.10.0.192", "fd10:10::c0"
OTHER_IP, OTHER_IP6 = "10.10.0.77", "fd10:10::77"
GATEWAY, GATEWAY6 = "10.10.0.1", "fd10:10::1"

SEND = "import socket,sys\ns=socket.socket(socket.AF_PACKET,socket.SOCK_RAW)\ns.bind(('eth0',0))\nfor _ in range(3): s.send(bytes.fromhex(sys.argv[1]))"
LISTEN = """
import socket, sys, time
listening = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
listening.bind((sys.argv[1], 0))
listening.settimeout(0.2)
mark, end, heard = bytes.fromhex(sys.argv[2]), time.monotonic() + float(sys.argv[3]), 0
print('listening', flush=True)
while time.monotonic() < end:
    try:
        frame, (_, _, kind, *_) = listening.recvfrom(2048)
        heard += mark in frame and kind != socket.PACKET_OUTGOING
    except TimeoutError:
        pass
print(heard)
"""


def octets(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def ethernet(source: str, destination: str, kind: int, payload: bytes) -> bytes:
    return octets(destination) + octets(source) + struct.pack("!H", kind) + payload


def udp4(source: str, destination: str) -> bytes:
    payload = struct.pack("!4H", 9, 9, 8 + len(MARK), 0) + MARK
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(destination))
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def ipv6(source: str, destination: str, following: int, payload: bytes) -> bytes:
    pair = [socket.inet_pton(socket.AF_INET6, address) for address in (source, destination)]
    pseudo = b"".join(pair) + struct.pack("!IxxxB", len(payload), following)
    at = 2 if following == 58 else 6
    whole = payload[:at] + struct.pack("!H", checksum((pseudo + payload + b"\0")[: (len(pseudo) + len(payload) + 1) // 2 * 2])) + payload[at + 2:]
    return struct.pack("!IHBB", 6 << 28, len(payload), following, 255) + b"".join(pair) + whole


def udp6(source: str, destination: str) -> bytes:
    return ipv6(source, destination, 17, struct.pack("!4H", 9, 9, 8 + len(MARK), 0) + MARK)


def arp(operation: int, sender_mac: str, sender: str, target_mac: str, target: str) -> bytes:
    return struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, operation, octets(sender_mac), socket.inet_aton(sender), octets(target_mac),
                       socket.inet_aton(target)) + MARK


def advertisement(kind: int, source: str, destination: str, target: str, mac: str) -> bytes:
    """A router (134) or neighbor (136) advertisement with the sender's MAC as link-layer address; the mark is a nonce option's content."""
    body = b"\0" * 12 if kind == 134 else b"\x20\0\0\0" + socket.inet_pton(socket.AF_INET6, target)
    options = bytes([1 if kind == 134 else 2, 1]) + octets(mac) + bytes([14, 3]) + MARK.ljust(22, b"\0")
    return ipv6(source, destination, 58, bytes([kind, 0, 0, 0]) + body + options)


def heard(node: Node, liar: str, frame: bytes, listeners: dict[str, list[str]]) -> dict[str, int]:
    """How often each listener (name to command prefix and device) heard the mark when ``liar`` sent ``frame`` three times."""
    running = {}
    for name, (*prefix, device) in listeners.items():
        process = subprocess.Popen([*prefix, sys.executable, "-c", LISTEN, device, MARK.hex(), "1.5"], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        running[name] = process
    sent = node.run(liar, sys.executable, "-c", SEND, frame.hex())
    assert sent.returncode == 0, sent.stderr
    return {name: int(process.communicate()[0]) for name, process in running.items()}


@pytest.mark.parametrize("case", [
    "honest IPv4", "honest IPv6", "foreign IPv4 source", "foreign IPv6 source", "foreign MAC", "ARP reply for the gateway", "ARP request as another",
    "gratuitous ARP for a neighbour", "neighbor advertisement for the gateway", "router advertisement", "frame of another protocol"])
def test_only_honest_frames_arrive(node: Node, case: str) -> None:
    liar, victim = node.container(), node.container()
    mac = node.add("aaa", liar)["interfaces"][1]["mac"]
    other = node.add("bbb", victim)["interfaces"][1]["mac"]
    everyone, all_nodes = "ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01"
    frames = {
        "honest IPv4": ethernet(mac, other, 0x800, udp4(LIAR_IP, VICTIM_IP)),
        "honest IPv6": ethernet(mac, other, 0x86DD, udp6(LIAR_IP6, VICTIM_IP6)),
        "foreign IPv4 source": ethernet(mac, other, 0x800, udp4(OTHER_IP, VICTIM_IP)),
        "foreign IPv6 source": ethernet(mac, other, 0x86DD, udp6(OTHER_IP6, VICTIM_IP6)),
        "foreign MAC": ethernet("0a:00:00:00:00:99", other, 0x800, udp4(LIAR_IP, VICTIM_IP)),
        "ARP reply for the gateway": ethernet(mac, other, 0x806, arp(2, mac, GATEWAY, other, VICTIM_IP)),
        "ARP request as another": ethernet(mac, everyone, 0x806, arp(1, mac, OTHER_IP, "00:00:00:00:00:00", VICTIM_IP)),
        "gratuitous ARP for a neighbour": ethernet(mac, everyone, 0x806, arp(1, mac, VICTIM_IP, "00:00:00:00:00:00", VICTIM_IP)),
        "neighbor advertisement for the gateway": ethernet(mac, other, 0x86DD, advertisement(136, LIAR_IP6, VICTIM_IP6, GATEWAY6, mac)),
        "router advertisement": ethernet(mac, all_nodes, 0x86DD, advertisement(134, "fe80::1", "ff02::1", "::", mac)),
        "frame of another protocol": ethernet(mac, everyone, 0x88B5, MARK.ljust(46, b"\0")),
    }
    answers = heard(node, liar, frames[case], {
        "victim": ["ip", "netns", "exec", Path(victim).name, "eth0"],
        "host": ["ip", "netns", "exec", node.ovs.netns, "sluice-gw0"]})
    assert answers == {"victim": 3 if case.startswith("honest") else 0, "host": 0}
