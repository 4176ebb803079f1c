#!/usr/bin/env bash
# The guest's second disk: what this checkout's `make install` puts on a camera, a configuration, and
# the tests' own hands. It is laid over the system's disk while the guest boots.
#
#   project.sh OUT     the file to make
set -euo pipefail

src=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
OUT=$1 SRC=$src ROOTFS=$("$src/tests/tiers/rootfs.sh")
export OUT SRC ROOTFS
exec unshare --mount --propagation private bash -euo pipefail -c '
    mount -t tmpfs tmpfs /mnt
    mkdir /mnt/files /mnt/work /mnt/root
    root=/mnt/root files=$SRC/tests/guest/files
    mount -t overlay overlay -o "lowerdir=$ROOTFS,upperdir=/mnt/files,workdir=/mnt/work" "$root"

    mkdir -p "$root/etc/bodycam" "$root/opt/guest/faults" "$root/src"
    cp "$files/bodycam.toml" "$root/etc/bodycam/bodycam.toml"
    make -C "$SRC" --no-print-directory install DESTDIR="$root" >&2
    cp "$files"/*.py "$files"/*.sh "$root/opt/guest/"
    cp "$files"/*.service "$files"/*.mount "$root/etc/systemd/system/"
    cp "$files"/*.rules "$root/etc/udev/rules.d/"
    mkdir "$root/etc/systemd/system/bodycam.service.d"
    cp "$files/bodycam.conf" "$root/etc/systemd/system/bodycam.service.d/guest.conf"
    gcc -O2 -Wall -Werror -shared -fPIC -o "$root/opt/guest/promise.so" "$files/promise.c"
    gcc -O2 -Wall -Werror -shared -fPIC -o "$root/opt/guest/shim.so" "$SRC/tests/picam/shim.c"
    systemd-sysusers --root="$root" 2>/dev/null
    # The tests, for those that run inside; not the files that they read elsewhere.
    tar -C "$SRC" -c --exclude=__pycache__ --exclude=tests/vectors/files --exclude=tests/fuzz \
        pyproject.toml tests | tar -C "$root/src" -x --no-same-owner
    chroot "$root" /opt/bodycam/bin/python -m compileall -q --invalidation-mode unchecked-hash \
        /src/tests/picam /opt/guest/agent.py
    wants=$root/etc/systemd/system
    mkdir -p "$wants/sysinit.target.wants" "$wants/local-fs.target.wants"
    ln -s ../guest-agent.service ../guest-hardware.service "$wants/sysinit.target.wants/"
    ln -s ../var-lib-bodycam.mount "$wants/local-fs.target.wants/"

    umount "$root"
    rm -f "$OUT"
    truncate -s 64M "$OUT"
    mke2fs -q -t ext4 -O ^has_journal -m 0 -d /mnt/files "$OUT"
'
