#!/usr/bin/env bash
# The system that a camera is flashed with, as far as one can be had off a Pi: Debian 13 with its
# systemd and a kernel that simulates GPIO chips, libcamera's virtual camera, the real picamera2, and
# everything the daemon needs in /opt/bodycam. Made once, kept outside the tree, named by the hash of
# this file; the tiers that use it never change it (they mount over it, or copy it).
#
#   rootfs.sh          make it if it is not there, and print its folder
#
# As root, with mmdebstrap. Debian's mirror and PyPI are those that this machine uses already.
set -euo pipefail

cache=${BODYCAM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bodycam}
root=$cache/rootfs-$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-12)
mkdir -p "$cache"
exec 9>"$root.lock"
flock 9
if [ -e "$root.done" ]; then
    echo "$root"
    exit
fi
began=$SECONDS
rm -rf "$root"

# libcamera 0.4 of Debian 13 itself drops every frame of its virtual camera; a kernel with gpio-sim
# came after 6.12.
backports='src:libcamera src:linux src:linux-signed-amd64 src:linux-base'
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
    grep -v security | head -1)
{
    mmdebstrap --variant=minbase --format=directory --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --setup-hook='printf "Package: '"$backports"'\nPin: release n=trixie-backports\nPin-Priority: 990\n" \
            > "$1/etc/apt/preferences.d/backports"' \
        --include=ca-certificates,python3,python3-venv,python3-dev,gcc,libc6-dev,swig \
        --include=python3-libcamera,python3-av,python3-prctl,python3-numpy,python3-pil \
        --include=python3-jsonschema,systemd,systemd-sysv,udev,dbus,kmod,procps,openssl,gpiod \
        --include=alsa-utils,libasound2-data,e2fsprogs,strace,linux-image-amd64 \
        trixie "$root" "deb $mirror trixie main" "deb $mirror trixie-backports main"
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    # Where PyPI is for this machine, it is for the build; nothing of it stays in the tree.
    mkdir -p "$root/etc/xdg"
    if [ -e /etc/pip.conf ]; then cp /etc/pip.conf "$root/etc/pip.conf"; fi

    mkdir -p "$root/usr/share/libcamera/pipeline/virtual"
    cat >"$root/usr/share/libcamera/pipeline/virtual/virtual.yaml" <<'YAML'
%YAML 1.1
---
"Virtual0":
  supported_formats:
  - {width: 1280, height: 720, frame_rates: [30, 30]}
  - {width: 640, height: 480, frame_rates: [30, 30]}
  test_pattern: "lines"
  location: "CameraLocationFront"
  model: "Virtual Video Device"
YAML

    # PIP_FIND_LINKS would name a folder of this machine. PYPI=1 links lgpio's library in: there is no
    # wheel for Python 3.13. PyAV is Debian's, as on the Pi: with the Pi's FFmpeg.
    unshare -m sh -ec '
        mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"; mount -t tmpfs tmpfs "$0/tmp"
        PIP_FIND_LINKS= PYPI=1 chroot "$0" sh -ec "
            python3 -m venv --system-site-packages /opt/bodycam
            /opt/bodycam/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check \
                picamera2==0.3.38 opencv-python-headless cryptography msgspec \
                pyudev lgpio==0.2.2.0 rpi-lgpio==0.6 gpiod \
                pytest pytest-timeout"
    ' "$root"
    rm -f "$root/etc/pip.conf" "$root/etc/resolv.conf"
    : >"$root/etc/resolv.conf"
} >&2
touch "$root.done"
echo "rootfs.sh: made in $((SECONDS - began)) s" >&2
echo "$root"
