#!/usr/bin/env bash
# The disk of the guest: the system of rootfs.sh made fit to boot fast under emulation, with a kernel
# and a start-up disk of 5 MB beside it. Nothing of the project is on it: that comes on a second disk
# and is laid over this one while it boots (see init below), as `make install DESTDIR=` left it. Made
# once, kept outside the tree, named by the hash of this file and of rootfs.sh and qemu.sh.
#
#   image.sh           make it if it is not there, and print its folder: vmlinux, initrd, root.img
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${BODYCAM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bodycam}
image=$cache/image-$(cat "$here"/{image,rootfs,qemu}.sh | sha256sum | cut -c1-12)
mkdir -p "$cache"
exec 8>"$image.lock"
flock 8
if [ -e "$image.done" ]; then
    echo "$image"
    exit
fi
rootfs=$("$here/rootfs.sh")
qemu=$("$here/qemu.sh")
began=$SECONDS
rm -rf "$image"
mkdir "$image"
tree=$image/tree
# Files are shared with the rootfs until they are removed here; none is written to in place.
cp -al "$rootfs" "$tree"
kernel=$(ls "$rootfs/usr/lib/modules")

depends() { # the files of these modules and of what they need, in the order to load them
    local module
    for module in "$@"; do
        chroot "$rootfs" modprobe -S "$kernel" --show-depends "$module"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

unpack() { # FILE FOLDER: a module uncompressed, and without its signature, which takes long to check
    local module=$2/$(basename "$1" .xz)
    xz -dc "$rootfs/$1" >"$module"
    strip --strip-debug "$module"
}

# -- modules: only those that are used, so that udev finds nothing else to load
rm -r "$tree/usr/lib/modules"
modules=$tree/usr/lib/modules/$kernel
mkdir -p "$modules/kernel"
for file in $(depends gpio-sim vivid snd-aloop dummy_hcd g_mass_storage usb_f_mass_storage usb_f_hid \
    usb_f_ecm usb_storage usbhid hid-generic cdc_ether sd_mod uhid hid-mcp2221 softdog i6300esb \
    virtio_rng loop configfs); do
    unpack "$file" "$modules/kernel"
done
cp "$rootfs/usr/lib/modules/$kernel"/modules.{builtin,builtin.modinfo,order} "$modules/"
chroot "$tree" depmod "$kernel"

# -- what a boot of a few seconds does not need
rm -rf "$tree"/boot/* "$tree"/var/cache/* "$tree"/var/lib/{apt,dpkg} \
    "$tree"/usr/share/{perl5,fonts,javascript,bash-completion,zoneinfo}
masked="apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    e2scrub_reap.service fstrim.timer systemd-tmpfiles-clean.timer getty.target console-getty.service \
    getty@tty1.service serial-getty@ttyS0.service systemd-firstboot.service \
    systemd-logind.service systemd-user-sessions.service systemd-timesyncd.service \
    systemd-networkd.service systemd-random-seed.service systemd-ask-password-wall.path \
    systemd-ask-password-console.path systemd-remount-fs.service systemd-pcrlock.socket \
    systemd-journal-flush.service systemd-modules-load.service systemd-sysctl.service \
    systemd-udev-load-credentials.service systemd-hibernate-clear.service systemd-update-utmp.service \
    kmod-static-nodes.service systemd-tmpfiles-setup-dev-early.service \
    systemd-tmpfiles-setup-dev.service dracut-shutdown.service dev-hugepages.mount dev-mqueue.mount \
    run-lock.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount \
    proc-sys-fs-binfmt_misc.automount dbus.service dbus.socket alsa-restore.service alsa-state.service \
    remote-fs.target"
for unit in $masked; do
    ln -sfn /dev/null "$tree/etc/systemd/system/$unit"
done
ln -sfn /usr/lib/systemd/system/multi-user.target "$tree/etc/systemd/system/default.target"
rm -f "$tree"/etc/{fstab,machine-id,hostname}
echo 5b0dca0000000000000000000000beef >"$tree/etc/machine-id"
echo guest >"$tree/etc/hostname"
mkdir -p "$tree/etc/systemd/journald.conf.d"
printf '[Journal]\nStorage=volatile\n' >"$tree/etc/systemd/journald.conf.d/volatile.conf"

for generator in "$tree"/usr/lib/systemd/system-generators/*; do
    case $generator in
    */systemd-debug-generator) ;; # systemd.wants= and systemd.mask= of the kernel's command line
    *) rm "$generator" ;;
    esac
done
for rules in "$tree"/usr/lib/udev/rules.d/*; do
    case $(basename "$rules") in
    50-udev-default.rules | 60-persistent-storage.rules | 60-persistent-v4l.rules | \
        60-persistent-alsa.rules | 78-sound-card.rules | 80-drivers.rules | 99-systemd.rules) ;;
    *) rm "$rules" ;;
    esac
done

# -- the start-up disk: load, mount, lay the project over the system, go
start=$image/start
mkdir -p "$start"/{bin,dev,proc,modules,system,project,upper,root}
cp "$qemu/usr/bin/busybox" "$start/bin/busybox"
{
    echo '#!/bin/busybox sh'
    echo '/bin/busybox mount -t devtmpfs devtmpfs /dev'
    for file in $(depends virtio_blk ext4 overlay); do
        unpack "$file" "$start/modules"
        echo "/bin/busybox insmod /modules/$(basename "$file" .xz)"
    done
    cat <<'INIT'
while [ ! -b /dev/vda ] || [ ! -b /dev/vdb ]; do /bin/busybox sleep 0.02; done
/bin/busybox mount -t ext4 -o ro /dev/vda /system
/bin/busybox mount -t ext4 -o ro /dev/vdb /project
/bin/busybox mount -t tmpfs tmpfs /upper
/bin/busybox mkdir /upper/files /upper/work
/bin/busybox mount -t overlay overlay \
    -o lowerdir=/project:/system,upperdir=/upper/files,workdir=/upper/work /root
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
INIT
} >"$start/init"
chmod +x "$start/init"
(cd "$start" && find . | "$qemu/usr/bin/busybox" cpio -o -H newc) >"$image/initrd" 2>/dev/null

# -- the kernel, unpacked: an emulated processor takes its time over zstd
library=$qemu/usr/lib/x86_64-linux-gnu
vmlinuz=$rootfs/boot/vmlinuz-$kernel
at=$(grep -abom1 "$(printf '\x28\xb5\x2f\xfd')" "$vmlinuz" | cut -d: -f1)
tail -c "+$((at + 1))" "$vmlinuz" |
    "$library/ld-linux-x86-64.so.2" --library-path "$library" "$qemu/usr/bin/zstd" -dc \
        >"$image/vmlinux" 2>/dev/null || true # what follows the kernel in the file is no zstd
head -c 4 "$image/vmlinux" | grep -q ELF

truncate -s 1600M "$image/root.img"
mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$tree" "$image/root.img" >&2
rm -rf "$tree" "$start"
touch "$image.done"
echo "image.sh: made in $((SECONDS - began)) s" >&2
echo "$image"
