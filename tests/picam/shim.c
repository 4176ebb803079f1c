/* What libcamera's virtual camera lacks beside a Pi: memory for pictures, and a clock that paces
 * them. Loaded with LD_PRELOAD.
 *
 * Memory: where the kernel has no /dev/udmabuf or dma_heap, memfds stand in for their buffers. A
 * real node is used wherever there is one.
 * Pace: $SHIM_FPS pictures a second, read anew for each; none while the file $SHIM_STALL exists. The
 * rig names the buffers and asks when each was exposed (shim_paces, shim_exposed_ns).
 *
 * Raw system calls only: dlsym() deadlocks here with the loader (lttng-ust calls close() while a
 * library is being opened). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS 1000000000LL
#define STALL_POLL_US 5000
#define MAX_PACED 1024
#define MADE_UP_NS (2 * NS)

static int is(int fd, const char *what)
{
	char path[40], target[64] = {0};

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof target - 1) > 0 && !strncmp(target, what, strlen(what));
}

/* -- memory ------------------------------------------------------------------------------------ */

static int do_open(const char *path, int flags, mode_t mode)
{
	int fd = syscall(SYS_openat, AT_FDCWD, path, flags, mode);

	if (fd < 0 && errno == ENOENT &&
	    (!strcmp(path, "/dev/udmabuf") || !strcmp(path, "/dev/dma_heap/linux,cma")))
		return memfd_create("shim-provider", MFD_CLOEXEC);
	return fd;
}

#define OPEN(name)                               \
	int name(const char *path, int flags, ...)   \
	{                                            \
		va_list more;                            \
		va_start(more, flags);                   \
		mode_t mode = va_arg(more, mode_t);      \
		va_end(more);                            \
		return do_open(path, flags, mode);       \
	}
OPEN(open)
OPEN(open64)

int ioctl(int fd, unsigned long request, ...)
{
	va_list more;
	va_start(more, request);
	void *arg = va_arg(more, void *);
	va_end(more);
	unsigned asked = request; /* Python passes it sign-extended */

	if (asked == UDMABUF_CREATE && is(fd, "/memfd:shim-provider"))
		return fcntl(((struct udmabuf_create *)arg)->memfd, F_DUPFD_CLOEXEC, 0);
	if (asked == DMA_HEAP_IOCTL_ALLOC && is(fd, "/memfd:shim-provider")) {
		struct dma_heap_allocation_data *wanted = arg;
		int memory = memfd_create("frame-heap", MFD_CLOEXEC);

		if (memory < 0 || ftruncate(memory, (wanted->len + 4095) & ~4095ull) < 0)
			return -1;
		wanted->fd = memory;
		return 0;
	}
	int result = syscall(SYS_ioctl, fd, request, arg);
	/* 'b': DMA_BUF_IOCTL_SYNC and DMA_BUF_SET_NAME, which a memfd does not need */
	if (result < 0 && errno == ENOTTY && ((asked >> 8) & 255) == 'b' && is(fd, "/memfd:frame-"))
		return 0;
	return result;
}

/* -- pace -------------------------------------------------------------------------------------- */

static struct {
	ino_t inode;
	long long exposed_ns;
} paced[MAX_PACED];

static int place_of(ino_t inode)
{
	int i = 0;

	while (i < MAX_PACED && paced[i].inode && paced[i].inode != inode)
		i++;
	return i;
}

/* The rig names the buffers of one stream: the camera has one clock, however many streams. */
void shim_paces(int fd)
{
	struct stat about;

	if (!fstat(fd, &about) && place_of(about.st_ino) < MAX_PACED)
		paced[place_of(about.st_ino)].inode = about.st_ino;
}

/* Boot time at which the picture in this buffer was taken. */
long long shim_exposed_ns(int fd)
{
	struct stat about;
	int at = fstat(fd, &about) ? MAX_PACED : place_of(about.st_ino);

	return at < MAX_PACED ? paced[at].exposed_ns : 0;
}

static long long boot_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * NS + now.tv_nsec;
}

/* In the thread that makes the picture. It may be late, as a busy machine is; a sensor exposes in time
 * all the same, so a pause is made up for. A stall is not. */
static void tick(int fd)
{
	static long long next;
	static ino_t last; /* the two planes of a picture ask one by one */
	const char *fps = getenv("SHIM_FPS"), *stall = getenv("SHIM_STALL");
	struct stat about;
	int at = fstat(fd, &about) ? MAX_PACED : place_of(about.st_ino);

	if (at == MAX_PACED || !paced[at].inode || about.st_ino == last || !fps)
		return;
	last = about.st_ino;
	int stalled = 0;
	for (; stall && !stat(stall, &about); stalled = 1)
		usleep(STALL_POLL_US);
	long long period = NS / atof(fps), now = boot_ns();
	if (stalled || next < now - MADE_UP_NS)
		next = now;
	struct timespec until = {next / NS, next % NS};
	clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL);
	paced[at].exposed_ns = next;
	next += period;
}

/* libcamera asks for the size of each plane that it is about to draw on. */
off_t lseek(int fd, off_t offset, int whence)
{
	if (whence == SEEK_END && (is(fd, "/memfd:frame-") || is(fd, "/dmabuf:")))
		tick(fd);
	return syscall(SYS_lseek, fd, offset, whence);
}

off64_t lseek64(int fd, off64_t offset, int whence)
{
	return lseek(fd, offset, whence);
}
