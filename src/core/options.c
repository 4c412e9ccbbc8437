// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * options.c - the option string of a mount: parsing it, and printing a hierarchy's own.
 */
#include <stdio.h>

#include <core/internal.h>

__attribute__((format(printf, 2, 3))) static void say(char **what, const char *fmt, ...)
{
	va_list ap;

	if (!what)
		return;
	va_start(ap, fmt);
	if (vasprintf(what, fmt, ap) < 0)
		*what = NULL;
	va_end(ap);
}

static bool token_is(const char *token, size_t len, const char *word)
{
	return strlen(word) == len && !strncmp(token, word, len);
}

/* The value of a "KEY=" token, or NULL. */
static const char *token_value(const char *token, size_t *len, const char *key)
{
	size_t n = strlen(key);

	if (*len < n || strncmp(token, key, n))
		return NULL;
	*len -= n;
	return token + n;
}

static int parse_name(const char *value, size_t len, struct core_mount_opts *opts, char **what)
{
	if (opts->name[0]) {
		say(what, "name= is given twice; a hierarchy has one name");
		return -EINVAL;
	}
	if (!len || len > CORE_HIERARCHY_NAME_MAX) {
		say(what, "name=%.*s: a name has 1 to %d characters", (int)(len > 80 ? 80 : len),
		    value, CORE_HIERARCHY_NAME_MAX);
		return -EINVAL;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)value[i];

		if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '.' || c == '_' || c == '-')
			continue;
		say(what, "name=%.*s: only A-Z a-z 0-9 . _ - may stand in a name", (int)len, value);
		return -EINVAL;
	}
	memcpy(opts->name, value, len);
	opts->name[len] = '\0';
	return 0;
}

static int parse_agent(const char *value, size_t len, struct core_mount_opts *opts, char **what)
{
	if (opts->release_agent) {
		say(what, "release_agent= is given twice");
		return -EINVAL;
	}
	if (len >= PATH_MAX) {
		say(what, "release_agent=: the path has %zu bytes, %d is the most", len,
		    PATH_MAX - 1);
		return -EINVAL;
	}
	opts->release_agent = strndup(value, len);
	if (!opts->release_agent)
		return -ENOMEM;
	if (len && *value != '/' && strcmp(opts->release_agent, "builtin:rmdir")) {
		say(what, "release_agent=%s: it is an absolute path or builtin:rmdir",
		    opts->release_agent);
		return -EINVAL;
	}
	return 0;
}

static int parse_token(struct core *core, const char *token, size_t len,
		       struct core_mount_opts *opts, char **what)
{
	const char *value;

	if (!len) {
		say(what, "an empty option: two commas in a row, or one at an end");
		return -EINVAL;
	}
	if (token_is(token, len, "all"))
		opts->all = true;
	else if (token_is(token, len, "none"))
		opts->none = true;
	else if (token_is(token, len, "noprefix"))
		opts->noprefix = true;
	else if (token_is(token, len, "clone_children"))
		opts->clone_children = true;
	else if ((value = token_value(token, &len, "name=")))
		return parse_name(value, len, opts, what);
	else if ((value = token_value(token, &len, "release_agent=")))
		return parse_agent(value, len, opts, what);
	else {
		for (unsigned int i = 0; i < core->n_subsys; i++) {
			if (token_is(token, len, core->subsys[i]->name)) {
				opts->subsys_mask |= 1ull << i;
				return 0;
			}
		}
		say(what, "%.*s: no such option or subsystem", (int)(len > 80 ? 80 : len), token);
		return -ENOENT;
	}
	return 0;
}

int core_mount_opts_parse(struct core *core, const char *text, struct core_mount_opts *opts,
			  char **what)
{
	int err = 0;

	memset(opts, 0, sizeof(*opts));
	if (what)
		*what = NULL;
	while (*text && !err) {
		size_t len = strcspn(text, ",");

		err = parse_token(core, text, len, opts, what);
		text += len;
		if (!err && *text == ',' && !*++text)
			err = parse_token(core, text, 0, opts, what); /* a comma at the end */
	}
	if (!err && opts->all && opts->subsys_mask) {
		say(what, "all together with single subsystems: say one or the other");
		err = -EINVAL;
	}
	if (!err && opts->none && (opts->all || opts->subsys_mask)) {
		say(what, "none together with subsystems: say one or the other");
		err = -EINVAL;
	}
	if (!err && opts->none && !opts->name[0]) {
		say(what, "none needs a name: add name=NAME");
		err = -EINVAL;
	}
	if (err)
		core_mount_opts_clear(opts);
	return err;
}

void core_mount_opts_clear(struct core_mount_opts *opts)
{
	free(opts->release_agent);
	memset(opts, 0, sizeof(*opts));
}

char *hierarchy_options(const struct hierarchy *h)
{
	struct cgroup_subsys *ss;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	const char *comma = "";

	if (!f)
		return NULL;
	for (int id = -1; (ss = hierarchy_next_subsys(h, &id)); comma = ",")
		fprintf(f, "%s%s", comma, ss->name);
	if (!h->subsys_mask) {
		fprintf(f, "none");
		comma = ",";
	}
	if (h->noprefix)
		fprintf(f, "%snoprefix", comma);
	if (h->root->flags & CGRP_CLONE_CHILDREN)
		fprintf(f, "%sclone_children", comma);
	if (*h->release_agent)
		fprintf(f, "%srelease_agent=%s", comma, h->release_agent);
	if (h->name[0])
		fprintf(f, "%sname=%s", comma, h->name);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}
