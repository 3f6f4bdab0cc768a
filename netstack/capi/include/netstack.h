/* The C interface of netstack. Made by cbindgen; do not edit. */

#ifndef NETSTACK_H
#define NETSTACK_H

#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 The version of this interface: major times 65536 plus minor. What is there stays as it is while the major version does.
 */
uint32_t ns_version(void);

/*
 Makes the stack of the process from a comma list: `addr=192.168.0.1/16` (several times), `gateway=192.168.0.2`,
 `mtu=1500`, `mtu6=1520`, `seed=7`; what is not said has a default. -EBUSY when there is one already.

 With `tun=tun0` the stack runs by itself, by a thread of its own on this TUN device, and its calls wait where those of
 POSIX do; then `mtu=` is the device's, `peer=192.168.0.2/16` (several times) is the kernel's address on it, `netns=blue`
 names its network namespace, if that is not the calling thread's, and `offload=1` has super-packets go by it.
 */
int ns_init(const char *opts);

/*
 Ends the stack of the process, as `ns_stack_free` does.
 */
int ns_fini(void);

/*
 Makes a socket, as `socket`. Without a thread of the stack's own it is one that never waits.
 */
int ns_socket(int domain, int kind, int protocol);

/*
 Closes a descriptor, as `close`. Calls that wait for it give -EBADF. Where the stack has a thread of its own, a connection
 with `SO_LINGER` is closed once its peer has what was written, or the time is up, and is open to others until then.
 */
int ns_close(int fd);

/*
 Binds a socket, as `bind`.
 */
int ns_bind(int fd, const struct sockaddr *addr, socklen_t len);

/*
 Listens, as `listen`.
 */
int ns_listen(int fd, int backlog);

/*
 Accepts a connection, as `accept`; -EAGAIN when none waits and the call does not.
 */
int ns_accept(int fd, struct sockaddr *addr, socklen_t *len);

/*
 Connects, as `connect`; -EINPROGRESS when a connection is begun and the call does not wait.
 */
int ns_connect(int fd, const struct sockaddr *addr, socklen_t len);

/*
 Sends a message, as `sendmsg`; -EAGAIN when there is no room and the call does not wait. One that waits sends all of it.
 */
ssize_t ns_sendmsg(int fd,
                   const struct msghdr *msg,
                   int flags);

/*
 Receives a message, as `recvmsg`; -EAGAIN when there is none and the call does not wait.
 */
ssize_t ns_recvmsg(int fd, struct msghdr *msg, int flags);

/*
 Shuts one or both halves of a socket, as `shutdown`.
 */
int ns_shutdown(int fd, int how);

/*
 The name that a socket is bound to, as `getsockname`.
 */
int ns_getsockname(int fd, struct sockaddr *addr, socklen_t *len);

/*
 The name that a socket is connected to, as `getpeername`.
 */
int ns_getpeername(int fd, struct sockaddr *addr, socklen_t *len);

/*
 Answers `SIOCINQ`, `SIOCOUTQ`, `SIOCOUTQNSD` and `SIOCATMARK` in the int at `arg`, and takes `FIONBIO`, as `ioctl`.
 */
int ns_ioctl(int fd,
             unsigned long request,
             void *arg);

/*
 Reads an option, as `getsockopt`.
 */
int ns_getsockopt(int fd, int level, int name, void *value, socklen_t *len);

/*
 Sets an option, as `setsockopt`.
 */
int ns_setsockopt(int fd, int level, int name, const void *value, socklen_t len);

/*
 Says what can be done with descriptors now, as `poll` with a timeout of 0.
 */
int ns_poll(struct pollfd *fds, nfds_t n);

/*
 Makes a descriptor that watches others, as `epoll_create1`.
 */
int ns_epoll_create(void);

/*
 Watches a descriptor, as `epoll_ctl`.
 */
int ns_epoll_ctl(int ep, int op, int fd, struct epoll_event *event);

/*
 Tells what there is now of what is watched, as `epoll_wait` with a timeout of 0.
 */
int ns_epoll_wait(int ep, struct epoll_event *events, int max);

/*
 A descriptor of the host, for its `poll` and `epoll`, that is readable as long as one of `events`, which are bits of `poll`,
 is so of `fd`, or an error or a hang-up, and when `fd` is closed. It is the program's, to be closed by `close` and not to be
 read. Now and then it is readable in vain.
 */
int ns_eventfd(int fd,
               short events);

/*
 Takes in an IP packet, which is copied.
 */
int ns_input(const void *packet, size_t len);

/*
 Copies the next IP packet, of at most the MTU, to `buf`: its length, or 0 when there is none; -EMSGSIZE, and the packet is
 kept, when `cap` is too small.
 */
ssize_t ns_output(void *buf,
                  size_t cap);

/*
 When `run` is to be called next, in microseconds; UINT64_MAX when nothing waits for time to pass, or the stack runs by
 itself.
 */
uint64_t ns_poll_at(void);

/*
 Sets the clock, which never goes back, and does what is due; afterwards `poll_at` is later.
 */
int ns_run(uint64_t now_us);

/*
 Sets a variable by its name in Linux, with or without `net.ipv4.`; -ENOENT for one that the stack has not.
 */
