/* The variables of Linux: what each of them changes on the wire, or in what is told of a socket. */
#include "two_stacks.h"

enum { SACK_PERMITTED = 4, TIMESTAMPS = 8, SCALE = 3 };

static unsigned char packet[1500];

static void begin(void)
{
    stacks[CLIENT] = ns_stack_new("addr=10.0.0.1/24,seed=1");
    stacks[SERVER] = ns_stack_new("addr=10.0.0.2/24,seed=2");
    now_us = 1000000, lose = 0, flying = 0;
    for (int who = 0; who < 2; who++)
        IS(ns_stack_run(stacks[who], now_us), 0);
}

static void end(void)
{
    for (int who = 0; who < 2; who++)
        IS(ns_stack_free(stacks[who]), 0);
}

static void with(int who, const char *name, const char *value)
{
    IS(ns_stack_sysctl(stacks[who], name, value), 0);
}

static int listening(void)
{
    struct sockaddr_in name = at("10.0.0.2", 80);
    int fd = ns_stack_socket(stacks[SERVER], AF_INET, SOCK_STREAM, 0);
    IS(ns_stack_bind(stacks[SERVER], fd, (void *)&name, sizeof name), 0);
    IS(ns_stack_listen(stacks[SERVER], fd, 5), 0);
    return fd;
}

static int connecting(void)
{
    struct sockaddr_in to = at("10.0.0.2", 80);
    int fd = ns_stack_socket(stacks[CLIENT], AF_INET, SOCK_STREAM, 0);
    IS(ns_stack_connect(stacks[CLIENT], fd, (void *)&to, sizeof to), -EINPROGRESS);
    return fd;
}

/* Client and server of a connection. */
static void connected(int fds[2])
{
    int listener = listening();
    fds[CLIENT] = connecting();
    run(now_us + 100000);
    fds[SERVER] = ns_stack_accept(stacks[SERVER], listener, NULL, NULL);
    IS(fds[SERVER] >= 0, 1);
}

/* The packet that a stack sends next; its length. */
static ssize_t next(int who)
{
    return ns_stack_output(stacks[who], packet, sizeof packet);
}

static unsigned window(void)
{
    return packet[34] << 8 | packet[35];
}

/* An option of the packet's TCP header, or null. */
static const unsigned char *option(int kind)
{
    const unsigned char *at = packet + 40, *behind = packet + 20 + (packet[32] >> 4) * 4;
    while (at < behind && *at != 0) {
        if (*at == kind)
            return at;
        at += *at == 1 ? 1 : at[1];
    }
    return NULL;
}

static void what_a_syn_offers(void)
{
    begin();
    connecting();
    IS(next(CLIENT), 60);
    /* Linux's order: the segment size, selective acknowledgement, timestamps, the scale. */
    const unsigned char order[] = {2, 4, 8, 1, 3};
    const int places[] = {40, 44, 46, 56, 57};
    for (int i = 0; i < 5; i++)
        IS(packet[places[i]], order[i]);
    IS(packet[33], 0x02);
    IS(packet[59], 7);
    end();

    struct {
        const char *name, *value;
        int without;
    } offers[] = {{"tcp_sack", "0", SACK_PERMITTED}, {"net.ipv4.tcp_timestamps", "0", TIMESTAMPS}};
    for (int i = 0; i < 2; i++) {
        begin();
        with(CLIENT, offers[i].name, offers[i].value);
        connecting();
        IS(next(CLIENT) > 0, 1);
        IS(option(offers[i].without) == NULL, 1);
        IS(option(SCALE) != NULL, 1);
        end();
    }

    const char *ecn[] = {"0", "1", "2"};
    for (int i = 0; i < 3; i++) {
        begin();
        with(CLIENT, "tcp_ecn", ecn[i]);
        connecting();
        IS(next(CLIENT), 60);
        IS(packet[33], i == 1 ? 0xC2 : 0x02);
        end();
    }
}

