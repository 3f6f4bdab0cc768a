/* A stack that runs by itself on a TUN device, and the kernel's sockets on the other side. In a network namespace of its own. */
#ifndef ATTACHED_H
#define ATTACHED_H

#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>
#include "common.h"

#define OURS "10.86.0.2"
#define KERNEL "10.86.0.1"
/* Nobody is there, and nobody says so. */
#define NOWHERE "10.86.0.99"

enum { ECHO = 7000, SINK = 7001, OWN = 80, LONG = 6000000 };

static int stack;
/* How a stack is attached, with segments of the wire's size and with super-packets. */
static const char *const ways[] = {
    "tun=tun86,addr=" OURS "/24,peer=" KERNEL "/24",
    "tun=tun86,addr=" OURS "/24,peer=" KERNEL "/24,offload=1",
};

static inline long long ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static inline void between(long long begun, long long least, long long most, int line)
{
    long long took = ms() - begun;
    if (took < least || took > most) {
        fprintf(stderr, "line %d: it took %lld ms, and not %lld to %lld\n", line, took, least, most);
        exit(1);
    }
}

static inline ssize_t put(int fd, const void *bytes, size_t len, int flags)
{
    struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    return ns_stack_sendmsg(stack, fd, &msg, flags);
}

static inline ssize_t get(int fd, void *bytes, size_t len, int flags)
{
    struct iovec iov = {.iov_base = bytes, .iov_len = len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    return ns_stack_recvmsg(stack, fd, &msg, flags);
}

static inline int made(int kind)
{
    int fd = ns_stack_socket(stack, AF_INET, kind, 0);
    IS(fd >= 0, 1);
    return fd;
}

static inline int connected(int port)
{
    int fd = made(SOCK_STREAM);
    struct sockaddr_in to = at(KERNEL, port);
    IS(ns_stack_connect(stack, fd, (void *)&to, sizeof to), 0);
    return fd;
}

static inline void wait_at_most(int fd, int option, int milliseconds)
{
    struct timeval time = {milliseconds / 1000, milliseconds % 1000 * 1000};
    IS(ns_stack_setsockopt(stack, fd, SOL_SOCKET, option, &time, sizeof time), 0);
}

/* What the host's poll says of some of its descriptors, in bits, after at most so long. */
static inline int ready(const int *fds, int count, int milliseconds)
{
    struct pollfd polled[8];
    int bits = 0;
    for (int i = 0; i < count; i++)
        polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    IS(poll(polled, count, milliseconds) >= 0, 1);
    for (int i = 0; i < count; i++)
        bits |= (polled[i].revents & POLLIN ? 1 : 0) << i;
    return bits;
}

/* Kernel's side: a socket that listens, a thread for each connection. */
static inline int listener(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in name = at(KERNEL, port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    IS(bind(fd, (void *)&name, sizeof name), 0);
    IS(listen(fd, 64), 0);
    return fd;
}

static inline void *echo_one(void *argument)
{
    int fd = (int)(long)argument;
    char bytes[16384];
    ssize_t len;
    while ((len = read(fd, bytes, sizeof bytes)) > 0)
        for (ssize_t done = 0, more; done < len; done += more)
            if ((more = write(fd, bytes + done, len - done)) <= 0)
                break;
    close(fd);
    return NULL;
}

static inline void *echo(void *argument)
{
    int fd = (int)(long)argument, one;
    while ((one = accept(fd, NULL, NULL)) >= 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, echo_one, (void *)(long)one);
        pthread_detach(thread);
    }
    return NULL;
}

/* Takes its time before it reads anything, and counts. */
static inline void *sink(void *argument)
{
    int one = accept((int)(long)argument, NULL, NULL);
    static char bytes[1 << 16];
    long total = 0;
    ssize_t len;
    usleep(200000);
    while ((len = read(one, bytes, sizeof bytes)) > 0)
        total += len;
    close(one);
    return (void *)total;
}

#endif
