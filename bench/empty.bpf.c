// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * empty.bpf.c - programs that do nothing, on the hooks of the tracker's: what the kernel's statistics
 * say of them is what it costs to be called and measured.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#pragma clang diagnostic ignored "-Wunused-parameter"

char LICENSE[] SEC("license") = "GPL";

struct task_struct;

SEC("tp_btf/task_newtask")
int BPF_PROG(bench_fork, struct task_struct *child, __u64 clone_flags)
{
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(bench_exit, struct task_struct *task)
{
	return 0;
}
