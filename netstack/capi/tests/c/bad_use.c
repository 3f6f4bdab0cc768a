/* Closed handles, wild lengths, null pointers, and threads that close what others use: an errno, and never a crash. */
#include <pthread.h>
#include <unistd.h>
#include "common.h"

static int stack;

static void null_and_wild(int fd)
{
    int value = 1;
    socklen_t len;
    socklen_t wild[] = {UINT32_MAX, INT32_MAX, 0x80000000u, 129, 1, 0};
    IS(ns_stack_bind(stack, fd, NULL, 16), -EFAULT);
    IS(ns_stack_connect(stack, fd, NULL, 16), -EFAULT);
    for (unsigned i = 0; i < sizeof wild / sizeof *wild; i++) {
        struct sockaddr_storage storage = {.ss_family = AF_INET};
        if (ns_stack_bind(stack, fd, (void *)&storage, wild[i]) >= 0 && wild[i] != 129)
            exit(1);
        IS(ns_stack_setsockopt(stack, fd, SOL_SOCKET, SO_REUSEADDR, NULL, wild[i]) < 0, 1);
        len = wild[i];
        IS(ns_stack_getsockopt(stack, fd, SOL_SOCKET, SO_TYPE, NULL, &len) == 0, wild[i] == 0);
        len = wild[i];
        if ((int)wild[i] < 0)
            IS(ns_stack_getsockname(stack, fd, (void *)&storage, &len), -EINVAL);
    }
    IS(ns_stack_getsockopt(stack, fd, SOL_SOCKET, SO_TYPE, &value, NULL), -EFAULT);
    IS(ns_stack_getsockname(stack, fd, NULL, NULL), -EFAULT);
    IS(ns_stack_ioctl(stack, fd, SIOCINQ, NULL), -EFAULT);
    IS(ns_stack_ioctl(stack, fd, FIONBIO, NULL), -EFAULT);
    IS(ns_stack_ioctl(stack, fd, FIOASYNC, NULL), -EFAULT);
    IS(ns_stack_ioctl(stack, fd, (1ul << 32) | FIONBIO, NULL), -EFAULT);
    IS(ns_stack_ioctl(stack, 999, FIONBIO, NULL), -EBADF);
    IS(ns_stack_ioctl(stack, fd, 0xFFFFFFFFul, NULL), -ENOTTY);
    IS(ns_stack_sendmsg(stack, fd, NULL, 0), -EFAULT);
    IS(ns_stack_recvmsg(stack, fd, NULL, 0), -EFAULT);
    IS(ns_stack_poll(stack, NULL, 1), -EFAULT);
    IS(ns_stack_poll(stack, NULL, ~0ul), -EINVAL);
    IS(ns_stack_input(stack, NULL, 20), -EFAULT);
    IS(ns_stack_input(stack, NULL, 0), -EINVAL);
    IS(ns_stack_input(stack, &value, SIZE_MAX), -EMSGSIZE);
    IS(ns_stack_output(stack, NULL, 20), -EFAULT);
    IS(ns_stack_sysctl(stack, NULL, "1"), -EFAULT);
    IS(ns_stack_sysctl(stack, "tcp_sack", NULL), -EFAULT);
    IS(ns_stack_sysctl(stack, "\xff", "1"), -EINVAL);
    IS(ns_stack_run(stack, UINT64_MAX), -EINVAL);
}

