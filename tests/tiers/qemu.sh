#!/usr/bin/env bash
# QEMU 10 of Debian 13, beside the machine's own programs and not among them: that of Debian 12 loses
# a boot now and then. Made once, kept outside the tree, named by the hash of this file.
#
#   qemu.sh            make it if it is not there, and print its folder
#
# Its programs run through its own loader, with its own libraries:
#   L=$T/usr/lib/x86_64-linux-gnu; $L/ld-linux-x86-64.so.2 --library-path $L $T/usr/bin/qemu-system-x86_64
set -euo pipefail

cache=${BODYCAM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bodycam}
tools=$cache/qemu-$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-12)
mkdir -p "$cache"
exec 9>"$tools.lock"
flock 9
if [ -e "$tools.done" ]; then
    echo "$tools"
    exit
fi
began=$SECONDS
rm -rf "$tools"
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
    grep -v security | head -1)
mmdebstrap --variant=extract --format=directory --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --include=qemu-system-x86,seabios,busybox-static,zstd \
    trixie "$tools" "deb $mirror trixie main" >&2
touch "$tools.done"
echo "qemu.sh: made in $((SECONDS - began)) s" >&2
echo "$tools"
