"""Which addresses images are fetched from: public ones, and those of one's own network that are named."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

from urllib3.connection import HTTPConnection

from tmdb_dagster.images.errors import ImageRefused
from tmdb_dagster.outgoing import is_loopback

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
# Site-local addresses and NAT64 within a network, which not every Python counts as private.
_LOCAL_NETWORKS = (ipaddress.IPv6Network("fec0::/10"), ipaddress.IPv6Network("64:ff9b:1::/48"))


class PublicConnection(HTTPConnection):
    """Mixed into connections that go by no proxy: a public name must not lead to a private address.

    Which address a proxy asks, only the proxy knows.
    """

    networks: Sequence[Network]

    def _new_conn(self) -> socket.socket:
        new = super()._new_conn()
        peer = str(new.getpeername()[0])
        if not is_local(self.host) and not _is_public(peer) and not any(_address(peer) in n for n in self.networks):
            new.close()
            raise ImageRefused(
                f"{self.host} is at {peer}, which is no public address. If a tunnel gives such ones, allow them by "
                "IMAGE_ALLOWED_NETWORKS."
            )
        return new


def is_local(host: str) -> bool:
    """Whether the host is this machine, or an address of a private network."""
    try:
        return not _is_public(host)
    except ValueError:
        return is_loopback(host)


def _is_public(address: str) -> bool:
    ip = _address(address)
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _LOCAL_NETWORKS)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address; of an IPv6 form of an IPv4 address (mapped, compatible, 6to4, NAT64) the IPv4 address."""
    ip = ipaddress.ip_address(text.partition("%")[0].strip("[]"))
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64 or (ip in _COMPATIBLE and int(ip) > 1):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
