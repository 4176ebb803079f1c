/* A kernel's GPIO chips where there are none: /dev is read as the folder that GPIO_BOARD names has it
 * in dev/, a file a chip. Its first line is the label; each other one a line in use, "17 spi0 CS0". */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/gpio.h>

#define PATH 4096

/* Where a path below /dev is looked for instead; only chips, and the folder itself. */
static const char *there(const char *path, char *place)
{
	const char *board = getenv("GPIO_BOARD");

	if (!board || (strcmp(path, "/dev") && strncmp(path, "/dev/gpiochip", 13)))
		return path;
	snprintf(place, PATH, "%s%s", board, path);
	return place;
}

DIR *opendir(const char *path)
{
	DIR *(*real)(const char *) = dlsym(RTLD_NEXT, "opendir");
	char place[PATH];

	return real(there(path, place));
}

int open64(const char *path, int flags, ...)
{
	int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
	char place[PATH];
	va_list rest;

	va_start(rest, flags);
	int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, int) : 0;
	va_end(rest);
	return real(there(path, place), flags, mode);
}

int lstat64(const char *path, struct stat64 *facts)
{
	int (*real)(const char *, struct stat64 *) = dlsym(RTLD_NEXT, "lstat64");
	char place[PATH];

	return real(there(path, place), facts);
}

static void put(char *field, const char *text)
{
	size_t length = strnlen(text, GPIO_MAX_NAME_SIZE - 1);

	memcpy(field, text, length);
	field[length] = 0;
}

static int answer(FILE *chip, unsigned long request, void *argument)
{
	char line[200];

	if (!fgets(line, sizeof line, chip))
		return -1;
	line[strcspn(line, "\n")] = 0;
	if (request == GPIO_GET_CHIPINFO_IOCTL) {
		put(((struct gpiochip_info *)argument)->label, line);
		return 0;
	}
	struct gpio_v2_line_info *info = argument;
	while (fgets(line, sizeof line, chip)) {
		char *name;

		line[strcspn(line, "\n")] = 0;
		if (strtoul(line, &name, 10) == info->offset) {
			put(info->consumer, name + 1);
			info->flags = GPIO_V2_LINE_FLAG_USED;
		}
	}
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
	char link[40], path[PATH] = "";
	va_list rest;

	va_start(rest, request);
	void *argument = va_arg(rest, void *);
	va_end(rest);
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, sizeof path - 1);
	if ((request == GPIO_GET_CHIPINFO_IOCTL || request == GPIO_V2_GET_LINEINFO_IOCTL) &&
	    length > 0 && strstr(path, "/dev/gpiochip")) {
		FILE *chip = fopen(path, "r");
		int result = chip ? answer(chip, request, argument) : -1;

		if (chip)
			fclose(chip);
		if (result < 0)
			errno = ENODEV;
		return result;
	}
	return real(fd, request, argument);
}
