/* lgpio's alert thread looks whether a line was claimed, then waits for the signal of a claim. A
   claim in between is never heard of, and nothing later is. It happens by itself in some starts;
   with this in LD_PRELOAD it happens in each: the thread is slow to begin its first wait. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    static int (*wait)(pthread_cond_t *, pthread_mutex_t *);
    static int waited;
    Dl_info caller;

    if (!wait)
        wait = dlsym(RTLD_NEXT, "pthread_cond_wait");
    if (!waited && dladdr(__builtin_return_address(0), &caller) && strstr(caller.dli_fname, "lgpio")) {
        waited = 1;
        pthread_mutex_unlock(mutex);
        usleep(300 * 1000);
        pthread_mutex_lock(mutex);
    }
    return wait(cond, mutex);
}
