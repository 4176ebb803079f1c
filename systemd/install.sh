#!/usr/bin/env bash
# What `make install` and `make uninstall` do. README.md beside this file says what goes where.
#
#   install.sh install WHEEL     with DESTDIR, PREFIX and EXTRAS from the environment
#   install.sh uninstall
#
# Without DESTDIR it is for this machine: the program gets an environment with what it needs, and
# systemd is told. With DESTDIR, a card's root file system, nothing is fetched and nothing is told.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DESTDIR=${DESTDIR:-}
DESTDIR=${DESTDIR%/}
PREFIX=${PREFIX:-/usr/local}
PROGRAM=/opt/bodycam
MADE_HERE=$DESTDIR$PROGRAM/made-by-make-install
CONFIG=$DESTDIR/etc/bodycam/bodycam.toml

say() { echo "install.sh: $*" >&2; }

# Every file but the program's: what it is here, and where it goes.
files() {
    local unit
    for unit in "$HERE"/*.service "$HERE"/*.timer "$HERE"/*.path "$HERE"/*.mount; do
        if [ -e "$unit" ]; then echo "$unit $PREFIX/lib/systemd/system/$(basename "$unit")"; fi
    done
    echo "$HERE/bodycam.preset $PREFIX/lib/systemd/system-preset/50-bodycam.preset"
    echo "$HERE/bodycam.sysusers $PREFIX/lib/sysusers.d/bodycam.conf"
    echo "$HERE/bodycam.tmpfiles $PREFIX/lib/tmpfiles.d/bodycam.conf"
    echo "$HERE/71-bodycam.rules $PREFIX/lib/udev/rules.d/71-bodycam.rules"
    echo "$HERE/hardware-watchdog.conf $PREFIX/lib/systemd/system.conf.d/50-bodycam.conf"
    echo "$HERE/journald.conf $PREFIX/lib/systemd/journald.conf.d/50-bodycam.conf"
    echo "$HERE/../bodycam.example.toml $PREFIX/share/bodycam/bodycam.example.toml"
}

install_files() {
    local from to
    while read -r from to; do install -D -m 0644 "$from" "$DESTDIR$to"; done < <(files)
    install -d "$DESTDIR$PREFIX/bin"
    ln -sfn "$PROGRAM/bin/bodycam" "$DESTDIR$PREFIX/bin/bodycam"
    if [ -e "$CONFIG" ]; then
        say "$CONFIG is kept as it is"
    else
        install -D -m 0644 "$HERE/../bodycam.example.toml" "$CONFIG"
    fi
}

# Here: an environment that sees Raspberry Pi OS's picamera2, and pip for the rest.
install_program() {
    local wheel=$1
    if [ ! -x "$PROGRAM/bin/python" ]; then
        python3 -m venv --system-site-packages "$PROGRAM"
        touch "$MADE_HERE"
    fi
    "$PROGRAM/bin/python" -m pip install --quiet --disable-pip-version-check "$wheel$EXTRAS"
    "$PROGRAM/bin/python" -m pip install --quiet --disable-pip-version-check \
        --no-deps --no-index --force-reinstall "$wheel"
}

# On a card: the package and its command into the environment that is there; nothing of the card
# need be able to run on this machine.
unpack_program() {
    local wheel=$1 version site
    version=$(sed -n 's/^version *= *\([0-9]*\.[0-9]*\).*/\1/p' "$DESTDIR$PROGRAM/pyvenv.cfg" 2>/dev/null || true)
    if [ -z "$version" ]; then
        say "$DESTDIR$PROGRAM is no Python environment. Make it on the card first, with what" \
            "bodycam needs (README.md, \"On a card\")"
        exit 2
    fi
    site=$PROGRAM/lib/python$version/site-packages
    remove_package
    install -d "$DESTDIR$site"
    python3 -m zipfile -e "$wheel" "$DESTDIR$site"
    {
        echo "#!$PROGRAM/bin/python"
        echo "import sys"
        echo "from bodycam.cli import main"
        echo "sys.exit(main())"
    } >"$DESTDIR$PROGRAM/bin/bodycam"
    chmod 0755 "$DESTDIR$PROGRAM/bin/bodycam"
    # The recorder may not write here, so it would compile itself at each start.
    chroot "$DESTDIR/" "$PROGRAM/bin/python" -m compileall -q --invalidation-mode checked-hash \
        "$site/bodycam" 2>/dev/null ||
        say "not compiled: $DESTDIR does not run here. On the camera, once:" \
            "$PROGRAM/bin/python -m compileall -q $site/bodycam"
}

remove_package() {
    rm -rf "$DESTDIR$PROGRAM"/lib/python3.*/site-packages/bodycam{,-*.dist-info}
    rm -f "$DESTDIR$PROGRAM/bin/bodycam"
}

case ${1:-} in
install)
    if [ -n "$DESTDIR" ]; then unpack_program "$2"; else install_program "$2"; fi
    install_files
    ;;
uninstall)
    if [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; then
        systemctl disable --now bodycam.service bodycam-offload.timer
        systemctl stop bodycam-poweroff.path bodycam-reboot.path
    fi
    while read -r _ to; do rm -f "$DESTDIR$to"; done < <(files)
    rm -f "$DESTDIR$PREFIX/bin/bodycam"
    rmdir --ignore-fail-on-non-empty "$DESTDIR$PREFIX/share/bodycam" 2>/dev/null || true
    remove_package
    if [ -e "$MADE_HERE" ]; then rm -rf "$DESTDIR$PROGRAM"; fi
    say "kept: $CONFIG, /var/lib/bodycam, the user bodycam"
    ;;
*)
    say "install.sh install WHEEL | uninstall"
    exit 2
    ;;
esac

# A running system learns of it; on a card, the next boot does.
if [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; then
    if [ "$1" = install ]; then
        systemd-sysusers bodycam.conf
        systemd-tmpfiles --create bodycam.conf
    fi
    systemctl daemon-reload
    if [ -e /run/udev/control ]; then udevadm control --reload; fi
fi