int ns_sysctl(const char *name, const char *value);

/*
 Makes a stack from a comma list as `ns_init` takes it: its number, to be passed to the other calls, from any thread.
 */
int ns_stack_new(const char *opts);

/*
 Ends a stack with all that is open on it, and wakes the calls that wait. Its number means nothing from then on. One on a
 device first delivers what closed connections have to, for 5 seconds at most.
 */
int ns_stack_free(int stack);

/*
 Makes a socket, as `socket`. Without a thread of the stack's own it is one that never waits.
 */
int ns_stack_socket(int stack, int domain, int kind, int protocol);

/*
 Closes a descriptor, as `close`. Calls that wait for it give -EBADF. Where the stack has a thread of its own, a connection
 with `SO_LINGER` is closed once its peer has what was written, or the time is up, and is open to others until then.
 */
int ns_stack_close(int stack,
                   int fd);

/*
 Binds a socket, as `bind`.
 */
int ns_stack_bind(int stack, int fd, const struct sockaddr *addr, socklen_t len);

/*
 Listens, as `listen`.
 */
int ns_stack_listen(int stack, int fd, int backlog);

/*
 Accepts a connection, as `accept`; -EAGAIN when none waits and the call does not.
 */
int ns_stack_accept(int stack, int fd, struct sockaddr *addr, socklen_t *len);

/*
 Connects, as `connect`; -EINPROGRESS when a connection is begun and the call does not wait.
 */
int ns_stack_connect(int stack, int fd, const struct sockaddr *addr, socklen_t len);

/*
 Sends a message, as `sendmsg`; -EAGAIN when there is no room and the call does not wait. One that waits sends all of it.
 */
ssize_t ns_stack_sendmsg(int stack,
                         int fd,
                         const struct msghdr *msg,
                         int flags);

/*
 Receives a message, as `recvmsg`; -EAGAIN when there is none and the call does not wait, as it never does for the error
 queue and for urgent data.
 */
ssize_t ns_stack_recvmsg(int stack,
                         int fd,
                         struct msghdr *msg,
                         int flags);

/*
 Shuts one or both halves of a socket, as `shutdown`.
 */
int ns_stack_shutdown(int stack, int fd, int how);

/*
 The name that a socket is bound to, as `getsockname`.
 */
int ns_stack_getsockname(int stack, int fd, struct sockaddr *addr, socklen_t *len);

/*
 The name that a socket is connected to, as `getpeername`.
 */
int ns_stack_getpeername(int stack, int fd, struct sockaddr *addr, socklen_t *len);

/*
 Answers `SIOCINQ`, `SIOCOUTQ`, `SIOCOUTQNSD` and `SIOCATMARK` in the int at `arg`, and takes `FIONBIO`, as `ioctl`.
 */
int ns_stack_ioctl(int stack,
                   int fd,
                   unsigned long request,
                   void *arg);

/*
 Reads an option, as `getsockopt`.
 */
int ns_stack_getsockopt(int stack, int fd, int level, int name, void *value, socklen_t *len);

/*
 Sets an option, as `setsockopt`.
 */
int ns_stack_setsockopt(int stack, int fd, int level, int name, const void *value, socklen_t len);

/*
 Says what can be done with descriptors now, as `poll` with a timeout of 0.
 */
int ns_stack_poll(int stack, struct pollfd *fds, nfds_t n);

/*
 Makes a descriptor that watches others, as `epoll_create1`.
 */
int ns_stack_epoll_create(int stack);

/*
 Watches a descriptor, as `epoll_ctl`.
 */
int ns_stack_epoll_ctl(int stack, int ep, int op, int fd, struct epoll_event *event);

/*
 Tells what there is now of what is watched, as `epoll_wait` with a timeout of 0.
 */
int ns_stack_epoll_wait(int stack, int ep, struct epoll_event *events, int max);

/*
 A descriptor of the host, for its `poll` and `epoll`, that is readable as long as one of `events`, which are bits of `poll`,
 is so of `fd`, or an error or a hang-up, and when `fd` is closed. It is the program's, to be closed by `close` and not to be
 read. Now and then it is readable in vain.
 */
int ns_stack_eventfd(int stack,
                     int fd,
                     short events);

/*
 Takes in an IP packet, which is copied.
 */
int ns_stack_input(int stack, const void *packet, size_t len);

/*
 Copies the next IP packet, of at most the MTU, to `buf`: its length, or 0 when there is none; -EMSGSIZE, and the packet is
 kept, when `cap` is too small.
 */
ssize_t ns_stack_output(int stack,
                        void *buf,
                        size_t cap);

/*
 When `run` is to be called next, in microseconds; UINT64_MAX when nothing waits for time to pass, or the stack runs by
 itself.
 */
uint64_t ns_stack_poll_at(int stack);

/*
 Sets the clock, which never goes back, and does what is due; afterwards `poll_at` is later.
 */
int ns_stack_run(int stack, uint64_t now_us);

/*
 Sets a variable by its name in Linux, with or without `net.ipv4.`; -ENOENT for one that the stack has not.
 */
int ns_stack_sysctl(int stack, const char *name, const char *value);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* NETSTACK_H */
