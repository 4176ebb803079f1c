#!/bin/sh
# What `make test-picam` runs inside the rootfs: the shim is built, and the tests run with the rig on
# Python's path. Arguments go to pytest; without any, all tests run, in three parts side by side. They
# wait more than they compute.
set -eu

if [ $# -eq 0 ]; then
    cd tests/picam
    unshare --mount /src/tests/picam/inside.sh test_faults.py test_cycles.py >/tmp/first 2>&1 &
    first=$!
    unshare --mount /src/tests/picam/inside.sh test_selftest.py >/tmp/second 2>&1 &
    second=$!
    code=0
    unshare --mount /src/tests/picam/inside.sh . --ignore test_faults.py --ignore test_cycles.py \
        --ignore test_selftest.py || code=$?
    wait "$first" || code=$?
    wait "$second" || code=$?
    cat /tmp/first /tmp/second
    exit "$code"
fi

rig=$(mktemp -d /tmp/rig.XXXXXX)
mkdir "$rig/faults" "$rig/up" "$rig/work"
# Over the machine's own, so that a test can put a device there and nobody else sees it.
mount -t overlay overlay -o "lowerdir=/dev,upperdir=$rig/up,workdir=$rig/work" /dev
gcc -O2 -Wall -Werror -shared -fPIC -o "$rig/shim.so" /src/tests/picam/shim.c
export LD_PRELOAD="$rig/shim.so" SHIM_FPS=30 SHIM_STALL="$rig/stall"
export RIG_FAULTS="$rig/faults" RIG_DIARY="$rig/diary" RIG_LOCK="$rig/lock"
export PYTHONPATH=/src/tests/picam/site:/src
exec /opt/bodycam/bin/python -m pytest -p no:cacheprovider --basetemp "$rig/tmp" "$@"
