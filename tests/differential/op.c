// SPDX-License-Identifier: GPL-2.0-or-later
/* op.c - operations as text, and templates expanded. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "op.h"

static const struct {
	const char *name;
	unsigned int flags;
} kinds[OP_KINDS] = {
#define X(name, flags) {#name, flags},
	OPS(X)
#undef X
};

const char *op_name(enum op_kind kind)
{
	return kinds[kind].name;
}

unsigned int op_flags(enum op_kind kind)
{
	return kinds[kind].flags;
}

void op_print(FILE *out, const struct op *op)
{
	fprintf(out, "%s slot=%d", kinds[op->kind].name, op->slot);
	if (op->target)
		fprintf(out, " target=%d", op->target);
	if (op->handle || op_flags(op->kind) & ON_HANDLE || op->kind == OP_open)
		fprintf(out, " handle=%d", op->handle);
	if (op->num)
		fprintf(out, " num=%d", op->num);
	if (op->flip)
		fprintf(out, " flip=1");
	if (op->mode)
		fprintf(out, " mode=0%o", op->mode);
	if (op->uid)
		fprintf(out, " uid=%d", op->uid);
	if (op->gid)
		fprintf(out, " gid=%d", op->gid);
	if (op->off)
		fprintf(out, " off=%ld", op->off);
	if (op->count)
		fprintf(out, " count=%ld", op->count);
	if (*op->path)
		fprintf(out, " path=%s", op->path);
	if (*op->path2)
		fprintf(out, " path2=%s", op->path2);
	if (*op->data)
		fprintf(out, " data=%s", op->data);
}

static int parse_field(struct op *op, const char *key, const char *val)
{
	struct {
		const char *key;
		int *to;
	} ints[] = {
		{"slot", &op->slot}, {"target", &op->target}, {"handle", &op->handle},
		{"num", &op->num},   {"flip", &op->flip},     {"uid", &op->uid},
		{"gid", &op->gid},
	};
	struct {
		const char *key;
		char *to;
	} strings[] = {{"path", op->path}, {"path2", op->path2}, {"data", op->data}};

	for (size_t i = 0; i < sizeof(ints) / sizeof(*ints); i++)
		if (!strcmp(key, ints[i].key)) {
			*ints[i].to = (int)strtol(val, NULL, 0);
			return 0;
		}
	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++)
		if (!strcmp(key, strings[i].key)) {
			snprintf(strings[i].to, sizeof(op->path), "%s", val);
			return 0;
		}
	if (!strcmp(key, "mode"))
		op->mode = (unsigned int)strtoul(val, NULL, 0);
	else if (!strcmp(key, "off"))
		op->off = strtol(val, NULL, 0);
	else if (!strcmp(key, "count"))
		op->count = strtol(val, NULL, 0);
	else
		return -1;
	return 0;
}

int op_parse(const char *line, struct op *op)
{
	char buf[1024], *save = NULL;
	char *word;
	int kind;

	snprintf(buf, sizeof(buf), "%s", line);
	word = strtok_r(buf, " \t\n", &save);
	if (!word || *word == '#')
		return 0;
	for (kind = 0; kind < OP_KINDS; kind++)
		if (!strcmp(word, kinds[kind].name))
			break;
	if (kind == OP_KINDS)
		return -1;
	*op = (struct op){.kind = kind};
	while ((word = strtok_r(NULL, " \t\n", &save)) && *word != '#') {
		char *eq = strchr(word, '=');

		if (!eq)
			return -1;
		*eq = '\0';
		if (parse_field(op, word, eq + 1))
			return -1;
	}
	if (op->slot < 0 || op->slot >= SLOTS || op->target < 0 || op->target >= SLOTS ||
	    op->handle < 0 || op->handle >= HANDLES)
		return -1;
	return 1;
}

/* Expands the {...} at P into OUT; how many bytes, or -1. */
static ssize_t expand_token(const char *p, const struct op_names *names, char *out, size_t size)
{
	static const char *formats[] = {['d'] = "%d", ['x'] = "0x%x", ['o'] = "0%o"};
	int n = atoi(p + (p[1] == '1' ? 3 : 2));
	char fill = 0;
	pid_t tid;

	switch (p[1]) {
	case 'd':
	case 'x':
	case 'o':
		if (n < 0 || n >= SLOTS || names->tid(names->arg, n, &tid))
			return -1;
		return snprintf(out, size, formats[(int)p[1]], tid);
	case 'A':
		return snprintf(out, size, "%s", names->agent);
	case 's':
		fill = ' ';
		break;
	case 'z':
		fill = 'z';
		break;
	case '1':
		fill = '1';
		break;
	default:
		return -1;
	}
	if (n < 0 || (size_t)n > size)
		return -1;
	memset(out, fill, (size_t)n);
	return n;
}

ssize_t op_expand(const char *template, const struct op_names *names, char *out, size_t size)
{
	size_t len = 0;

	for (const char *p = template; *p; p++) {
		if (size - len < 32)
			return -1;
		if (*p == '{' && strchr(p, '}')) {
			ssize_t n = expand_token(p, names, out + len, size - len);

			if (n < 0 || (size_t)n >= size - len)
				return -1;
			len += (size_t)n;
			p = strchr(p, '}');
		} else if (*p == '%' && isxdigit((unsigned char)p[1]) &&
			   isxdigit((unsigned char)p[2])) {
			char hex[3] = {p[1], p[2], 0};

			out[len++] = (char)strtoul(hex, NULL, 16);
			p += 2;
		} else {
			out[len++] = *p;
		}
	}
	return (ssize_t)len;
}

void op_append(char *template, size_t size, const char *bytes, size_t n)
{
	size_t len = strlen(template);

	for (size_t i = 0; i < n && len + 4 < size; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c > ' ' && c < 0x7f && c != '%' && c != '{' && c != '}')
			len += (size_t)sprintf(template + len, "%c", c);
		else
			len += (size_t)sprintf(template + len, "%%%02x", c);
	}
}

int op_named_slot(const char *template)
{
	for (const char *p = strchr(template, '{'); p; p = strchr(p + 1, '{'))
		if (p[1] == 'd' || p[1] == 'x' || p[1] == 'o')
			return atoi(p + 2);
	return -1;
}
