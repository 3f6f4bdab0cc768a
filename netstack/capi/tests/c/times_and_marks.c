/* Two stacks in virtual time: when messages left and arrived, urgent data, listeners that share a port. */
#include "two_stacks.h"
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

enum { SOFT = SOF_TIMESTAMPING_SOFTWARE, TX = SOF_TIMESTAMPING_TX_SOFTWARE };

static void stamp(int who, int fd, int flags)
{
    set_and_see(who, fd, SOL_SOCKET, SO_TIMESTAMPING, flags, flags);
}

static int can(int who, int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI};
    ns_stack_poll(stacks[who], &polled, 1);
    return polled.revents;
}

static int connection(struct sockaddr_in *to, int *server)
{
    int listener = ns_stack_socket(stacks[SERVER], AF_INET, SOCK_STREAM, 0);
    IS(ns_stack_bind(stacks[SERVER], listener, (void *)to, sizeof *to), 0);
    IS(ns_stack_listen(stacks[SERVER], listener, 5), 0);
    int client = ns_stack_socket(stacks[CLIENT], AF_INET, SOCK_STREAM, 0);
    IS(ns_stack_connect(stacks[CLIENT], client, (void *)to, sizeof *to), -EINPROGRESS);
    run(now_us + 50000);
    *server = ns_stack_accept(stacks[SERVER], listener, NULL, NULL);
    IS(*server > 0, 1);
    IS(ns_stack_close(stacks[SERVER], listener), 0);
    return client;
}

/* What is told next of what was sent: which stage, of which number, at which microsecond, and bytes of its packet. */
static struct told {
    ssize_t len;
    uint32_t stage, id;
    uint64_t at;
    unsigned char bytes[2000];
} next;

static void told(int fd)
{
    char control[512];
    struct iovec iov = {next.bytes, sizeof next.bytes};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    int seen = 0;
    next.len = ns_stack_recvmsg(stacks[CLIENT], fd, &msg, MSG_ERRQUEUE);
    if (next.len < 0)
        return;
    IS(msg.msg_flags, MSG_ERRQUEUE);
    for (struct cmsghdr *one = CMSG_FIRSTHDR(&msg); one; one = CMSG_NXTHDR(&msg, one)) {
        if (one->cmsg_level == SOL_SOCKET && one->cmsg_type == SCM_TIMESTAMPING) {
            struct scm_timestamping *times = (void *)CMSG_DATA(one);
            IS(one->cmsg_len, CMSG_LEN(sizeof *times));
            next.at = times->ts[0].tv_sec * 1000000 + times->ts[0].tv_nsec / 1000;
            IS(times->ts[2].tv_sec, 0);
            seen |= 1;
        }
        if (one->cmsg_level == IPPROTO_IP && one->cmsg_type == IP_RECVERR) {
            struct sock_extended_err *error = (void *)CMSG_DATA(one);
            IS(error->ee_errno, ENOMSG);
            IS(error->ee_origin, SO_EE_ORIGIN_TIMESTAMPING);
            next.stage = error->ee_info, next.id = error->ee_data;
            seen |= 2;
        }
    }
    IS(seen, 3);
}

static void tells(int fd, uint32_t stage, uint32_t id, uint64_t at, ssize_t len)
{
    told(fd);
    IS(next.len, len);
    IS(next.stage, stage);
    IS(next.id, id);
    IS(next.at, at);
}

