#!/bin/sh
# What a Pi has and this machine simulates: the header's pins, a sound card that hears what is played
# to it, and the name that picamera2 knows frame memory by.
set -eu
modprobe -a gpio-sim snd-aloop

chip=/sys/kernel/config/gpio-sim/header
mkdir $chip $chip/bank0
cd $chip/bank0
echo 54 >num_lines
echo pinctrl-bcm2835 >label
mkdir line5 line6 line12 line13 line16 line17 line22 line23 line24 line25 line26 line27
for line in line*; do
    echo "GPIO${line#line}" >"$line/name"
done
echo 1 >../live
# A test turns /run/gpio/sim_gpio17/pull: the resistors and switches around the chip. They are where
# they were, whatever else has lost its power.
ln -sfn /sys/devices/platform/gpio-sim.*/"$(cat chip_name)" /run/gpio
for bcm in 17 27 22 23 24 25; do
    echo pull-up >/run/gpio/sim_gpio$bcm/pull
done
case " $(cat /proc/cmdline) " in *" guest.switch=on "*) echo pull-down >/run/gpio/sim_gpio17/pull ;; esac
ln -sfn system "/dev/dma_heap/linux,cma"
