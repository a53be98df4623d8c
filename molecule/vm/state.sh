#!/bin/sh
# What uninstalling must leave as it was before Sluice came: links, addresses, routes, packet filter, sysctls, files, units and packages.
# Of packages, those that the roles name and what containerd takes along. uuid-runtime, a dependency of Open vSwitch that enables uuidd, stays:
# libuuid1 recommends it.
export PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C
echo "# links"; ip -o link | awk '{print $2, $5}'
echo "# addresses"; ip -o address | awk '{print $2, $4}'
echo "# routes"; ip route show table all | sed 's/ pref medium//' | sort
ip -6 route show table all | sed -e 's/ pref medium//' -e 's/ expires [0-9]*sec//' | sort
echo "# rules"; ip rule; ip -6 rule
echo "# nftables"; nft list ruleset 2>/dev/null
echo "# sysctls"; sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv4.conf.all net.ipv4.conf.eth1 net.ipv6.conf.all net.ipv6.conf.eth1 |
  grep -v '\.mtu\|use_tempaddr\|\.stable_secret'
echo "# files"; find /etc/cni /opt/cni /etc/sluice /usr/lib/sluice /var/lib/sluice /var/log/sluice /etc/sysctl.d /etc/modules-load.d /etc/network \
  /etc/systemd/system -not -type d 2>/dev/null | grep -v uuidd | sort
echo "# units"; systemctl list-units --all --plain --no-legend 'sluice*' 'openvswitch*' 'ovs*' 'containerd*' 'wg-quick*' 'strongswan*' | awk '{print $1, $3}' | sort
echo "# packages"; dpkg-query -W -f '${db:Status-Status} ${Package}\n' openvswitch-switch openvswitch-ipsec strongswan containerd runc nftables conntrack 2>/dev/null | grep '^installed'
exit 0