static void times_of_datagrams(void)
{
    struct sockaddr_in to = at("10.0.0.2", 9);
    int fd = ns_stack_socket(stacks[CLIENT], AF_INET, SOCK_DGRAM, 0);
    IS(ns_stack_connect(stacks[CLIENT], fd, (void *)&to, sizeof to), 0);
    int wrong = 1 << 19;
    IS(ns_stack_setsockopt(stacks[CLIENT], fd, SOL_SOCKET, SO_TIMESTAMPING, &wrong, sizeof wrong), -EINVAL);
    told(fd);
    IS(next.len, -EAGAIN);
    stamp(CLIENT, fd, SOFT | TX | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY);
    uint64_t given = now_us;
    for (int i = 0; i < 2; i++)
        IS(write_to(CLIENT, fd, "hello", 5), 5);
    IS(can(CLIENT, fd), POLLOUT);
    /* It is the device that is late. */
    now_us += 3000;
    IS(ns_stack_run(stacks[CLIENT], now_us), 0);
    run(now_us);
    IS(can(CLIENT, fd), POLLOUT | POLLERR);
    for (uint32_t i = 0; i < 2; i++) {
        tells(fd, SCM_TSTAMP_SCHED, i, given, 0);
        tells(fd, SCM_TSTAMP_SND, i, given + 3000, 0);
    }
    told(fd);
    IS(next.len, -EAGAIN);
    IS(can(CLIENT, fd), POLLOUT);
    stamp(CLIENT, fd, SOFT | TX);
    IS(write_to(CLIENT, fd, "hello", 5), 5);
    run(now_us);
    tells(fd, SCM_TSTAMP_SND, 0, now_us, 33);
    IS(next.bytes[0], 0x45);
    IS(memcmp(next.bytes + 28, "hello", 5), 0);
    IS(ns_stack_close(stacks[CLIENT], fd), 0);
    run(now_us + 50000);
}

static void times_of_streams(void)
{
    struct sockaddr_in to = at("10.0.0.2", 5000);
    int server, client = connection(&to, &server);
    set_and_see(SERVER, server, IPPROTO_TCP, TCP_QUICKACK, 1, 1);
    stamp(CLIENT, client, SOFT | TX | SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY);
    uint64_t given = now_us;
    IS(write_to(CLIENT, client, "hello", 5), 5);
    run(now_us + 100000);
    tells(client, SCM_TSTAMP_SND, 4, given, 0);
    tells(client, SCM_TSTAMP_ACK, 4, given + 2 * DELAY_US, 0);
    told(client);
    IS(next.len, -EAGAIN);
    /* A loss: it leaves twice. */
    given = now_us;
    lose = 1;
    IS(write_to(CLIENT, client, "again", 5), 5);
    run(now_us + 2000000);
    tells(client, SCM_TSTAMP_SND, 9, given, 0);
    told(client);
    IS(next.stage, SCM_TSTAMP_SND);
    IS(next.id, 9);
    uint64_t second = next.at;
    IS(second > given, 1);
    tells(client, SCM_TSTAMP_ACK, 9, second + 2 * DELAY_US, 0);
    IS(ns_stack_close(stacks[CLIENT], client), 0);
    IS(ns_stack_close(stacks[SERVER], server), 0);
    run(now_us + 200000000);
}

static int asked(int who, int fd, unsigned long request)
{
    int value = -1;
    IS(ns_stack_ioctl(stacks[who], fd, request, &value), 0);
    return value;
}

static ssize_t hurry(int who, int fd, const void *bytes, size_t len)
{
    struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    return ns_stack_sendmsg(stacks[who], fd, &msg, MSG_OOB);
}

static void urgent(void)
{
    struct sockaddr_in to = at("10.0.0.2", 5001);
    int server, client = connection(&to, &server);
    int ep = ns_stack_epoll_create(stacks[SERVER]);
    struct epoll_event event = {.events = EPOLLPRI};
    IS(ns_stack_epoll_ctl(stacks[SERVER], ep, EPOLL_CTL_ADD, server, &event), 0);
    char bytes[10] = "";
    IS(read_from(SERVER, server, bytes, sizeof bytes, MSG_OOB), -EINVAL);
    IS(write_to(CLIENT, client, "ab", 2), 2);
    IS(hurry(CLIENT, client, "cd", 2), 2);
    IS(write_to(CLIENT, client, "ef", 2), 2);
    run(now_us + 500000);
    IS(ns_stack_epoll_wait(stacks[SERVER], ep, &event, 1), 1);
    IS(event.events, EPOLLPRI);
    IS(can(SERVER, server), POLLIN | POLLPRI | POLLOUT);
    IS(asked(SERVER, server, SIOCATMARK), 0);
    IS(asked(SERVER, server, FIONREAD), 3);
    IS(read_from(SERVER, server, bytes, sizeof bytes, MSG_OOB | MSG_PEEK), 1);
    IS(read_from(SERVER, server, bytes, sizeof bytes, MSG_OOB), 1);
    IS(bytes[0], 'd');
    IS(read_from(SERVER, server, bytes, sizeof bytes, MSG_OOB), -EINVAL);
    IS(ns_stack_epoll_wait(stacks[SERVER], ep, &event, 1), 0);
    IS(read_from(SERVER, server, bytes, sizeof bytes, 0), 3);
    IS(memcmp(bytes, "abc", 3), 0);
    IS(asked(SERVER, server, SIOCATMARK), 1);
    IS(read_from(SERVER, server, bytes, sizeof bytes, 0), 2);
    IS(memcmp(bytes, "ef", 2), 0);
    IS(asked(SERVER, server, SIOCATMARK), 0);
    /* In line. */
    set_and_see(SERVER, server, SOL_SOCKET, SO_OOBINLINE, 1, 1);
    IS(hurry(CLIENT, client, "gh", 2), 2);
    run(now_us + 500000);
    IS(read_from(SERVER, server, bytes, sizeof bytes, MSG_OOB), -EINVAL);
    IS(asked(SERVER, server, FIONREAD), 2);
    IS(read_from(SERVER, server, bytes, sizeof bytes, 0), 1);
    IS(asked(SERVER, server, SIOCATMARK), 1);
    IS(read_from(SERVER, server, bytes, sizeof bytes, 0), 1);
    IS(bytes[0], 'h');
    IS(ns_stack_close(stacks[SERVER], ep), 0);
    IS(ns_stack_close(stacks[CLIENT], client), 0);
    IS(ns_stack_close(stacks[SERVER], server), 0);
    run(now_us + 200000000);
}

