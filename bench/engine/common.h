/* What the engines share: clocks, sockets, flags, a growing buffer. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)

/* Every stamped event carries, inside its text: [[b SEQ STREAM NANOSECONDS ]] in fixed-width
 * hexadecimal without the blanks. No character of it is ever escaped in JSON, so it survives
 * a proxy that rewrites the event. */
#define MARK "[[b"
#define MARK_SEQ 3
#define MARK_STREAM 11
#define MARK_TIME 19
#define MARK_SIZE 37

static inline uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static inline uint64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
static inline uint64_t cpu_ns(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

__attribute__((noreturn, format(printf, 1, 2))) static inline void die(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    exit(2);
}

static inline void *must(void *memory)
{
    if (!memory)
        die("out of memory");
    return memory;
}

static inline double number(const char *name, const char *text, double least)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= least))
        die("--%s wants a number of at least %g, not '%s'", name, least, text);
    return value;
}

static volatile sig_atomic_t told_to_stop;
static inline void on_stop(int sig) { (void)sig; told_to_stop = 1; }

/* Broken pipes are return values, descriptors as many as allowed, waits exact: no timer slack. */
static inline void start_engine(void)
{
    struct sigaction stop = {.sa_handler = on_stop};
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1UL);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

static inline void set_nodelay(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* A non-blocking socket that listens on 127.0.0.1; port 0 picks one. Prints what it took. */
static inline int listen_on(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof place;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&place, sizeof place) || listen(fd, 4096))
        die("cannot listen on 127.0.0.1:%d: %s", port, strerror(errno));
    getsockname(fd, (struct sockaddr *)&place, &size);
    printf("{\"port\": %d}\n", ntohs(place.sin_port));
    fflush(stdout);
    return fd;
}

static inline void watch(int epoll, int op, int fd, uint32_t events, void *what)
{
    struct epoll_event event = {.events = events, .data.ptr = what};
    if (epoll_ctl(epoll, op, fd, &event))
        die("epoll_ctl: %s", strerror(errno));
}

/* Events until the clock shows `until`, or for a second: a signal may come just before the wait. */
static inline int wait_until(int epoll, struct epoll_event *ready, int room, uint64_t until)
{
    uint64_t now = now_ns(), left = until <= now ? 0 : until - now;
    left = left < SECOND ? left : SECOND - 1;
    struct timespec pause = {0, (long)left};
    int count = epoll_pwait2(epoll, ready, room, &pause, NULL);
    if (count < 0 && errno == ENOSYS)
        die("this kernel has no epoll_pwait2: Linux 5.11 or later is needed");
    return count;
}

/* A growing buffer. Bytes [0, size) are held. */
struct bytes {
    char *at;
    size_t size, room;
};

static inline void put(struct bytes *to, const char *from, size_t size)
{
    if (!size)
        return;
    if (to->size + size > to->room) {
        to->room = (to->size + size) * 2 + 256;
        to->at = must(realloc(to->at, to->room));
    }
    memcpy(to->at + to->size, from, size);
    to->size += size;
}

static inline void drop_front(struct bytes *from, size_t size)
{
    memmove(from->at, from->at + size, from->size - size);
    from->size -= size;
}

static inline void forget(struct bytes *it)
{
    free(it->at);
    *it = (struct bytes){0};
}

#endif
