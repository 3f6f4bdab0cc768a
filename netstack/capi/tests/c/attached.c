/* Descriptors of a stack on a TUN device: who waits is told, by calls and by eventfds, whoever closes meanwhile. */
#include <linux/net_tstamp.h>
#include "attached.h"

enum { MANY = 8 };

/* The kernel connects after a while, sends, and closes. */
static void *caller(void *unused)
{
    (void)unused;
    usleep(50000);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = at(OURS, OWN);
    IS(connect(fd, (void *)&to, sizeof to), 0);
    usleep(50000);
    IS(write(fd, "hello", 5), 5);
    usleep(50000);
    close(fd);
    return NULL;
}

static int listening(int port)
{
    int fd = made(SOCK_STREAM);
    struct sockaddr_in name = at(OURS, port);
    IS(ns_stack_bind(stack, fd, (void *)&name, sizeof name), 0);
    IS(ns_stack_listen(stack, fd, 16), 0);
    return fd;
}

static void waits_for_callers(void)
{
    int fd = listening(OWN);
    pthread_t thread;
    pthread_create(&thread, NULL, caller, NULL);
    struct sockaddr_in peer, want = at(KERNEL, 0);
    socklen_t len = sizeof peer;
    int one = ns_stack_accept(stack, fd, (void *)&peer, &len);
    IS(one >= 0, 1);
    IS(len, sizeof peer);
    IS(peer.sin_addr.s_addr, want.sin_addr.s_addr);
    char bytes[16];
    IS(get(one, bytes, sizeof bytes, 0), 5);
    IS(memcmp(bytes, "hello", 5), 0);
    IS(get(one, bytes, sizeof bytes, 0), 0);
    pthread_join(thread, NULL);
    IS(ns_stack_close(stack, one), 0);
    IS(ns_stack_close(stack, fd), 0);
}

static void times(void)
{
    int fd = connected(ECHO);
    char bytes[16];
    wait_at_most(fd, SO_RCVTIMEO, 120);
    long long begun = ms();
    IS(get(fd, bytes, sizeof bytes, 0), -EAGAIN);
    between(begun, 120, 5000, __LINE__);
    /* What has come until then. */
    IS(put(fd, "abc", 3, 0), 3);
    begun = ms();
    IS(get(fd, bytes, sizeof bytes, MSG_WAITALL), 3);
    between(begun, 120, 5000, __LINE__);
    begun = ms();
    IS(get(fd, bytes, sizeof bytes, MSG_DONTWAIT), -EAGAIN);
    between(begun, 0, 100, __LINE__);
    IS(ns_stack_close(stack, fd), 0);

    fd = listening(OWN + 1);
    wait_at_most(fd, SO_RCVTIMEO, 120);
    IS(ns_stack_accept(stack, fd, NULL, NULL), -EAGAIN);
    IS(ns_stack_close(stack, fd), 0);

    fd = made(SOCK_STREAM);
    struct sockaddr_in to = at(NOWHERE, 1);
    wait_at_most(fd, SO_SNDTIMEO, 120);
    begun = ms();
    IS(ns_stack_connect(stack, fd, (void *)&to, sizeof to), -EINPROGRESS);
    between(begun, 120, 5000, __LINE__);
    IS(ns_stack_close(stack, fd), 0);

    fd = made(SOCK_STREAM);
    to = at(KERNEL, 9);
    IS(ns_stack_connect(stack, fd, (void *)&to, sizeof to), -ECONNREFUSED);
    IS(ns_stack_close(stack, fd), 0);
}

static void without_waiting(void)
{
    int fd = made(SOCK_STREAM | SOCK_NONBLOCK), zero = 0;
    char bytes[16];
    struct sockaddr_in to = at(KERNEL, ECHO);
    IS(ns_stack_connect(stack, fd, (void *)&to, sizeof to), -EINPROGRESS);
    int writable = ns_stack_eventfd(stack, fd, POLLOUT);
    IS(writable >= 0, 1);
    IS(ready(&writable, 1, 5000), 1);
    IS(ns_stack_connect(stack, fd, (void *)&to, sizeof to), 0);
    IS(get(fd, bytes, sizeof bytes, 0), -EAGAIN);
    /* Until there is no room any more; then it is not writable, and when the echo is read it is again. */
    static char much[100000];
    long sent = 0, came = 0;
    ssize_t more;
    while ((more = put(fd, much, sizeof much, 0)) > 0)
        sent += more;
    IS(more, -EAGAIN);
    int quiet = 0;
    while (!quiet) {
        usleep(100000);
        quiet = 1;
        while ((more = put(fd, much, sizeof much, 0)) > 0)
            sent += more, quiet = 0;
    }
    IS(ready(&writable, 1, 0), 0);
    IS(ns_stack_ioctl(stack, fd, FIONBIO, &zero), 0);
    while (came < sent) {
        more = get(fd, much, sizeof much, 0);
        IS(more > 0, 1);
        came += more;
    }
    IS(ready(&writable, 1, 5000), 1);
    IS(ns_stack_close(stack, fd), 0);
    close(writable);
}

