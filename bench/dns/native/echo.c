/*
 * The ceiling of bench/dns: answers every question with the same A record, and knows nothing. What a server with one socket, recvmmsg and sendmmsg
 * can reach at most. Each worker is a process with a socket of its own. Usage: echo ADDRESS PORT BATCH WORKERS
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <signal.h>
#include <unistd.h>

enum { MOST = 1024, ROOM = 1500 };

static struct mmsghdr msgs[MOST];
static struct iovec iovs[MOST];
static struct sockaddr_in peers[MOST];
static unsigned char bufs[MOST][ROOM];

static const unsigned char record[16] = { 0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4, 198, 18, 0, 1 };
static const unsigned char opt[11] = { 0, 0, 41, 0x04, 0xd0 };

/* answer makes a query an answer, and returns its length, or 0 if it wasn't one. */
static size_t answer(unsigned char *m, size_t n)
{
	size_t end = 12;
	int with_opt;

	if (n < 12 || m[2] & 0x80 || m[4] || m[5] != 1)
		return 0;
	while (end < n && m[end] && m[end] < 64)
		end += m[end] + 1;
	end += 5;
	if (end > n || end + sizeof record + sizeof opt > ROOM)
		return 0;
	with_opt = m[11];
	m[2] = 0x81;
	m[3] = 0x80;
	m[7] = 1;
	memcpy(m + end, record, sizeof record);
	end += sizeof record;
	if (with_opt) {
		memcpy(m + end, opt, sizeof opt);
		end += sizeof opt;
	}
	return end;
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd, most, workers, i, n, kept, sent;

	if (argc != 5 || (workers = atoi(argv[4])) < 1 || inet_pton(AF_INET, argv[1], &at.sin_addr) != 1 || (most = atoi(argv[3])) < 1 || most > MOST) {
		fprintf(stderr, "usage: echo ADDRESS PORT BATCH (at most %d) WORKERS\n", MOST);
		return 2;
	}
	at.sin_port = htons(atoi(argv[2]));
	for (i = 1; i < workers; i++) {
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			break;
		}
	}
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	n = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &n, sizeof n);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0) {
		perror("echo: opening a socket");
		return 1;
	}
	n = 4 << 20; /* as labnet asks for */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &n, sizeof n);
	for (;;) {
		for (i = 0; i < most; i++) {
			iovs[i].iov_base = bufs[i];
			iovs[i].iov_len = ROOM;
			msgs[i].msg_hdr.msg_iov = &iovs[i];
			msgs[i].msg_hdr.msg_iovlen = 1;
			msgs[i].msg_hdr.msg_name = &peers[i];
			msgs[i].msg_hdr.msg_namelen = sizeof peers[i];
		}
		n = recvmmsg(fd, msgs, most, MSG_WAITFORONE, NULL);
		if (n < 0) {
			if (errno == EINTR || errno == ECONNREFUSED)
				continue;
			perror("echo: receiving");
			return 1;
		}
		for (i = kept = 0; i < n; i++) {
			size_t len = answer(bufs[i], msgs[i].msg_len);

			if (!len)
				continue;
			iovs[kept].iov_base = bufs[i];
			iovs[kept].iov_len = len;
			peers[kept++] = peers[i];
		}
		for (sent = 0; sent < kept; sent += n) {
			n = sendmmsg(fd, msgs + sent, kept - sent, MSG_DONTWAIT);
			if (n < 1)
				n = 1; /* what the kernel doesn't take is lost */
		}
	}
}
