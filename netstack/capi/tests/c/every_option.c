/* Two stacks in virtual time: control messages, the error queue, groups, the sockets below the transports, Fast Open. */
#include "two_stacks.h"
#include <linux/errqueue.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/udp.h>

/* A message with control, and what is said of one that was received. */
static struct received {
    char bytes[2000], control[512];
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_ll link;
    } name;
    struct msghdr head;
    ssize_t len;
} got;

static void receive(int who, int fd, int flags)
{
    struct iovec iov = {got.bytes, sizeof got.bytes};
    got.head = (struct msghdr){.msg_iov = &iov,
                               .msg_iovlen = 1,
                               .msg_name = &got.name,
                               .msg_namelen = sizeof got.name,
                               .msg_control = got.control,
                               .msg_controllen = sizeof got.control};
    got.len = ns_stack_recvmsg(stacks[who], fd, &got.head, flags);
}

static void *told(int level, int type, size_t len)
{
    for (struct cmsghdr *one = CMSG_FIRSTHDR(&got.head); one; one = CMSG_NXTHDR(&got.head, one))
        if (one->cmsg_level == level && one->cmsg_type == type) {
            IS(one->cmsg_len, CMSG_LEN(len));
            return CMSG_DATA(one);
        }
    fprintf(stderr, "there is no control message %d/%d\n", level, type);
    exit(1);
}

static ssize_t send_with(int who, int fd, const void *to, socklen_t to_len, const void *bytes, size_t len, int level,
                         int type, const void *data, size_t data_len)
{
    _Alignas(struct cmsghdr) char control[64] = "";
    struct iovec iov = {(void *)bytes, len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_name = (void *)to, .msg_namelen = to_len};
    if (data) {
        msg.msg_control = control;
        msg.msg_controllen = CMSG_SPACE(data_len);
        struct cmsghdr *one = CMSG_FIRSTHDR(&msg);
        *one = (struct cmsghdr){.cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(data_len)};
        memcpy(CMSG_DATA(one), data, data_len);
    }
    return ns_stack_sendmsg(stacks[who], fd, &msg, 0);
}

static void on(int who, int fd, int level, int name)
{
    set_and_see(who, fd, level, name, 1, 1);
}

static struct sockaddr_in6 at6(const char *ip, int port)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    inet_pton(AF_INET6, ip, &address.sin6_addr);
    return address;
}

static int bound(int who, const void *name, socklen_t len, int protocol)
{
    int fd = ns_stack_socket(stacks[who], *(const sa_family_t *)name, SOCK_DGRAM, protocol);
    IS(ns_stack_bind(stacks[who], fd, name, len), 0);
    return fd;
}

static int can(int who, int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI};
    ns_stack_poll(stacks[who], &polled, 1);
    return polled.revents;
}

