#!/usr/bin/env bash
# Run a command inside the rootfs that rootfs.sh made, with this checkout at /src (read-only), in its
# own mounts and processes: what it leaves in /tmp, /run, /var, /etc and /home is gone afterwards.
#
#   enter.sh ROOTFS [NAME=VALUE ...] COMMAND ...
#
# `unshare` ignores SIGTERM: callers bound it with `timeout -k`.
set -euo pipefail

ROOTFS=$1
shift
SRC=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export ROOTFS SRC
exec unshare --mount --pid --fork --kill-child --propagation private sh -ec '
    upper=/mnt
    mount -t tmpfs tmpfs "$upper"
    mkdir "$upper/up" "$upper/work" "$upper/root"
    mount -t overlay overlay \
        -o "lowerdir=$ROOTFS,upperdir=$upper/up,workdir=$upper/work" "$upper/root"
    root=$upper/root
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount --rbind /sys "$root/sys"
    mount -t tmpfs tmpfs "$root/tmp"
    mount -t tmpfs tmpfs "$root/run"
    mkdir "$root/src"
    mount --bind "$SRC" "$root/src"
    mount -o remount,bind,ro "$root/src"
    cd "$root"
    exec chroot "$root" /usr/bin/env --chdir=/src PYTHONDONTWRITEBYTECODE=1 "$@"
' sh "$@"