/* Each of a group gets some of the connections, and none is lost. */
static void sharing(void)
{
    enum { GROUP = 4, MANY = 64 };
    struct sockaddr_in to = at("10.0.0.2", 5002);
    int group[GROUP], clients[MANY], total = 0;
    for (int i = 0; i < GROUP; i++) {
        group[i] = ns_stack_socket(stacks[SERVER], AF_INET, SOCK_STREAM, 0);
        set_and_see(SERVER, group[i], SOL_SOCKET, SO_REUSEPORT, 1, 1);
        IS(ns_stack_bind(stacks[SERVER], group[i], (void *)&to, sizeof to), 0);
        IS(ns_stack_listen(stacks[SERVER], group[i], MANY), 0);
    }
    int alone = ns_stack_socket(stacks[SERVER], AF_INET, SOCK_STREAM, 0);
    IS(ns_stack_bind(stacks[SERVER], alone, (void *)&to, sizeof to), -EADDRINUSE);
    for (int i = 0; i < MANY; i++) {
        clients[i] = ns_stack_socket(stacks[CLIENT], AF_INET, SOCK_STREAM, 0);
        IS(ns_stack_connect(stacks[CLIENT], clients[i], (void *)&to, sizeof to), -EINPROGRESS);
    }
    run(now_us + 500000);
    for (int i = 0; i < GROUP; i++) {
        int fd, own = 0;
        while ((fd = ns_stack_accept(stacks[SERVER], group[i], NULL, NULL)) > 0) {
            IS(ns_stack_close(stacks[SERVER], fd), 0);
            own++;
        }
        IS(fd, -EAGAIN);
        IS(own > 0 && own < MANY, 1);
        total += own;
    }
    IS(total, MANY);
    for (int i = 0; i < MANY; i++)
        IS(ns_stack_close(stacks[CLIENT], clients[i]), 0);
    for (int i = 0; i < GROUP; i++)
        IS(ns_stack_close(stacks[SERVER], group[i]), 0);
    /* Until no connection has the port any more. */
    run(now_us + 200000000);
    IS(ns_stack_bind(stacks[SERVER], alone, (void *)&to, sizeof to), 0);
    IS(ns_stack_close(stacks[SERVER], alone), 0);
}

int main(void)
{
    stacks[CLIENT] = ns_stack_new("addr=10.0.0.1/24,mtu=1500,seed=1");
    stacks[SERVER] = ns_stack_new("addr=10.0.0.2/24,mtu=1500,seed=2");
    for (int who = 0; who < 2; who++)
        IS(ns_stack_run(stacks[who], now_us), 0);
    times_of_datagrams();
    times_of_streams();
    urgent();
    sharing();
    for (int who = 0; who < 2; who++)
        IS(ns_stack_free(stacks[who]), 0);
    return 0;
}