static void control_v4(void)
{
    struct sockaddr_in from = at("10.0.0.1", 1000), to = at("10.0.0.2", 2000);
    int sender = bound(CLIENT, &from, sizeof from, 0), receiver = bound(SERVER, &to, sizeof to, 0);
    on(SERVER, receiver, IPPROTO_IP, IP_PKTINFO);
    on(SERVER, receiver, IPPROTO_IP, IP_RECVTTL);
    on(SERVER, receiver, IPPROTO_IP, IP_RECVTOS);
    on(SERVER, receiver, SOL_SOCKET, SO_TIMESTAMP);
    set_and_see(CLIENT, sender, IPPROTO_IP, IP_TTL, 33, 33);
    set_and_see(CLIENT, sender, IPPROTO_IP, IP_TOS, 0x20, 0x20);
    int ttl = 9;
    IS(send_with(CLIENT, sender, &to, sizeof to, "one", 3, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl), 3);
    uint64_t sent_at = now_us;
    run(now_us + 50000);
    receive(SERVER, receiver, 0);
    IS(got.len, 3);
    IS(got.name.v4.sin_port, htons(1000));
    IS(*(int *)told(IPPROTO_IP, IP_TTL, sizeof ttl), 9);
    IS(*(unsigned char *)told(IPPROTO_IP, IP_TOS, 1), 0x20);
    struct in_pktinfo *info = told(IPPROTO_IP, IP_PKTINFO, sizeof *info);
    IS(info->ipi_addr.s_addr, to.sin_addr.s_addr);
    IS(info->ipi_spec_dst.s_addr, to.sin_addr.s_addr);
    IS(info->ipi_ifindex, 1);
    struct timeval *when = told(SOL_SOCKET, SO_TIMESTAMP, sizeof *when);
    IS(when->tv_sec * 1000000 + when->tv_usec, (long long)(sent_at + DELAY_US));
    on(SERVER, receiver, SOL_SOCKET, SO_TIMESTAMPNS);
    IS(int_option(SERVER, receiver, SOL_SOCKET, SO_TIMESTAMP), 0);

    /* A message's own, and what the socket has where it says nothing. */
    unsigned char tos = 0xB8;
    IS(send_with(CLIENT, sender, &to, sizeof to, "two", 3, IPPROTO_IP, IP_TOS, &tos, sizeof tos), 3);
    struct in_pktinfo source = {.ipi_spec_dst = from.sin_addr, .ipi_ifindex = 1};
    IS(send_with(CLIENT, sender, &to, sizeof to, "three", 5, IPPROTO_IP, IP_PKTINFO, &source, sizeof source), 5);
    source.ipi_ifindex = 9;
    IS(send_with(CLIENT, sender, &to, sizeof to, "x", 1, IPPROTO_IP, IP_PKTINFO, &source, sizeof source), -ENODEV);
    source.ipi_ifindex = 0, source.ipi_spec_dst.s_addr = to.sin_addr.s_addr;
    IS(send_with(CLIENT, sender, &to, sizeof to, "x", 1, IPPROTO_IP, IP_PKTINFO, &source, sizeof source), -ENETUNREACH);
    IS(send_with(CLIENT, sender, &to, sizeof to, "x", 1, IPPROTO_IP, IP_TTL, &tos, sizeof tos), -EINVAL);
    run(now_us + 50000);
    receive(SERVER, receiver, 0);
    IS(*(unsigned char *)told(IPPROTO_IP, IP_TOS, 1), 0xB8);
    IS(*(int *)told(IPPROTO_IP, IP_TTL, sizeof ttl), 33);
    told(SOL_SOCKET, SO_TIMESTAMPNS, sizeof(struct timespec));
    receive(SERVER, receiver, 0);
    IS(got.len, 5);

    /* Segments: one call, several datagrams, received as one. */
    on(SERVER, receiver, IPPROTO_UDP, UDP_GRO);
    uint16_t segment = 1000;
    char bytes[2500] = "";
    IS(send_with(CLIENT, sender, &to, sizeof to, bytes, 2500, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment), 2500);
    run(now_us + 50000);
    for (size_t total = 0; total < sizeof bytes; total += got.len) {
        receive(SERVER, receiver, 0);
        IS(got.len == 1000 || got.len == 500, 1);
    }
    set_and_see(CLIENT, sender, IPPROTO_UDP, UDP_SEGMENT, 500, 500);
    IS(send_with(CLIENT, sender, &to, sizeof to, bytes, 1000, 0, 0, NULL, 0), 1000);
    run(now_us + 50000);
    receive(SERVER, receiver, 0);
    IS(got.len, 500);
    receive(SERVER, receiver, 0);

    /* Too little room says so. */
    IS(send_with(CLIENT, sender, &to, sizeof to, "cut", 3, 0, 0, NULL, 0), 3);
    run(now_us + 50000);
    struct msghdr head = {.msg_control = got.control, .msg_controllen = 20};
    IS(ns_stack_recvmsg(stacks[SERVER], receiver, &head, MSG_TRUNC), 3);
    IS(head.msg_flags, MSG_CTRUNC | MSG_TRUNC);
    IS(ns_stack_close(stacks[CLIENT], sender), 0);
    IS(ns_stack_close(stacks[SERVER], receiver), 0);
}

