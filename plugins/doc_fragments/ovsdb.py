# SPDX-License-Identifier: Apache-2.0
"""Options of every module that speaks to an OVSDB; plugins/module_utils/ovs/remote_options.py has their argument specification."""
from __future__ import annotations


class ModuleDocFragment:
    """Documentation shared by the modules that have an option ``database``."""

    DOCUMENTATION = r"""
options:
  database:
    description:
      - Where the ovsdb-server listens, as C(unix:PATH), C(tcp:HOST:PORT) or C(ssl:HOST:PORT). An IPv6 address is in brackets.
      - With O(target), this is the address as the target sees it.
    type: str
    default: unix:/var/run/openvswitch/db.sock
  private_key:
    description:
      - A PEM file with the client's private key, without a passphrase, on the machine on which the module runs.
      - Required with C(ssl:), as are O(certificate) and O(ca_cert).
    type: path
  certificate:
    description:
      - A PEM file with the client's certificate, on the machine on which the module runs. The CA that the server was given has to have signed it.
    type: path
  ca_cert:
    description:
      - A PEM file with the certificate of the CA that has to have signed the server's certificate, on the machine on which the module runs.
      - No other CA is believed, and no host name is compared, as certificates of Open vSwitch name none.
    type: path
  target:
    description:
      - The host whose Open vSwitch it is, reached through SSH from the machine on which the module runs, which is to be the controller
        (C(delegate_to=localhost)). Nothing is run on the target, which needs no Python, but an SSH server that forwards.
      - The module needs paramiko 3.4 or newer where it runs. It reads no configuration of ssh(1).
      - Where Open vSwitch is not installed on the target, the module fails in check mode, too, as it cannot know why there is no socket.
    type: dict
    suboptions:
      host:
        description: Name or address of the SSH server.
        type: str
        required: true
      port:
        description: Its port.
        type: int
        default: 22
      user:
        description:
          - Who logs in; as a rule, the socket of O(database) is open to root alone.
          - By default, the user that the module runs as.
        type: str
      password:
        description: The user's password.
        type: str
      private_key_file:
        description:
          - The user's private key.
          - Where neither this nor O(target.password) is given, an agent and the keys in C(~/.ssh) are tried.
        type: path
      private_key_passphrase:
        description: The passphrase of O(target.private_key_file).
        type: str
      host_key:
        description:
          - The public key that the SSH server has to have, as a type and a key, like C(ssh-ed25519 AAAA…).
          - The server's key is always checked, and never accepted at first sight.
        type: str
      known_hosts:
        description:
          - A file of known hosts, as ssh(1) has it, in which the server's key has to be.
          - By default, C(~/.ssh/known_hosts) and C(/etc/ssh/ssh_known_hosts).
        type: path
      timeout:
        description: How many seconds each step of connecting and logging in may take.
        type: int
        default: 10
"""
