/* Calls on a TUN device that wait until all is done: all sent, all there, all delivered. */
#include <linux/sockios.h>
#include "attached.h"
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

static void waits_until_all_is_sent(void)
{
    pthread_t thread;
    int host = listener(SINK);
    pthread_create(&thread, NULL, sink, (void *)(long)host);
    int fd = connected(SINK);
    char *bytes = calloc(1, LONG);
    IS(put(fd, bytes, LONG, 0), LONG);
    IS(ns_stack_close(stack, fd), 0);
    void *total;
    pthread_join(thread, &total);
    IS((long)total, LONG);
    free(bytes);
    close(host);
}

static void waits_until_all_is_there(void)
{
    int fd = connected(ECHO);
    static unsigned char sent[100000], came[100000];
    for (unsigned i = 0; i < sizeof sent; i++)
        sent[i] = i * 7 >> 3;
    IS(put(fd, sent, sizeof sent, 0), sizeof sent);
    IS(get(fd, came, sizeof came, MSG_WAITALL), sizeof came);
    IS(memcmp(sent, came, sizeof sent), 0);
    IS(ns_stack_shutdown(stack, fd, SHUT_WR), 0);
    IS(get(fd, came, sizeof came, 0), 0);
    IS(ns_stack_close(stack, fd), 0);
}

/* Sends much, and then the end. */
static void *source(void *argument)
{
    int one = accept((int)(long)argument, NULL, NULL);
    static char bytes[1 << 16];
    for (long sent = 0, more; sent < LONG; sent += more) {
        long left = LONG - sent;
        more = write(one, bytes, left < (long)sizeof bytes ? left : (long)sizeof bytes);
        IS(more > 0, 1);
    }
    close(one);
    return NULL;
}

/* More than any buffer holds is waited for too; what ends before is told as it is. */
static void waits_for_more_than_a_buffer(void)
{
    char *bytes = calloc(1, LONG);
    int sizes[] = {1 << 14, 0};
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        int host = listener(SINK), fd = connected(SINK);
        if (sizes[i])
            IS(ns_stack_setsockopt(stack, fd, SOL_SOCKET, SO_RCVBUF, &sizes[i], sizeof sizes[i]), 0);
        pthread_create(&thread, NULL, source, (void *)(long)host);
        IS(get(fd, bytes, LONG - 100000, MSG_WAITALL), LONG - 100000);
        IS(get(fd, NULL, 0, MSG_WAITALL), 0);
        IS(get(fd, bytes, LONG, MSG_WAITALL | (i ? MSG_TRUNC : 0)), 100000);
        IS(get(fd, bytes, LONG, MSG_WAITALL), 0);
        pthread_join(thread, NULL);
        IS(ns_stack_close(stack, fd), 0);
        close(host);
    }
    free(bytes);
}