static void messages(int fd)
{
    char byte = 0;
    struct iovec iovs[] = {
        {NULL, 1}, {&byte, SIZE_MAX}, {(void *)-1L, 2}, {&byte, (size_t)1 << 63},
    };
    for (unsigned i = 0; i < sizeof iovs / sizeof *iovs; i++) {
        struct msghdr msg = {.msg_iov = &iovs[i], .msg_iovlen = 1};
        IS(ns_stack_sendmsg(stack, fd, &msg, 0) < 0, 1);
        IS(ns_stack_recvmsg(stack, fd, &msg, 0) < 0, 1);
    }
    struct msghdr none = {.msg_iov = NULL, .msg_iovlen = 1};
    IS(ns_stack_sendmsg(stack, fd, &none, 0), -EFAULT);
    none.msg_iovlen = SIZE_MAX;
    IS(ns_stack_sendmsg(stack, fd, &none, 0), -EMSGSIZE);
    none.msg_iovlen = 0;
    none.msg_controllen = 32;
    IS(ns_stack_sendmsg(stack, fd, &none, 0), -EFAULT);
    none.msg_controllen = SIZE_MAX;
    IS(ns_stack_sendmsg(stack, fd, &none, 0), -ENOBUFS);
    none.msg_controllen = 0;
    none.msg_namelen = UINT32_MAX;
    none.msg_name = &byte;
    IS(ns_stack_sendmsg(stack, fd, &none, 0), -EINVAL);
    IS(ns_stack_recvmsg(stack, fd, &none, 0), -EINVAL);
    /* Of a name that is not there nobody looks at the length, and room for control there may be ever so much. */
    none.msg_name = NULL;
    IS(ns_stack_sendmsg(stack, fd, &none, MSG_OOB) != -EINVAL, 1);
    char *much = calloc(1, 1 << 20);
    none.msg_control = much;
    none.msg_controllen = 1 << 20;
    ssize_t got = ns_stack_recvmsg(stack, fd, &none, 0);
    IS(got == -EAGAIN || got == -ENOTCONN, 1);
    free(much);
}

static void closed(void)
{
    int gone[] = {-1, 0, 1, 2, 1000000, INT32_MAX, INT32_MIN};
    struct epoll_event event = {.events = EPOLLIN};
    int ep = ns_stack_epoll_create(stack);
    for (unsigned i = 0; i < sizeof gone / sizeof *gone; i++) {
        int fd = gone[i], value = 0;
        socklen_t len = sizeof value;
        struct sockaddr_in name = at("10.0.0.1", 1);
        struct msghdr msg = {0};
        IS(ns_stack_close(stack, fd), -EBADF);
        IS(ns_stack_bind(stack, fd, (void *)&name, sizeof name), -EBADF);
        IS(ns_stack_listen(stack, fd, 1), -EBADF);
        IS(ns_stack_accept(stack, fd, NULL, NULL), -EBADF);
        IS(ns_stack_connect(stack, fd, (void *)&name, sizeof name), -EBADF);
        IS(ns_stack_sendmsg(stack, fd, &msg, 0), -EBADF);
        IS(ns_stack_recvmsg(stack, fd, &msg, 0), -EBADF);
        IS(ns_stack_shutdown(stack, fd, SHUT_RD), -EBADF);
        IS(ns_stack_ioctl(stack, fd, SIOCINQ, &value), -EBADF);
        IS(ns_stack_getsockopt(stack, fd, SOL_SOCKET, SO_TYPE, &value, &len), -EBADF);
        IS(ns_stack_setsockopt(stack, fd, SOL_SOCKET, SO_REUSEADDR, &value, len), -EBADF);
        IS(ns_stack_epoll_ctl(stack, ep, EPOLL_CTL_ADD, fd, &event), -EBADF);
        IS(ns_stack_epoll_ctl(stack, fd, EPOLL_CTL_ADD, ep, &event), -EBADF);
        IS(ns_stack_epoll_wait(stack, fd, &event, 1), -EBADF);
    }
    /* That there is no such descriptor comes before what else is wrong. */
    IS(ns_stack_bind(stack, -1, NULL, 16), -EBADF);
    IS(ns_stack_connect(stack, -1, NULL, 16), -EBADF);
    struct sockaddr_storage peer;
    IS(ns_stack_accept(stack, -1, (void *)&peer, NULL), -EBADF);
    IS(ns_stack_sendmsg(stack, -1, NULL, 0), -EBADF);
    IS(ns_stack_recvmsg(stack, -1, NULL, 0), -EBADF);
    IS(ns_stack_getsockname(stack, -1, NULL, NULL), -EBADF);
    IS(ns_stack_getpeername(stack, -1, NULL, NULL), -EBADF);
    IS(ns_stack_getsockopt(stack, -1, SOL_SOCKET, SO_TYPE, NULL, NULL), -EBADF);
    IS(ns_stack_setsockopt(stack, -1, SOL_SOCKET, SO_REUSEADDR, NULL, 4), -EBADF);
    IS(ns_stack_ioctl(stack, -1, SIOCINQ, NULL), -EBADF);
    IS(ns_stack_sendmsg(stack, ep, NULL, 0), -ENOTSOCK);
    IS(ns_stack_bind(stack, ep, NULL, 16), -ENOTSOCK);
    IS(ns_stack_epoll_ctl(stack, ep, EPOLL_CTL_ADD, ep, NULL), -EFAULT);
    IS(ns_stack_epoll_wait(stack, ep, NULL, 4), -EFAULT);
    IS(ns_stack_epoll_wait(stack, ep, &event, 0), -EINVAL);
    IS(ns_stack_epoll_wait(stack, ep, &event, INT32_MIN), -EINVAL);
    IS(ns_stack_epoll_wait(stack, ep, &event, INT32_MAX), -EINVAL);
    IS(ns_stack_epoll_wait(stack, -1, &event, INT32_MAX), -EBADF);
    IS(ns_stack_epoll_wait(stack, ep, &event, INT32_MAX / sizeof event), 0);
    IS(ns_stack_close(stack, ep), 0);
}

