/* A PKCS#11 driver in front of another one, whose signatures take their time, or fail.
 *
 * SLOW_TOKEN_DRIVER names the driver behind it; the file that SLOW_TOKEN names says what each signature
 * is to do: so many milliseconds it takes (at most a minute), then 0, or the error it ends with. Read
 * anew for each; without the file nothing is changed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef unsigned long ulong;
typedef ulong (*sign_fn)(ulong, unsigned char *, ulong, unsigned char *, ulong *);

enum { FUNCTIONS = 68, GET_FUNCTION_LIST = 3, SIGN = 43, GENERAL_ERROR = 5 };

/* CK_FUNCTION_LIST: a version, then the functions in the order of the standard. */
struct functions {
    unsigned char version[2];
    void *function[FUNCTIONS];
};

static struct functions slow;
static sign_fn behind;

static ulong sign(ulong session, unsigned char *data, ulong size, unsigned char *out, ulong *out_size)
{
    long ms = 0;
    ulong error = 0;
    const char *path = getenv("SLOW_TOKEN");
    FILE *file = path != NULL ? fopen(path, "re") : NULL;
    if (file != NULL) {
        if (fscanf(file, "%ld %lu", &ms, &error) < 1)
            ms = 0;
        fclose(file);
    }
    /* A call that only asks how long a signature will be is no signature. */
    if (out != NULL && ms > 0 && ms <= 60000) {
        struct timespec wait = {ms / 1000, ms % 1000 * 1000000L};
        nanosleep(&wait, NULL);
    }
    ulong answer = behind(session, data, size, out, out_size);
    return out != NULL && error != 0 ? error : answer;
}

static ulong get_function_list(struct functions **list);

ulong C_GetFunctionList(struct functions **list)
{
    return get_function_list(list);
}

static ulong get_function_list(struct functions **list)
{
    const char *path = getenv("SLOW_TOKEN_DRIVER");
    void *driver = path != NULL ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (driver == NULL)
        return GENERAL_ERROR;
    ulong (*get)(struct functions **) = (ulong (*)(struct functions **))dlsym(driver, "C_GetFunctionList");
    struct functions *theirs;
    if (get == NULL || get(&theirs) != 0)
        return GENERAL_ERROR;
    memcpy(&slow, theirs, sizeof slow);
    behind = (sign_fn)theirs->function[SIGN];
    slow.function[GET_FUNCTION_LIST] = (void *)get_function_list;
    slow.function[SIGN] = (void *)sign;
    *list = &slow;
    return 0;
}
