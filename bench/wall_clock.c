/* LD_PRELOAD: the wall clock of this process is WALL_CLOCK_OFF seconds off; all other clocks are
 * right. A wait until a time of that clock is put right again, as the kernel knows nothing of it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long off(void)
{
    static long seconds, known;
    if (!known) {
        const char *text = getenv("WALL_CLOCK_OFF");
        seconds = text ? atol(text) : 0;
        known = 1;
    }
    return seconds;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = REAL(clock_gettime);
    int code = real(clock, now);
    if (!code && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += off();
    return code;
}

int gettimeofday(struct timeval *now, void *zone)
{
    int code = REAL(gettimeofday)(now, zone);
    if (!code)
        now->tv_sec += off();
    return code;
}

time_t time(time_t *now)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (now)
        *now = t.tv_sec;
    return t.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *at)
{
    /* of waits by the wall clock only; a condition of the steady clock has other times */
    struct timespec right = *at, now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (labs(at->tv_sec - now.tv_sec) < labs(off()) / 2)
        right.tv_sec -= off();
    return REAL(pthread_cond_timedwait)(cond, mutex, &right);
}

int sem_timedwait(sem_t *sem, const struct timespec *at)
{
    struct timespec right = *at;
    right.tv_sec -= off();
    return REAL(sem_timedwait)(sem, &right);
}
