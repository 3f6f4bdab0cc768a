/* Two stacks in virtual time, and a link between them. */
#ifndef TWO_STACKS_H
#define TWO_STACKS_H

#include "common.h"

enum { CLIENT, SERVER, DELAY_US = 10000 };

static int stacks[2];
static uint64_t now_us = 1000000;
/* Packets on their way, and how many of those to come are lost. */
static struct flying {
    uint64_t at;
    int to;
    ssize_t len;
    unsigned char bytes[1500];
} link_[4096];
static int flying, lose, lost, carried;

static inline ssize_t write_to(int who, int fd, const void *bytes, size_t len)
{
    struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    return ns_stack_sendmsg(stacks[who], fd, &msg, 0);
}

static inline ssize_t read_from(int who, int fd, void *bytes, size_t len, int flags)
{
    struct iovec iov = {.iov_base = bytes, .iov_len = len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    return ns_stack_recvmsg(stacks[who], fd, &msg, flags);
}

static void collect(void)
{
    for (int who = 0; who < 2; who++) {
        struct flying *one;
        while (one = &link_[flying], (one->len = ns_stack_output(stacks[who], one->bytes, 1500)) > 0) {
            if (lose > 0) {
                lose--, lost++;
                continue;
            }
            one->at = now_us + DELAY_US;
            one->to = !who;
            if (++flying == 4096)
                exit(2);
        }
        IS(one->len, 0);
    }
}

/* Lets time pass until `until`, packets and timers as they come. */
static inline void run(uint64_t until)
{
    for (;;) {
        collect();
        uint64_t next = flying ? link_[0].at : UINT64_MAX;
        for (int who = 0; who < 2; who++) {
            uint64_t due = ns_stack_poll_at(stacks[who]);
            if (due <= now_us)
                exit(3);
            if (due < next)
                next = due;
        }
        if (next > until)
            break;
        now_us = next;
        for (int who = 0; who < 2; who++)
            IS(ns_stack_run(stacks[who], now_us), 0);
        while (flying && link_[0].at <= now_us) {
            IS(ns_stack_input(stacks[link_[0].to], link_[0].bytes, link_[0].len), 0);
            carried++;
            memmove(link_, link_ + 1, --flying * sizeof *link_);
        }
    }
    now_us = until;
    for (int who = 0; who < 2; who++)
        IS(ns_stack_run(stacks[who], now_us), 0);
}

static inline int int_option(int who, int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    IS(ns_stack_getsockopt(stacks[who], fd, level, name, &value, &len), 0);
    IS(len, sizeof value);
    return value;
}

static inline void set_and_see(int who, int fd, int level, int name, int set, int seen)
{
    IS(ns_stack_setsockopt(stacks[who], fd, level, name, &set, sizeof set), 0);
    IS(int_option(who, fd, level, name), seen);
}

#endif
