#!/bin/sh
# What `make demo` says at its end.
cat <<'TEXT'

The lab is up. Look around:
  ssh -F /var/lib/sluice-lab/demo/ssh_config node1        a node; on it, for instance:
    ovs-vsctl show                                          bridges and ports
    ovs-ofctl -O OpenFlow15 --names dump-flows br-sluice    the flows, by the names of their tables
    ctr -n sluice containers ls                             the pods
  less inventories/demo/artifacts/demo/node1/flows.txt    what the inventory says about node1
  make site                                               run it again: nothing changes
  edit inventories/demo/manifests/policies.yml, then
    .venv/bin/ansible-playbook playbooks/policy.yml --check --diff   what the edit would do; without the options: do it
    make verify                                             what it did, by packets
  make lab-down                                           remove every trace
TEXT
