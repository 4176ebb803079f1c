"""Throws a switch at the pins of guest-hardware.service, as fast as a bad contact does.

    throw.py LINE MILLISECONDS …     the line goes active, then inactive, active …, each for so long

Prints for each edge the boot time before and after it was made, in ns. The last one stays.
"""

import json
import os
import sys
import time

PULLS = (b"pull-down", b"pull-up")  # the inputs are active low


def throw(line: str, widths_ms: list[float]) -> list[tuple[int, int]]:
    fd = os.open(f"/run/gpio/sim_gpio{line}/pull", os.O_WRONLY)
    made = []
    for number, width_ms in enumerate(widths_ms):
        before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        os.pwrite(fd, PULLS[number % 2], 0)
        made.append((before_ns, time.clock_gettime_ns(time.CLOCK_BOOTTIME)))
        time.sleep(width_ms / 1000)
    os.close(fd)
    return made


if __name__ == "__main__":
    print(json.dumps(throw(sys.argv[1], [float(width) for width in sys.argv[2:]])))
