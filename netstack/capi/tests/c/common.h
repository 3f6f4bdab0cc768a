/* What the programs of the tests share. */
#ifndef COMMON_H
#define COMMON_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include "netstack.h"

/* In <netinet/tcp.h>, which does not go together with <linux/tcp.h>. */
#define IS(got, want) is((long long)(got), (long long)(want), #got, __LINE__)

static inline void is(long long got, long long want, const char *what, int line)
{
    if (got != want) {
        fprintf(stderr, "line %d: %s is %lld, and not %lld\n", line, what, got, want);
        exit(1);
    }
}

static inline struct sockaddr_in at(const char *ip, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, ip, &address.sin_addr);
    return address;
}

#endif