static void control_v6(void)
{
    struct sockaddr_in6 from = at6("fd00::1", 1000), to = at6("fd00::2", 2000);
    int sender = bound(CLIENT, &from, sizeof from, 0), receiver = bound(SERVER, &to, sizeof to, 0);
    on(SERVER, receiver, IPPROTO_IPV6, IPV6_RECVPKTINFO);
    on(SERVER, receiver, IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
    on(SERVER, receiver, IPPROTO_IPV6, IPV6_RECVTCLASS);
    set_and_see(CLIENT, sender, IPPROTO_IPV6, IPV6_TCLASS, 0x20, 0x20);
    int limit = 9;
    IS(send_with(CLIENT, sender, &to, sizeof to, "one", 3, IPPROTO_IPV6, IPV6_HOPLIMIT, &limit, sizeof limit), 3);
    run(now_us + 50000);
    receive(SERVER, receiver, 0);
    IS(got.len, 3);
    IS(*(int *)told(IPPROTO_IPV6, IPV6_HOPLIMIT, sizeof limit), 9);
    IS(*(int *)told(IPPROTO_IPV6, IPV6_TCLASS, sizeof limit), 0x20);
    struct in6_pktinfo *info = told(IPPROTO_IPV6, IPV6_PKTINFO, sizeof *info);
    IS(memcmp(&info->ipi6_addr, &to.sin6_addr, 16), 0);
    IS(info->ipi6_ifindex, 2);
    IS(ns_stack_close(stacks[CLIENT], sender), 0);
    IS(ns_stack_close(stacks[SERVER], receiver), 0);
}

static struct sock_extended_err error_v4(void)
{
    struct errqueue {
        struct sock_extended_err error;
        struct sockaddr_in offender;
    } *queued = told(IPPROTO_IP, IP_RECVERR, sizeof *queued);
    IS(got.head.msg_flags & MSG_ERRQUEUE, MSG_ERRQUEUE);
    return queued->error;
}

static void errors(void)
{
    struct sockaddr_in nobody = at("10.0.0.2", 9);
    int fd = ns_stack_socket(stacks[CLIENT], AF_INET, SOCK_DGRAM, 0);
    on(CLIENT, fd, IPPROTO_IP, IP_RECVERR);
    receive(CLIENT, fd, MSG_ERRQUEUE);
    IS(got.len, -EAGAIN);
    IS(ns_stack_connect(stacks[CLIENT], fd, (void *)&nobody, sizeof nobody), 0);
    IS(write_to(CLIENT, fd, "knock", 5), 5);
    run(now_us + 50000);
    IS(can(CLIENT, fd), POLLOUT | POLLERR);
    receive(CLIENT, fd, MSG_ERRQUEUE);
    IS(got.len, 5);
    IS(memcmp(got.bytes, "knock", 5), 0);
    IS(got.name.v4.sin_port, htons(9));
    struct sock_extended_err error = error_v4();
    IS(error.ee_errno, ECONNREFUSED);
    IS(error.ee_origin, SO_EE_ORIGIN_ICMP);
    IS(error.ee_type, 3);
    IS(error.ee_code, 3);
    IS(can(CLIENT, fd), POLLOUT);

    /* Longer than the path takes, and not to be cut. */
    char bytes[2000] = "";
    set_and_see(CLIENT, fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_PMTUDISC_DO);
    IS(write_to(CLIENT, fd, bytes, sizeof bytes), -EMSGSIZE);
    receive(CLIENT, fd, MSG_ERRQUEUE);
    error = error_v4();
    IS(error.ee_errno, EMSGSIZE);
    IS(error.ee_origin, SO_EE_ORIGIN_LOCAL);
    IS(error.ee_info, 1500);
    IS(ns_stack_close(stacks[CLIENT], fd), 0);
}

/* Messages without a copy are told of, in ranges. The memory was the caller's again at once: they say that they were copied. */
static void zerocopy(int stream)
{
    struct sockaddr_in to = at("10.0.0.2", 3000);
    int type = stream ? SOCK_STREAM : SOCK_DGRAM;
    int peer = ns_stack_socket(stacks[SERVER], AF_INET, type, 0), fd = ns_stack_socket(stacks[CLIENT], AF_INET, type, 0);
    IS(ns_stack_bind(stacks[SERVER], peer, (void *)&to, sizeof to), 0);
    if (stream)
        IS(ns_stack_listen(stacks[SERVER], peer, 5), 0);
    IS(ns_stack_connect(stacks[CLIENT], fd, (void *)&to, sizeof to), stream ? -EINPROGRESS : 0);
    run(now_us + 50000);
    on(CLIENT, fd, SOL_SOCKET, SO_ZEROCOPY);
    on(CLIENT, fd, SOL_SOCKET, SO_SELECT_ERR_QUEUE);
    struct iovec iov = {"hello", 5};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    for (int i = 0; i < 3; i++)
        IS(ns_stack_sendmsg(stacks[CLIENT], fd, &msg, MSG_ZEROCOPY), 5);
    IS(can(CLIENT, fd), POLLOUT);
    int ep = ns_stack_epoll_create(stacks[CLIENT]);
    struct epoll_event event = {.events = EPOLLET};
    IS(ns_stack_epoll_ctl(stacks[CLIENT], ep, EPOLL_CTL_ADD, fd, &event), 0);
    run(now_us + 500000);
    IS(can(CLIENT, fd), POLLOUT | POLLERR | (stream ? 0 : POLLPRI));
    IS(ns_stack_epoll_wait(stacks[CLIENT], ep, &event, 1), 1);
    IS(event.events, EPOLLERR);
    receive(CLIENT, fd, MSG_ERRQUEUE);
    IS(got.len, 0);
    struct sock_extended_err error = error_v4();
    IS(error.ee_origin, SO_EE_ORIGIN_ZEROCOPY);
    IS(error.ee_code, SO_EE_CODE_ZEROCOPY_COPIED);
    IS(error.ee_info, 0);
    IS(error.ee_data, 2);
    IS(can(CLIENT, fd), POLLOUT);
    receive(CLIENT, fd, MSG_ERRQUEUE);
    IS(got.len, -EAGAIN);
    IS(ns_stack_close(stacks[CLIENT], ep), 0);
    IS(ns_stack_close(stacks[CLIENT], fd), 0);
    IS(ns_stack_close(stacks[SERVER], peer), 0);
    run(now_us + 200000000);
}

static void groups(void)
{
    struct sockaddr_in group = at("239.1.2.3", 4000), all = at("0.0.0.0", 4000);
    int member = ns_stack_socket(stacks[SERVER], AF_INET, SOCK_DGRAM, 0);
    struct ip_mreqn wish = {.imr_multiaddr = group.sin_addr, .imr_ifindex = 1};
    int before = carried;
    IS(ns_stack_setsockopt(stacks[SERVER], member, IPPROTO_IP, IP_ADD_MEMBERSHIP, &wish, sizeof wish), 0);
    IS(ns_stack_setsockopt(stacks[SERVER], member, IPPROTO_IP, IP_ADD_MEMBERSHIP, &wish, sizeof wish), -EADDRINUSE);
    run(now_us + 2000000);
    /* Routers were told, and once more. */
    IS(carried, before + 2);
    on(SERVER, member, SOL_SOCKET, SO_REUSEADDR);
    IS(ns_stack_bind(stacks[SERVER], member, (void *)&all, sizeof all), 0);
    on(SERVER, member, IPPROTO_IP, IP_PKTINFO);
    on(SERVER, member, IPPROTO_IP, IP_RECVTTL);
    int sender = ns_stack_socket(stacks[CLIENT], AF_INET, SOCK_DGRAM, 0);
    struct in_addr own = at("10.0.0.1", 0).sin_addr;
    IS(ns_stack_setsockopt(stacks[CLIENT], sender, IPPROTO_IP, IP_MULTICAST_IF, &own, sizeof own), 0);
    set_and_see(CLIENT, sender, IPPROTO_IP, IP_MULTICAST_TTL, 5, 5);
    set_and_see(CLIENT, sender, IPPROTO_IP, IP_MULTICAST_LOOP, 0, 0);
    IS(send_with(CLIENT, sender, &group, sizeof group, "all", 3, 0, 0, NULL, 0), 3);
    run(now_us + 50000);
    receive(SERVER, member, 0);
    IS(got.len, 3);
    IS(*(int *)told(IPPROTO_IP, IP_TTL, sizeof(int)), 5);
    struct in_pktinfo *info = told(IPPROTO_IP, IP_PKTINFO, sizeof *info);
    IS(info->ipi_addr.s_addr, group.sin_addr.s_addr);
    IS(info->ipi_spec_dst.s_addr, at("10.0.0.2", 0).sin_addr.s_addr);
    IS(ns_stack_setsockopt(stacks[SERVER], member, IPPROTO_IP, IP_DROP_MEMBERSHIP, &wish, sizeof wish), 0);
    IS(ns_stack_setsockopt(stacks[SERVER], member, IPPROTO_IP, IP_DROP_MEMBERSHIP, &wish, sizeof wish), -EADDRNOTAVAIL);
    struct ipv6_mreq wish6 = {.ipv6mr_multiaddr = at6("ff05::77", 0).sin6_addr, .ipv6mr_interface = 2};
    int six = ns_stack_socket(stacks[SERVER], AF_INET6, SOCK_DGRAM, 0);
    IS(ns_stack_setsockopt(stacks[SERVER], six, IPPROTO_IPV6, IPV6_JOIN_GROUP, &wish6, sizeof wish6), 0);
    IS(ns_stack_setsockopt(stacks[SERVER], six, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &wish6, sizeof wish6), 0);
    IS(ns_stack_close(stacks[SERVER], six), 0);
    IS(ns_stack_close(stacks[SERVER], member), 0);
    IS(ns_stack_close(stacks[CLIENT], sender), 0);
    run(now_us + 2000000);
}

static void below(void)
{
    /* Packets of the server's IPv4 side, a ping to it, and a protocol that nobody has. */
    int tap = ns_stack_socket(stacks[SERVER], AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL));
    struct sockaddr_ll link = {.sll_family = AF_PACKET, .sll_ifindex = 1};
    IS(ns_stack_bind(stacks[SERVER], tap, (void *)&link, sizeof link), 0);
    struct sockaddr_in to = at("10.0.0.2", 0);
    int ping = ns_stack_socket(stacks[CLIENT], AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    unsigned char request[] = {8, 0, 0, 0, 0, 0, 0, 7, 'p'};
    IS(send_with(CLIENT, ping, &to, sizeof to, request, sizeof request, 0, 0, NULL, 0), sizeof request);
    IS(send_with(CLIENT, ping, &to, sizeof to, "xxxxxxxx", 8, 0, 0, NULL, 0), -EINVAL);
    run(now_us + 50000);
    receive(CLIENT, ping, 0);
    IS(got.len, sizeof request);
    IS(got.bytes[0], 0);
    IS(got.bytes[7], 7);
    receive(SERVER, tap, 0);
    IS(got.len, 20 + sizeof request);
    IS(got.head.msg_namelen, sizeof link);
    IS(got.name.link.sll_pkttype, PACKET_HOST);
    IS(got.name.link.sll_protocol, htons(ETH_P_IP));
    receive(SERVER, tap, 0);
    IS(got.name.link.sll_pkttype, PACKET_OUTGOING);
    receive(SERVER, tap, 0);
    IS(got.len, -EAGAIN);

    int here = ns_stack_socket(stacks[CLIENT], AF_INET, SOCK_RAW, 253), there = ns_stack_socket(stacks[SERVER], AF_INET, SOCK_RAW, 253);
    IS(send_with(CLIENT, here, &to, sizeof to, "raw", 3, 0, 0, NULL, 0), 3);
    run(now_us + 50000);
    receive(SERVER, there, 0);
    IS(got.len, 23);
    IS((unsigned char)got.bytes[0], 0x45);
    IS(memcmp(got.bytes + 20, "raw", 3), 0);
    IS(got.name.v4.sin_addr.s_addr, at("10.0.0.1", 0).sin_addr.s_addr);
    /* The packet that the tap saw goes again, as it is. */
    receive(SERVER, tap, MSG_PEEK);
    IS(got.len, 23);
    IS(ns_stack_setsockopt(stacks[SERVER], there, SOL_SOCKET, SO_BINDTODEVICE, "ipv6", 4), 0);
    IS(send_with(CLIENT, here, &to, sizeof to, "raw", 3, 0, 0, NULL, 0), 3);
    run(now_us + 50000);
    receive(SERVER, there, 0);
    IS(got.len, -EAGAIN);
    IS(ns_stack_setsockopt(stacks[SERVER], there, SOL_SOCKET, SO_BINDTODEVICE, "none", 4), -ENODEV);
    IS(ns_stack_close(stacks[CLIENT], here), 0);
    IS(ns_stack_close(stacks[SERVER], there), 0);
    IS(ns_stack_close(stacks[SERVER], tap), 0);
    IS(ns_stack_close(stacks[CLIENT], ping), 0);
}

/* A port of several sockets: a flow is one's of them, and stays its. */
static void shared_port(void)
{
    enum { FLOWS = 32 };
    struct sockaddr_in to = at("10.0.0.2", 6000);
    int members[2], flows[FLOWS], heard[2] = {0, 0}, of[FLOWS];
    for (int i = 0; i < 2; i++) {
        members[i] = ns_stack_socket(stacks[SERVER], AF_INET, SOCK_DGRAM, 0);
        on(SERVER, members[i], SOL_SOCKET, SO_REUSEPORT);
        IS(ns_stack_bind(stacks[SERVER], members[i], (void *)&to, sizeof to), 0);
    }
    int other = ns_stack_socket(stacks[SERVER], AF_INET, SOCK_DGRAM, 0);
    IS(ns_stack_bind(stacks[SERVER], other, (void *)&to, sizeof to), -EADDRINUSE);
    IS(ns_stack_close(stacks[SERVER], other), 0);
    for (int i = 0; i < FLOWS; i++) {
        struct sockaddr_in from = at("10.0.0.1", 7000 + i);
        flows[i] = bound(CLIENT, &from, sizeof from, 0);
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < FLOWS; i++) {
            IS(send_with(CLIENT, flows[i], &to, sizeof to, "x", 1, 0, 0, NULL, 0), 1);
            run(now_us + 50000);
            int first = (can(SERVER, members[0]) & POLLIN) != 0;
            IS(first + ((can(SERVER, members[1]) & POLLIN) != 0), 1);
            if (round)
                IS(of[i], !first);
            of[i] = !first;
            heard[of[i]]++;
            receive(SERVER, members[of[i]], 0);
            IS(got.len, 1);
            IS(got.name.v4.sin_port, htons(7000 + i));
        }
    IS(heard[0] + heard[1], 2 * FLOWS);
    IS(heard[0] >= FLOWS / 4 && heard[1] >= FLOWS / 4, 1);
    /* The one that is left has all of them. */
    IS(ns_stack_close(stacks[SERVER], members[0]), 0);
    for (int i = 0; i < FLOWS; i++) {
        IS(send_with(CLIENT, flows[i], &to, sizeof to, "x", 1, 0, 0, NULL, 0), 1);
        run(now_us + 50000);
        receive(SERVER, members[1], 0);
        IS(got.len, 1);
        IS(ns_stack_close(stacks[CLIENT], flows[i]), 0);
    }
    IS(ns_stack_close(stacks[SERVER], members[1]), 0);
}

static void groups_v6(void)
{
    struct sockaddr_in6 group = at6("ff05::77", 4000), all = at6("::", 4000);
    struct ipv6_mreq wish = {.ipv6mr_multiaddr = group.sin6_addr, .ipv6mr_interface = 2};
    int members[2];
    for (int who = 0; who < 2; who++) {
        members[who] = bound(who, &all, sizeof all, 0);
        IS(ns_stack_setsockopt(stacks[who], members[who], IPPROTO_IPV6, IPV6_JOIN_GROUP, &wish, sizeof wish), 0);
        on(who, members[who], IPPROTO_IPV6, IPV6_RECVPKTINFO);
        on(who, members[who], IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
    }
    int sender = ns_stack_socket(stacks[CLIENT], AF_INET6, SOCK_DGRAM, 0), none = 77;
    set_and_see(CLIENT, sender, IPPROTO_IPV6, IPV6_MULTICAST_IF, 2, 2);
    IS(ns_stack_setsockopt(stacks[CLIENT], sender, IPPROTO_IPV6, IPV6_MULTICAST_IF, &none, sizeof none), -ENODEV);
    set_and_see(CLIENT, sender, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 5, 5);
    /* Members on the sender's own host hear it where the sender lets them. */
    for (int loop = 0; loop < 2; loop++) {
        set_and_see(CLIENT, sender, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, loop, loop);
        IS(send_with(CLIENT, sender, &group, sizeof group, "all", 3, 0, 0, NULL, 0), 3);
        run(now_us + 50000);
        receive(CLIENT, members[CLIENT], 0);
        IS(got.len, loop ? 3 : -EAGAIN);
        receive(SERVER, members[SERVER], 0);
        IS(got.len, 3);
        IS(*(int *)told(IPPROTO_IPV6, IPV6_HOPLIMIT, sizeof(int)), 5);
        struct in6_pktinfo *info = told(IPPROTO_IPV6, IPV6_PKTINFO, sizeof *info);
        IS(memcmp(&info->ipi6_addr, &group.sin6_addr, sizeof group.sin6_addr), 0);
        IS(info->ipi6_ifindex, 2);
    }
    /* Who has left hears nothing. */
    IS(ns_stack_setsockopt(stacks[SERVER], members[SERVER], IPPROTO_IPV6, IPV6_LEAVE_GROUP, &wish, sizeof wish), 0);
    IS(send_with(CLIENT, sender, &group, sizeof group, "all", 3, 0, 0, NULL, 0), 3);
    run(now_us + 50000);
    receive(SERVER, members[SERVER], 0);
    IS(got.len, -EAGAIN);
    IS(ns_stack_close(stacks[CLIENT], sender), 0);
    for (int who = 0; who < 2; who++)
        IS(ns_stack_close(stacks[who], members[who]), 0);
    run(now_us + 2000000);
}

/* Sockets of a protocol of IPv6 have no header in front of what they receive. */
static void below_v6(void)
{
    struct sockaddr_in6 to = at6("fd00::2", 0), from = at6("fd00::1", 0);
    int here = ns_stack_socket(stacks[CLIENT], AF_INET6, SOCK_RAW, 253), there = ns_stack_socket(stacks[SERVER], AF_INET6, SOCK_RAW, 253);
    on(SERVER, there, IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
    set_and_see(CLIENT, here, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9, 9);
    IS(send_with(CLIENT, here, &to, sizeof to, "raw", 3, 0, 0, NULL, 0), 3);
    run(now_us + 50000);
    receive(SERVER, there, 0);
    IS(got.len, 3);
    IS(memcmp(got.bytes, "raw", 3), 0);
    IS(memcmp(&got.name.v6.sin6_addr, &from.sin6_addr, sizeof from.sin6_addr), 0);
    IS(*(int *)told(IPPROTO_IPV6, IPV6_HOPLIMIT, sizeof(int)), 9);
    /* One that is connected hears its peer alone, and sends to it without a name. */
    IS(ns_stack_connect(stacks[SERVER], there, (void *)&from, sizeof from), 0);
    IS(write_to(SERVER, there, "back", 4), 4);
    run(now_us + 50000);
    receive(CLIENT, here, 0);
    IS(got.len, 4);
    IS(ns_stack_close(stacks[CLIENT], here), 0);
    IS(ns_stack_close(stacks[SERVER], there), 0);
}

/* The first connection asks for a cookie, the second carries data with its SYN. */
static void fast_open(void)
{
    struct sockaddr_in server = at("10.0.0.2", 5000);
    int listener = ns_stack_socket(stacks[SERVER], AF_INET, SOCK_STREAM, 0), queue = 5;
    IS(ns_stack_sysctl(stacks[SERVER], "tcp_fastopen", "3"), 0);
    IS(ns_stack_setsockopt(stacks[SERVER], listener, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof queue), 0);
    IS(ns_stack_bind(stacks[SERVER], listener, (void *)&server, sizeof server), 0);
    IS(ns_stack_listen(stacks[SERVER], listener, 5), 0);
    struct iovec iov = {"early", 5};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_name = &server, .msg_namelen = sizeof server};
    for (int round = 0; round < 2; round++) {
        int fd = ns_stack_socket(stacks[CLIENT], AF_INET, SOCK_STREAM, 0);
        IS(ns_stack_sendmsg(stacks[CLIENT], fd, &msg, MSG_FASTOPEN), round ? 5 : -EINPROGRESS);
        run(now_us + DELAY_US + 1000);
        /* After one way only. */
        int accepted = ns_stack_accept(stacks[SERVER], listener, NULL, NULL);
        if (round) {
            char bytes[10];
            IS(read_from(SERVER, accepted, bytes, sizeof bytes, 0), 5);
        } else {
            IS(accepted, -EAGAIN);
        }
        run(now_us + 100000);
        if (!round)
            accepted = ns_stack_accept(stacks[SERVER], listener, NULL, NULL);
        IS(ns_stack_close(stacks[SERVER], accepted), 0);
        IS(ns_stack_sendmsg(stacks[CLIENT], fd, &msg, MSG_FASTOPEN), 5);
        IS(ns_stack_sendmsg(stacks[CLIENT], fd, &msg, MSG_FASTOPEN), -EISCONN);
        IS(ns_stack_close(stacks[CLIENT], fd), 0);
        run(now_us + 100000);
    }
    /* The same by an option: connecting waits for what is written. */
    int fd = ns_stack_socket(stacks[CLIENT], AF_INET, SOCK_STREAM, 0);
    on(CLIENT, fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT);
    int before = carried;
    IS(ns_stack_connect(stacks[CLIENT], fd, (void *)&server, sizeof server), 0);
    run(now_us + 100000);
    IS(carried, before);
    IS(can(CLIENT, fd) & POLLOUT, POLLOUT);
    IS(write_to(CLIENT, fd, "early", 5), 5);
    run(now_us + 100000);
    IS(can(CLIENT, fd), POLLOUT);
    IS(ns_stack_shutdown(stacks[CLIENT], fd, SHUT_RDWR), 0);
    IS(can(CLIENT, fd), POLLIN | POLLOUT | POLLHUP);
    IS(ns_stack_close(stacks[CLIENT], fd), 0);
    IS(ns_stack_close(stacks[SERVER], listener), 0);
}

static void variables(void)
{
    const char *set[][2] = {
        {"tcp_rmem", "4096 131072 6291456"}, {"tcp_wmem", "4096 16384 4194304"}, {"tcp_sack", "1"},
        {"tcp_timestamps", "1"}, {"tcp_ecn", "2"}, {"tcp_congestion_control", "cubic"}, {"tcp_fastopen", "1"},
        {"tcp_syn_retries", "6"}, {"tcp_synack_retries", "5"}, {"tcp_notsent_lowat", "4294967295"},
        {"net.ipv4.tcp_notsent_lowat", "131072"}, {"tcp_mtu_probing", "1"}, {"tcp_base_mss", "1024"},
        {"tcp_slow_start_after_idle", "0"}, {"net.core.somaxconn", "4096"}, {"net.core.rmem_max", "212992"},
        {"net/core/wmem_max", "212992"},
    };
    for (unsigned i = 0; i < sizeof set / sizeof *set; i++)
        IS(ns_stack_sysctl(stacks[CLIENT], set[i][0], set[i][1]), 0);
    IS(ns_stack_sysctl(stacks[CLIENT], "tcp_slow_start_after_idle", "2"), -EINVAL);
    IS(ns_stack_sysctl(stacks[CLIENT], "net.core.none", "2"), -ENOENT);
}

int main(void)
{
    stacks[CLIENT] = ns_stack_new("addr=10.0.0.1/24,addr=fd00::1/64,mtu=1500,seed=1");
    stacks[SERVER] = ns_stack_new("addr=10.0.0.2/24,addr=fd00::2/64,mtu=1500,seed=2");
    for (int who = 0; who < 2; who++)
        IS(ns_stack_run(stacks[who], now_us), 0);
    variables();
    control_v4();
    control_v6();
    errors();
    zerocopy(0);
    zerocopy(1);
    groups();
    below();
    shared_port();
    groups_v6();
    below_v6();
    fast_open();
    for (int who = 0; who < 2; who++)
        IS(ns_stack_free(stacks[who]), 0);
    return 0;
}