static void eventfds(void)
{
    enum { SOCKETS = 4 };
    int fds[SOCKETS], events[SOCKETS], host = socket(AF_INET, SOCK_DGRAM, 0);
    char bytes[16];
    for (int i = 0; i < SOCKETS; i++) {
        fds[i] = made(SOCK_DGRAM);
        struct sockaddr_in name = at(OURS, 9000 + i);
        IS(ns_stack_bind(stack, fds[i], (void *)&name, sizeof name), 0);
        events[i] = ns_stack_eventfd(stack, fds[i], POLLIN);
        IS(events[i] >= 0, 1);
    }
    IS(ready(events, SOCKETS, 0), 0);
    /* An epoll descriptor of the stack has one too. */
    int ep = ns_stack_epoll_create(stack);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 7};
    IS(ns_stack_epoll_ctl(stack, ep, EPOLL_CTL_ADD, fds[3], &event), 0);
    int nested = ns_stack_eventfd(stack, ep, POLLIN);
    IS(ready(&nested, 1, 0), 0);
    for (int round = 0; round < 200; round++) {
        int which = round % SOCKETS;
        struct sockaddr_in to = at(OURS, 9000 + which);
        IS(sendto(host, "one", 3, 0, (void *)&to, sizeof to), 3);
        IS(ready(events, SOCKETS, 5000), 1 << which);
        /* As long as it is so, it is told. */
        IS(ready(events, SOCKETS, 5000), 1 << which);
        if (which == 3) {
            IS(ready(&nested, 1, 5000), 1);
            IS(ns_stack_epoll_wait(stack, ep, &event, 1), 1);
            IS(event.data.u32, 7);
        }
        IS(get(fds[which], bytes, sizeof bytes, 0), 3);
        IS(ready(events, SOCKETS, 0), 0);
        if (which == 3) {
            IS(ns_stack_epoll_wait(stack, ep, &event, 1), 0);
            IS(ready(&nested, 1, 0), 0);
        }
    }
    /* All can be written to. */
    int out = ns_stack_eventfd(stack, fds[0], POLLOUT);
    IS(ready(&out, 1, 0), 1);
    IS(ns_stack_eventfd(stack, fds[0], POLLNVAL), -EINVAL);
    IS(ns_stack_eventfd(stack, 12345, POLLIN), -EBADF);
    /* What is closed is told of, and found closed; a descriptor of the same number is another one. */
    IS(ns_stack_close(stack, fds[0]), 0);
    IS(ready(events, SOCKETS, 5000), 1);
    IS(get(fds[0], bytes, sizeof bytes, 0), -EBADF);
    IS(made(SOCK_DGRAM), fds[0]);
    int fresh = ns_stack_eventfd(stack, fds[0], POLLIN);
    IS(ready(&fresh, 1, 0), 0);
    for (int i = 0; i < SOCKETS; i++) {
        IS(ns_stack_close(stack, fds[i]), 0);
        close(events[i]);
    }
    IS(ns_stack_close(stack, ep), 0);
    close(nested), close(out), close(fresh), close(host);
}

struct blocked {
    int fd, how;
    long result;
};