/* The scale follows from the most that a buffer comes to hold, the window from what it begins with. */
static void sizes_of_buffers(void)
{
    struct {
        const char *value;
        int first, scale;
    } sizes[] = {
        {"4096 131072 6291456", 131072, 7}, {"4096 131072 16777216", 131072, 9}, {"4096 16384 6291456", 16384, 7},
        {"4096 10000 10000", 10000, 0},     {"1 1 1", 1, 0},                     {"4096 20000 10000", 20000, 0},
    };
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        begin();
        with(CLIENT, "tcp_rmem", sizes[i].value);
        int fd = connecting();
        IS(next(CLIENT) > 0, 1);
        IS(option(SCALE)[2], sizes[i].scale);
        IS(window(), sizes[i].first < 65535 ? sizes[i].first : 65535);
        IS(int_option(CLIENT, fd, SOL_SOCKET, SO_RCVBUF), sizes[i].first);
        end();
    }
    begin();
    with(CLIENT, "tcp_wmem", "4096 20000 20000");
    int fds[2];
    connected(fds);
    IS(int_option(CLIENT, fds[CLIENT], SOL_SOCKET, SO_SNDBUF), 20000);
    static char bytes[100000];
    lose = 1 << 20;
    IS(write_to(CLIENT, fds[CLIENT], bytes, sizeof bytes), 20000);
    end();
}

/* Packets that leave until nothing is left to wait for, if nobody answers. */
static int repetitions(int who)
{
    int count = 0;
    for (;;) {
        while (next(who) > 0)
            count++;
        uint64_t due = ns_stack_poll_at(stacks[who]);
        if (due == UINT64_MAX)
            break;
        IS(ns_stack_run(stacks[who], due), 0);
    }
    return count;
}

static void patience(void)
{
    begin();
    with(CLIENT, "tcp_syn_retries", "2");
    int fd = connecting();
    IS(repetitions(CLIENT), 3);
    IS(int_option(CLIENT, fd, SOL_SOCKET, SO_ERROR), ETIMEDOUT);
    end();

    begin();
    with(SERVER, "tcp_synack_retries", "1");
    listening();
    connecting();
    ssize_t len = next(CLIENT);
    IS(ns_stack_input(stacks[SERVER], packet, len), 0);
    IS(repetitions(SERVER), 2);
    end();

    begin();
    with(CLIENT, "tcp_retries2", "3");
    int fds[2];
    connected(fds);
    IS(write_to(CLIENT, fds[CLIENT], "x", 1), 1);
    /* A probe of the tail comes before the first of the three. */
    IS(repetitions(CLIENT), 5);
    IS(int_option(CLIENT, fds[CLIENT], SOL_SOCKET, SO_ERROR), ETIMEDOUT);
    end();
}

/* What sockets begin with that are made later. */
static void what_sockets_begin_with(void)
{
    int fds[2], one = 1;
    begin();
    with(CLIENT, "tcp_keepalive_time", "50");
    with(CLIENT, "net.ipv4.tcp_keepalive_intvl", "7");
    with(CLIENT, "net/ipv4/tcp_keepalive_probes", "3");
    connected(fds);
    IS(int_option(CLIENT, fds[CLIENT], IPPROTO_TCP, TCP_KEEPIDLE), 50);
    IS(int_option(CLIENT, fds[CLIENT], IPPROTO_TCP, TCP_KEEPINTVL), 7);
    IS(int_option(CLIENT, fds[CLIENT], IPPROTO_TCP, TCP_KEEPCNT), 3);
    IS(int_option(SERVER, fds[SERVER], IPPROTO_TCP, TCP_KEEPIDLE), 7200);
    IS(ns_stack_setsockopt(stacks[CLIENT], fds[CLIENT], SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one), 0);
    /* Three questions, and the reset behind them. */
    IS(repetitions(CLIENT), 4);
    IS(int_option(CLIENT, fds[CLIENT], SOL_SOCKET, SO_ERROR), ETIMEDOUT);
    end();

    begin();
    with(CLIENT, "ip_default_ttl", "9");
    int fd = connecting();
    IS(next(CLIENT), 60);
    IS(packet[8], 9);
    IS(int_option(CLIENT, fd, IPPROTO_IP, IP_TTL), 9);
    fd = ns_stack_socket(stacks[CLIENT], AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = at("10.0.0.2", 80);
    IS(ns_stack_connect(stacks[CLIENT], fd, (void *)&to, sizeof to), 0);
    IS(write_to(CLIENT, fd, "x", 1), 1);
    IS(next(CLIENT), 29);
    IS(packet[8], 9);
    fd = ns_stack_socket(stacks[CLIENT], AF_INET, SOCK_RAW, 253);
    to.sin_port = 0;
    struct iovec iov = {.iov_base = "x", .iov_len = 1};
    struct msghdr msg = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &iov, .msg_iovlen = 1};
    IS(ns_stack_sendmsg(stacks[CLIENT], fd, &msg, 0), 1);
    IS(next(CLIENT), 21);
    IS(packet[8], 9);
    end();
}

