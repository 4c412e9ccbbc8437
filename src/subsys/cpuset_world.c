// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cpuset_world.c - what cpuset asks of the system: which CPUs and memory nodes there are, and the
 * affinity of tasks.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <subsys/cpuset.h>

static int read_text(const char *file, char *buf, size_t size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

static int read_list(const char *file, struct mask *m)
{
	char text[4096];
	int err = read_text(file, text, sizeof(text));

	return err ? err : mask_parse(m, text, MASK_BITS);
}

static unsigned int end_of(const struct mask *m)
{
	unsigned int end = 1;

	for (unsigned int bit = 0; bit < MASK_BITS; bit++)
		if (mask_has(m, bit))
			end = bit + 1;
	return end;
}

/* A task's mask of nodes is written out in full: four bits a hexadecimal digit. */
static unsigned int count_node_bits(void)
{
	unsigned int digits = 0;
	char line[8192];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "Mems_allowed:", 13))
			continue;
		for (const char *p = line + 13; *p; p++)
			digits += isxdigit((unsigned char)*p) != 0;
	}
	if (f)
		fclose(f);
	return digits && digits * 4 <= MASK_BITS ? digits * 4 : MASK_BITS;
}

static int sys_sizes(void *arg, unsigned int *n_cpus, unsigned int *n_nodes)
{
	struct mask possible;
	int err = read_list("/sys/devices/system/cpu/possible", &possible);

	(void)arg;
	if (err)
		return err;
	*n_cpus = end_of(&possible);
	*n_nodes = count_node_bits();
	return 0;
}

static int sys_online(void *arg, struct mask *cpus, struct mask *mems)
{
	int err = read_list("/sys/devices/system/cpu/online", cpus);

	(void)arg;
	if (err)
		return err;
	/* A kernel without NUMA has the one node. */
	err = read_list("/sys/devices/system/node/has_memory", mems);
	if (err == -ENOENT) {
		mask_fill(mems, 1);
		err = 0;
	}
	return err;
}

/* ---- affinity --------------------------------------------------------------------------------- */

static int sys_get_affinity(void *arg, pid_t tid, struct mask *cpus)
{
	(void)arg;
	mask_clear(cpus);
	return syscall(SYS_sched_getaffinity, tid, sizeof(*cpus), cpus) < 0 ? -errno : 0;
}

static int sys_set_affinity(void *arg, pid_t tid, const struct mask *cpus)
{
	(void)arg;
	return syscall(SYS_sched_setaffinity, tid, sizeof(*cpus), cpus) < 0 ? -errno : 0;
}

/* ---- hotplug ---------------------------------------------------------------------------------- */

static int sys_hotplug_open(void *arg)
{
	const struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = 1};
	int err, fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			     NETLINK_KOBJECT_UEVENT);

	(void)arg;
	if (fd < 0)
		return -errno;
	if (!bind(fd, (const struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* "offline@/devices/system/cpu/cpu1" and the like. */
static bool is_of_system(const char *message)
{
	const char *path = strchr(message, '@');

	return path && (!strncmp(path, "@/devices/system/cpu/", 21) ||
			!strncmp(path, "@/devices/system/node/", 22) ||
			!strncmp(path, "@/devices/system/memory/", 24));
}

static bool sys_hotplug_news(void *arg, int fd)
{
	bool news = false;
	char message[8192];
	ssize_t n;

	(void)arg;
	for (;;) {
		n = recv(fd, message, sizeof(message) - 1, MSG_DONTWAIT);
		if (n < 0 && errno == ENOBUFS) {
			news = true; /* some message was lost */
			continue;
		}
		if (n <= 0)
			return news;
		message[n] = '\0';
		news |= is_of_system(message);
	}
}

const struct cpuset_world cpuset_system = {
	.sizes = sys_sizes,
	.online = sys_online,
	.get_affinity = sys_get_affinity,
	.set_affinity = sys_set_affinity,
	.migrate = cpuset_memory_move,
	.hotplug_open = sys_hotplug_open,
	.hotplug_news = sys_hotplug_news,
};
