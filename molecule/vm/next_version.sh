#!/bin/sh
# Makes the next version of each installed package of Open vSwitch and prints the files. Content and maintainer scripts are the distribution's own,
# so that dpkg does what it does at a point release; there may be none at the time.
set -eu
folder=$(mktemp -d)
version=$(dpkg-query --show --showformat '${Version}' openvswitch-switch)
for package in $(dpkg-query --show --showformat '${db:Status-Status} ${source:Package} ${Package}\n' | sed -n 's/^installed openvswitch //p'); do
  dpkg-deb --raw-extract /srv/apt/"$package"_*.deb "$folder/$package"
  sed -i "s/$version/$version+sluice1/g" "$folder/$package/DEBIAN/control"
  dpkg-deb -Znone --build "$folder/$package" "$folder" > /dev/null
  rm -r "${folder:?}/$package"
done
ls "$folder"/*.deb