/* Urgent data both ways, and calls that never wait for what is not there. */
static void urgent(void)
{
    int host = listener(SINK), fd = connected(SINK), one = accept(host, NULL, NULL);
    int stamps = SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY;
    char byte = 0;
    long long begun = ms();
    IS(get(fd, &byte, 1, MSG_OOB), -EINVAL);
    IS(get(fd, &byte, 1, MSG_ERRQUEUE), -EAGAIN);
    between(begun, 0, 500, __LINE__);
    int hurry = ns_stack_eventfd(stack, fd, POLLPRI);
    IS(ready(&hurry, 1, 50), 0);
    IS(send(one, "ab", 2, MSG_OOB), 2);
    IS(ready(&hurry, 1, 5000), 1);
    IS(get(fd, &byte, 1, MSG_OOB), 1);
    IS(byte, 'b');
    IS(get(fd, &byte, 1, 0), 1);
    IS(byte, 'a');
    IS(ns_stack_setsockopt(stack, fd, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof stamps), 0);
    int left = ns_stack_eventfd(stack, fd, 0);
    IS(put(fd, "cd", 2, MSG_OOB), 2);
    IS(ready(&left, 1, 5000), 1);
    IS(get(fd, &byte, 1, MSG_ERRQUEUE), 0);
    struct pollfd polled = {.fd = one, .events = POLLPRI};
    IS(poll(&polled, 1, 5000), 1);
    IS(recv(one, &byte, 1, MSG_OOB), 1);
    IS(byte, 'd');
    close(hurry);
    close(left);
    IS(ns_stack_close(stack, fd), 0);
    close(one);
    close(host);
}

static void *block(void *argument)
{
    struct blocked *blocked = argument;
    char bytes[16];
    struct sockaddr_in to = at(NOWHERE, 1);
    switch (blocked->how) {
    case 0: blocked->result = get(blocked->fd, bytes, sizeof bytes, 0); break;
    case 1: blocked->result = ns_stack_accept(stack, blocked->fd, NULL, NULL); break;
    case 2: blocked->result = ns_stack_connect(stack, blocked->fd, (void *)&to, sizeof to); break;
    }
    return NULL;
}

static void closed_meanwhile(void)
{
    for (int how = 0; how < 3; how++) {
        for (int shut = 0; shut < 2; shut++) {
            struct blocked blocked = {.how = how};
            blocked.fd = how == 0 ? connected(ECHO) : how == 1 ? listening(OWN + 2) : made(SOCK_STREAM);
            pthread_t threads[2];
            struct blocked both[2] = {blocked, blocked};
            for (int i = 0; i < 2; i++)
                pthread_create(&threads[i], NULL, block, &both[i]);
            usleep(100000);
            long long begun = ms();
            if (shut)
                IS(ns_stack_shutdown(stack, blocked.fd, SHUT_RDWR), 0);
            else
                IS(ns_stack_close(stack, blocked.fd), 0);
            for (int i = 0; i < 2; i++) {
                pthread_join(threads[i], NULL);
                if (!shut)
                    IS(both[i].result, -EBADF);
                else if (how == 0)
                    IS(both[i].result, 0);
                else
                    IS(both[i].result, how == 1 ? -EINVAL : -ECONNABORTED);
            }
            between(begun, 0, 5000, __LINE__);
            if (shut)
                IS(ns_stack_close(stack, blocked.fd), 0);
        }
    }
}

/* Everybody works on connections of their own, and looks at those of others. */
static void *worker(void *argument)
{
    int number = (int)(long)argument;
    char bytes[2000], back[2000];
    memset(bytes, 'a' + number, sizeof bytes);
    for (int round = 0; round < 5; round++) {
        int fd = connected(ECHO);
        int events = ns_stack_eventfd(stack, fd, POLLIN);
        for (int i = 0; i < 20; i++) {
            IS(put(fd, bytes, sizeof bytes, 0), sizeof bytes);
            if (i % 2)
                IS(ready(&events, 1, 20000), 1);
            IS(get(fd, back, sizeof back, MSG_WAITALL), sizeof back);
            IS(memcmp(bytes, back, sizeof back), 0);
            struct pollfd others[4];
            for (int j = 0; j < 4; j++)
                others[j] = (struct pollfd){.fd = 3 + (fd + j) % 16, .events = POLLIN | POLLOUT};
            IS(ns_stack_poll(stack, others, 4) >= 0, 1);
        }
        IS(ns_stack_close(stack, fd), 0);
        close(events);
    }
    return NULL;
}

static void many_threads(void)
{
    pthread_t threads[MANY];
    for (long i = 0; i < MANY; i++)
        pthread_create(&threads[i], NULL, worker, (void *)i);
    for (int i = 0; i < MANY; i++)
        pthread_join(threads[i], NULL);
}

