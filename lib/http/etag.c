/* etag.c - lists of entity tags, read whole before anything is said of them: a list that breaks off
 * after the tag in question is no list. */
#include "http/etag.h"

#include <string.h>

/* next_tag: the one at *at, without quotes, and *at behind it and its comma; NULL when there is none. */
static const char *
next_tag(const char **at, size_t *len, bool *weak)
{
	const char *p = *at;

	*weak = strncmp(p, "W/", 2) == 0;
	p += *weak ? 2 : 0;
	if (*p++ != '"')
		return NULL;
	const char *tag = p;
	/* A tag is printable, and what is beyond ASCII; without quotes, without blanks. */
	while ((unsigned char)*p > 0x20 && *p != 0x7f && *p != '"')
		p++;
	if (*p != '"')
		return NULL;
	*len = (size_t)(p++ - tag);
	p += strspn(p, " \t");
	if (*p != '\0' && *p != ',')
		return NULL;
	*at = p + strspn(p, ", \t");
	return tag;
}

enum etag_verdict
etag_listed(const char *list, const char *tag, bool weakly)
{
	enum etag_verdict verdict = ETAG_NONE;

	list += strspn(list, ", \t");
	if (*list == '*')
		return list[1 + strspn(list + 1, " \t")] != '\0' ? ETAG_UNREADABLE : tag != NULL ? ETAG_LISTED : ETAG_NONE;
	if (*list == '\0')
		return ETAG_UNREADABLE;
	while (*list != '\0') {
		size_t n;
		bool weak;
		const char *told = next_tag(&list, &n, &weak);
		if (told == NULL)
			return ETAG_UNREADABLE;
		if (tag != NULL && (weakly || !weak) && strlen(tag) == n && memcmp(told, tag, n) == 0)
			verdict = ETAG_LISTED;
	}
	return verdict;
}
