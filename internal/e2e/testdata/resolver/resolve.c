/* What a C library's resolver says, one answer a line: resolve addresses NAME | name ADDRESS | query NAME TYPE-NUMBER. */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int addresses(const char *name) {
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found, *one;
	int failed = getaddrinfo(name, NULL, &hints, &found);
	if (failed) {
		puts(gai_strerror(failed));
		return 1;
	}
	for (one = found; one; one = one->ai_next) {
		char text[INET6_ADDRSTRLEN];
		const void *at = one->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)one->ai_addr)->sin_addr
		                                           : (void *)&((struct sockaddr_in6 *)one->ai_addr)->sin6_addr;
		puts(inet_ntop(one->ai_family, at, text, sizeof text));
	}
	freeaddrinfo(found);
	return 0;
}

static int name(const char *address) {
	struct sockaddr_in at = {.sin_family = AF_INET};
	char host[NI_MAXHOST];
	inet_pton(AF_INET, address, &at.sin_addr);
	int failed = getnameinfo((struct sockaddr *)&at, sizeof at, host, sizeof host, NULL, 0, NI_NAMEREQD);
	puts(failed ? gai_strerror(failed) : host);
	return failed != 0;
}

static void domain(ns_msg *message, const unsigned char *at) {
	char text[NS_MAXDNAME];
	if (dn_expand(ns_msg_base(*message), ns_msg_end(*message), at, text, sizeof text) < 0)
		exit(3);
	puts(text);
}

static int query(const char *name, int type) {
	static unsigned char answer[65536];
	int length = res_query(name, ns_c_in, type, answer, sizeof answer);
	if (length < 0) {
		printf("h_errno %d\n", h_errno);
		return 1;
	}
	ns_msg message;
	if (ns_initparse(answer, length, &message))
		return 2;
	for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
		ns_rr rr;
		if (ns_parserr(&message, ns_s_an, i, &rr))
			return 2;
		const unsigned char *data = ns_rr_rdata(rr);
		switch (ns_rr_type(rr)) {
		case ns_t_ptr:
			domain(&message, data);
			break;
		case ns_t_mx:
			printf("%d ", ns_get16(data));
			domain(&message, data + 2);
			break;
		case ns_t_srv:
			printf("%d %d %d ", ns_get16(data), ns_get16(data + 2), ns_get16(data + 4));
			domain(&message, data + 6);
			break;
		case ns_t_txt:
			printf("%.*s\n", data[0], data + 1);
			break;
		default:
			printf("%d bytes of type %d\n", ns_rr_rdlen(rr), ns_rr_type(rr));
		}
	}
	return 0;
}

int main(int argc, char **argv) {
	if (argc == 3 && !strcmp(argv[1], "addresses"))
		return addresses(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "name"))
		return name(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "query"))
		return query(argv[2], atoi(argv[3]));
	return 64;
}