/* Where a name is to go is looked at when there is one, and then the connection is lost. */
static void nameless(void)
{
    struct sockaddr_in name = at("10.0.0.1", 4000);
    struct sockaddr_storage peer;
    socklen_t len = -1;
    int fd = ns_stack_socket(stack, AF_INET, SOCK_STREAM, 0);
    int client = ns_stack_socket(stack, AF_INET, SOCK_STREAM, 0);
    IS(ns_stack_accept(stack, fd, (void *)&peer, &len), -EINVAL);
    IS(ns_stack_bind(stack, fd, (void *)&name, sizeof name), 0);
    IS(ns_stack_listen(stack, fd, 5), 0);
    IS(ns_stack_accept(stack, fd, (void *)&peer, &len), -EAGAIN);
    IS(ns_stack_accept(stack, fd, (void *)&peer, NULL), -EAGAIN);
    IS(ns_stack_connect(stack, client, (void *)&name, sizeof name), -EINPROGRESS);
    unsigned char packet[1500];
    while (ns_stack_output(stack, packet, sizeof packet) > 0)
        ;
    IS(ns_stack_accept(stack, fd, (void *)&peer, &len), -EINVAL);
    IS(ns_stack_accept(stack, fd, (void *)&peer, NULL), -EAGAIN);
    /* Its number is free again. */
    int next = ns_stack_socket(stack, AF_INET, SOCK_STREAM, 0);
    IS(next, client + 1);
    IS(ns_stack_close(stack, next), 0);
    IS(ns_stack_close(stack, client), 0);
    IS(ns_stack_close(stack, fd), 0);
}

/* Epoll descriptors of which each watches the one before: no more of them than Linux takes, however they are joined. */
static void chains(void)
{
    enum { CHAIN = 20000 };
    static int eps[CHAIN];
    struct epoll_event event = {.events = EPOLLIN};
    int fd = ns_stack_socket(stack, AF_INET, SOCK_DGRAM, 0), refused = 0;
    for (int i = 0; i < CHAIN; i++)
        eps[i] = ns_stack_epoll_create(stack);
    for (int i = CHAIN - 1; i > 0; i--) {
        int result = ns_stack_epoll_ctl(stack, eps[i], EPOLL_CTL_ADD, eps[i - 1], &event);
        if (result)
            IS(result, -ELOOP);
        refused += result != 0;
    }
    IS(refused, (CHAIN - 1) / 5);
    event.events = EPOLLOUT;
    IS(ns_stack_epoll_ctl(stack, eps[0], EPOLL_CTL_ADD, fd, &event), 0);
    struct pollfd polled = {.fd = eps[CHAIN - 1], .events = POLLIN};
    IS(ns_stack_poll(stack, &polled, 1), 0);
    for (int i = 0; i < CHAIN; i++)
        IS(ns_stack_close(stack, eps[i]), 0);
    IS(ns_stack_close(stack, fd), 0);
}