/* Takes nothing, and resets. */
static void *resets(void *argument)
{
    int one = accept((int)(long)argument, NULL, NULL);
    struct linger now = {1, 0};
    usleep(100000);
    setsockopt(one, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(one);
    return NULL;
}

/* What a call did before it failed is told first, and then why. */
static void what_was_sent_is_told_first(void)
{
    pthread_t thread;
    int host = listener(SINK), fd = connected(SINK);
    pthread_create(&thread, NULL, resets, (void *)(long)host);
    char *bytes = calloc(1, LONG);
    ssize_t sent = put(fd, bytes, LONG, 0);
    IS(sent > 0 && sent < LONG, 1);
    IS(put(fd, bytes, 1, 0), -ECONNRESET);
    IS(put(fd, bytes, 1, 0), -EPIPE);
    pthread_join(thread, NULL);
    IS(ns_stack_close(stack, fd), 0);
    free(bytes);
    close(host);
}

static void closing_lingers(void)
{
    enum { SOME = 200000 };
    static char bytes[SOME];
    struct linger linger = {1, 20};
    pthread_t thread;
    int host = listener(SINK), fd = connected(SINK);
    IS(ns_stack_setsockopt(stack, fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    long long begun = ms();
    pthread_create(&thread, NULL, sink, (void *)(long)host);
    IS(put(fd, bytes, SOME, 0), SOME);
    IS(ns_stack_close(stack, fd), 0);
    /* Its peer sleeps for so long, and its window is less. */
    between(begun, 190, 15000, __LINE__);
    void *total;
    pthread_join(thread, &total);
    IS((long)total, SOME);
    /* Nobody takes it: the time is up; non-blocking or not. */
    fd = connected(SINK);
    int one = 1;
    linger.l_linger = 1;
    IS(ns_stack_setsockopt(stack, fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    IS(put(fd, bytes, SOME, 0), SOME);
    IS(ns_stack_ioctl(stack, fd, FIONBIO, &one), 0);
    begun = ms();
    IS(ns_stack_close(stack, fd), 0);
    between(begun, 990, 10000, __LINE__);
    IS(ns_stack_close(stack, fd), -EBADF);
    /* There is nothing to wait for: no connection, or one that is reset. */
    fd = made(SOCK_STREAM);
    IS(ns_stack_setsockopt(stack, fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    begun = ms();
    IS(ns_stack_close(stack, fd), 0);
    linger.l_linger = 0;
    fd = connected(SINK);
    IS(put(fd, bytes, SOME, 0), SOME);
    IS(ns_stack_setsockopt(stack, fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    IS(ns_stack_close(stack, fd), 0);
    between(begun, 0, 900, __LINE__);
    close(host);
}

/* What is before an urgent byte is all there is to wait for. */
static void stops_at_an_urgent_byte(void)
{
    char bytes[100];
    int host = listener(SINK), fd = connected(SINK), one = accept(host, NULL, NULL), mark = 0;
    IS(send(one, "abc", 3, 0), 3);
    IS(send(one, "d", 1, MSG_OOB), 1);
    IS(send(one, "efg", 3, 0), 3);
    IS(get(fd, bytes, sizeof bytes, MSG_WAITALL), 3);
    IS(memcmp(bytes, "abc", 3), 0);
    IS(ns_stack_ioctl(stack, fd, SIOCATMARK, &mark), 0);
    IS(mark, 1);
    IS(get(fd, bytes, 1, MSG_OOB), 1);
    IS(bytes[0], 'd');
    IS(get(fd, bytes, 3, MSG_WAITALL), 3);
    IS(memcmp(bytes, "efg", 3), 0);
    IS(ns_stack_close(stack, fd), 0);
    close(one);
    close(host);
}

/* Counts what waits on the error queue by its `ee_info`; all of it says `data`. */
static void count_errors(int fd, unsigned data, int counts[3])
{
    char control[512];
    struct msghdr msg = {.msg_control = control, .msg_controllen = sizeof control};
    while (ns_stack_recvmsg(stack, fd, &msg, MSG_ERRQUEUE) >= 0) {
        for (struct cmsghdr *one = CMSG_FIRSTHDR(&msg); one; one = CMSG_NXTHDR(&msg, one)) {
            struct sock_extended_err *error = (void *)CMSG_DATA(one);
            if (one->cmsg_level != SOL_IP)
                continue;
            IS(error->ee_data, data);
            IS(error->ee_info < 3, 1);
            counts[error->ee_info]++;
        }
        msg.msg_controllen = sizeof control;
    }
}

/* What is told of a call that waits for room again and again is told once. */
static void a_call_is_told_of_once(void)
{
    int options[] = {SO_TIMESTAMPING, SO_ZEROCOPY};
    int values[] = {SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE |
                        SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY, 1};
    char *bytes = calloc(1, LONG);
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        int host = listener(SINK), fd = connected(SINK), counts[3] = {0};
        IS(ns_stack_setsockopt(stack, fd, SOL_SOCKET, options[i], &values[i], sizeof values[i]), 0);
        pthread_create(&thread, NULL, sink, (void *)(long)host);
        IS(put(fd, bytes, LONG, i ? MSG_ZEROCOPY : 0), LONG);
        int last = i ? 0 : SCM_TSTAMP_ACK;
        for (int tries = 0; !counts[last] && tries < 500; tries++) {
            usleep(10000);
            count_errors(fd, i ? 0 : LONG - 1, counts);
        }
        IS(counts[last], 1);
        IS(ns_stack_close(stack, fd), 0);
        pthread_join(thread, NULL);
        close(host);
    }
    free(bytes);
}

/* Messages without a copy that nobody asks after do not hold up those behind them. */
static void many_are_told_of_together(void)
{
    enum { COUNT = 10000 };
    int host = listener(SINK), fd = connected(SINK), one = 1;
    pthread_t thread;
    IS(ns_stack_setsockopt(stack, fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof one), 0);
    pthread_create(&thread, NULL, sink, (void *)(long)host);
    for (int i = 0; i < COUNT; i++)
        IS(put(fd, "0123456789", 10, MSG_ZEROCOPY), 10);
    IS(ns_stack_close(stack, fd), 0);
    pthread_join(thread, NULL);
    close(host);
}

/* A call that begins its connection sends all too. */
static void sends_all_with_the_connection(void)
{
    char *bytes = calloc(1, LONG);
    struct iovec iov = {.iov_base = bytes, .iov_len = LONG};
    struct sockaddr_in to = at(KERNEL, SINK);
    struct msghdr msg = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &iov, .msg_iovlen = 1};
    pthread_t thread;
    int host = listener(SINK), fd = made(SOCK_STREAM);
    pthread_create(&thread, NULL, sink, (void *)(long)host);
    IS(ns_stack_sendmsg(stack, fd, &msg, MSG_FASTOPEN), LONG);
    IS(ns_stack_close(stack, fd), 0);
    pthread_join(thread, NULL);
    close(host);
    free(bytes);
}

int main(void)
{
    for (int i = 0; i < 2; i++) {
        stack = ns_stack_new(ways[i]);
        IS(stack > 0, 1);
        int host = listener(ECHO);
        pthread_t thread;
        pthread_create(&thread, NULL, echo, (void *)(long)host);
        waits_until_all_is_sent();
        waits_until_all_is_there();
        waits_for_more_than_a_buffer();
        what_was_sent_is_told_first();
        closing_lingers();
        stops_at_an_urgent_byte();
        a_call_is_told_of_once();
        many_are_told_of_together();
        sends_all_with_the_connection();
        shutdown(host, SHUT_RDWR);
        pthread_join(thread, NULL);
        close(host);
        IS(ns_stack_free(stack), 0);
    }
    puts("all came to its end");
    return 0;
}