static int congestion_window(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    IS(ns_stack_getsockopt(stacks[CLIENT], fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    return info.tcpi_snd_cwnd;
}

static void sending(void)
{
    static char bytes[100000];
    int fds[2];
    /* Probes of the path begin with short segments: so many bytes, options included, behind the headers. */
    const char *sizes[] = {"700", "1024"};
    for (int i = 0; i < 2; i++) {
        begin();
        with(CLIENT, "tcp_mtu_probing", "2");
        with(CLIENT, "tcp_base_mss", sizes[i]);
        connected(fds);
        IS(write_to(CLIENT, fds[CLIENT], bytes, sizeof bytes), sizeof bytes);
        /* The probe of a longer one comes first. */
        ssize_t probe = next(CLIENT);
        IS(probe > atoi(sizes[i]) + 40 && probe <= 1500, 1);
        for (int j = 0; j < 3; j++)
            IS(next(CLIENT), atoi(sizes[i]) + 40);
        end();
    }
    /* With little that may wait, it is not writable while more does. */
    for (int low = 0; low < 2; low++) {
        begin();
        if (low)
            with(CLIENT, "tcp_notsent_lowat", "1000");
        connected(fds);
        lose = 1 << 20;
        IS(write_to(CLIENT, fds[CLIENT], bytes, sizeof bytes) == sizeof bytes, !low);
        do
            while (next(CLIENT) > 0)
                ;
        while (low && write_to(CLIENT, fds[CLIENT], bytes, sizeof bytes) > 0);
        int unsent;
        IS(ns_stack_ioctl(stacks[CLIENT], fds[CLIENT], SIOCOUTQNSD, &unsent), 0);
        IS(unsent >= 1000 && unsent < 5000, low);
        struct pollfd polled = {.fd = fds[CLIENT], .events = POLLOUT};
        IS(ns_stack_poll(stacks[CLIENT], &polled, 1), !low);
        end();
    }
    /* After a while in which nothing is sent, the window is as at first, or as it was. */
    for (int restarts = 0; restarts < 2; restarts++) {
        begin();
        with(CLIENT, "tcp_slow_start_after_idle", restarts ? "1" : "0");
        with(CLIENT, "tcp_congestion_control", "reno");
        connected(fds);
        for (int i = 0; i < 20; i++) {
            write_to(CLIENT, fds[CLIENT], bytes, sizeof bytes);
            run(now_us + 100000);
            while (read_from(SERVER, fds[SERVER], bytes, sizeof bytes, 0) > 0)
                ;
        }
        IS(congestion_window(fds[CLIENT]) > 20, 1);
        run(now_us + 60000000);
        IS(write_to(CLIENT, fds[CLIENT], bytes, 5000), 5000);
        run(now_us + DELAY_US / 2);
        IS(congestion_window(fds[CLIENT]) > 20, !restarts);
        end();
    }
    begin();
    with(CLIENT, "tcp_congestion_control", "bbr");
    char name[16] = "";
    socklen_t len = sizeof name;
    int fd = ns_stack_socket(stacks[CLIENT], AF_INET, SOCK_STREAM, 0);
    IS(ns_stack_getsockopt(stacks[CLIENT], fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
    IS(strcmp(name, "bbr"), 0);
    end();
}

static void nonsense(void)
{
    static char long_one[100001];
    memset(long_one, '1', sizeof long_one - 1);
    const char *wrong[][2] = {
        {"tcp_sack", ""},        {"tcp_sack", "x"},          {"tcp_sack", "-1"},          {"tcp_sack", "2"},
        {"tcp_sack", long_one},  {"tcp_sack", "1 1"},        {"tcp_ecn", "3"},            {"tcp_fastopen", "4294967296"},
        {"tcp_rmem", "4096"},    {"tcp_rmem", "0 0 0"},      {"tcp_rmem", "1 2 3 4"},     {"tcp_rmem", "a b c"},
        {"tcp_rmem", "1 1 -1"},  {"tcp_wmem", ""},           {"tcp_syn_retries", "0"},    {"tcp_syn_retries", "128"},
        {"tcp_retries2", "256"}, {"tcp_base_mss", "65536"},  {"tcp_mtu_probing", "3"},    {"net.core.somaxconn", "-1"},
        {"net.core.rmem_max", "4294967296"}, {"tcp_keepalive_time", "0"}, {"tcp_keepalive_probes", "128"},
        {"ip_default_ttl", "256"}, {"ip_default_ttl", "0"}, {"net.ipv4.tcp_keepalive_intvl", "x"},
    };
    const char *none[] = {"", "net.ipv4.", "net.ipv4", "tcp", "TCP_SACK", "tcp_sack ", "net.ipv6.tcp_sack", "net.core.", "\n"};
    begin();
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
        IS(ns_stack_sysctl(stacks[CLIENT], wrong[i][0], wrong[i][1]), -EINVAL);
    for (unsigned i = 0; i < sizeof none / sizeof *none; i++)
        IS(ns_stack_sysctl(stacks[CLIENT], none[i], "1"), -ENOENT);
    IS(ns_stack_sysctl(stacks[CLIENT], long_one, "1"), -ENOENT);
    IS(ns_stack_sysctl(stacks[CLIENT], "tcp_congestion_control", "none"), -ENOENT);
    connecting();
    IS(next(CLIENT), 60);
    end();

    /* The greatest and the least of all that is taken: connections go on as well as they can. */
    const char *wild[][2] = {
        {"tcp_rmem", "4294967295 4294967295 4294967295"}, {"tcp_wmem", "4294967295 4294967295 4294967295"},
        {"net.core.rmem_max", "4294967295"}, {"net.core.wmem_max", "4294967295"}, {"net.core.somaxconn", "4294967295"},
        {"tcp_max_syn_backlog", "4294967295"}, {"tcp_max_orphans", "0"}, {"tcp_max_tw_buckets", "0"},
        {"tcp_fin_timeout", "4294967295"}, {"tcp_base_mss", "0"}, {"tcp_mtu_probing", "2"}, {"tcp_retries2", "0"},
        {"tcp_synack_retries", "0"}, {"tcp_fastopen", "4294967295"}, {"tcp_notsent_lowat", "1"},
    };
    begin();
    for (unsigned i = 0; i < sizeof wild / sizeof *wild; i++)
        for (int who = 0; who < 2; who++)
            with(who, wild[i][0], wild[i][1]);
    int fds[2], most = INT32_MAX;
    connected(fds);
    IS(ns_stack_setsockopt(stacks[CLIENT], fds[CLIENT], SOL_SOCKET, SO_RCVBUF, &most, sizeof most), 0);
    IS(ns_stack_setsockopt(stacks[CLIENT], fds[CLIENT], SOL_SOCKET, SO_SNDBUF, &most, sizeof most), 0);
    static char bytes[100000];
    ssize_t sent = write_to(CLIENT, fds[CLIENT], bytes, sizeof bytes), got = 0;
    IS(sent > 0, 1);
    for (int i = 0; i < 200 && got < sent; i++) {
        run(now_us + 100000);
        ssize_t more = read_from(SERVER, fds[SERVER], bytes, sizeof bytes, 0);
        got += more > 0 ? more : 0;
    }
    IS(got, sent);
    end();
}

int main(void)
{
    what_a_syn_offers();
    sizes_of_buffers();
    patience();
    what_sockets_begin_with();
    sending();
    nonsense();
    puts("all do what they say");
    return 0;
}