/* Whoever waits for a descriptor of a stack that ends is told. */
static void ends(void)
{
    int other = ns_stack_new(NULL);
    int bell = ns_stack_eventfd(other, ns_stack_socket(other, AF_INET, SOCK_DGRAM, 0), POLLIN);
    struct pollfd polled = {.fd = bell, .events = POLLIN};
    IS(poll(&polled, 1, 0), 0);
    IS(ns_stack_free(other), 0);
    IS(poll(&polled, 1, 0), 1);
    close(bell);
}

/* Noise in place of packets. */
static void noise(void)
{
    unsigned char packet[200];
    srand(7);
    for (int i = 0; i < 20000; i++) {
        for (unsigned j = 0; j < sizeof packet; j++)
            packet[j] = rand();
        packet[0] = i % 2 ? 0x45 : 0x60;
        ns_stack_input(stack, packet, rand() % sizeof packet);
    }
}

/* At the end of time calls are made as ever. */
static void late(void)
{
    stack = ns_stack_new("addr=10.0.0.1/24,seed=4");
    IS(ns_stack_run(stack, UINT64_MAX / 1000), 0);
    struct sockaddr_in name = at("10.0.0.2", 80), own = at("10.0.0.1", 80);
    for (int i = 0; i < 4; i++) {
        int fd = ns_stack_socket(stack, AF_INET, i & 1 ? SOCK_DGRAM : SOCK_STREAM, 0);
        if (i < 2)
            ns_stack_connect(stack, fd, (void *)&name, sizeof name);
        else
            IS(ns_stack_bind(stack, fd, (void *)&own, sizeof own), 0);
        if (i == 2)
            IS(ns_stack_listen(stack, fd, 1), 0);
    }
    unsigned char packet[1500];
    while (ns_stack_output(stack, packet, sizeof packet) > 0)
        ;
    noise();
    IS(ns_stack_poll_at(stack) > UINT64_MAX / 1000, 1);
    IS(ns_stack_run(stack, UINT64_MAX / 1000), 0);
    IS(ns_stack_free(stack), 0);
}