/* Somebody else may have closed it already. */
static void patient(int fd)
{
    struct timeval time = {0, 20000};
    ns_stack_setsockopt(stack, fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    ns_stack_setsockopt(stack, fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

/* Calls that wait while others close, shut and make what they wait for. */
static void *meddler(void *argument)
{
    unsigned state = 99 + (unsigned)(long)argument;
    struct sockaddr_in to = at(KERNEL, ECHO), own = at(OURS, 5000);
    for (int i = 0; i < 150; i++) {
        int fd = 3 + rand_r(&state) % 6;
        char bytes[64] = "";
        switch (rand_r(&state) % 10) {
        case 0: patient(ns_stack_socket(stack, AF_INET, SOCK_STREAM, 0)); break;
        case 1: case 2: ns_stack_close(stack, fd); break;
        case 3: ns_stack_connect(stack, fd, (void *)&to, sizeof to); break;
        case 4: put(fd, bytes, sizeof bytes, 0); break;
        case 5: get(fd, bytes, sizeof bytes, 0); break;
        case 6: ns_stack_shutdown(stack, fd, rand_r(&state) % 3); break;
        case 7: close(ns_stack_eventfd(stack, fd, POLLIN)); break;
        case 8: ns_stack_bind(stack, fd, (void *)&own, sizeof own);
            ns_stack_listen(stack, fd, 2);
            break;
        case 9: ns_stack_accept(stack, fd, NULL, NULL); break;
        }
    }
    return NULL;
}

static void *closer(void *argument)
{
    /* Whoever waits without an end in sight is helped out of it. */
    for (int *over = argument; !__atomic_load_n(over, __ATOMIC_ACQUIRE); usleep(1000))
        for (int fd = 3; fd < 16; fd++)
            ns_stack_close(stack, fd);
    return NULL;
}

static void meddling(void)
{
    pthread_t threads[MANY], last;
    int over = 0;
    for (long i = 0; i < MANY; i++)
        pthread_create(&threads[i], NULL, meddler, (void *)i);
    pthread_create(&last, NULL, closer, &over);
    for (int i = 0; i < MANY; i++)
        pthread_join(threads[i], NULL);
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    pthread_join(last, NULL);
}

static void ended_meanwhile(void)
{
    struct blocked blocked = {.fd = listening(OWN + 3), .how = 1};
    int events = ns_stack_eventfd(stack, blocked.fd, POLLIN);
    pthread_t thread;
    pthread_create(&thread, NULL, block, &blocked);
    usleep(100000);
    IS(ready(&events, 1, 0), 0);
    long long begun = ms();
    IS(ns_stack_free(stack), 0);
    between(begun, 0, 4000, __LINE__);
    pthread_join(thread, NULL);
    IS(blocked.result, -EBADF);
    IS(ready(&events, 1, 5000), 1);
    IS(ns_stack_accept(stack, blocked.fd, NULL, NULL), -EBADF);
    close(events);
}

int main(void)
{
    IS(ns_stack_new("tun=lo"), -EEXIST);
    IS(ns_stack_new("tun=a-name-that-is-too-long"), -EINVAL);
    IS(ns_stack_new("tun=tun86,netns=of-nobody"), -ENOENT);
    IS(ns_stack_new("offload=1"), -EINVAL);
    for (int i = 0; i < 2; i++) {
        stack = ns_stack_new(ways[i]);
        IS(stack > 0, 1);
        IS(ns_stack_new(ways[i]), -EBUSY);
        int host = listener(ECHO);
        pthread_t thread;
        pthread_create(&thread, NULL, echo, (void *)(long)host);
        char byte = 0x45;
        IS(ns_stack_input(stack, &byte, 1), -EOPNOTSUPP);
        IS(ns_stack_output(stack, &byte, 1), -EOPNOTSUPP);
        IS(ns_stack_run(stack, 1), -EOPNOTSUPP);
        IS(ns_stack_poll_at(stack) == UINT64_MAX, 1);
        waits_for_callers();
        times();
        without_waiting();
        eventfds();
        urgent();
        closed_meanwhile();
        many_threads();
        meddling();
        ended_meanwhile();
        shutdown(host, SHUT_RDWR);
        pthread_join(thread, NULL);
        close(host);
    }
    /* The stack of the process may be such a one. */
    IS(ns_init(ways[0]), 0);
    int fd = ns_socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = at(KERNEL, 9);
    IS(ns_connect(fd, (void *)&to, sizeof to), -ECONNREFUSED);
    int events = ns_eventfd(fd, POLLIN);
    IS(ns_fini(), 0);
    IS(ready(&events, 1, 5000), 1);
    IS(ns_close(fd), -ENODEV);
    puts("all waited and were told");
    return 0;
}
