/* Two stacks in virtual time: handshake, data, loss and its repair, options, readiness, close. */
#include "two_stacks.h"

static void options(int fd)
{
    set_and_see(CLIENT, fd, IPPROTO_TCP, TCP_NODELAY, 7, 1);
    set_and_see(CLIENT, fd, IPPROTO_TCP, TCP_CORK, 1, 1);
    set_and_see(CLIENT, fd, IPPROTO_TCP, TCP_CORK, 0, 0);
    set_and_see(CLIENT, fd, IPPROTO_TCP, TCP_QUICKACK, 1, 1);
    set_and_see(CLIENT, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 90000, 90000);
    set_and_see(CLIENT, fd, IPPROTO_TCP, TCP_KEEPIDLE, 100, 100);
    set_and_see(CLIENT, fd, IPPROTO_TCP, TCP_KEEPINTVL, 10, 10);
    set_and_see(CLIENT, fd, IPPROTO_TCP, TCP_KEEPCNT, 3, 3);
    set_and_see(CLIENT, fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 65536, 65536);
    set_and_see(CLIENT, fd, IPPROTO_TCP, TCP_INQ, 1, 1);
    set_and_see(CLIENT, fd, SOL_SOCKET, SO_KEEPALIVE, 1, 1);
    set_and_see(CLIENT, fd, SOL_SOCKET, SO_RCVLOWAT, 3, 3);
    set_and_see(CLIENT, fd, SOL_SOCKET, SO_RCVLOWAT, 0, 1);
    set_and_see(CLIENT, fd, SOL_SOCKET, SO_SNDBUF, 100000, 200000);
    set_and_see(CLIENT, fd, SOL_SOCKET, SO_RCVBUF, 1, 2304);
    IS(int_option(CLIENT, fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    IS(int_option(CLIENT, fd, SOL_SOCKET, SO_DOMAIN), AF_INET);
    IS(int_option(CLIENT, fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
    IS(int_option(CLIENT, fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
    IS(int_option(CLIENT, fd, SOL_SOCKET, SO_ERROR), 0);
    IS(int_option(CLIENT, fd, IPPROTO_IP, IP_TTL), 64);

    char name[16] = "";
    socklen_t len = sizeof name;
    IS(ns_stack_setsockopt(stacks[CLIENT], fd, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3), 0);
    IS(ns_stack_getsockopt(stacks[CLIENT], fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
    IS(strcmp(name, "bbr"), 0);
    IS(ns_stack_setsockopt(stacks[CLIENT], fd, IPPROTO_TCP, TCP_CONGESTION, "none", 4), -ENOENT);
    unsigned char cc[64];
    len = sizeof cc;
    IS(ns_stack_getsockopt(stacks[CLIENT], fd, IPPROTO_TCP, TCP_CC_INFO, cc, &len), 0);
    IS(len, 20);
    IS(ns_stack_setsockopt(stacks[CLIENT], fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5), 0);
    unsigned memory[9];
    len = sizeof memory;
    IS(ns_stack_getsockopt(stacks[CLIENT], fd, SOL_SOCKET, SO_MEMINFO, memory, &len), 0);
    IS(len, sizeof memory);
    IS(memory[3], 200000);
    struct linger linger = {1, 5};
    IS(ns_stack_setsockopt(stacks[CLIENT], fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    linger.l_onoff = 0;
    IS(ns_stack_setsockopt(stacks[CLIENT], fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
}

static void variables(void)
{
    IS(ns_stack_sysctl(stacks[CLIENT], "tcp_sack", "1"), 0);
    IS(ns_stack_sysctl(stacks[CLIENT], "net.ipv4.tcp_timestamps", "1"), 0);
    IS(ns_stack_sysctl(stacks[CLIENT], "tcp_rmem", "4096 131072 6291456"), 0);
    IS(ns_stack_sysctl(stacks[CLIENT], "tcp_rmem", "4096"), -EINVAL);
    IS(ns_stack_sysctl(stacks[CLIENT], "tcp_congestion_control", "reno"), 0);
    IS(ns_stack_sysctl(stacks[CLIENT], "tcp_congestion_control", "cubic"), 0);
    IS(ns_stack_sysctl(stacks[CLIENT], "tcp_of_tomorrow", "1"), -ENOENT);
}

int main(void)
{
    IS(ns_version() >> 16, 1);
    stacks[CLIENT] = ns_stack_new("addr=10.0.0.1/24,mtu=1500,seed=1");
    stacks[SERVER] = ns_stack_new("addr=10.0.0.2/24,mtu=1500,seed=2");
    for (int who = 0; who < 2; who++)
        IS(ns_stack_run(stacks[who], now_us), 0);
    IS(ns_stack_run(stacks[CLIENT], now_us - 1), -EINVAL);
    IS(ns_stack_poll_at(stacks[CLIENT]), UINT64_MAX);
    variables();

    /* Handshake. */
    struct sockaddr_in server = at("10.0.0.2", 80), peer;
    socklen_t len = sizeof peer;
    int listener = ns_stack_socket(stacks[SERVER], AF_INET, SOCK_STREAM, 0);
    IS(ns_stack_bind(stacks[SERVER], listener, (void *)&server, sizeof server), 0);
    IS(ns_stack_listen(stacks[SERVER], listener, 5), 0);
    IS(ns_stack_accept(stacks[SERVER], listener, NULL, NULL), -EAGAIN);
    int client = ns_stack_socket(stacks[CLIENT], AF_INET, SOCK_STREAM, 0);
    IS(ns_stack_connect(stacks[CLIENT], client, (void *)&server, sizeof server), -EINPROGRESS);
    IS(ns_stack_connect(stacks[CLIENT], client, (void *)&server, sizeof server), -EALREADY);
    int ep = ns_stack_epoll_create(stacks[CLIENT]);
    struct epoll_event event = {.events = EPOLLOUT, .data.u64 = 77}, told[4];
    IS(ns_stack_epoll_ctl(stacks[CLIENT], ep, EPOLL_CTL_ADD, client, &event), 0);
    IS(ns_stack_epoll_wait(stacks[CLIENT], ep, told, 4), 0);
    unsigned char small[20];
    IS(ns_stack_output(stacks[CLIENT], small, sizeof small), -EMSGSIZE);
    run(now_us + 100000);
    IS(ns_stack_epoll_wait(stacks[CLIENT], ep, told, 4), 1);
    IS(told[0].data.u64, 77);
    IS(told[0].events, EPOLLOUT);
    IS(ns_stack_connect(stacks[CLIENT], client, (void *)&server, sizeof server), 0);
    IS(ns_stack_connect(stacks[CLIENT], client, (void *)&server, sizeof server), -EISCONN);
    int accepted = ns_stack_accept(stacks[SERVER], listener, (void *)&peer, &len);
    if (accepted < 0)
        return 4;
    IS(len, sizeof peer);
    IS(peer.sin_addr.s_addr, at("10.0.0.1", 0).sin_addr.s_addr);
    options(client);

    /* Data, with a loss that has to wait for a timeout. */
    char buffer[100000];
    memset(buffer, 'x', sizeof buffer);
    IS(write_to(CLIENT, client, "hello", 5), 5);
    lose = 1;
    run(now_us + 5000);
    IS(lost, 1);
    int outstanding = -1;
    IS(ns_stack_ioctl(stacks[CLIENT], client, SIOCOUTQ, &outstanding), 0);
    IS(outstanding, 5);
    IS(read_from(SERVER, accepted, buffer, 10, 0), -EAGAIN);
    run(now_us + 150000);
    /* With only one loss and a short path, a probe of the tail may have been quicker than the timeout. */
    run(now_us + 2000000);
    struct tcp_info info;
    len = sizeof info;
    IS(ns_stack_getsockopt(stacks[CLIENT], client, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    IS(len >= 192, 1);
    IS(info.tcpi_state, 1);
    IS(info.tcpi_total_retrans, 1);
    IS(info.tcpi_retrans, 0);
    IS(info.tcpi_delivered, 1);
    IS(info.tcpi_rtt >= 20000, 1);
    IS(info.tcpi_snd_mss, 1448);
    IS(info.tcpi_options & 7, 7);
    /* SYN, acknowledgement and the data twice; SYN-ACK and an acknowledgement of the data. */
    IS(info.tcpi_segs_out, 4);
    IS(info.tcpi_data_segs_out, 2);
    IS(info.tcpi_segs_in, 2);
    IS(info.tcpi_data_segs_in, 0);
    IS(info.tcpi_last_data_sent > 1000 && info.tcpi_last_data_sent < 2155, 1);
    len = sizeof info;
    IS(ns_stack_getsockopt(stacks[SERVER], accepted, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    IS(info.tcpi_data_segs_in, 1);
    IS(info.tcpi_data_segs_out, 0);
    IS(info.tcpi_last_data_recv > 1000 && info.tcpi_last_data_recv < 2155, 1);
    int unread = -1;
    IS(ns_stack_ioctl(stacks[SERVER], accepted, SIOCINQ, &unread), 0);
    IS(unread, 5);
    IS(read_from(SERVER, accepted, buffer, 2, MSG_PEEK), 2);
    IS(read_from(SERVER, accepted, buffer, 2, 0), 2);
    IS(memcmp(buffer, "he", 2), 0);
    struct pollfd polled[2] = {{.fd = accepted, .events = POLLIN}, {.fd = 99, .events = POLLIN}};
    IS(ns_stack_poll(stacks[SERVER], polled, 2), 2);
    IS(polled[0].revents, POLLIN);
    IS(polled[1].revents, POLLNVAL);
    IS(read_from(SERVER, accepted, buffer, 10, 0), 3);

    /* A retransmission timeout: the peer hears nothing for a while. */
    IS(write_to(CLIENT, client, "again", 5), 5);
    lose = 1 << 20;
    run(now_us + 3000000);
    lose = 0;
    IS(lost > 3, 1);
    run(now_us + 10000000);
    IS(read_from(SERVER, accepted, buffer, 10, 0), 5);

    /* Bulk, super-packets cut to the MTU. */
    memset(buffer, 'y', sizeof buffer);
    size_t sent = 0, got = 0;
    while (got < 1000000) {
        ssize_t n = sent < 1000000 ? write_to(CLIENT, client, buffer, 20000) : 0;
        sent += n > 0 ? n : 0;
        run(now_us + 5000);
        while ((n = read_from(SERVER, accepted, buffer, sizeof buffer, 0)) > 0)
            got += n;
        IS(n, -EAGAIN);
        if (now_us > 1000000000ull)
            return 5;
    }
    IS(got, sent);

    /* Close: the peer sees the end, answers, and closes as well. */
    IS(ns_stack_shutdown(stacks[CLIENT], client, SHUT_WR), 0);
    IS(write_to(CLIENT, client, "x", 1), -EPIPE);
    run(now_us + 100000);
    IS(read_from(SERVER, accepted, buffer, 10, 0), 0);
    IS(write_to(SERVER, accepted, "bye", 3), 3);
    IS(ns_stack_close(stacks[SERVER], accepted), 0);
    run(now_us + 100000);
    IS(read_from(CLIENT, client, buffer, 10, 0), 3);
    IS(read_from(CLIENT, client, buffer, 10, 0), 0);
    IS(ns_stack_close(stacks[CLIENT], client), 0);
    IS(ns_stack_close(stacks[CLIENT], client), -EBADF);
    run(now_us + 200000000);
    IS(ns_stack_poll_at(stacks[CLIENT]), UINT64_MAX);

    /* Nobody listens there. */
    server.sin_port = htons(81);
    client = ns_stack_socket(stacks[CLIENT], AF_INET, SOCK_STREAM, 0);
    IS(ns_stack_connect(stacks[CLIENT], client, (void *)&server, sizeof server), -EINPROGRESS);
    run(now_us + 100000);
    IS(int_option(CLIENT, client, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    for (int who = 0; who < 2; who++)
        IS(ns_stack_free(stacks[who]), 0);
    IS(ns_stack_run(stacks[CLIENT], now_us), -EBADF);
    printf("%d packets, %d lost\n", carried, lost);
    return 0;
}