/* Everybody makes every call, on the same few descriptors. */
static void *worker(void *seed)
{
    unsigned state = (unsigned)(size_t)seed;
    struct sockaddr_in name = at("10.0.0.1", 80);
    for (int i = 0; i < 3000; i++) {
        int fd = 3 + rand_r(&state) % 8;
        char bytes[64] = "";
        struct iovec iov = {bytes, sizeof bytes};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
        struct pollfd polled = {.fd = fd, .events = POLLIN | POLLOUT};
        struct epoll_event event = {.events = EPOLLIN};
        unsigned char packet[1500] = {0x45, 0, 0, 60};
        struct sockaddr_storage storage;
        socklen_t len = sizeof storage;
        int value = 1, level = rand_r(&state) % 2 ? SOL_SOCKET : IPPROTO_TCP;
        switch (rand_r(&state) % 22) {
        case 0: ns_stack_socket(stack, AF_INET, SOCK_STREAM, 0); break;
        case 1: ns_stack_socket(stack, AF_INET, SOCK_DGRAM, 0); break;
        case 2: case 3: ns_stack_close(stack, fd); break;
        case 4: ns_stack_bind(stack, fd, (void *)&name, sizeof name); break;
        case 5: ns_stack_listen(stack, fd, 3); break;
        case 6: ns_stack_accept(stack, fd, (void *)&storage, &len); break;
        case 7: ns_stack_connect(stack, fd, (void *)&name, sizeof name); break;
        case 8: ns_stack_sendmsg(stack, fd, &msg, 0); break;
        case 9: ns_stack_recvmsg(stack, fd, &msg, 0); break;
        case 10: ns_stack_poll(stack, &polled, 1); break;
        case 11: ns_stack_shutdown(stack, fd, rand_r(&state) % 3); break;
        case 12: ns_stack_epoll_ctl(stack, 3 + rand_r(&state) % 8, 1 + rand_r(&state) % 3, fd, &event); break;
        case 13: {
            int ep = ns_stack_epoll_create(stack);
            if (ep >= 11)
                ns_stack_close(stack, ep);
            break;
        }
        case 14: ns_stack_epoll_wait(stack, fd, &event, 1); break;
        case 15: ns_stack_getsockname(stack, fd, (void *)&storage, &len); break;
        case 16: ns_stack_getpeername(stack, fd, (void *)&storage, &len); break;
        case 17: ns_stack_ioctl(stack, fd, rand_r(&state) % 2 ? SIOCINQ : SIOCOUTQ, &value); break;
        case 18: ns_stack_getsockopt(stack, fd, level, rand_r(&state) % 64, &storage, &len); break;
        case 19: ns_stack_setsockopt(stack, fd, level, rand_r(&state) % 64, &value, sizeof value); break;
        case 20: ns_stack_sysctl(stack, "tcp_sack", rand_r(&state) % 2 ? "1" : "0"); break;
        case 21:
            ns_stack_input(stack, packet, 20 + rand_r(&state) % 100);
            while (ns_stack_output(stack, packet, sizeof packet) > 0)
                ;
            int bell = ns_stack_eventfd(stack, fd, POLLIN);
            if (bell >= 0)
                close(bell);
            break;
        }
    }
    return NULL;
}

static void *ender(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20; i++)
        ns_stack_run(stack, ns_stack_poll_at(stack) == UINT64_MAX ? 0 : ns_stack_poll_at(stack));
    return NULL;
}

int main(void)
{
    const char *wrong[] = {"addr", "addr=1.2.3.4", "mtu=10", "mtu=70000", "what=1", "seed=x", "addr=224.0.0.1/4", "\xff"};
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
        IS(ns_stack_new(wrong[i]), -EINVAL);
    IS(ns_socket(AF_INET, SOCK_STREAM, 0), -ENODEV);
    IS(ns_fini(), -ENODEV);
    IS(ns_init(NULL), 0);
    IS(ns_init(NULL), -EBUSY);
    IS(ns_socket(AF_INET, SOCK_STREAM, 0), 3);
    IS(ns_stack_free(0), -EINVAL);
    IS(ns_fini(), 0);
    stack = ns_stack_new("addr=10.0.0.1/24,seed=3");
    int sockets[] = {ns_stack_socket(stack, AF_INET, SOCK_STREAM, 0), ns_stack_socket(stack, AF_INET, SOCK_DGRAM, 0),
                     ns_stack_socket(stack, AF_INET6, SOCK_STREAM, 0)};
    for (int i = 0; i < 3; i++) {
        null_and_wild(sockets[i]);
        messages(sockets[i]);
        IS(ns_stack_close(stack, sockets[i]), 0);
    }
    closed();
    nameless();
    chains();
    ends();
    noise();
    pthread_t threads[9];
    for (size_t i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, worker, (void *)(i + 1));
    pthread_create(&threads[8], NULL, ender, NULL);
    for (int i = 0; i < 9; i++)
        pthread_join(threads[i], NULL);
    IS(ns_stack_socket(99, AF_INET, SOCK_STREAM, 0), -EBADF);
    IS(ns_stack_free(stack), 0);
    IS(ns_stack_free(stack), -EBADF);
    late();
    puts("nothing crashed");
    return 0;
}
