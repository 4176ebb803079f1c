/* Ends the process before its n-th change below a folder: by SIGKILL, or as a power cut does, by the
 * shutdown of the file system first, which throws away what it holds in memory. Preloaded; armed by
 * cut_arm. What is a change: write, sync, name, folder, size. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXT4_IOC_SHUTDOWN _IOR('X', 125, uint32_t)
#define NO_LOG_FLUSH 2

static char below[PATH_MAX];
static int cut_at, with_power, calls;

void cut_arm(const char *folder, int at, int power)
{
	snprintf(below, sizeof below, "%s", folder);
	cut_at = at;
	with_power = power;
	calls = 0;
}

int cut_count(void)
{
	return calls;
}

static void cut(void)
{
	if (with_power) {
		uint32_t flags = NO_LOG_FLUSH;
		int fd = open(below, O_RDONLY | O_DIRECTORY);
		if (fd < 0) { /* it is not there yet */
			*strrchr(below, '/') = 0;
			fd = open(below, O_RDONLY | O_DIRECTORY);
		}
		if (ioctl(fd, EXT4_IOC_SHUTDOWN, &flags))
			_exit(99);
	}
	raise(SIGKILL);
}

static void change(const char *path)
{
	size_t length = strlen(below);
	if (length == 0 || strncmp(path, below, length))
		return;
	if (++calls == cut_at)
		cut();
}

static void change_of(int fd)
{
	char link[40], path[PATH_MAX];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, sizeof path - 1);
	if (length < 0)
		return;
	path[length] = 0;
	change(path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size)
{
	change_of(fd);
	return REAL(write)(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
	change_of(fd);
	return REAL(pwrite64)(fd, data, size, at);
}

int fsync(int fd)
{
	change_of(fd);
	return REAL(fsync)(fd);
}

int fdatasync(int fd)
{
	change_of(fd);
	return REAL(fdatasync)(fd);
}

int ftruncate64(int fd, off64_t size)
{
	change_of(fd);
	return REAL(ftruncate64)(fd, size);
}

int fallocate(int fd, int mode, off_t at, off_t size)
{
	change_of(fd);
	return REAL(fallocate)(fd, mode, at, size);
}

int rename(const char *from, const char *to)
{
	change(to);
	return REAL(rename)(from, to);
}

int unlink(const char *path)
{
	change(path);
	return REAL(unlink)(path);
}

int mkdir(const char *path, mode_t mode)
{
	change(path);
	return REAL(mkdir)(path, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list rest;
	va_start(rest, flags);
	mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	if (flags & O_CREAT)
		change(path);
	return REAL(open64)(path, flags, mode);
}
