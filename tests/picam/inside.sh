#!/bin/sh
# What `make test-picam` runs inside the rootfs: the shim is built, and the tests run with the rig on
# Python's path. Further arguments go to pytest.
set -eu
mkdir /tmp/rig /tmp/rig/faults
gcc -O2 -Wall -Werror -shared -fPIC -o /tmp/rig/shim.so tests/picam/shim.c
export LD_PRELOAD=/tmp/rig/shim.so SHIM_FPS=30 SHIM_STALL=/tmp/rig/stall
export RIG_FAULTS=/tmp/rig/faults RIG_DIARY=/tmp/rig/diary RIG_LOCK=/tmp/rig/lock
export PYTHONPATH=/src/tests/picam/site:/src
exec /opt/bodycam/bin/python -m pytest -p no:cacheprovider "${@:-tests/picam}"
